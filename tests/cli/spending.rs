//! Reports on spend, FOCUS exports and bills, from a shell.

use std::fmt::Write as _;

use rust_decimal::Decimal;
use serde_json::Value;

use super::program::Sandbox;
use super::{json, sandbox, snapshot};

/// Calls of every kind that is billed: cached and written tokens, a tier that was only asked for, a charge that the log tells, a
/// meter besides tokens, a price finer than a pico-dollar a token, and one that nobody can price. Names are what a spreadsheet
/// would take for a formula.
const KINDS: &str = r#"{"pointsman":"log","v":1,"source":"a test"}
{"event":"price","model":"tiny","at":"2026-01-01T00:00:00Z","input":"0.1234567","output":"0.7654321"}
{"id":"k-1","at":"2026-10-05T13:00:01Z","team":"=1+1","project":"p, \"q\"","user":"ann","model":"gpt-4.1","in":1000003,"cache_read":8192,"out":650}
{"id":"k-2","at":"2026-10-05T13:59:59Z","team":"=1+1","user":"ann","model":"gpt-4.1","tier":"flex","in":7,"out":3}
{"id":"k-3","at":"2026-10-05T14:00:00Z","team":"search","user":"bob","model":"claude-sonnet-4-5","in":3,"cache_read":0,"write_5m":12304,"write_1h":77,"out":550,"meters":{"web_search":3}}
{"id":"k-4","at":"2026-10-31T23:59:59Z","team":"search","model":"gpt-4.1","in":10,"out":10,"charged":"0.0123"}
{"id":"k-5","at":"2026-11-01T00:00:00Z","model":"tiny","in":1,"out":1}
{"id":"k-6","at":"2026-11-01T00:00:01Z","model":"tiny","in":3,"out":1}
{"id":"k-7","at":"2026-11-01T00:00:02Z","team":"search","model":"house-model","in":10,"out":10}
{"id":"k-8","at":"2026-11-01T00:00:03Z","team":"search","attempts":[{"model":"gemini-2.5-flash","in":2000,"out":300,"check":"failed"},{"model":"gpt-4.1","in":2000,"out":400}]}
"#;

fn kinds() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("kinds.jsonl", KINDS);
    sandbox
}

/// Reads comma-separated values by their heads.
fn rows(text: &str) -> Vec<Vec<(String, String)>> {
    let cells = |line: &str| {
        let (mut cells, mut quoted) = (vec![String::new()], false);
        for c in line.replace("\"\"", "\u{1}").chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().expect("a cell").push(if c == '\u{1}' { '"' } else { c }),
            }
        }
        cells
    };
    let mut lines = text.lines();
    let heads = cells(lines.next().expect("heads"));
    let row = |line: &str| {
        let cells = cells(line);
        assert_eq!(cells.len(), heads.len(), "{line}");
        heads.iter().cloned().zip(cells).collect()
    };
    lines.map(row).collect()
}

fn cell<'r>(row: &'r [(String, String)], head: &str) -> &'r str {
    row.iter().find(|(name, _)| name == head).map(|(_, cell)| cell.as_str()).expect(head)
}

fn number(row: &[(String, String)], head: &str) -> Decimal {
    Decimal::from_str_exact(cell(row, head)).expect("an exact number")
}

fn report(sandbox: &Sandbox, args: &str) -> Value {
    json(&sandbox.good(&format!("report {args} --format json")))
}

