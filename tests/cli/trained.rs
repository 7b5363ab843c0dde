//! Training a classifier and measuring it from a shell, on made-up questions.

use serde_json::{Value, json};

use super::json;
use crate::program::Sandbox;

/// Two models; the large one is always right, the small one mostly fails where something is to be proved.
fn questions(from: u64, count: u64) -> String {
    let line = |row: u64| {
        let mixed = row.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let is_hard = mixed >> 40 & 1 == 1;
        let verbs = if is_hard { ["prove", "derive", "integrate"] } else { ["list", "name", "copy"] };
        let verb = match (mixed >> 20) % 3 {
            0 => verbs[0],
            1 => verbs[1],
            _ => verbs[2],
        };
        let fails = (mixed >> 50) % 10 < if is_hard { 7 } else { 1 };
        json!({
            "id": format!("q-{row}"), "source": "made up", "task": if row.is_multiple_of(2) { "even" } else { "odd" },
            "prompt": format!("Please {verb} what is known of case {} in a line or two.", mixed >> 55),
            "split_key": format!("{mixed:016x}"),
            "outcomes": {
                "acme/small-1": {"quality": u8::from(!fails), "cost_usd": 0.001},
                "acme/large-1": {"quality": 1, "cost_usd": 0.01},
            },
        })
        .to_string()
    };
    (from..from + count).map(line).collect::<Vec<_>>().join("\n")
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("set.jsonl", questions(0, 300));
    sandbox.write("held.jsonl", questions(5000, 200));
    sandbox
}

#[test]
fn weights_are_trained_measured_and_used() {
    let sandbox = sandbox();
    let table = sandbox.good("train set.jsonl --cheap small --strong large -o w.toml");
    assert!(table.contains("acme/small-1 → acme/large-1") && table.contains("APGR"), "{table}");
    sandbox.good("train set.jsonl --cheap small --strong large -o again.toml --name w");
    assert_eq!(
        sandbox.read("w.toml"),
        sandbox.read("again.toml"),
        "the same rows and seed give the same bytes"
    );

    let found = json(&sandbox.good("evaluate held.jsonl --weights w.toml --format json"));
    for key in ["apgr", "apgr_low", "apgr_high", "cpt50", "cpt80", "saved_at_95", "ece"] {
        assert!(found[key].is_f64(), "{key}: {found}");
    }
    assert!(found["apgr"].as_f64() > Some(0.6), "{found}");
    assert_eq!((&found["n"], &found["trained_on"]), (&json!(200), &json!(0)));
    for key in ["always_cheap", "always_strong", "random", "length_only", "tags_only", "oracle"] {
        assert!(found["baselines"][key].is_number(), "{key}: {found}");
    }
    // Whoever trained on everything is told so.
    let own = json(&sandbox.good("evaluate set.jsonl --weights w.toml --format json"));
    assert_eq!((&own["trained_on"], &own["trained_on_included"]), (&json!(300), &Value::Bool(true)));

    // The same file decides wherever a classifier does.
    sandbox.write("small.jsonl", super::LOG);
    let replayed = sandbox.good("replay small.jsonl --classifier w.toml --format json");
    assert_eq!(
        json(&replayed)["scope"]["classifier"].as_str().map(|named| named.starts_with("w ")),
        Some(true),
        "{replayed}"
    );
}

#[test]
fn what_was_held_out_is_what_it_is_judged_by() {
    let sandbox = sandbox();
    sandbox.good("train set.jsonl --cheap small --strong large -o w.toml --hold-out");
    let found = json(&sandbox.good("evaluate set.jsonl --weights w.toml --format json"));
    let (judged, trained) = (found["n"].as_u64(), found["trained_on"].as_u64());
    assert_eq!(judged.zip(trained).map(|(judged, trained)| judged + trained), Some(300), "{found}");
    assert!(judged > Some(60) && judged < Some(120), "{found}");
}

#[test]
fn thresholds_stay_with_the_weights_they_were_fitted_on() {
    let sandbox = sandbox();
    sandbox.write("small.jsonl", super::LOG);
    sandbox.good("train set.jsonl --cheap small --strong large -o w.toml");
    let hash =
        sandbox.read("w.toml").split_once("hash ").map(|(_, rest)| rest[..16].to_owned()).expect("a hash");
    let policy = |hash: &str| {
        format!(
            "classifier = \"{hash}\"\n[[route]]\nname = \"all\"\n[[route.ladder]]\nmodel = \"gpt-4.1-mini\"\nthreshold = 600\n[[route.ladder]]\nmodel = \"gpt-4.1\"\n"
        )
    };
    sandbox.write("p.toml", policy(&hash));
    sandbox.good("replay small.jsonl --policy p.toml --classifier w.toml");
    let refused = sandbox.refused("replay small.jsonl --policy p.toml");
    assert!(refused.contains("p.toml:1") && refused.contains(&hash), "{refused}");
}

