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
        assert!(said.contains("is one of the files to read; choose another name"), "{said}");
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

/// A quiet hour within the stretch that was named is evidence like any other.
#[test]
fn a_month_at_this_rate_goes_by_the_stretch_that_was_named() {
    let sandbox = Sandbox::new();
    let at = |id: u32, at: &str| {
        format!(
            "{{\"id\":\"{id}\",\"at\":\"2026-05-23T{at}:00Z\",\"confidence\":500,\"model\":\"gpt-4.1\",\"in\":500000,\"out\":0}}\n"
        )
    };
    sandbox.write("quiet.jsonl", at(1, "09:00") + &at(2, "10:00") + &at(3, "10:30") + &at(4, "20:00"));
    let hours = |stretch: &str| {
        let told =
            json(&sandbox.good(&format!("whatif quiet.jsonl --set general.flash=0 {stretch} --format json")));
        let usd = |key: &str| -> f64 {
            told["applied"][key].as_str().and_then(|usd| usd.parse().ok()).expect("an amount")
        };
        format!("{:.1}", usd("cost_usd") / usd("cost_per_month_usd") * 720.0)
    };
    assert_eq!([hours(""), hours("--from 10:00 --to 19:00")], ["11.0", "9.0"]);
    assert_eq!(hours("--from 2026-05-01 --to 2026-06-01"), "11.0", "the log reaches no further");
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

/// Figures of the sample, or of a ledger, would else pass for those of the log that was piped in.
#[test]
fn a_log_that_is_piped_in_is_read_though_nobody_names_it() {
    let sandbox = sandbox();
    let total = |out: &str| json(out)["cost_usd"].clone();
    let named = total(&sandbox.good("replay small.jsonl --format json"));
    assert_eq!(total(&sandbox.run_with("replay --format json", super::LOG.as_bytes()).out), named);
    for args in ["", "report", "alerts replay", "budgets list --budgets b.toml", "forecast"] {
        sandbox.write("b.toml", "[budget.all]\nlimit = { day = 9 }\n");
        let run = sandbox.run_with(args, super::LOG.as_bytes());
        assert_eq!(run.code, Some(0), "{args}: {}", run.err);
        assert!(!run.out.contains("sample") && !run.err.contains("sample"), "{args}: {}{}", run.out, run.err);
    }
    // Where nothing comes a command shows what it shows without a log; a log that is named is the log.
    let run = sandbox.run_with("alerts replay", b"");
    assert!(run.out.contains("SIMULATED"), "{}", run.out);
    assert_eq!(total(&sandbox.run_with("replay small.jsonl --format json", b"nonsense").out), named);
    assert!(sandbox.run("replay").err.contains("<LOG>"), "nothing is piped in");
}

/// Whoever sets a limit on a route with a slip of the pen would else find out by the bill.
#[test]
fn a_limit_on_what_nobody_has_is_told_of() {
    let sandbox = sandbox();
    let budget =
        |scope: &str| sandbox.write("b.toml", format!("[budget.b]\nlimit = {{ day = 1 }}\n{scope}\n"));
    budget("route = [\"genral\"]");
    for args in [
        "budgets list small.jsonl",
        "budgets show small.jsonl",
        "alerts replay small.jsonl",
        "whatif small.jsonl",
    ] {
        let run = sandbox.run(&format!("{args} --budgets b.toml"));
        assert!(
            run.err.contains("route `genral`") && run.err.contains("did you mean `general`?"),
            "{args}: {}",
            run.err
        );
    }
    budget("model = [\"gtp-4.1\", \"gpt-4.1\"]");
    let said = sandbox.run("budgets list small.jsonl --budgets b.toml").err;
    assert!(said.contains("model `gtp-4.1`") && !said.contains("model `gpt-4.1`"), "{said}");
    budget("task = [\"qestion\"]");
    assert!(
        sandbox.refused("budgets list small.jsonl --budgets b.toml").contains("did you mean `question`?")
    );
    sandbox.write("b.toml", "[budget.b]\nlimit = { \"6h\" = 3, \"360m\" = 1 }\n");
    assert!(
        sandbox.refused("budgets list small.jsonl --budgets b.toml").contains("as long as another window")
    );
    assert!(sandbox.refused("budgets set r --limit day=3 --limit day=4").contains("another amount for day"));
    // What stands in no file yet is not told with a line.
    for wrong in ["day=-1", "day=abc", "fortnight=3"] {
        let told = sandbox.refused(&format!("budgets set r --limit {wrong}"));
        assert!(told.contains("budget r cannot be so: ") && !told.contains("as changed"), "{wrong}: {told}");
    }
    let below = sandbox.refused("forecast small.jsonl --limit -3");
    assert!(below.contains("`-3` is below zero"), "{below}");
    // A price that is said to hold from then on would end unseen where the book has a later one.
    let set = |input: &str, from: &str| {
        sandbox.run(&format!("prices set gpt-4.1 --input {input} --output 6 --from {from} --yes")).out
    };
    assert!(!set("1.5", "2026-05-22").contains("holds until"));
    // A price of a thousand tokens would else cost a thousand times too much unseen.
    assert!(set("2000", "2026-06-01").contains("is it for a thousand?"));
    let earlier = set("1", "2026-05-21");
    assert!(earlier.contains("it holds until 2026-05-22T00:00:00.000Z"), "{earlier}");
    assert!(earlier.contains("1.50 in and 6.00 out"), "{earlier}");
    let nowhere = sandbox.refused("budgets list --budgets nowhere.toml");
    assert!(nowhere.contains("nowhere.toml") && !nowhere.contains("name a file"), "{nowhere}");
}

/// A month foretold by money that nobody pays, or a saving of it, is none.
#[test]
fn what_is_simulated_is_told_of_and_is_nobodys_money() {
    let sandbox = Sandbox::new();
    let line = |n: u32, model: &str, more: &str| {
        format!(
            "{{\"id\":\"s{n}{model}\",\"at\":\"2026-05-{:02}T{:02}:00:00Z\",\"confidence\":500,\"model\":\"{model}\",\"in\":100000,\"out\":1000{more}}}\n",
            1 + n / 12,
            n * 2 % 24
        )
    };
    let real: String = (0..96).map(|n| line(n, "gpt-4.1", "")).collect();
    let made_up: String =
        (0..96).map(|n| line(n, "claude-opus-4-6", ",\"simulated\":\"provider\"")).collect();
    sandbox.write("mix.jsonl", real.clone() + &made_up);
    sandbox.write("real.jsonl", real);
    for (args, key) in [("forecast", "spent_usd"), ("forecast", "p50_usd"), ("savings", "net_usd")] {
        let of = |log: &str| json(&sandbox.good(&format!("{args} {log} --format json")))[key].clone();
        assert!(of("real.jsonl").is_string(), "{args} {key}");
        assert_eq!(of("mix.jsonl"), of("real.jsonl"), "{args} {key}");
    }
    // What is said on stderr is not in a file that output goes to.
    for args in
        ["whatif mix.jsonl --set general.nano=600", "optimise mix.jsonl --cost -5%", "advise mix.jsonl"]
    {
        assert!(sandbox.run(args).out.contains("96 requests SIMULATED"), "{args}");
        let told = json(&sandbox.good(&format!("{args} --format json")));
        assert_eq!(told["simulated_requests"], 96, "{args}");
    }
    for (args, key) in [
        ("reprice LOG --at 2026-05-01", "charged_usd"),
        ("explain LOG --before 2026-05-03 --after 2026-05-04", "before_usd"),
    ] {
        let of = |log: &str| json(&sandbox.good(&format!("{} --format json", args.replace("LOG", log))));
        let (mixed, real) = (of("mix.jsonl"), of("real.jsonl"));
        assert!(real[key].is_string(), "{args}: {real}");
        assert_eq!(mixed[key], real[key], "{args}");
        assert!(mixed["left_out_requests"].as_u64() > Some(0), "{args}: {mixed}");
        assert!(sandbox.run(&args.replace("LOG", "mix.jsonl")).out.contains("left out: "), "{args}");
    }
    for args in [
        "forecast",
        "savings",
        "unit",
        "requests",
        "anomalies",
        "optimise --cost -5%",
        "frontier --route general",
        "budgets list",
    ] {
        let (command, flags) = args.split_once(' ').unwrap_or((args, ""));
        let args = if command == "budgets" {
            "budgets list mix.jsonl --budgets b.toml".to_owned()
        } else {
            format!("{command} mix.jsonl {flags}")
        };
        sandbox.write("b.toml", "[budget.all]\nlimit = { day = 9 }\n");
        let run = sandbox.run(&args);
        assert!(run.err.contains("96 requests are SIMULATED"), "{args}: {}", run.err);
    }
}

#[test]
fn a_filter_under_which_nothing_can_be_listed_is_refused() {
    let sandbox = sandbox();
    assert!(sandbox.refused("requests small.jsonl --filter flips").contains("nothing flips"));
    assert!(sandbox.refused("requests small.jsonl --filter team:\"ads").contains("the quote has no end"));
}

#[test]
fn a_log_is_priced_by_the_list_where_that_is_asked_for() {
    let sandbox = sandbox();
    let repriced = json(&sandbox.good("reprice small.jsonl --prices list --format json"));
    assert_eq!(repriced["repriced_usd"], repriced["charged_usd"], "{repriced}");
}

/// A model's habit of longer answers is one over all routes: it does not average out between them.
#[test]
fn a_sum_is_as_far_off_in_a_plan_as_in_the_replay() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run("sample -o sample.jsonl --requests 3000").code, Some(0));
    let routed = json(&sandbox.good("replay sample.jsonl --as routed --format json"));
    let plan = json(&sandbox.good("optimise sample.jsonl --cost -10% --format json"));
    assert_eq!(plan["applied"]["cost_usd"], routed["cost_usd"]);
    assert_eq!(plan["applied"]["cost_error_usd"], routed["cost_error_usd"]);
    let set: Vec<String> = plan["set"]
        .as_array()
        .expect("moves")
        .iter()
        .map(|one| format!("--set {}", one.as_str().expect("a move")))
        .collect();
    let tried = json(&sandbox.good(&format!("whatif sample.jsonl {} --format json", set.join(" "))));
    assert_eq!(tried["staged"]["cost_error_usd"], plan["planned"]["cost_error_usd"]);
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

