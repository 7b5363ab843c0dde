//! Prices by the hour: from book to charge, and from a catalogue that writes them the other way round.

use pointsman::config::prices::{builtin, from_toml, import_litellm, to_toml};
use pointsman::pricing::{Hours, Terms, bill};
use pointsman::units::{Instant, PicoPerMillion};

use super::{run, usage};

const BOOK: &str = r#"
name = "ours"
dated = "2026-11-30"
source = "a contract"
[models.m]
input = 2
output = 8
batch = { input = 1, output = 4 }
meters = { web_search = 0.01 }
hours = [{ utc = "16:30-00:30", days = "mon-fri", times = 0.5 }, { utc = "00:30-24:00", days = "sat, sun", times = 0.25 }]
"#;

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

/// Whoever writes hours into a book relies on each call being charged by them, and on the file saying so again.
#[test]
fn a_book_charges_by_the_hour_and_reads_back_the_same() {
    let book = from_toml(BOOK, "ours.toml").unwrap();
    let prices = book.find("m").unwrap();
    let mut terms = Terms::NONE;
    terms.meter("web_search", 1);
    let cost = |text: &str| {
        let row = prices.at(at(text));
        bill(&usage(500_000, 0, 0, 0, 0), &terms, row).amount().unwrap().to_string()
    };
    // Friday's night ends on Saturday, where the weekend's hours go on; a search costs the same all day.
    for (moment, usd) in [
        ("2026-11-27T16:29:59Z", "1.01"),
        ("2026-11-27T16:30:00Z", "0.51"),
        ("2026-11-28T00:29:59Z", "0.51"),
        ("2026-11-28T00:30:00Z", "0.26"),
        ("2026-11-29T00:29:00Z", "1.01"),
        ("2026-11-29T23:59:59Z", "0.26"),
        ("2026-11-30T00:00:00Z", "1.01"),
    ] {
        assert_eq!(cost(moment), usd, "{moment}");
    }
    let night = prices.at(at("2026-11-27T20:00:00Z")).unwrap();
    assert_eq!(night.batch.as_ref().unwrap().base.output, PicoPerMillion::from_usd_per_million("2").unwrap());
    assert_eq!(from_toml(&to_toml(&book), "again.toml").unwrap(), book);
}

#[test]
fn hours_that_cannot_be_meant_are_told_by_line_and_field() {
    let head = "name = \"x\"\ndated = \"d\"\n[models.m]\ninput = 1\noutput = 1\n";
    for (hours, field, said) in [
        ("{ utc = \"5-6\", times = 2 }", "hours[0].utc", "`5-6` is no stretch of the day"),
        ("{ utc = \"05:00-05:00\", times = 2 }", "hours[0].utc", "lasts no time; a whole day is 00:00-24:00"),
        (
            "{ utc = \"05:00-06:00\", days = \"mon-fr\", times = 2 }",
            "hours[0].days",
            "`fr` is no day of the week",
        ),
        ("{ utc = \"05:00-06:00\", times = 0 }", "hours[0].times", "hint: write what the price"),
        ("{ utc = \"05:00-06:00\", times = -1 }", "hours[0].times", "hint: write what the price"),
        ("{ utc = \"05:00-06:00\", times = 1.0001 }", "hours[0].times", "hint: write what the price"),
        ("{ utc = \"05:00-06:00\" }", "hours[0].times", "missing"),
        ("{ times = 2 }", "hours[0].utc", "missing"),
        ("{ utc = \"05:00-06:00\", day = \"mon\", times = 2 }", "hours[0].day", "unknown field"),
        (
            "{ utc = \"22:00-02:00\", days = \"sun\", times = 2 }, { utc = \"01:00-03:00\", times = 3 }",
            "hours",
            "Mon 01:00 UTC lies in two stretches",
        ),
    ] {
        let error = from_toml(&format!("{head}hours = [{hours}]\n"), "mine.toml").unwrap_err().to_string();
        assert!(error.starts_with(&format!("mine.toml:6: models.m.{field}: ")), "{error}");
        assert!(error.contains(said) && error.contains("\nhint: "), "{error}");
    }
    let fine = format!("{head}hours = [{{ utc = \"05:00-06:00\", times = 0.5 }}]\n")
        .replace("= 1\n", "= 0.000000000001\n");
    let error = from_toml(&fine, "mine.toml").unwrap_err().to_string();
    assert!(error.contains("multiplied by 0.5, a price cannot be held exactly"), "{error}");
}