#[test]
fn what_is_missing_is_said() {
    let sandbox = sandbox();
    let with_third =
        questions(0, 40).replace("\"acme/small-1\"", "\"acme/tiny-1\":{\"quality\":0},\"acme/small-1\"");
    sandbox.write("three.jsonl", &with_third);
    sandbox.write("small.jsonl", super::LOG);
    for (args, said) in [
        ("train three.jsonl -o w.toml", "say which: --cheap MODEL --strong MODEL"),
        ("train three.jsonl --cheap acme --strong large -o w.toml", "may mean"),
        (
            "train three.jsonl --cheap nobody --strong large -o w.toml",
            "nothing is known of answers of nobody",
        ),
        ("train three.jsonl --cheap large --strong large -o w.toml", "named twice"),
        (
            "train small.jsonl --cheap nobody --strong flash -o w.toml",
            "nothing is known of answers of nobody",
        ),
        ("evaluate set.jsonl --weights small.jsonl", "small.jsonl"),
        ("evaluate none.jsonl", "none.jsonl"),
    ] {
        let told = sandbox.refused(args);
        assert!(told.contains(said), "{args}: {told}");
    }
    sandbox.write("few.jsonl", questions(0, 8));
    assert!(sandbox.refused("train few.jsonl --cheap small-1 --strong large-1 -o w.toml").contains("8 rows"));
}

/// Grades on another scale, taken for what is not known where they do not fit, would teach from the worst answers alone.
#[test]
fn qualities_on_another_scale_are_refused_and_single_slips_are_told() {
    let sandbox = sandbox();
    let set = questions(0, 300);
    sandbox.write("ten.jsonl", set.replace("\"quality\":1", "\"quality\":10"));
    for args in [
        "train ten.jsonl --cheap small --strong large -o w.toml",
        "evaluate ten.jsonl --cheap small --strong large",
    ] {
        let told = sandbox.refused(args);
        assert!(
            told.contains("qualities lie outside 0 to 1; line 1, outcomes.acme/large-1.quality: 10"),
            "{told}"
        );
    }
    let quoted = set.replace("\"quality\":1", "\"quality\":\"1\"");
    sandbox.write("text.jsonl", &quoted);
    let told = sandbox.refused("train text.jsonl --cheap small --strong large -o w.toml");
    assert!(told.contains("300 lines could not be read; line 1: invalid type: string"), "{told}");
    // What is wrong here and there is told, and the rest is used as if that were not there.
    let first = questions(900, 3);
    let slips = [
        first.replace("\"quality\":1", "\"quality\":NaN"),
        questions(903, 1).replace("\"quality\":1", "\"quality\":7"),
    ];
    sandbox.write("slips.jsonl", format!("{}\n{set}", slips.join("\n")));
    let run = sandbox.run("train slips.jsonl --cheap small --strong large -o w.toml");
    assert!(run.err.contains("3 lines could not be read; line 1: "), "{}", run.err);
    assert!(run.err.contains("taken as not known"), "{}", run.err);
}

#[test]
fn a_set_is_read_whoever_wrote_it() {
    let sandbox = sandbox();
    let set = questions(0, 300);
    sandbox.good("train set.jsonl --cheap small --strong large -o plain.toml --name w");
    sandbox.write("windows.jsonl", format!("\u{feff}{}\r\n", set.replace('\n', "\r\n")));
    sandbox.good("train windows.jsonl --cheap small --strong large -o windows.toml --name w");
    let body = |name: &str| {
        let text = sandbox.read(name);
        text.lines().filter(|line| !line.contains("jsonl")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(body("plain.toml"), body("windows.toml"));
    // The same questions once more teach nothing more, and make no interval narrower.
    sandbox.write("twice.jsonl", format!("{set}\n{set}\n"));
    let run = sandbox.run("evaluate twice.jsonl --cheap small --strong large --format json");
    assert!(run.err.contains("300 of 600 rows ask again"), "{}", run.err);
    let [once, twice] =
        [sandbox.good("evaluate set.jsonl --cheap small --strong large --format json"), run.out]
            .map(|text| json(&text));
    for key in ["apgr", "apgr_low", "apgr_high"] {
        let [once, twice] = [&once[key], &twice[key]].map(|value| value.as_f64().expect("a number"));
        assert!((once - twice).abs() < 1e-9, "{key}: {once} against {twice}");
    }
    sandbox.write("few.jsonl", questions(0, 5));
    let few = json(&sandbox.good("evaluate few.jsonl --cheap small --strong large --format json"));
    assert!(
        few["apgr_low"].is_null() && few["apgr_high"].is_null(),
        "an interval of five says nothing: {few}"
    );
}
