//! Price books from file to charge: what is read is what was written, and what is charged is exact.
//!
//! The catalogue tests need LiteLLM's file under `../shared` or `$POINTSMAN_SHARED`; they say so and pass where it is
//! absent.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may stop and say why")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser;
use pointsman::cli::prices::{PricesArgs, run_to};
use pointsman::config::prices::{
    Import, Reason, builtin, builtin_names, from_toml, import_litellm, resolve, to_toml,
};
use pointsman::pricing::{Cost, Hours, ModelPrices, PriceBook, PriceRow, Rates, Tier, Usage, charge};
use pointsman::units::{Count, Instant, Pico, PicoPerMillion};
use proptest::prelude::*;
use rust_decimal::Decimal;

#[path = "prices/hours.rs"]
mod hours;
#[path = "prices/listed.rs"]
mod listed;
#[path = "prices/tiers.rs"]
mod tiers;

fn shared(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("POINTSMAN_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = root.join(file);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

fn catalogue() -> Option<(String, Import)> {
    let path = shared("data/prices/litellm_model_prices_and_context_window.json")?;
    let text = std::fs::read_to_string(path).unwrap();
    let import = import_litellm(&text, "catalogue.json").unwrap();
    Some((text, import))
}

fn usage(input: u64, cache_read: u64, write_5m: u64, write_1h: u64, output: u64) -> Usage {
    let count = |tokens| Count::new(tokens).unwrap();
    Usage {
        input: count(input),
        cache_read: count(cache_read),
        write_5m: count(write_5m),
        write_1h: count(write_1h),
        output: count(output),
        reasoning: Count::UNKNOWN,
    }
}

fn rates<'a>(book: &'a PriceBook, model: &str) -> &'a Rates {
    let prices = book.find(model).unwrap_or_else(|| panic!("{} lacks {model}", book.name));
    &prices.at(Instant(0)).unwrap().standard
}

fn cost(book: &PriceBook, model: &str, usage: &Usage) -> String {
    charge(usage, Some(rates(book, model))).amount().unwrap().usd()
}

/// The five calls that encode the same traffic in every log format, with their exact costs.
fn golden_calls(book: &PriceBook) {
    let thinking = Usage { reasoning: Count::new(540).unwrap(), ..usage(2152, 2048, 0, 0, 850) };
    let calls = [
        ("gpt-4.1", usage(3808, 8192, 0, 0, 650), "0.016912"),
        ("claude-opus-4-6", usage(1204, 18_432, 2048, 1024, 812), "0.058576"),
        ("gemini-2.5-flash", thinking, "0.00283204"),
        ("azure_ai/mistral-small-2503", usage(900, 0, 0, 0, 150), "0.000135"),
        ("mistral-small-2503", usage(900, 0, 0, 0, 150), "0.000135"),
        ("gpt-4.1", Usage::NONE, "0"),
    ];
    for (model, usage, usd) in calls {
        assert_eq!(cost(book, model, &usage), usd, "{model} in {}", book.name);
    }
}

#[test]
fn the_golden_calls_cost_exactly_what_they_cost() {
    golden_calls(&builtin("list").unwrap());
    if let Some((_, import)) = catalogue() {
        golden_calls(&import.book);
    }
}

#[test]
fn cache_writes_are_billed_once() {
    let text = r#"
        name = "one"
        dated = "2026-11-23"
        [models.m]
        input = 3
        output = 15
        write_5m = 3.75
    "#;
    let book = from_toml(text, "one.toml").unwrap();
    assert_eq!(cost(&book, "m", &usage(3, 0, 12_304, 0, 550)), "0.054399");
}

#[test]
fn every_builtin_book_loads_and_survives_a_round_trip() {
    for name in builtin_names() {
        let book = builtin(name).unwrap_or_else(|| panic!("built-in {name} cannot be read"));
        assert_eq!(book.name, name);
        assert_eq!(from_toml(&to_toml(&book), "again.toml").unwrap(), book);
    }
    assert!(builtin("none").is_none());
}

