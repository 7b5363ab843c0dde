//! The program from a shell: what it prints, how it refuses, and with which exit code.

#![expect(clippy::expect_used, reason = "a test's own scaffolding may fail the test")]

mod adapted;
mod alerted;
mod anomalies;
mod caching;
mod drifted;
mod explored;
mod figures;
mod gateway_side;
mod in_order;
mod launched;
mod money;
mod outside;
mod own_logs;
mod portable;
mod program;
mod proved;
mod remembered;
mod runaways;
mod saved;
mod slips;
mod spare;
mod spending;
mod tagged;
mod trained;
mod worlds;
mod written;

use program::Sandbox;
use serde_json::Value;

/// Four requests and a line that is none. By the list prices of gpt-4.1 (2, 0.5 cached, 8 $/1M) and gemini-2.5-flash
/// (0.3, 2.5): r-1 costs 0.007616 + 0.004096 + 0.0052, r-2 0.002 + 0.0008, r-3 0.00135 on flash and then 0.0072; nobody
/// knows what r-4 costs.
const LOG: &str = r#"{"pointsman":"log","v":1,"source":"a test"}
{"id":"r-1","at":"2026-05-23T10:00:00Z","team":"payments","project":"invoices","task":"extraction","confidence":700,"model":"gpt-4.1","in":3808,"cache_read":8192,"out":650,"latency_ms":100}
{"id":"r-2","at":"2026-05-23T10:00:10Z","team":"payments","project":"refunds","task":"classification","confidence":300,"model":"gpt-4.1","in":1000,"out":100,"latency_ms":60}
{"id":"r-3","at":"2026-05-23T10:00:20Z","team":"search","task":"extraction","confidence":650,"attempts":[{"model":"gemini-2.5-flash","in":2000,"out":300,"latency_ms":40,"check":"failed"},{"model":"gpt-4.1","in":2000,"out":400,"latency_ms":80}]}
this is no log line
{"id":"r-4","at":"2026-05-23T10:00:30Z","team":"search","task":"extraction","confidence":600,"model":"house-model","in":10,"out":10,"latency_ms":50}
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("small.jsonl", LOG);
    sandbox
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn report(sandbox: &Sandbox, args: &str) -> Value {
    json(&sandbox.good(&format!("replay {args} --format json")))
}