#[test]
fn the_rows_of_a_report_add_up_to_what_a_replay_says() {
    let sandbox = kinds();
    let whole = json(&sandbox.good("replay kinds.jsonl --format json"));
    for by in [
        "team",
        "team,project",
        "model",
        "provider",
        "route",
        "task",
        "user",
        "session",
        "hour",
        "day",
        "month,model",
    ] {
        let report = report(&sandbox, &format!("kinds.jsonl --by {by}"));
        assert_eq!(report["total"]["cost_usd"], whole["cost_usd"], "{by}");
        let sum = |figure: &str| -> Decimal {
            let of =
                |row: &Value| row[figure].as_str().map_or(Decimal::ZERO, |usd| usd.parse().expect("money"));
            report["rows"].as_array().expect("rows").iter().map(of).sum()
        };
        let total: Decimal = whole["cost_usd"].as_str().expect("a sum").parse().expect("money");
        assert_eq!(sum("cost_usd"), total, "{by}");
        assert_eq!(sum("cost_known_usd") + sum("cost_estimated_usd"), total, "{by}");
    }
    let by_user = report(&sandbox, "kinds.jsonl --by user");
    assert_eq!(by_user["rows"].as_array().map(Vec::len), Some(3), "{by_user}");
    let unnamed = by_user["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["user"].is_null()));
    assert_eq!(unnamed.map(|row| row["requests"].clone()), Some(5.into()), "{by_user}");
    assert_eq!(by_user["total"]["as_charged_usd"], "0.0123");
    assert_eq!(by_user["total"]["cost_unknown_requests"], 1);
}

#[test]
fn a_limit_keeps_the_most_expensive_and_sums_the_rest() {
    let sandbox = sandbox();
    let all = report(&sandbox, "small.jsonl --by team,model");
    let two = report(&sandbox, "small.jsonl --by team,model --limit 1");
    let rows = two["rows"].as_array().expect("rows");
    assert_eq!((rows.len(), &rows[0], &rows[1]["team"]), (2, &all["rows"][0], &"(others)".into()));
    assert_eq!(two["total"], all["total"]);
    let in_time = report(&sandbox, "small.jsonl --by hour,model --limit 1");
    assert_eq!(in_time["rows"][1]["hour"], "(others)", "the rest is of no hour: it stands last");
    let unknown = report(&sandbox, "small.jsonl --by model");
    let house =
        unknown["rows"].as_array().and_then(|rows| rows.iter().find(|row| row["model"] == "house-model"));
    assert!(house.expect("a row")["cost_usd"].is_null(), "unknown is not zero");
}

#[test]
fn a_report_reads_well() {
    let sandbox = sandbox();
    snapshot("report_table", &sandbox.good("report small.jsonl --by team,model"));
    let csv = sandbox.run("report small.jsonl --by day,team --format csv");
    assert!(csv.err.contains("1 of 4 requests is unknown"), "{}", csv.err);
    snapshot("report_csv", &csv.out);
    snapshot(
        "report_page",
        &sandbox.good("report small.jsonl --by team,project --format html").replace("><", ">\n<"),
    );
}

#[test]
fn nothing_from_a_log_is_markup_or_a_formula() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "evil.jsonl",
        "{\"at\":\"2026-05-23T10:00:00Z\",\"team\":\"<script>alert(1)</script>\",\"project\":\"=cmd()\",\"model\":\"gpt-4.1\",\"in\":1,\"out\":1}\n",
    );
    let page = sandbox.good("report evil.jsonl --by team,project --format html");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    let csv = sandbox.good("report evil.jsonl --by project --format csv");
    assert!(csv.lines().nth(1).is_some_and(|line| line.starts_with("'=cmd()")), "{csv}");
}

#[test]
fn a_report_without_a_log_reads_the_own_ledger_or_says_what_to_do() {
    let run = Sandbox::new().run("report");
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(run.err.contains("no gateway has run here yet"), "{}", run.err);
}