#[test]
fn the_guide_has_its_five_prices_and_its_spreads() {
    let book = builtin("guide-2026").unwrap();
    let prices = [
        ("gpt-4.1", "2", "2"),
        ("gpt-4.1-nano", "0.1", "0.1"),
        ("claude-opus-4.6", "15", "15"),
        ("gemini-2.5-flash", "0.15", "0.15"),
        ("mistral-small-3.1", "0.1", "0.3"),
    ];
    assert_eq!(book.models.len(), prices.len());
    for (model, input, output) in prices {
        let tier = rates(&book, model).base;
        assert_eq!(
            (tier.input.usd_per_million(), tier.output.usd_per_million()),
            (input.into(), output.into())
        );
        assert_eq!(tier.cache_read.unwrap().0 * 10, tier.input.0, "cached input at 10% for {model}");
    }
    let per_call = charge(&Usage::plain(15_000, 0).unwrap(), Some(rates(&book, "gpt-4.1"))).amount().unwrap();
    assert_eq!(Pico(per_call.0 * 7).usd(), "0.21");
    assert_eq!(Pico(per_call.0 * 7 * 1000 * 30).usd(), "6300");
    let input = |model: &str| rates(&book, model).base.input.0;
    assert_eq!(input("gpt-4.1"), 20 * input("gpt-4.1-nano"));
    assert_eq!(input("claude-opus-4-6"), 100 * input("gemini-2.5-flash"));
}