fn snapshot(name: &str, text: &str) {
    // Book dates and the classifier's hash change with what is built in, not with what is tested here.
    let filters = vec![
        (r"\(\d{4}-\d\d-\d\d\)", "([date])"),
        (r"list \d{4}-\d\d-\d\d", "list [date]"),
        (r"pointsman \d+\.\d+\.\d+", "pointsman [version]"),
    ];
    insta::with_settings!({ filters => filters, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Returns the subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn every_help_page_reads_well() {
    let sandbox = Sandbox::new();
    let mut waiting = vec![Vec::<String>::new()];
    let mut seen = 0;
    while let Some(words) = waiting.pop() {
        let help = sandbox.good(&format!("{} --help", words.join(" ")));
        assert!(help.lines().all(|line| line.chars().count() <= 140), "{words:?}: too wide\n{help}");
        waiting
            .extend(subcommands(&help).into_iter().map(|name| words.iter().cloned().chain([name]).collect()));
        let name = if words.is_empty() { "pointsman".to_owned() } else { words.join("_") };
        snapshot(&format!("help_{name}"), &help);
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} pages were found");
    snapshot("version", &sandbox.good("--version"));
}

#[test]
fn a_replay_can_be_read_and_pasted() {
    let sandbox = sandbox();
    snapshot("replay_table", &sandbox.good("replay small.jsonl"));
    snapshot("replay_csv", &sandbox.good("replay small.jsonl --format csv"));
    snapshot("replay_md", &sandbox.good("replay small.jsonl --format md"));
}

#[test]
fn logs_come_from_standard_input_plain_or_packed() {
    let sandbox = sandbox();
    let from_file = report(&sandbox, "small.jsonl");
    let packed = zstd::encode_all(LOG.as_bytes(), 3).unwrap();
    for bytes in [LOG.as_bytes(), &packed] {
        let run = sandbox.run_with("replay - --format json", bytes);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
        let mut piped = json(&run.out);
        piped["scope"] = from_file["scope"].clone();
        piped["skipped"] = from_file["skipped"].clone();
        assert_eq!(piped, from_file);
    }
    // A file is recognised by its content, not by its name.
    sandbox.write("packed", packed);
    assert_eq!(report(&sandbox, "packed")["cost_usd"], "0.028262");
}

#[test]
fn a_log_that_breaks_off_is_reported_and_ends_in_an_error() {
    let sandbox = Sandbox::new();
    let mut dice = 1u64;
    let mut line = |n: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!(
            "{{\"id\":\"{dice:x}\",\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"gpt-4.1\",\"in\":{n},\"out\":{n}}}\n"
        )
    };
    let long: String = (0..50_000).map(&mut line).collect();
    let packed = zstd::encode_all(long.as_bytes(), 1).unwrap();
    sandbox.write("torn.zst", &packed[..packed.len() / 2]);
    let run = sandbox.run("replay torn.zst --format json");
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("torn.zst"), "{}", run.err);
    let report = json(&run.out);
    assert!(report["requests"].as_u64().unwrap() > 0);
    assert_eq!(report["damaged"].as_array().unwrap().len(), 1);
}

#[test]
fn strict_stops_at_the_first_bad_line() {
    let sandbox = sandbox();
    let message = sandbox.refused("replay small.jsonl --strict");
    assert!(message.starts_with("error: small.jsonl:5: not JSON"), "{message}");
}

#[test]
fn what_cannot_be_used_is_refused_with_a_reason_and_exit_code_2() {
    let sandbox = sandbox();
    sandbox.write("empty.jsonl", "").write("prose.txt", "Dear all,\nthis is no log.\n");
    for (args, said) in [
        ("replay absent.jsonl", "absent.jsonl: No such file"),
        ("absent.jsonl", "absent.jsonl: No such file"),
        ("replay", "<LOG>..."),
        ("replay small.jsonl --format xml", "table, json, csv, md"),
        ("replay small.jsonl --from noon", "`noon` is no moment"),
        ("replay small.jsonl --from 2026-05-24 --to 2026-05-23", "is not before"),
        ("replay small.jsonl --from 2027-01-01", "hint: the log holds none in that stretch of time"),
        ("replay empty.jsonl", "hint: the log is empty"),
        ("replay prose.txt", "--input-format"),
        ("replay small.jsonl --policy absent.toml", "absent.toml"),
        ("replay small.jsonl --classifier absent.toml", "absent.toml"),
        ("replay small.jsonl --input-format word", "possible values: pointsman, litellm"),
        ("frontier small.jsonl --route nowhere", "write one of classification, extraction"),
        (
            "frontier small.jsonl --route extraction --rung nowhere",
            "has no such rung; write one of flash, 4.1, opus",
        ),
        ("frontier small.jsonl --route extraction --rung opus", "the last rung has no threshold"),
        ("why small.jsonl nobody", "hint: ids are as in the log (first: r-1)"),
        ("why small.jsonl #0", "no request `#0` among 4"),
        ("why small.jsonl #5", "no request `#5` among 4"),
        ("prices show nomodel", "hint: `pointsman prices list`"),
        ("config --print-theme nothing", "hint: `pointsman config --list-themes`"),
        ("snapshot tune --log small.jsonl --theme nothing", "no theme has this name"),
        ("snapshot tune --log small.jsonl --size 0x0", "like 160x45"),
        ("snapshot tune --log small.jsonl --route nothing", "no such route"),
        ("snapshot tune --log small.jsonl --at noon", "--at "),
        ("snapshot request --log small.jsonl", "needs --request ID"),
        ("--screen nothing", "possible values: overview, tune, traffic"),
        ("import small.jsonl -o small.jsonl", "small.jsonl"),
    ] {
        let message = sandbox.refused(args);
        assert!(message.contains(said), "{args}: `{said}` is not in {message}");
    }
}

#[test]
fn nothing_from_a_log_reaches_the_terminal_as_a_command() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hostile.jsonl",
        "{\"id\":\"a\\u001b[31m\",\"at\":\"2026-05-23T10:00:00Z\",\"team\":\"t\\u001b]0;x\\u0007\",\"project\":\"p\\n\\u009b1m\",\
         \"model\":\"m\\u001b[2J\",\"in\":1,\"out\":1,\"prompt\":\"\\u001b[31m\"}\n\
         {\"at\":\"\\u001b[31mred\"}\n\x1b[31mraw\n",
    );
    for args in [
        "replay hostile.jsonl",
        "replay hostile.jsonl --format csv",
        "replay hostile.jsonl --format md",
        "replay hostile.jsonl --format json",
        "replay hostile.jsonl --strict",
        "why hostile.jsonl #1",
        "why hostile.jsonl nobody",
        "snapshot traffic --log hostile.jsonl",
        "snapshot overview --log hostile.jsonl",
        "snapshot models --log hostile.jsonl",
        "whatif hostile.jsonl --set extraction.flash=1000",
    ] {
        let run = sandbox.run(args);
        let control = |c: char| c.is_control() && c != '\n';
        assert!(
            !run.out.contains(control) && !run.err.contains(control),
            "{args}: {:?}{:?}",
            run.out,
            run.err
        );
        assert!(run.out.len() + run.err.len() > 0, "{args} says nothing");
    }
}

