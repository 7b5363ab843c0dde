//! What is written over, what is read from where, and logs whose moments or names are not what they seem.

use super::program::Sandbox;
use super::{json, sandbox};

#[test]
fn a_report_overwrites_neither_its_log_nor_anything_else_unasked() {
    let sandbox = sandbox();
    let before = sandbox.read("small.jsonl");
    for args in [
        "report small.jsonl -o small.jsonl --format csv",
        "report small.jsonl -o small.jsonl --replace --format focus",
        "report . -o ./small.jsonl --replace",
    ] {
        let said = sandbox.refused(args);
        assert!(said.contains("is one of the logs to read; choose another name"), "{said}");
    }
    sandbox.write("other.csv", "mine");
    assert!(sandbox.refused("report small.jsonl -o other.csv").contains("say --replace"));
    assert!(sandbox.refused("report small.jsonl -o new/other.csv").contains("is not there; make it"));
    assert!(sandbox.refused("import small.jsonl -o new/log.jsonl").contains("is not there; make it"));
    assert_eq!((sandbox.read("small.jsonl"), sandbox.read("other.csv")), (before, "mine".to_owned()));
    assert_eq!(sandbox.run("report small.jsonl -o other.csv --replace --format csv").code, Some(0));
    assert!(sandbox.read("other.csv").starts_with("team,"), "{}", sandbox.read("other.csv"));
    assert_eq!(sandbox.run("report small.jsonl -o /dev/null").code, Some(0));
}

#[test]
fn an_import_that_ends_early_leaves_what_was_there() {
    let sandbox = sandbox();
    sandbox.write("kept.jsonl", "what was there");
    let run = sandbox.run("import small.jsonl -o kept.jsonl --replace --strict");
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert_eq!(sandbox.read("kept.jsonl"), "what was there");
    assert!(!sandbox.path("kept.jsonl.new").exists());
    assert_eq!(sandbox.run("import small.jsonl -o kept.jsonl --replace").code, Some(0));
    assert!(sandbox.read("kept.jsonl").starts_with("{\"pointsman\""));
}

/// Looking slot by slot through seven thousand years would take an hour.
#[test]
fn a_clock_that_is_wrong_holds_nothing_up() {
    let sandbox = Sandbox::new();
    let at = |id: &str, at: &str| {
        format!("{{\"id\":\"{id}\",\"at\":\"{at}\",\"model\":\"gpt-4.1\",\"in\":1000,\"out\":10}}\n")
    };
    let log =
        at("a", "1970-01-01T00:00:00Z") + &at("b", "2026-05-23T10:00:00Z") + &at("c", "9999-12-31T00:00:00Z");
    sandbox.write("far.jsonl", log);
    sandbox.write("b.toml", "[[budget]]\nname = \"day\"\nlimit = { day = 0.001 }\n");
    let told = json(&sandbox.good("alerts replay far.jsonl --format json"));
    assert!(told["alerts"].is_array(), "{told}");
}

#[test]
fn requests_that_name_their_model_are_part_of_what_is_tried() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "pin.jsonl",
        "{\"id\":\"p\",\"at\":\"2026-05-23T10:00:00Z\",\"pinned\":true,\"model\":\"gpt-4.1\",\"in\":1000000,\"out\":0}\n\
         {\"id\":\"r\",\"at\":\"2026-05-23T10:10:00Z\",\"confidence\":500,\"model\":\"gpt-4.1\",\"in\":1000,\"out\":10}\n",
    );
    let told = json(&sandbox.good("whatif pin.jsonl --set general.flash=400 --format json"));
    let replayed = json(&sandbox.good("replay pin.jsonl --as routed --format json"));
    assert_eq!(told["requests"], 2, "{told}");
    assert_eq!((&told["pinned_requests"], &told["pinned_cost_usd"]), (&1.into(), &"2".into()), "{told}");
    assert_eq!(told["applied"]["cost_usd"], replayed["cost_usd"], "{told}");
    let table = sandbox.good("whatif pin.jsonl --set general.flash=400");
    assert!(table.contains("1 pinned request, not moved"), "{table}");
}

#[test]
fn a_limit_of_long_ago_was_spent_when_it_was_spent() {
    let sandbox = Sandbox::new();
    let line = |n: u32| {
        format!(
            "{{\"id\":\"f{n}\",\"at\":\"2026-05-{:02}T{:02}:05:00Z\",\"model\":\"gpt-4.1\",\"in\":500000,\"out\":0}}\n",
            1 + n / 24,
            n % 24
        )
    };
    sandbox.write("flat.jsonl", (0..480).map(line).collect::<String>());
    let told = json(&sandbox.good("forecast flat.jsonl --limit 100 --format json"));
    assert_eq!(told["runs_out_at"], "2026-05-05T03:05:00.000Z", "{told}");
}