#[test]
fn in_every_focus_row_price_times_quantity_is_the_cost_and_all_rows_are_the_total() {
    let sandbox = kinds();
    let total = report(&sandbox, "kinds.jsonl --by team");
    let total: Decimal = total["total"]["cost_usd"].as_str().expect("a sum").parse().expect("money");
    for args in ["", "--period hour", "--focus 1.4", "--reprice"] {
        let run = sandbox.run(&format!("report kinds.jsonl --format focus {args}"));
        assert_eq!(run.code, Some(0), "{}", run.err);
        assert!(run.err.contains("left out: 1 call of unknown cost"), "{}", run.err);
        assert!(!run.out.contains("house-model"), "{}", run.out);
        let rows = rows(&run.out);
        for row in &rows {
            let cost = number(row, "ListCost");
            assert_eq!(number(row, "ListUnitPrice") * number(row, "PricingQuantity"), cost, "{row:?}");
            assert_eq!(number(row, "ContractedUnitPrice") * number(row, "PricingQuantity"), cost, "{row:?}");
            for same in ["BilledCost", "EffectiveCost", "ContractedCost"] {
                assert_eq!(number(row, same), cost, "{row:?}");
            }
            assert!(cell(row, "ConsumedQuantity").ends_with(".0"), "{row:?}");
            assert!(row.iter().all(|(_, cell)| !cell.starts_with(['=', '@'])), "{row:?}");
            for object in ["Tags", "SkuPriceDetails"] {
                assert!(json(cell(row, object)).is_object(), "{row:?}");
            }
            let (start, end) = (cell(row, "ChargePeriodStart"), cell(row, "ChargePeriodEnd"));
            assert!(
                start < end
                    && cell(row, "BillingPeriodStart") <= start
                    && end <= cell(row, "BillingPeriodEnd"),
                "{row:?}"
            );
        }
        let sum: Decimal = rows.iter().map(|row| number(row, "BilledCost")).sum();
        if args == "--reprice" {
            assert!(rows.iter().all(|row| cell(row, "SkuMeter") != "Recorded Charges"));
        } else {
            assert_eq!(sum, total, "{args}");
            assert!(rows.iter().any(
                |row| cell(row, "SkuMeter") == "Recorded Charges" && cell(row, "BilledCost") == "0.0123"
            ));
        }
        let meters: Vec<&str> = rows.iter().map(|row| cell(row, "SkuMeter")).collect();
        for meter in [
            "Input Tokens",
            "Cached Input Tokens",
            "Cache Write Tokens, 1 Hour",
            "Output Tokens",
            "Web Search",
            "Rounding",
        ] {
            assert!(meters.contains(&meter), "{meter}: {meters:?}");
        }
        let heads: Vec<&str> = run.out.lines().next().expect("heads").split(',').collect();
        assert_eq!(heads.contains(&"ProviderName"), args != "--focus 1.4");
        assert_eq!(heads.contains(&"ServiceProviderName"), args == "--focus 1.4");
    }
}

/// What the exporter supports: the rules for these are run, too.
const APPLICABLE: &str = "ACCOUNT_NAMING_SUPPORTED,MULTIPLE_PRICING_CATEGORIES_SUPPORTED,NEGOTIATED_PRICING_SUPPORTED,\
                          PUBLIC_PRICE_LIST_SUPPORTED,USAGE_MEASUREMENT_SUPPORTED,UNIT_PRICING_SUPPORTED,SUB_ACCOUNT_SUPPORTED,\
                          TAGGING_SUPPORTED";

/// The rules of the specification, run by its own validator; where `POINTSMAN_FOCUS_VENV` names an environment that has it.
#[test]
fn the_official_validator_passes_a_focus_export() {
    let Ok(venv) = std::env::var("POINTSMAN_FOCUS_VENV") else {
        assert!(
            std::env::var("POINTSMAN_FOCUS").is_err(),
            "POINTSMAN_FOCUS insists, and POINTSMAN_FOCUS_VENV names nothing"
        );
        println!("skipped: POINTSMAN_FOCUS_VENV names no environment with focus_validator");
        return;
    };
    let sandbox = kinds();
    let run =
        sandbox.run("report kinds.jsonl --format focus --account org-1 --account-name Company -o focus.csv");
    assert_eq!(run.code, Some(0), "{}", run.err);
    let program = std::path::Path::new(&venv).join("bin/focus-validator");
    // It looks for its rules in the folder that it is run in.
    let lib = std::fs::read_dir(std::path::Path::new(&venv).join("lib")).expect("an environment");
    let site = lib.flatten().map(|entry| entry.path().join("site-packages"));
    let site = site.filter(|path| path.join("focus_validator").is_dir()).last().expect("focus_validator");
    let output = std::process::Command::new(program)
        .args(["--validate-version", "1.2", "--focus-dataset", "CostAndUsage", "--block-download"])
        .args(["--applicability-criteria", APPLICABLE, "--data-file"])
        .arg(sandbox.path("focus.csv"))
        .current_dir(site)
        .output()
        .expect("the validator runs");
    let text = String::from_utf8_lossy(&output.stdout);
    // It ends well whatever it finds.
    let missed: Vec<&str> = text.lines().filter(|line| line.contains(": FAIL")).collect();
    assert!(text.contains("| Pass: 249 | Fail: 1 |"), "{text}");
    // A gateway writes no invoices: the one rule that asks for a number of one cannot be met.
    assert!(missed.iter().all(|line| line.contains("InvoiceId-C-005-C")), "{missed:#?}");
}