#[test]
fn a_report_of_a_month_ends_with_its_last_day() {
    let sandbox = Sandbox::new();
    let line = |day: &str| {
        format!(
            "{{\"id\":\"{day}\",\"at\":\"{day}T12:00:00Z\",\"model\":\"gpt-4.1\",\"in\":1000,\"out\":10}}\n"
        )
    };
    sandbox.write("year.jsonl", ["2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01"].map(line).concat());
    let days = sandbox.good("report year.jsonl --from 2026-11-01 --to 2026-11-30 --by day --format csv");
    let days: Vec<&str> = days.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(days, ["2026-11-01", "2026-11-30"]);
}

#[test]
fn limits_that_a_world_runs_under_are_named() {
    let sandbox = sandbox();
    sandbox.write("config/budgets.toml", "[budget.all]\nlimit = { day = 9 }\n");
    let run = sandbox.run("replay small.jsonl --world price-cut");
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.err.contains("under the limits of") && run.err.contains("budgets.toml"), "{}", run.err);
}

#[test]
fn a_fall_that_rounds_to_nothing_is_no_rise() {
    let sandbox = Sandbox::new();
    let line = |id: &str, sure: u32, tokens: u32| {
        format!(
            "{{\"id\":\"{id}\",\"at\":\"2026-05-23T10:00:00Z\",\"confidence\":{sure},\"model\":\"gpt-4.1\",\"in\":{tokens},\"out\":10}}\n"
        )
    };
    sandbox.write("log.jsonl", line("a", 100, 900_000) + &line("b", 519, 100));
    let tried = json(&sandbox.good("whatif log.jsonl --set general.flash=519 --format json"));
    let usd = |side: &str| {
        tried[side]["cost_usd"].as_str().and_then(|usd| usd.parse::<f64>().ok()).expect("a cost")
    };
    assert!(usd("staged") < usd("applied"), "{tried:#}");
    let told = tried["change"]["cost_percent"].as_str().expect("a change");
    assert!(told.ends_with("0.0") && !told.starts_with('+'), "{told}");
}