#[test]
#[cfg(unix)]
fn a_reader_that_leaves_early_is_no_error() {
    let sandbox = sandbox();
    for args in ["prices list", "replay small.jsonl --format json", "man", "config --print keys", "--help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sandbox.program().args(args.split_whitespace()).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{args}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let sandbox = sandbox();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = sandbox.program().args(["replay", "small.jsonl"]).stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(0));
    assert!(said.starts_with("error: ") && said.contains("No space left"), "{said}");
}

#[test]
fn without_a_terminal_the_console_prints_the_report() {
    let sandbox = sandbox();
    assert_eq!(sandbox.good("small.jsonl"), sandbox.good("replay small.jsonl"));
    assert_eq!(sandbox.good("small.jsonl --as routed"), sandbox.good("replay small.jsonl --as routed"));
    let sample = sandbox.good("");
    assert!(sample.starts_with("sample.jsonl.zst · recorded\n"), "{sample}");
    assert!(sample.contains("made up, which nobody bills"), "{sample}");
}

#[test]
fn a_rung_goes_by_name_model_or_number_and_nothing_else() {
    let sandbox = sandbox();
    let by_name = sandbox.good("whatif small.jsonl --set extraction.flash=680");
    for form in ["extraction.gemini-2.5-flash=680", "extraction.1=680"] {
        assert_eq!(sandbox.good(&format!("whatif small.jsonl --set {form}")), by_name, "{form}");
    }
    for (set, said) in [
        ("nothing", "write ROUTE.RUNG=PERMILLE, like extraction.flash=588"),
        ("extraction.flash=1001", "`1001` is no whole number from 0 to 1000"),
        ("extraction.flash=-1", "no whole number"),
        ("extraction.flash=0.5", "no whole number"),
        ("extraction.flash=", "no whole number"),
        ("extraction.nano=500", "write one of flash, 4.1, opus"),
        ("extraction.4=500", "write one of flash, 4.1, opus"),
        ("nowhere.flash=500", "no such route; write one of classification"),
        ("extraction.opus=500", "the last rung has no threshold"),
        ("extraction.flash=100 --set extraction.4.1=200", "thresholds must descend"),
    ] {
        let message = sandbox.refused(&format!("whatif small.jsonl --set {set}"));
        assert!(message.contains(said), "{set}: {message}");
    }
    // Both moved at once is one change, in any order.
    sandbox.good("whatif small.jsonl --set extraction.flash=100 --set extraction.4.1=50");
    sandbox.good("whatif small.jsonl --set extraction.4.1=50 --set extraction.flash=100");
}

#[test]
fn why_tells_one_request_by_id_or_number() {
    let sandbox = sandbox();
    let by_id = sandbox.good("why small.jsonl r-3");
    assert_eq!(sandbox.good("why small.jsonl #3"), by_id);
    snapshot("why", &by_id);
}

#[test]
fn why_and_the_report_name_what_the_book_does_not_price() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "odd.jsonl",
        concat!(
            r#"{"id":"a","at":"2026-05-23T10:00:00Z","model":"gpt-4.1-mini","in":1000,"out":100,"meters":{"web_search":1}}"#,
            "\n",
            r#"{"id":"b","at":"2026-05-23T10:00:01Z","model":"gpt-4.1","in":1000,"out":100,"charged":"0.5"}"#,
            "\n",
            r#"{"id":"c","at":"2026-05-23T10:00:02Z","model":"gpt-4.1","billed":"azure/gpt-4.1","in":1000,"out":100}"#,
            "\n",
            r#"{"id":"d","at":"2026-05-23T10:00:03Z","model":"gpt-4.1","in":1000,"out":100,"tier":"turbo"}"#,
            "\n",
        ),
    );
    for (id, said) in [
        ("a", "not priced  web_search of gpt-4.1-mini in prices list"),
        ("b", "make $0.0028 of gpt-4.1, not $0.5 as charged"),
        ("c", "not priced  azure/gpt-4.1 is not in prices list"),
        ("d", "not priced  tier `turbo` of gpt-4.1 in prices list"),
    ] {
        let why = sandbox.good(&format!("why odd.jsonl {id}"));
        assert!(why.contains(said), "{id}: {why}");
    }
    let report = report(&sandbox, "odd.jsonl");
    assert_eq!(report["unknown_meters"][0]["meter"], "web_search");
    assert_eq!(report["unknown_meters"][0]["calls"], 1);
}