const COSTS: &str = r#"{"object":"page","has_more":false,"data":[{"object":"bucket","start_time":1779494400,"end_time":1779580800,"results":[
{"object":"organization.costs.result","amount":{"value":0.016912,"currency":"usd"},"line_item":"gpt-4.1-2025-04-14, input"},
{"object":"organization.costs.result","amount":{"value":0.011,"currency":"usd"},"line_item":"gpt-4.1-2025-04-14, output"},
{"object":"organization.costs.result","amount":{"value":0.5,"currency":"usd"},"line_item":"gpt-4o, input"}]}]}"#;

#[test]
fn a_bill_stands_beside_the_log_by_day_and_model() {
    let sandbox = sandbox();
    sandbox.write("costs.json", COSTS);
    // gpt-4.1 comes to 0.016912 + 0.0028 + 0.0072 here; the bill says 0.001 more. Gemini is not OpenAI's.
    let report = json(&sandbox.good("reconcile small.jsonl --bill costs.json --within 0.0001 --format json"));
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 2, "{report}");
    assert_eq!((&rows[0]["model"], &rows[0]["state"]), (&"gpt-4.1".into(), &"differs".into()));
    assert_eq!((&rows[0]["ours_usd"], &rows[0]["theirs_usd"]), (&"0.026912".into(), &"0.027912".into()));
    assert_eq!(
        (&rows[0]["difference_usd"], &rows[0]["difference_percent"]),
        (&"0.001".into(), &"3.58".into())
    );
    assert_eq!((&rows[1]["model"], &rows[1]["state"]), (&"gpt-4o".into(), &"theirs_only".into()));
    let report = json(&sandbox.good("reconcile small.jsonl --bill costs.json --format json"));
    assert_eq!(report["counts"]["matched"], 1, "a cent is nothing");
    snapshot("reconcile_table", &sandbox.good("reconcile small.jsonl --bill costs.json"));
    // A shadow run is in no figure of users, and on the bill all the same.
    let beside = r#"{"id":"sh1","at":"2026-05-23T13:00:09Z","asked":"gpt-4.1","key":"(shadow)","model":"gpt-4.1","provider":"openai","in":500,"out":0,"charged":"0.001"}"#;
    sandbox.write("beside.jsonl", format!("{beside}\n"));
    let args = "reconcile small.jsonl beside.jsonl --bill costs.json --within 0.0001 --format json";
    let report = json(&sandbox.good(args));
    assert_eq!(report["rows"][0]["state"], "matched", "{report}");

    sandbox.write("bill.csv", "Tag;Modell;Betrag\n2026-05-23;gemini-2.5-flash;0,00135\n");
    let columns = "--columns day=Tag,model=Modell,usd=Betrag";
    let report = json(
        &sandbox.good(&format!("reconcile small.jsonl --bill bill.csv {columns} --within 0 --format json")),
    );
    assert_eq!(
        (&report["counts"]["matched"], &report["counts"]["ours_only"]),
        (&1.into(), &2.into()),
        "{report}"
    );

    let bad = sandbox
        .write("bad.csv", "date,model,cost\n2026-05-23,gpt-4.1,1\n2026-05-24,gpt-4.1,lots\n")
        .run("reconcile small.jsonl --bill bad.csv");
    assert_eq!(bad.code, Some(2));
    assert!(bad.err.contains("bad.csv:3: `lots`"), "{}", bad.err);
}