#[test]
fn a_prompt_of_no_tokens_stays_one_when_it_is_imported() {
    let sandbox = Sandbox::new();
    sandbox.write("azure.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,0,10\n2023-11-16 18:17:04.9799600,5,10\n");
    assert_eq!(sandbox.run("import azure.csv -o own.jsonl").code, Some(0));
    let cost = |log: &str| {
        json(&sandbox.good(&format!("replay {log} --as routed --format json")))["cost_usd"].clone()
    };
    assert_eq!(cost("own.jsonl"), cost("azure.csv"));
    assert!(cost("own.jsonl").is_string());
}

#[test]
fn figures_say_by_which_prices_and_without_what_they_are() {
    let sandbox = sandbox();
    assert!(sandbox.run("advise small.jsonl").out.contains("at the latest prices"));
    let policy = sandbox.good("config --print policy") + "\n[model.\"gpt-4.1\"]\nmax_in_flight = 2\n";
    sandbox.write("capped.toml", policy);
    let run = sandbox.run("frontier small.jsonl --route extraction --policy capped.toml");
    assert!(run.err.contains("without caps on calls"), "{}", run.err);
}

#[test]
fn an_open_quote_in_a_table_is_one_bad_line_and_is_told() {
    let sandbox = Sandbox::new();
    let row = |n: u32, prompt: &str| format!("2026-05-23T10:{:02}:00Z,gpt-4.1,1000,10,{prompt}\n", n % 60);
    let good: String = (0..50).map(|n| row(n, "\"two\nlines, \"\"so\"\"\"")).collect();
    let plain: String = (0..50).map(|n| row(n, "plain")).collect();
    sandbox.write("log.csv", format!("ts,model,in,out,prompt\n{good}{}{plain}", row(7, "\"open")));
    let told = json(
        &sandbox.good("replay log.csv --map at=ts,model=model,in=in,out=out,prompt=prompt --format json"),
    );
    assert_eq!((&told["requests"], &told["skipped_lines"]), (&100.into(), &1.into()), "{told:#}");
}