#[test]
fn prices_are_listed_and_shown() {
    let sandbox = Sandbox::new();
    let list = sandbox.good("prices list");
    for model in ["gpt-4.1 ", "gpt-4.1-nano ", "claude-opus-4-6 ", "gemini-2.5-flash ", "mistral-small-2503 "]
    {
        assert!(list.contains(model), "{model} is not listed");
    }
    snapshot("prices_show", &sandbox.good("prices show gpt-4.1"));
    // An alias leads to the same prices.
    assert_eq!(
        sandbox.good("prices show openai/gpt-4.1-2025-04-14").lines().skip(1).collect::<Vec<_>>(),
        sandbox.good("prices show gpt-4.1").lines().skip(1).collect::<Vec<_>>()
    );
}

/// Returns the first lines of the bundled sample: its screens hold all that they have to show, at a fraction of the work.
fn first_lines_of_the_sample(lines: usize) -> String {
    let sample =
        zstd::decode_all(&include_bytes!("../../assets/sample.jsonl.zst")[..]).expect("a packed log");
    let sample = String::from_utf8(sample).expect("text");
    sample.lines().take(lines).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn every_screen_can_be_pictured_at_every_size() {
    let sandbox = Sandbox::new();
    sandbox.write("part.jsonl", first_lines_of_the_sample(600));
    for screen in ["overview", "tune", "traffic", "models"] {
        for (columns, rows) in [(80, 24), (120, 36), (200, 60)] {
            // Where no log is named it is the whole sample: once, for reading it takes seconds here.
            let log = if (screen, rows) == ("tune", 36) { "" } else { "--log part.jsonl" };
            let text = sandbox.good(&format!("snapshot {screen} {log} --size {columns}x{rows}"));
            assert_eq!(text.lines().count(), rows, "{screen} {columns}x{rows}");
            assert!(text.contains("pointsman") && text.contains("SIMULATED"), "{screen} {columns}x{rows}");
            sandbox
                .good(&format!("snapshot {screen} --log part.jsonl --size {columns}x{rows} -o picture.svg"));
            let picture = sandbox.read("picture.svg");
            assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"), "{screen}");
            assert!(picture.contains("pointsman"), "{screen}");
        }
        // Too small for anything: it says so instead of breaking.
        let tiny = sandbox.good(&format!("snapshot {screen} --log part.jsonl --size 1x1"));
        assert_eq!(tiny.lines().count(), 1);
    }
    sandbox.write("small.jsonl", LOG);
    let request = sandbox.good("snapshot request --log small.jsonl --request r-3");
    assert!(request.contains("r-3") && request.contains("check failed"), "{request}");
    let filtered = sandbox.good("snapshot traffic --log small.jsonl --filter team:search");
    assert!(filtered.contains("r-3") && !filtered.contains("r-1 "), "{filtered}");
}

#[test]
fn what_is_printed_can_be_used() {
    let sandbox = sandbox();
    let before = report(&sandbox, "small.jsonl --as routed");
    let picture = sandbox.good("snapshot tune --log small.jsonl");
    for (file, name) in [("policy", "policy.toml"), ("console", "console.toml"), ("keys", "keys.toml")] {
        let printed = sandbox.good(&format!("config --print {file}"));
        sandbox.write(&format!("config/{name}"), printed);
    }
    assert_eq!(report(&sandbox, "small.jsonl --as routed"), before);
    assert_eq!(sandbox.good("snapshot tune --log small.jsonl"), picture);
    let places = sandbox.good("config");
    assert_eq!(places.matches("found").count(), 3, "{places}");

    sandbox.write("classifier.toml", sandbox.good("config --print classifier"));
    let given = report(&sandbox, "small.jsonl --reclassify --classifier classifier.toml");
    assert_eq!(given["cost_usd"], "0.028262");
    let themes = sandbox.good("config --list-themes");
    assert!(themes.lines().count() >= 10, "{themes}");
    for theme in themes.lines() {
        sandbox.write(
            &format!("config/themes/{theme}.toml"),
            sandbox.good(&format!("config --print-theme {theme}")),
        );
        sandbox.good(&format!("snapshot tune --log small.jsonl --theme {theme} -o {theme}.svg"));
    }
}

#[test]
fn a_wrong_settings_file_is_told_by_file_and_line() {
    let policy = Sandbox::new().good("config --print policy");
    let line = 1 + policy.lines().position(|line| line.contains("threshold = 180")).unwrap();
    let rising = policy.replacen("threshold = 180", "threshold = 700", 1);
    let rising_said = format!("policy.toml:{line}: ");
    for (file, text, said) in [
        ("policy.toml", "name = ", "policy.toml:1:8: "),
        ("policy.toml", rising.as_str(), rising_said.as_str()),
        ("policy.toml", "name = \"a\"\nbaseline = \"b\"\nbogus = 1\n", "policy.toml:3:1: "),
        ("console.toml", "theme = \"dark\"\nbogus = 1\n", "console.toml:2:1: "),
        ("console.toml", "theme = \"dark\"\nrefresh-hz = \"fast\"\n", "console.toml:2:14: "),
        ("keys.toml", "[app]\nquit = \"x\n", "keys.toml:2:10: "),
        ("keys.toml", "[app]\nfly = \"x\"\n", "keys.toml:2: "),
        ("keys.toml", "[app]\nhelp = \"q\"\n", "keys.toml:2: "),
        ("keys.toml", "[app]\nhelp = \"ctrl-c\"\n", "keys.toml:2: "),
    ] {
        let sandbox = sandbox();
        sandbox.write(&format!("config/{file}"), text);
        let message = sandbox.refused("snapshot tune --log small.jsonl");
        assert!(message.contains(said), "{file} {text}: {message}");
    }
}

#[test]
fn shells_get_completions_and_man_gets_a_page() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.good(&format!("completions {shell}"));
        for word in ["replay", "whatif", "frontier", "strict"] {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
    }
    let page = sandbox.good("man");
    for title in [".TH pointsman 1", ".TH pointsman-replay 1", ".TH pointsman-prices-list 1"] {
        assert!(page.contains(title), "{title} is missing");
    }
}