#[test]
fn a_focus_export_reconciles_with_its_own_log() {
    let sandbox = kinds();
    sandbox.run("report kinds.jsonl --format focus -o focus.csv");
    let report = json(&sandbox.good("reconcile kinds.jsonl --bill focus.csv --within 0 --format json"));
    assert_eq!(report["counts"]["differs"], 0, "{report}");
    assert_eq!(report["counts"]["theirs_only"], 0, "{report}");
    assert_eq!(report["total"]["difference_usd"], "0", "{report}");
}

/// Six weeks of working hours, each of which costs what makes a month's limit last; `more` is written on top of a night.
fn working_hours(more: &str) -> String {
    let mut log = String::new();
    // From Monday 2026-04-20 on.
    for day in 0..40 {
        if day % 7 >= 5 {
            continue;
        }
        let (month, date) = if day < 11 { (4, 20 + day) } else { (5, day - 10) };
        for hour in 9..17 {
            let _ = writeln!(
                log,
                "{{\"id\":\"d{day}-{hour}\",\"at\":\"2026-{month:02}-{date:02}T{hour:02}:30:00Z\",\"model\":\"gpt-4.1\",\"in\":2800000,\"out\":0}}"
            );
        }
    }
    log + more
}

#[test]
fn busy_hours_burn_no_budget_that_lasts_and_a_night_that_is_busy_does() {
    let sandbox = Sandbox::new();
    sandbox.write("budgets.toml", "[budget.all]\nlimit = { month = 1000 }\nmode = \"observe\"\n");
    let night =
        "{\"id\":\"n\",\"at\":\"2026-05-21T02:30:00Z\",\"model\":\"gpt-4.1\",\"in\":9000000,\"out\":0}\n";
    let fired = |log: &str| {
        sandbox.write("log.jsonl", log);
        let told = json(&sandbox.good("alerts replay log.jsonl --budgets budgets.toml --format json"));
        let all = told["alerts"].as_array().unwrap_or_else(|| told.as_array().unwrap()).clone();
        let of = |alert: &&Value| {
            alert["rule"] == "burn-rate" && alert["window"].as_str().unwrap().starts_with("2026-05")
        };
        all.iter().filter(of).map(|alert| alert["threshold"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(fired(&working_hours("")), [""; 0], "every working day is faster than an even pace");
    // $18 within an hour is less than 14.4 times an even pace, but not at night.
    assert!(fired(&working_hours(night)).iter().any(|threshold| threshold == "14.4x in 1h"));
}

/// A warehouse would else load nothing, or another total than the report's.
#[test]
fn a_parquet_file_has_the_columns_and_the_rows_of_the_csv() {
    let sandbox = kinds();
    let run = sandbox.run("report kinds.jsonl --by team,tag.env,model --format parquet -o kinds.parquet");
    assert!(run.code == Some(0) && run.err.contains("is unknown"), "{}", run.err);
    let file = std::fs::read(sandbox.path("kinds.parquet")).expect("a file");
    assert_eq!((&file[..4], &file[file.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    let length = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().expect("four bytes"));
    let footer = &file[file.len() - 8 - usize::try_from(length).expect("a length")..file.len() - 8];
    let csv = sandbox.run("report kinds.jsonl --by team,tag.env,model --format csv").out;
    let heads = csv.lines().next().expect("heads");
    let mut rest = footer;
    for head in heads.split(',') {
        let at = rest.windows(head.len()).position(|window| window == head.as_bytes());
        rest = &rest[at.unwrap_or_else(|| panic!("{head} follows in the schema")) + head.len()..];
    }
    let again = sandbox.run("report kinds.jsonl --by team,tag.env,model --format parquet -o again.parquet");
    assert_eq!((again.code, std::fs::read(sandbox.path("again.parquet")).expect("a file")), (Some(0), file));
}

/// Whoever loads it with the reference implementation finds text, whole numbers and exact dollars.
#[test]
fn the_official_reader_of_parquet_finds_what_the_csv_says() {
    let Ok(venv) = std::env::var("POINTSMAN_FOCUS_VENV") else {
        println!("skipped: POINTSMAN_FOCUS_VENV names no environment with pyarrow");
        return;
    };
    let sandbox = kinds();
    let by = "report kinds.jsonl --by team,project,tag.env,model";
    assert_eq!(sandbox.run(&format!("{by} --format parquet -o kinds.parquet")).code, Some(0));
    let csv = rows(&sandbox.run(&format!("{by} --format csv")).out);
    let read = "import pyarrow.parquet as p, sys, json\n\
                t = p.read_table(sys.argv[1])\n\
                print(json.dumps([[str(f.type) for f in t.schema], [{k: None if v is None else str(v) for k, v in r.items()} for r in t.to_pylist()]]))";
    let output = std::process::Command::new(std::path::Path::new(&venv).join("bin/python"))
        .args(["-c", read])
        .arg(sandbox.path("kinds.parquet"))
        .output()
        .expect("python runs");
    let found = json(&String::from_utf8(output.stdout).expect("text"));
    let types: Vec<&str> = found[0].as_array().expect("types").iter().filter_map(Value::as_str).collect();
    assert_eq!(
        (&types[..5], types[14]),
        (&["string", "string", "string", "string", "int64"][..], "decimal128(38, 12)")
    );
    let found = found[1].as_array().expect("rows");
    assert_eq!(found.len(), csv.len());
    for (read, told) in found.iter().zip(&csv) {
        for (head, cell) in told {
            let plain = cell.strip_prefix('\'').unwrap_or(cell);
            match (read[head].as_str(), plain.parse::<Decimal>()) {
                (None, _) => assert_eq!(plain, "", "{head}"),
                (Some(read), Ok(told)) => assert_eq!(read.parse::<Decimal>().ok(), Some(told), "{head}"),
                (Some(read), Err(_)) => assert_eq!(read, plain, "{head}"),
            }
        }
    }
}

#[test]
fn how_far_a_bill_is_off_is_kept_beside_the_log_and_shown_on_spend() {
    let sandbox = sandbox();
    sandbox.write("costs.json", COSTS);
    let spend = "snapshot spend --log small.jsonl --size 120x36";
    assert!(!sandbox.run(spend).out.contains("bill "), "nobody asked for it");
    let run = sandbox.run("reconcile small.jsonl --bill costs.json --keep");
    assert!(run.code == Some(0) && run.err.contains("small.jsonl.bill.json"), "{}", run.err);
    let kept = json(&std::fs::read_to_string(sandbox.path("small.jsonl.bill.json")).expect("a file"));
    let told = json(&sandbox.good("reconcile small.jsonl --bill costs.json --format json"))["total"].clone();
    for side in ["ours_usd", "theirs_usd", "ours_unknown_calls"] {
        assert_eq!(kept[side], told[side], "{side}");
    }
    let percent = told["difference_percent"].as_str().expect("a difference").to_owned();
    let shown = sandbox.run(spend).out;
    assert!(shown.contains("bill ") && shown.contains(&format!("{percent} %")), "{percent}: {shown}");
    let run = sandbox.run("reconcile small.jsonl small.jsonl --bill costs.json --keep");
    assert!(run.code == Some(2) && run.err.contains("several logs"), "{}", run.err);
}

/// Tools that load FOCUS by place, not by name, would else put our columns into theirs.
#[test]
fn columns_of_our_own_stand_behind_those_of_focus() {
    for version in ["1.2", "1.4"] {
        let text = kinds().run(&format!("report kinds.jsonl --format focus --focus {version}")).out;
        let heads: Vec<&str> = text.lines().next().expect("heads").split(',').collect();
        let first = heads.iter().position(|head| head.starts_with("x_")).expect("columns of our own");
        assert!(heads[first..].iter().all(|head| head.starts_with("x_")), "{heads:?}");
        let row = &rows(&text)[0];
        let own = ["x_Model", "x_CallCount", "x_CostKind", "x_Team"].map(|head| cell(row, head));
        assert_eq!(own, ["gpt-4.1", "1", "known", "'=1+1"], "{row:?}");
    }
}