#[test]
fn a_log_in_another_encoding_is_named_as_what_it_is() {
    let sandbox = Sandbox::new();
    let text: Vec<u8> = "ts,model\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    sandbox.write("excel.csv", [b"\xff\xfe".as_slice(), &text].concat());
    for args in
        ["replay excel.csv", "replay excel.csv --map at=ts,model=model", "import excel.csv -o x.jsonl"]
    {
        let said = sandbox.refused(args);
        assert!(said.contains("UTF-16") && said.contains("iconv"), "{said}");
    }
}

#[test]
fn a_world_of_ones_own_goes_by_its_name() {
    let sandbox = sandbox();
    sandbox.write("config/worlds/mine.toml", "title = \"the same\"\n");
    let run = sandbox.run("replay small.jsonl --world mine");
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.out.contains("the same"), "{}", run.out);
}

/// Over a log of a gateway with limits what is tried would else be set beside what never was.
#[test]
fn what_limits_had_no_room_for_stays_so_whatever_threshold_is_tried() {
    let sandbox = Sandbox::new();
    for word in ["over", "over-refuse", "over-queue", "over-soft", "over-later"] {
        let line = |n: u32| {
            let down = ["gpt-4.1", "gemini-2.5-flash", "gpt-4.1-nano"][n as usize % 3];
            let down =
                if n.is_multiple_of(2) { format!(",\"down\":[\"{word}:{down}\"]") } else { String::new() };
            format!(
                "{{\"id\":\"o{n}\",\"at\":\"2026-05-23T10:{:02}:00Z\",\"confidence\":{},\"model\":\"gpt-4.1\",\"in\":1000,\"out\":50{down}}}\n",
                n % 60,
                n * 37 % 1000
            )
        };
        sandbox.write("over.jsonl", (0..120).map(line).collect::<String>());
        let routed = json(&sandbox.good("replay over.jsonl --as routed --format json"));
        let tried = json(&sandbox.good("whatif over.jsonl --set general.nano=740 --format json"));
        assert_eq!(tried["applied"]["cost_usd"], routed["cost_usd"], "{word}");
        assert_eq!(tried["applied"]["errors"], routed["errors"], "{word}");
        assert_eq!(tried["applied"]["escalated"], routed["escalated"], "{word}");
        // So it does in a world, where nothing else is said of limits.
        sandbox.write("same.toml", "title = \"the same\"\n");
        let world = json(&sandbox.good("replay over.jsonl --world same.toml --format json"));
        for branch in [0, 1] {
            let whole = &world["branches"][branch]["whole"];
            assert_eq!(whole["cost_usd"], routed["cost_usd"], "{word} {branch}");
        }
        // Another threshold is what a replay under it is.
        let tried = json(&sandbox.good("whatif over.jsonl --set general.flash=200 --format json"));
        let policy = sandbox.good("config --print policy").replace("threshold = 520", "threshold = 200");
        sandbox.write("moved.toml", policy);
        let moved = json(&sandbox.good("replay over.jsonl --as routed --policy moved.toml --format json"));
        assert_eq!(tried["staged"]["cost_usd"], moved["cost_usd"], "{word}");
        assert_eq!(tried["staged"]["errors"], moved["errors"], "{word}");
    }
}