#[test]
fn help_is_understood_and_a_mistyped_command_is_answered_with_the_right_one() {
    let sandbox = sandbox();
    assert_eq!(sandbox.good("help"), sandbox.good("--help"));
    assert_eq!(sandbox.good("help replay"), sandbox.good("replay --help"));
    assert_eq!(sandbox.good("help ledger export"), sandbox.good("ledger export --help"));
    for (typed, meant) in [
        ("replya small.jsonl --format json", "`pointsman replay`"),
        ("prics list", "`pointsman prices`"),
        ("help fronteer", "`pointsman frontier`"),
        ("version", "`pointsman --version`"),
        ("hlep", "`pointsman help`"),
    ] {
        let told = sandbox.refused(typed);
        assert!(told.contains("did you mean") && told.contains(meant), "{typed}: {told}");
    }
    let told = sandbox.refused("--theme dark replay small.jsonl");
    assert!(told.contains("those come first") && told.contains("pointsman replay"), "{told}");
    // What looks like a file, or is one, is a log.
    assert!(sandbox.refused("missing.jsonl").contains("cannot open"));
    std::fs::copy(sandbox.path("small.jsonl"), sandbox.path("replays")).unwrap();
    assert!(sandbox.good("replays").contains("replays · recorded"));
}

#[test]
fn a_log_without_models_has_no_baseline_of_zero_and_says_how_to_get_one() {
    let sandbox = sandbox();
    std::fs::write(
        sandbox.path("trace.csv"),
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,4808,10\n2023-11-16 18:17:04.03,3180,8\n",
    )
    .unwrap();
    let table = sandbox.good("replay trace.csv");
    for words in ["baseline     unknown", "saved        unknown", "--assume-model gpt-4.1", "--as routed"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&sandbox.good("replay trace.csv --format json")).unwrap();
    assert!(json["baseline_usd"].is_null() && json["saved_usd"].is_null(), "{json}");
    assert_eq!((&json["compared_requests"], &json["unnamed_model_requests"]), (&0.into(), &2.into()));
    let assumed = sandbox.good("replay trace.csv --assume-model gpt-4.1");
    assert!(
        !assumed.contains("unknown  the log names")
            && assumed.contains("2 requests") | assumed.contains("$0.0"),
        "{assumed}"
    );
}