/// The catalogue's off-peak windows must mean at every minute what LiteLLM makes of them, or the entry is refused.
#[test]
fn off_peak_prices_of_the_catalogue_hold_at_their_minutes_or_are_refused() {
    let entry = |block: &str, more: &str| {
        format!(
            r#"{{"ok": {{"mode":"chat","input_cost_per_token":1e-6,"output_cost_per_token":1e-6}},
            "m": {{"mode":"chat","input_cost_per_token":3e-07,"output_cost_per_token":1.2e-06,"cache_read_input_token_cost":6e-09{more},
            "off_peak_pricing":{{{block}}}}}}}"#
        )
    };
    let prices =
        r#""input_cost_per_token":1.5e-07,"output_cost_per_token":6e-07,"cache_read_input_token_cost":3e-09"#;
    let zone = r#""weekday_timezone":"Asia/Shanghai""#;
    let windows = r#""windows":[{"hours_utc":["22:00-01:00","10:00-20:00"],"weekdays":[1,2,7]}]"#;
    for (zone, ahead) in [("", 0i64), (zone, 8)] {
        let comma = if zone.is_empty() { "" } else { "," };
        let import =
            import_litellm(&entry(&format!("{prices},{windows}{comma}{zone}"), ""), "x.json").unwrap();
        let model = import.book.find("m").expect("it is taken over");
        for minute in 0..7 * 1440i64 {
            // As LiteLLM has it: the hour in UTC, the day where the zone is; a Monday's midnight is minute 0.
            let moment = Instant((4 * 1440 + minute) * 60_000_000);
            let (hour, day) = (minute % 1440 / 60, (minute + ahead * 60) / 1440 % 7);
            let is_off = matches!(hour, 22..|0| 10..20) && matches!(day, 0 | 1 | 6);
            let input = model.at(moment).unwrap().standard.base.input.usd_per_million();
            assert_eq!(input, if is_off { "0.15" } else { "0.3" }, "{moment} {zone}");
        }
        assert!(model.other_meters.is_empty());
        assert_eq!(from_toml(&to_toml(&import.book), "x.toml").unwrap(), import.book);
    }
    // A bare name never stands for prices that are the same at their peak alone.
    let plain = entry(&format!("{prices},{windows}"), "").replace("\"m\"", "\"a/m\"").replace(
        "\"ok\"",
        "\"b/m\": {\"mode\":\"chat\",\"input_cost_per_token\":3e-07,\"output_cost_per_token\":1.2e-06,\"cache_read_input_token_cost\":6e-09}, \"ok\"",
    );
    let import = import_litellm(&plain, "x.json").unwrap();
    assert!(
        import.book.models.contains_key("a/m") && import.ambiguous.contains("m"),
        "{:?}",
        import.book.aliases
    );
    let refused = [
        (format!("{prices},{windows},\"weekday_timezone\":\"Europe/Berlin\""), ""),
        (format!("{},{windows}", prices.replace("6e-07", "7e-07")), ""),
        (format!("\"input_cost_per_token\":1.5e-07,{windows}"), ""),
        (format!("{prices},{windows},\"until\":\"soon\""), ""),
        (format!("{prices},\"windows\":[{{\"hours_utc\":\"noon\"}}]"), ""),
        (
            format!("{prices},\"windows\":[{{\"hours_utc\":\"1:00-3:00\"}},{{\"hours_utc\":\"2:00-4:00\"}}]"),
            "",
        ),
        (
            format!("{prices},{windows}"),
            ",\"input_cost_per_token_above_200k_tokens\":1e-6,\"output_cost_per_token_above_200k_tokens\":1e-6",
        ),
        (
            format!("{prices},{windows}"),
            ",\"input_cost_per_token_batches\":1e-7,\"output_cost_per_token_batches\":1e-7",
        ),
    ];
    for (block, more) in refused {
        let import = import_litellm(&entry(&block, more), "x.json").unwrap();
        let reason = import.refused.first().unwrap_or_else(|| panic!("taken over: {block}"));
        assert_eq!(reason.reason.kind(), "price depends on the time of day", "{block}");
    }
}

#[test]
fn hours_are_listed_and_shown() {
    let list = run(&["list", "--filter", "deepseek"], None).unwrap();
    assert!(list.contains("x2 Mon-Fri 01:00-04:00, 06:00-10:00 UTC"), "{list}");
    assert!(!run(&["list", "--filter", "gpt-4.1"], None).unwrap().contains("hours"), "none of them has any");
    let all = run(&["show", "deepseek-v4-pro"], None).unwrap();
    assert!(all.contains("x2 Mon-Fri 01:00-04:00, 06:00-10:00 UTC\n") && all.contains(" 0.66 "), "{all}");
    let peak = run(&["show", "deepseek-v4-pro", "--at", "2026-11-30T06:00:00Z"], None).unwrap();
    assert!(peak.contains("UTC, in force then and below") && peak.contains(" 1.32 "), "{peak}");
    let off = run(&["show", "deepseek-v4-pro", "--at", "2026-11-30T10:00:00Z"], None).unwrap();
    assert!(!off.contains("in force") && off.contains(" 0.66 "), "{off}");
}

/// A price set by hand keeps the hours, at the new price.
#[test]
fn a_price_set_by_hand_keeps_its_hours() {
    let folder = tempfile::tempdir().unwrap();
    let set = ["set", "deepseek-v4-flash", "--output", "0.5", "--from", "2026-12-01", "--yes"];
    let said = run(&set, Some(folder.path())).unwrap();
    assert!(said.contains("its hours stay: x2 Mon-Fri 01:00-04:00, 06:00-10:00 UTC"), "{said}");
    let text = std::fs::read_to_string(folder.path().join("prices/mine.toml")).unwrap();
    let mine = from_toml(&text, "mine.toml").unwrap();
    let output = |text: &str| {
        mine.find("deepseek-v4-flash").unwrap().at(at(text)).unwrap().standard.base.output.usd_per_million()
    };
    assert_eq!((output("2026-12-01T00:59:00Z"), output("2026-12-01T01:00:00Z")), ("0.5".into(), "1".into()));
    let peak = Hours::parse("01:00-04:00, 06:00-10:00", "mon-fri").unwrap();
    assert_eq!(builtin("list").unwrap().find("deepseek-flash").unwrap().rows[0].scheduled[0].hours, peak);
}