/// A list on one line is what exporters write, and one brace that is missing would else take all that follows.
#[test]
fn a_broken_row_of_a_list_takes_no_other() {
    let sandbox = Sandbox::new();
    let row = |n: u32| {
        format!(
            "{{\"request_id\":\"l{n}\",\"call_type\":\"acompletion\",\"startTime\":\"2026-05-23T10:00:{:02}Z\",\"endTime\":\"2026-05-23T10:00:59Z\",\"model\":\"gpt-4.1\",\"prompt_tokens\":1000,\"completion_tokens\":10,\"total_tokens\":1010,\"spend\":0.00208,\"metadata\":{{\"status\":\"success\"}}}}",
            n % 59
        )
    };
    let mut rows: Vec<String> = (0..40).map(row).collect();
    rows[3].pop();
    sandbox.write("list.json", format!("[{}]", rows.join(", ")));
    let told = json(&sandbox.good("replay list.json --format json"));
    assert_eq!((&told["requests"], &told["skipped_lines"]), (&39.into(), &1.into()), "{told}");
}

/// Whoever saved a file without a last line end would else lose that line and the one added to it, and a packed file all of it.
#[test]
fn what_is_added_to_a_file_begins_on_a_line_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let add = |name: &str, before: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, before).expect("written");
        let mut file = pointsman::record::open_to_add(&path, &mut std::fs::OpenOptions::new())?;
        std::io::Write::write_all(&mut file, b"x")?;
        std::fs::read(&path)
    };
    for (before, after) in [("", "x"), ("a\n", "a\nx"), ("a", "a\nx")] {
        assert_eq!(add("kept.jsonl", before.as_bytes()).expect("added"), after.as_bytes());
    }
    let packed = zstd::encode_all(&b"a\n"[..], 3).expect("packed");
    for (name, before) in [("kept.jsonl", &*packed), ("new.jsonl.zst", b""), ("new.jsonl.gz", b"")] {
        assert!(add(name, before).unwrap_err().to_string().contains("packed"), "{name}");
        assert_eq!(std::fs::read(folder.path().join(name)).expect("read"), before, "{name}");
    }
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let sandbox = sandbox();
    let log = sandbox.read("small.jsonl");
    let told = sandbox.refused("snapshot overview --log small.jsonl --size 100x30 -o small.jsonl");
    assert!(told.contains("one of the files to read"), "{told}");
    let train = "train small.jsonl --cheap gpt-4.1-nano --strong gpt-4.1 -o ./small.jsonl --replace";
    assert!(sandbox.refused(train).contains("one of the files to read"));
    assert_eq!(sandbox.read("small.jsonl"), log);
}

/// A command that waits in silence looks as if it hung.
#[test]
fn a_log_that_waits_for_another_program_says_what_it_waits_for() {
    let sandbox = sandbox();
    let mut child =
        sandbox.program().arg("replay").stdin(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut said = String::new();
    let err = child.stderr.take().expect("its messages");
    let _ = std::io::BufRead::read_line(&mut std::io::BufReader::new(err), &mut said);
    assert!(said.contains("no log is named, so one is waited for"), "{said}");
    drop(child.stdin.take());
    let _ = child.wait();
}

/// Lines without a moment would else stand in January and take every figure per hour and month with them.
#[test]
fn failed_lines_of_a_batch_are_of_its_day() {
    let sandbox = Sandbox::new();
    let failed = |n: u32| {
        format!(
            "{{\"id\":\"b{n}\",\"custom_id\":\"r-{n}\",\"response\":null,\"error\":{{\"code\":\"batch_expired\",\"message\":\"expired\"}}}}\n"
        )
    };
    let fine = |n: u32| {
        format!(
            "{{\"id\":\"b{n}\",\"custom_id\":\"r-{n}\",\"response\":{{\"status_code\":200,\"body\":{{\"id\":\"chatcmpl-{n}\",\"object\":\"chat.completion\",\"created\":{},\"model\":\"gpt-4.1\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"hi\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":1000,\"completion_tokens\":10,\"total_tokens\":1010}}}}}},\"error\":null}}\n",
            1_779_530_400 + n
        )
    };
    sandbox.write("batch.jsonl", failed(0) + &fine(1) + &fine(2) + &failed(3));
    let told = json(&sandbox.good("replay batch.jsonl --format json"));
    assert_eq!(told["requests"], 4, "{told}");
    let days = sandbox.good("report batch.jsonl --by day --format csv");
    assert!(days.contains("2026-05-23") && !days.contains("2026-01-01"), "{days}");
}