#[test]
fn no_name_is_asked_for_by_a_hyphen_and_names_with_one_are_not() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "names.jsonl",
        "{\"id\":\"a\",\"at\":\"2026-05-23T10:00:00Z\",\"team\":\"data-lab\",\"model\":\"gpt-4.1\",\"in\":1,\"out\":1}\n\
         {\"id\":\"b\",\"at\":\"2026-05-23T10:00:01Z\",\"session\":\"s-1\",\"model\":\"gpt-4.1\",\"in\":1,\"out\":1}\n",
    );
    let listed = |filter: &str| {
        let run = sandbox.run_all(&["requests", "names.jsonl", "--filter", filter, "--format", "csv"]);
        ["a", "b"].map(|id| run.out.lines().any(|line| line.split(',').any(|cell| cell == id)))
    };
    assert_eq!(listed("team:-"), [false, true]);
    assert_eq!(listed("session:-"), [true, false]);
    assert_eq!(listed("!team:-"), [true, false]);
    assert_eq!(listed("team~-"), [true, false]);
}

#[test]
fn days_and_months_are_not_told_of_logs_without_times() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "bare.jsonl",
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"model\":\"gpt-4.1\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1}}\n",
    );
    let replayed = json(&sandbox.good("replay bare.jsonl --format json"));
    assert_eq!(replayed["timing"]["kind"], "placed", "{replayed}");
    assert!(sandbox.refused("forecast bare.jsonl").contains("nothing can be foretold"));
    for args in ["runaways bare.jsonl", "alerts replay bare.jsonl"] {
        let run = sandbox.run(args);
        assert!(run.err.contains("only placed in order"), "{args}: {}", run.err);
    }
}

#[test]
fn a_log_that_is_piped_in_and_not_read_is_told_of() {
    let sandbox = sandbox();
    for args in ["", "alerts replay"] {
        let run = sandbox.run_with(args, super::LOG.as_bytes());
        assert!(run.err.contains("standard input is not read"), "{args}: {}", run.err);
    }
    let run = sandbox.run("alerts replay");
    assert!(!run.err.contains("standard input"), "{}", run.err);
    assert!(run.out.contains("SIMULATED"), "{}", run.out);
}

#[test]
fn the_command_that_optimise_prints_runs() {
    let sandbox = Sandbox::new();
    let line = |n: u32| {
        format!(
            "{{\"id\":\"o{n}\",\"at\":\"2026-05-23T10:{:02}:00Z\",\"confidence\":{},\"model\":\"gpt-4.1\",\"in\":1000,\"out\":10}}\n",
            n % 60,
            n * 9 % 1000
        )
    };
    sandbox.write("my logs/o.jsonl", (0..100).map(line).collect::<String>());
    let log = "my logs/o.jsonl";
    let run = sandbox.run_all(&[
        "optimise",
        log,
        "--cost",
        "-5%",
        "--from",
        "2026-05-23T10:05:00Z",
        "--format",
        "json",
    ]);
    let told = json(&run.out);
    let look = told["look"].as_str().expect("a command");
    assert!(look.contains("'my logs/o.jsonl'") && look.contains("--from 2026-05-23T10:05:00.000Z"), "{look}");
    let words: Vec<&str> = look.split_whitespace().skip(4).collect();
    let run = sandbox.run_all(&[["whatif", log].as_slice(), words.as_slice()].concat());
    assert_eq!(run.code, Some(0), "{look}: {}", run.err);
}

#[test]
fn a_check_that_nobody_knows_is_refused() {
    let sandbox = sandbox();
    let said = sandbox.refused("whatif small.jsonl --on-fail extraction.nope=escalate");
    assert!(said.contains("nope") && said.contains("check"), "{said}");
}

#[test]
fn moments_are_read_as_databases_write_them() {
    let sandbox = Sandbox::new();
    let line = |n: u32, at: &str| {
        format!("{{\"id\":\"t{n}\",\"at\":\"{at}\",\"model\":\"gpt-4.1\",\"in\":1,\"out\":1}}\n")
    };
    let all = [
        "2026-05-23 10:00:00+00",
        "2026-05-23T12:00:00+0200",
        "2026-05-23 10:00:00 UTC",
        "2026-05-23T10:00Z",
    ];
    sandbox.write("t.jsonl", (0..).zip(all).map(|(n, at)| line(n, at)).collect::<String>());
    let listed = sandbox.good("requests t.jsonl --format csv");
    assert_eq!(listed.matches("2026-05-23T10:00:00").count(), 4, "{listed}");
}