#[test]
fn common_spellings_find_their_price_in_the_list() {
    let book = builtin("list").unwrap();
    for (spelling, listed) in [
        ("claude-opus-4.6", "claude-opus-4-6"),
        ("anthropic/claude-opus-4.6", "claude-opus-4-6"),
        ("claude-opus-4-6-20260205", "claude-opus-4-6"),
        ("gpt-4.1-nano-2025-04-14", "gpt-4.1-nano"),
        ("openai/gpt-4.1-mini", "gpt-4.1-mini"),
        ("gemini/gemini-2.5-flash", "gemini-2.5-flash"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("mistral-small-3.1", "mistral-small-2503"),
        ("azure_ai/mistral-small-2503", "mistral-small-2503"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
    ] {
        assert_eq!(book.find_named(spelling).map(|(name, _)| name), Some(listed), "{spelling}");
    }
    for unknown in ["gpt-4.1-giant", "claude", "", "/"] {
        assert!(book.find(unknown).is_none(), "{unknown}");
    }
}

#[test]
fn every_catalogue_entry_is_imported_or_refused_with_a_reason() {
    let Some((text, import)) = catalogue() else { return };
    let entries: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(import.book.models.len() + import.refused.len(), entries.len() - 1, "all but sample_spec");
    for refusal in &import.refused {
        assert!(!import.book.models.contains_key(&refusal.model), "{} is on both sides", refusal.model);
        assert!(!refusal.reason.to_string().is_empty());
    }
    println!(
        "imported {} refused {} aliases {} ambiguous {} without batch {}",
        import.book.models.len(),
        import.refused.len(),
        import.book.aliases.len(),
        import.ambiguous.len(),
        import.without_batch.len()
    );
    for (kind, count) in import.refused_by_kind() {
        println!("{count:5} {kind}");
    }
    assert_eq!(from_toml(&to_toml(&import.book), "import.toml").unwrap(), import.book);
}

/// Prices every imported entry a second way: decimals of the raw text, a tier picked by hand, no code of the importer.
#[test]
fn an_independent_calculation_agrees_with_every_imported_price() {
    let Some((text, import)) = catalogue() else { return };
    let entries: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let decimal = |value: &serde_json::Value| {
        let written = value.to_string();
        Decimal::from_scientific(&written).or_else(|_| written.parse::<Decimal>()).unwrap().normalize()
    };
    let (mut checked, mut tiered, mut batched) = (0, 0, 0);
    for (name, prices) in &import.book.models {
        let entry = &entries[name];
        let pick = |field: &str, above: Option<u64>, service: &str| -> Option<Decimal> {
            if entry.get("input_cost_per_token").is_none() {
                let low = Decimal::from(above.unwrap_or(0));
                let ranges = entry.get("tiered_pricing")?.as_array()?;
                let range = ranges.iter().find(|range| decimal(&range["range"][0]) == low)?;
                return range.get(field).map(decimal);
            }
            let tier = above.map_or_else(String::new, |above| format!("_above_{}k_tokens", above / 1000));
            if let Some(value) = entry.get(format!("{field}{tier}{service}")) {
                return Some(decimal(value));
            }
            let range = entry.get("tiered_pricing")?.as_array()?.iter().find(|range| {
                range.get("range").is_some_and(|range| Some(decimal(&range[0])) == above.map(Decimal::from))
            });
            range?.get(field).map(decimal)
        };
        let row = &prices.rows[0];
        let begins_at = u64::from(prices.provider.as_deref() == Some("xai"));
        let services = [("", Some(&row.standard)), ("_batches", row.batch.as_ref())];
        for (service, rates) in services.into_iter().filter_map(|(name, rates)| Some((name, rates?))) {
            let tiers = rates.above.iter().map(|(above, _)| (above + 7, Some(above + begins_at)));
            for (prompt, above) in std::iter::once((999, None)).chain(tiers) {
                let zero = Decimal::ZERO;
                let input = pick("input_cost_per_token", above, service).unwrap();
                let output = pick("output_cost_per_token", above, service).unwrap_or(zero);
                let read = pick("cache_read_input_token_cost", above, service).unwrap_or(input);
                // A write of 0 costs nothing besides, so it is none of its own.
                let write =
                    |field| pick(field, above, service).filter(|write| !write.is_zero() || input.is_zero());
                let told = write("cache_creation_input_token_cost");
                let (short, long) =
                    (told.unwrap_or(input), write("cache_creation_input_token_cost_above_1hr"));
                // Without any price of writes, one of long ones is not known.
                let has_writes = long.is_some() || told.is_some();
                let long = long.unwrap_or(short);
                let (cached, write_5m, answer) = (prompt / 3, prompt / 7, 1_000_000u64);
                let write_1h = if has_writes { prompt / 11 } else { 0 };
                let fresh = prompt - cached - write_5m - write_1h;
                let parts =
                    [(input, fresh), (read, cached), (short, write_5m), (long, write_1h), (output, answer)];
                let expected: Decimal =
                    parts.iter().map(|(price, tokens)| price * Decimal::from(*tokens)).sum();
                let usage = usage(fresh, cached, write_5m, write_1h, answer);
                let charged: Decimal = charge(&usage, Some(rates)).amount().unwrap().usd().parse().unwrap();
                // A price finer than a pico-dollar per token is rounded once per charge line, half a pico-dollar at most.
                let fine =
                    i64::try_from(parts.iter().filter(|(price, _)| price.scale() > 12).count()).unwrap();
                let allowed = Decimal::new(fine * 5, 13);
                assert!(
                    (charged - expected).abs() <= allowed,
                    "{name}{service} at {prompt}: {charged} instead of {expected}"
                );
                checked += 1;
                tiered += usize::from(above.is_some());
                batched += usize::from(!service.is_empty());
            }
        }
    }
    println!("checked {checked} charges, {tiered} in long-prompt tiers, {batched} batch");
    assert!(checked > 3000 && tiered > 200 && batched > 400);
}

#[test]
fn a_bare_name_stands_for_a_price_only_where_providers_agree() {
    let text = r#"{
        "a/same": {"mode": "chat", "input_cost_per_token": 1e-07, "output_cost_per_token": 3e-07},
        "b/same": {"mode": "chat", "input_cost_per_token": 1e-07, "output_cost_per_token": 3e-07},
        "a/differs": {"mode": "chat", "input_cost_per_token": 1e-07, "output_cost_per_token": 3e-07},
        "b/differs": {"mode": "chat", "input_cost_per_token": 2e-07, "output_cost_per_token": 3e-07},
        "a/half": {"mode": "chat", "input_cost_per_token": 1e-07, "output_cost_per_token": 3e-07},
        "b/half": {"mode": "chat", "input_cost_per_token": 1.0000000000000001e-07, "output_cost_per_token": 3e-07},
        "ollama/free": {"mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0.0}
    }"#;
    let import = import_litellm(text, "small.json").unwrap();
    assert_eq!(import.book.aliases, BTreeMap::from([("same".to_owned(), "a/same".to_owned())]));
    assert_eq!(import.ambiguous.iter().map(String::as_str).collect::<Vec<_>>(), ["differs", "free", "half"]);
    assert!(import.book.find("differs").is_none());
    assert_eq!(import.book.candidates("differs"), ["a/differs", "b/differs"]);
}

#[test]
fn what_cannot_be_priced_exactly_is_refused_and_says_why() {
    let cases = [
        (r#"{"mode":"chat"}"#, "not priced by token"),
        (r#"{"mode":"image_generation","output_cost_per_image":0.04}"#, "not priced by token"),
        (r#"{"mode":"chat","input_cost_per_token":1e-6}"#, "no output price per token"),
        (r#"{"mode":"chat","output_cost_per_token":1e-6}"#, "no input price per token"),
        (
            r#"{"mode":"chat","input_cost_per_token":4.0000000000000003e-07,"output_cost_per_token":1e-6}"#,
            "more decimals than can be kept exactly",
        ),
        (r#"{"mode":"chat","input_cost_per_token":-1e-6,"output_cost_per_token":1e-6}"#, "negative price"),
        (
            r#"{"mode":"chat","input_cost_per_token":null,"output_cost_per_token":1e-6}"#,
            "price is no number in range",
        ),
        (
            r#"{"mode":"chat","input_cost_per_token":1e999,"output_cost_per_token":1e-6}"#,
            "price is no number in range",
        ),
        (
            r#"{"mode":"rerank","input_cost_per_token":0,"output_cost_per_token":0,"input_cost_per_query":0.001}"#,
            "tokens at zero, billed by another meter",
        ),
        (
            r#"{"mode":"chat","input_cost_per_token":1e-6,"output_cost_per_token":1e-6,"off_peak_pricing":{}}"#,
            "price depends on the time of day",
        ),
        (
            r#"{"mode":"chat","input_cost_per_token":1e-6,"output_cost_per_token":1e-6,"output_cost_per_token_above_200k_tokens":2e-6}"#,
            "malformed tiers",
        ),
        (
            r#"{"mode":"chat","tiered_pricing":[{"range":[0,10],"input_cost_per_token":1e-6,"output_cost_per_token":1e-6},{"range":[20,30],"input_cost_per_token":1e-6,"output_cost_per_token":1e-6}]}"#,
            "malformed tiers",
        ),
        ("7", "not an object"),
    ];
    let good = r#""good":{"mode":"embedding","input_cost_per_token":1e-6}"#;
    for (entry, kind) in cases {
        let import = import_litellm(&format!(r#"{{"bad":{entry},{good}}}"#), "x.json").unwrap();
        assert_eq!(import.refused.iter().map(|r| r.reason.kind()).collect::<Vec<_>>(), [kind], "{entry}");
        assert_eq!(
            rates(&import.book, "good").base.output,
            PicoPerMillion(0),
            "an embedding has no answer tokens"
        );
    }
    for none in ["", "[]", "{}", r#"{"sample_spec":{}}"#, "{\"a\":"] {
        assert!(import_litellm(none, "x.json").is_err(), "{none}");
    }
    let fine =
        Reason::Price { field: "f".into(), error: PicoPerMillion::from_usd_per_token("1e-19").unwrap_err() };
    assert_eq!(fine.to_string(), "f: `1e-19` has 19 decimals, at most 18 can be kept exactly");
}

#[test]
fn ranges_and_xai_tiers_begin_where_their_provider_says() {
    let text = r#"{
        "ranged": {"mode":"chat","litellm_provider":"dashscope","tiered_pricing":[
            {"range":[0,256000.0],"input_cost_per_token":1e-6,"output_cost_per_token":0},
            {"range":[256000.0,1e6],"input_cost_per_token":2e-6,"output_cost_per_token":0}]},
        "xai/g": {"mode":"chat","litellm_provider":"xai","input_cost_per_token":1e-6,"output_cost_per_token":1e-6,
            "input_cost_per_token_above_200k_tokens":2e-6,"output_cost_per_token_above_200k_tokens":2e-6,
            "output_cost_per_image":0.04}
    }"#;
    let book = import_litellm(text, "x.json").unwrap().book;
    let input = |model: &str, prompt| rates(&book, model).for_prompt(prompt).input.usd_per_million();
    assert_eq!((input("ranged", 256_000), input("ranged", 256_001)), ("1".into(), "2".into()));
    assert_eq!((input("xai/g", 199_999), input("xai/g", 200_000)), ("1".into(), "2".into()));
    assert_eq!(book.find("xai/g").unwrap().other_meters["output_cost_per_image"], "0.04");
    assert!(
        book.find("ranged").unwrap().other_meters.is_empty(),
        "ranges that are charged are no other meter"
    );
}

#[test]
fn an_error_names_the_file_the_line_the_field_and_a_remedy() {
    let head = "name = \"x\"\ndated = 2026-11-23\n";
    for (body, line, field) in [
        ("[models.\"gpt-4.1\"]\ninput = 2\n", 3, "models.\"gpt-4.1\".output"),
        ("[models.m]\ninput = \"two\"\noutput = 1\n", 4, "models.m.input"),
        ("[models.m]\ninput = 2\noutput = 1\ncached_read = 1\n", 6, "models.m.cached_read"),
        ("[models.m]\ninput = inf\noutput = 1\n", 4, "models.m.input"),
        ("[models.m]\ninput = 0x10\noutput = 1\n", 4, "models.m.input"),
        ("[models.m]\ninput = -1\noutput = 1\n", 4, "models.m.input"),
        (
            "[models.m]\ninput = 1\noutput = 1\nabove = [{ input = 1, output = 1 }]\n",
            6,
            "models.m.above[0].tokens",
        ),
        ("[models.m]\ninput = 1\noutput = 1\nfrom = \"soon\"\n", 6, "models.m.from"),
        (
            "[models.m]\ninput = 1\noutput = 1\n[[models.m.rows]]\ninput = 1\noutput = 1\n",
            4,
            "models.m.input",
        ),
        (
            "[[models.m.rows]]\ninput = 1\noutput = 1\n[[models.m.rows]]\ninput = 2\noutput = 1\n",
            6,
            "models.m.rows",
        ),
        ("[aliases]\na = \"b\"\n", 4, "aliases.a"),
        ("models = 3\n", 3, "models"),
    ] {
        let error = from_toml(&format!("{head}{body}"), "mine.toml").unwrap_err().to_string();
        assert!(error.starts_with(&format!("mine.toml:{line}: {field}: ")), "{error}");
        assert!(error.contains("\nhint: "), "{error}");
    }
    let error = from_toml("name = \"x\"\nmodels = [\n", "mine.toml").unwrap_err().to_string();
    assert!(error.starts_with("mine.toml:"), "{error}");
    let error = resolve("gost", None).unwrap_err().to_string();
    assert!(error.contains("list, guide-2026"), "{error}");
}

#[test]
fn prices_are_read_from_their_digits_not_through_a_float() {
    let text = "name = \"x\"\ndated = \"d\"\n[models.m]\ninput = 0.123456789012\noutput = \"0.000000000001\"\ncache_read = 1_000.5\nwrite_5m = 1e-3\n";
    let tier = from_toml(text, "x").unwrap().models["m"].rows[0].standard.base;
    assert_eq!(tier.input, PicoPerMillion(123_456_789_012));
    assert_eq!(tier.output, PicoPerMillion(1));
    assert_eq!(tier.cache_read, Some(PicoPerMillion(1_000_500_000_000_000)));
    assert_eq!(tier.write_5m, Some(PicoPerMillion(1_000_000_000)));
    let finer = text.replace("0.123456789012", "0.1234567890123");
    assert!(from_toml(&finer, "x").unwrap_err().to_string().contains("13 decimals"));
}

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: PricesArgs,
}

fn run(arguments: &[&str], user_dir: Option<&Path>) -> Result<String, String> {
    let program =
        Program::try_parse_from(std::iter::once("prices").chain(arguments.iter().copied())).unwrap();
    let mut out = Vec::new();
    run_to(&program.args, user_dir, &mut out).map_err(|error| format!("{error:#}"))?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn show_prints_what_is_known_and_a_dash_for_what_is_not() {
    let text = run(&["show", "anthropic/claude-opus-4.6"], None).unwrap();
    assert!(
        text.starts_with("anthropic/claude-opus-4.6 is claude-opus-4-6  book list (2026-11-23)\n"),
        "{text}"
    );
    let standard = text.lines().find(|line| line.starts_with("standard")).unwrap();
    let cells: Vec<&str> = standard.split_whitespace().collect();
    assert_eq!(cells, ["standard", "any", "5.00", "25.00", "0.50", "6.25", "10.00", "-"]);
    let error = run(&["show", "gpt-4.1-nanoo"], None).unwrap_err();
    assert!(error.contains("hint: near names are gpt-4.1-nano"), "{error}");
}

#[test]
fn list_filters_by_name_provider_and_alias() {
    let text = run(&["list", "--book", "guide-2026"], None).unwrap();
    assert!(text.starts_with("book guide-2026 (2026-11-23)  USD per 1M tokens  5 of 5 models\n"), "{text}");
    let widths: Vec<usize> = text.lines().skip(1).map(str::len).collect();
    assert!(widths.windows(2).all(|pair| pair[0] >= pair[1]), "columns are aligned under the header\n{text}");
    for filter in ["MISTRAL-small-3.1", "mistral"] {
        assert!(run(&["list", "--book", "guide-2026", "--filter", filter], None).unwrap().contains("1 of 5"));
    }
}

#[test]
fn an_imported_catalogue_becomes_a_book_of_ones_own_and_is_not_overwritten_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("catalogue.json");
    std::fs::write(
        &file,
        r#"{"p/m\u001b[31m": {"mode":"chat","input_cost_per_token":1e-7,"output_cost_per_token":3e-7},
            "q/n": {"mode":"video_generation"}}"#,
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let report =
        run(&["import", file, "--name", "mine", "--format", "json", "--refused"], Some(dir.path())).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((report["imported"].as_u64(), report["refused"].as_u64()), (Some(1), Some(1)));
    assert_eq!(report["refused_entries"][0]["model"], "q/n");
    let listed = run(&["list", "--book", "mine"], Some(dir.path())).unwrap();
    assert!(listed.contains("p/m\u{fffd}[31m") && !listed.contains('\u{1b}'), "{listed:?}");
    let again = run(&["import", file, "--name", "mine"], Some(dir.path())).unwrap_err();
    assert!(again.contains("--replace"), "{again}");
    assert!(run(&["import", file, "--name", "mine", "--replace"], Some(dir.path())).is_ok());
    for bad in ["../escape", "", ".hidden", "a/b"] {
        assert!(run(&["import", file, "--name", bad], Some(dir.path())).is_err(), "{bad}");
    }
    assert!(resolve("mine", Some(dir.path())).unwrap().find("p/m\u{1b}[31m").is_some());
}

fn price() -> impl Strategy<Value = PicoPerMillion> {
    prop_oneof![Just(0), 0..i64::MAX, (0i64..100_000).prop_map(|cents| cents * 10_000_000_000)]
        .prop_map(PicoPerMillion)
}

fn tier() -> impl Strategy<Value = Tier> {
    let some = || proptest::option::of(price());
    (price(), some(), some(), some(), price(), some()).prop_map(
        |(input, cache_read, write_5m, write_1h, output, reasoning)| {
            // A write that costs nothing besides is billed as input, and no book holds it as free.
            let write = |told: Option<PicoPerMillion>| told.filter(|write| write.0 != 0 || input.0 == 0);
            Tier {
                input,
                cache_read,
                write_5m: write(write_5m),
                write_1h: write(write_1h),
                output,
                reasoning,
                ..Tier::default()
            }
        },
    )
}

fn any_rates() -> impl Strategy<Value = Rates> {
    (tier(), proptest::collection::btree_map(any::<u64>(), tier(), 0..3))
        .prop_map(|(base, above)| Rates { base, above: above.into_iter().collect() })
}

fn model() -> impl Strategy<Value = ModelPrices> {
    let text = || proptest::option::of(any::<String>());
    // Years 1970 to 2100, the range in which a moment has a text.
    let moment = proptest::option::of((0i64..4_102_444_800_000_000).prop_map(Instant));
    let row = (any_rates(), proptest::option::of(any_rates()), text());
    let rows = proptest::collection::btree_map(moment, row, 0..4).prop_map(|rows| {
        let row = |(from, (standard, batch, source))| PriceRow {
            from,
            standard,
            batch,
            source,
            ..PriceRow::default()
        };
        let row = |(from, prices): (Option<Instant>, _)| {
            let lunch = Hours::parse("12:00-13:00, 23:00-01:30", "mon-fri").unwrap();
            let weekend = Hours::parse("02:00-24:00", "sat, sun").unwrap();
            let hours = if from.is_some() { vec![(lunch, 1_000), (weekend, 1_000)] } else { Vec::new() };
            row((from, prices)).schedule(hours).unwrap()
        };
        rows.into_iter().map(row).collect::<Vec<_>>()
    });
    let number = || proptest::option::of(any::<u64>());
    let meters = proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3);
    (text(), number(), number(), text(), meters, rows).prop_map(
        |(provider, max_input, max_output, deprecated, other_meters, rows)| ModelPrices {
            provider,
            max_input,
            max_output,
            deprecated,
            other_meters,
            rows,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_written_book_reads_back_the_same(
        (name, dated, source) in any::<(String, String, String)>(),
        models in proptest::collection::btree_map(any::<String>(), model(), 1..4),
        aliases in proptest::collection::btree_set("[a-z./ \"\\\\]{0,8}", 0..4),
    ) {
        let target = models.keys().next().unwrap().clone();
        let aliases = aliases.into_iter().filter(|alias| !models.contains_key(alias)).map(|alias| (alias, target.clone())).collect();
        let book = PriceBook { name, dated, source, models, aliases };
        let text = to_toml(&book);
        prop_assert_eq!(from_toml(&text, "written.toml").map_err(|error| format!("{error}\n{text}")), Ok(book));
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in any::<String>(), cut in 0usize..4000) {
        let _ = from_toml(&text, "x.toml");
        let _ = import_litellm(&text, "x.json");
        let sample = to_toml(&builtin("guide-2026").unwrap());
        let _ = from_toml(&sample.chars().take(cut).collect::<String>(), "x.toml");
    }

    #[test]
    fn importing_keeps_every_price_to_the_last_digit(price in 0i64..i64::MAX) {
        let usd = Pico(i128::from(price)).usd();
        let text = format!(r#"{{"m":{{"mode":"chat","input_cost_per_token":{usd}e-6,"output_cost_per_token":{usd}E-06}}}}"#);
        let base = import_litellm(&text, "x.json").unwrap().book.models["m"].rows[0].standard.base;
        prop_assert_eq!((base.input, base.output), (PicoPerMillion(price), PicoPerMillion(price)));
        prop_assert!(matches!(charge(&Usage::plain(1, 1).unwrap(), None), Cost::Unknown(_)));
    }
}