#[test]
fn a_model_that_nobody_knows_is_told_where_it_stands_with_the_nearest_names() {
    let sandbox = sandbox();
    let policy = |head: &str, model: &str| {
        let text = format!(
            "name = \"mine\"\n{head}\n[[route]]\nname = \"rest\"\nladder = [\n  {{ model = \"{model}\", threshold = 500 }},\n  {{ model = \"gpt-4.1\" }},\n]\n"
        );
        std::fs::write(sandbox.path("mine.toml"), text).unwrap();
        sandbox.run("replay small.jsonl --policy mine.toml")
    };
    let run = policy("baseline = \"gpt-4.1x\"", "gpt-4.1-mini");
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    assert!(run.err.contains("mine.toml:2: ") && run.err.contains("did you mean gpt-4.1"), "{}", run.err);
    let run = policy("baseline = \"gpt-4.1\"", "gemini-2.5-flahs");
    assert_eq!(run.code, Some(0));
    for words in [
        "warning: mine.toml:6: ",
        "gemini-2.5-flahs",
        "provider google may serve it",
        "did you mean gemini-2.5-flash",
    ] {
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
    let run = policy("", "house-model-7");
    assert!(run.err.contains("no price book and no provider knows it"), "{}", run.err);
    let run = policy("baseline = \"gpt-4.1\"", "gpt-4.1-mini");
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
}

#[test]
fn times_thresholds_prices_and_themes_are_said_alike_everywhere() {
    let sandbox = sandbox();
    let of_day = sandbox.good("replay small.jsonl --from 10:00:10 --to 10:00:30");
    assert_eq!(
        of_day,
        sandbox.good("replay small.jsonl --from 2026-05-23T10:00:10 --to 2026-05-23T10:00:30Z")
    );
    assert!(of_day.contains("requests                2"), "{of_day}");
    assert_eq!(
        sandbox.good("whatif small.jsonl --set classification=300"),
        sandbox.good("whatif small.jsonl --set classification.small=300")
    );
    let which = sandbox.refused("whatif small.jsonl --set extraction=300");
    assert!(which.contains("extraction.flash, extraction.4.1"), "{which}");
    assert!(sandbox.good("prices list --prices guide-2026").contains("book guide-2026 over list"));
    assert_eq!(
        sandbox.good("prices list --prices only:guide-2026"),
        sandbox.good("prices list --book guide-2026")
    );
    let help = sandbox.good("serve --help");
    assert!(
        help.contains("--prices") && !help.contains("--input-format") && !help.contains("--strict"),
        "{help}"
    );
    std::fs::create_dir_all(sandbox.path("config/themes")).unwrap();
    std::fs::write(sandbox.path("config/themes/mine.toml"), "inherits = \"dark\"\n").unwrap();
    let themes = sandbox.good("config --list-themes");
    assert!(themes.lines().any(|line| line.starts_with("mine ")), "{themes}");
    assert_eq!(sandbox.good("config --print-theme mine"), "inherits = \"dark\"\n");
}

#[test]
fn requests_are_listed_filtered_and_exact_in_every_form() {
    let sandbox = sandbox();
    let csv = sandbox.good("requests small.jsonl --filter team:search --format csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[0].starts_with("id,at,team,") && lines[1].starts_with("r-3,2026-05-23T10:00:20"), "{csv}");
    assert!(lines[2].contains(",unknown,"), "nobody knows what r-4 costs: {csv}");
    let json: serde_json::Value =
        serde_json::from_str(&sandbox.good("requests small.jsonl --format json")).unwrap();
    let list = json["requests"].as_array().unwrap();
    assert_eq!(list.len(), 4);
    let sum: f64 = list.iter().filter_map(|one| one["cost_usd"].as_str()?.parse::<f64>().ok()).sum();
    let report: serde_json::Value =
        serde_json::from_str(&sandbox.good("replay small.jsonl --format json")).unwrap();
    assert!((sum - report["cost_usd"].as_str().unwrap().parse::<f64>().unwrap()).abs() < 1e-12, "{sum}");
    let costliest = sandbox.good("requests small.jsonl --sort cost --limit 1 --format md");
    assert_eq!(costliest.lines().count(), 3, "{costliest}");
    assert!(costliest.contains("| r-1 |"), "{costliest}");
    assert!(sandbox.good("requests small.jsonl").lines().next().unwrap().contains("latency"));
    assert!(sandbox.refused("requests small.jsonl --filter cost>dear").contains("--filter"));
    let near = sandbox.run("requests small.jsonl --filter team:serch");
    assert_eq!(near.code, Some(0), "{}", near.err);
    assert!(near.err.contains("did you mean team:search?"), "{}", near.err);
}

#[test]
fn a_stretch_that_ends_earlier_in_the_day_than_it_begins_says_how_it_is_taken() {
    let sandbox = sandbox();
    let run = sandbox.run("replay small.jsonl --from 15:25 --to 15:05");
    assert!(run.err.contains("on the next day"), "{}", run.err);
    assert!(!sandbox.run("replay small.jsonl --from 09:00 --to 15:05").err.contains("next day"));
    // Windows of a comparison likewise; what lies in both counts on both sides.
    let backwards = sandbox.run("explain small.jsonl --before 15:25..15:05 --after 2026-05-23");
    assert!(backwards.err.contains("--before ends no later in the day"), "{}", backwards.err);
    let both = sandbox.run("explain small.jsonl --before 2026-05-22..2026-05-24 --after 2026-05-23");
    assert!(both.err.contains("the windows overlap: 4 requests count on both sides"), "{}", both.err);
    let apart = sandbox.run("explain small.jsonl --before 2026-05-22 --after 2026-05-23");
    assert!(!apart.err.contains("overlap") && !apart.err.contains("next day"), "{}", apart.err);
}
