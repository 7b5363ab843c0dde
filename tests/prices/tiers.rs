//! Service tiers, meters, layers of books and embeddings: what is charged is exact or is not called known.

use pointsman::config::prices::{builtin, layered};
use pointsman::pricing::{Cost, PriceBook, Terms, Usage, bill};
use pointsman::units::Instant;

use super::{cost, usage};

/// A call served by another tier, or billed by more than tokens, must never be charged for sure at the ordinary price.
#[test]
fn a_tier_or_a_meter_is_charged_by_its_own_price_or_not_for_sure() {
    let book = builtin("list").unwrap();
    let bills = |model: &str, tier: &str, meters: &[(&str, u64)], usage: &Usage| {
        let mut terms = Terms::NONE;
        terms.serve(tier);
        for (name, count) in meters {
            terms.meter(name, *count);
        }
        let row = book.find(model).and_then(|prices| prices.at(Instant(0)));
        match bill(usage, &terms, row) {
            Cost::Known(amount) => format!("known {}", amount.usd()),
            Cost::Estimated(amount) => format!("about {}", amount.usd()),
            Cost::Unknown(why) => why.name().to_owned(),
        }
    };
    let plain = usage(1000, 0, 0, 0, 1000);
    for (model, tier, meters, want) in [
        // What the book prices is known, at that price.
        ("gpt-5", "", &[][..], "known 0.01125"),
        ("gpt-5", "default", &[], "known 0.01125"),
        ("gpt-5", "flex", &[], "known 0.005625"),
        ("gpt-5", "priority", &[], "known 0.0225"),
        ("claude-opus-4-8", "batch", &[], "known 0.015"),
        ("claude-opus-4-8", "fast", &[], "known 0.06"),
        ("claude-opus-4-8", "", &[("web_search", 3)], "known 0.06"),
        ("gpt-4.1", "", &[("web_search", 1)], "known 0.02"),
        ("gpt-4.1", "", &[("web_search_preview", 1)], "known 0.035"),
        ("gpt-5", "", &[("web_search_preview", 1), ("file_search", 2)], "known 0.02625"),
        ("claude-opus-4-8", "", &[("region:us", 1)], "known 0.033"),
        ("claude-opus-4-8", "fast", &[("region:us", 1), ("web_search", 1)], "known 0.076"),
        ("gemini-2.5-flash", "", &[("audio_input", 900)], "known 0.00343"),
        // What is cheaper at every provider has the ordinary price for a bound.
        ("claude-opus-4-8", "flex", &[], "about 0.03"),
        ("gpt-5", "auto", &[], "about 0.01125"),
        ("claude-opus-4-6", "", &[("region:eu", 1)], "about 0.03"),
        // Anything else is not known.
        ("claude-opus-4-8", "priority", &[], "no_tier"),
        ("claude-opus-4-6", "fast", &[], "no_tier"),
        ("claude-opus-4-8", "batch+fast", &[], "no_tier"),
        ("gpt-5", "scale", &[], "no_tier"),
        ("gpt-4o", "", &[("audio_input", 900)], "no_meter"),
        ("gpt-4o", "", &[("audio_output", 80)], "no_meter"),
        ("gpt-4.1-mini", "", &[("web_search", 1)], "no_meter"),
        ("claude-opus-4-8", "", &[("something_new", 1)], "no_meter"),
        ("no-such-model", "flex", &[("web_search", 1)], "no_price"),
        // Pictures in a prompt are billed as its other tokens unless the book says otherwise.
        ("gpt-4o", "", &[("image_input", 500)], "known 0.0125"),
    ] {
        assert_eq!(bills(model, tier, meters, &plain), want, "{model} {tier} {meters:?}");
    }
    // A meter is billed although no token was used, and parts never bill a token twice.
    assert_eq!(bills("claude-opus-4-8", "", &[("web_search", 2)], &Usage::NONE), "known 0.02");
    assert_eq!(bills("claude-opus-4-8", "flex", &[], &Usage::NONE), "known 0");
    assert_eq!(bills("gemini-2.5-flash", "", &[("audio_input", 1_500)], &plain), "about 0.0035");
    // A tier that is silent on cached tokens may or may not price them apart.
    assert_eq!(bills("gpt-4.1", "batch", &[], &usage(1000, 1000, 0, 0, 0)), "about 0.002");
    // A long prompt's price may be silent on them, too.
    assert_eq!(bills("grok-4", "", &[], &usage(1000, 100_000, 0, 0, 0)), "known 0.078");
    assert_eq!(bills("grok-4", "", &[], &usage(1000, 200_000, 0, 0, 0)), "about 1.206");
    // The long prompt's price holds within a tier, too.
    assert_eq!(bills("gpt-5.6", "flex", &[], &usage(300_000, 0, 0, 0, 0)), "known 1.2");
}

#[test]
fn a_book_of_ones_own_lies_over_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let text = r#"
        name = "mine"
        dated = "2026-11-28"
        [aliases]
        "gpt-4o" = "house-model"
        "small" = "house-model"
        [models."house-model"]
        input = 7
        output = 7
        [[models."gpt-4.1".rows]]
        from = 2027-01-01T00:00:00Z
        input = 1
        output = 1
    "#;
    std::fs::write(&path, text).unwrap();
    let named = |prefix: &str| layered(&format!("{prefix}{}", path.display()), None);
    let (both, only) = (named("").unwrap(), named("only:").unwrap());
    let input = |book: &PriceBook, model: &str, at: &str| {
        let row = book.find(model)?.at(Instant::parse(at).unwrap())?.clone();
        Some(row.standard.base.input.usd_per_million())
    };
    let (before, after) = ("2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z");
    for (model, at, over, alone) in [
        ("house-model", before, Some("7"), Some("7")),
        ("small", before, Some("7"), Some("7")),
        ("gpt-4o", before, Some("7"), Some("7")),
        ("gpt-4.1", before, Some("2"), None),
        ("gpt-4.1", after, Some("1"), Some("1")),
        ("openai/gpt-4.1-2025-04-14", after, Some("1"), Some("1")),
        ("claude-opus-4.6", before, Some("5"), None),
        ("no-such-model", before, None, None),
    ] {
        assert_eq!(input(&both, model, at).as_deref(), over, "{model} at {at}");
        assert_eq!(input(&only, model, at).as_deref(), alone, "{model} at {at}, alone");
    }
    assert_eq!((both.name.as_str(), only.name.as_str()), ("mine over list", "mine"));
    // By name, and by the name of its file, from the configuration folder.
    let user = tempfile::tempdir().unwrap();
    std::fs::create_dir(user.path().join("prices")).unwrap();
    std::fs::copy(&path, user.path().join("prices/mine.toml")).unwrap();
    for name in ["mine", "mine.toml", "only:mine"] {
        assert!(layered(name, Some(user.path())).unwrap().find("house-model").is_some(), "{name}");
    }
    for nothing in ["", " ", "only:", "only: "] {
        let error = layered(nothing, Some(user.path())).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "the name of the price book is empty\nhint: known books are mine, list, guide-2026"
            ),
            "{error}"
        );
    }
    for typo in ["mien", "mien.toml", "only:mien", "/nowhere/mine.toml"] {
        let error = layered(typo, Some(user.path())).unwrap_err().to_string();
        let is_offered = ["known books are mine, list, guide-2026", "did you mean `mine`?"]
            .iter()
            .any(|said| error.contains(said));
        assert!(is_offered, "{typo}: {error}");
    }
}

#[test]
fn embeddings_have_their_price() {
    let book = builtin("list").unwrap();
    for (model, usd) in [
        ("text-embedding-3-small", "0.02"),
        ("text-embedding-3-large", "0.13"),
        ("text-embedding-ada-002", "0.1"),
        ("gemini-embedding-001", "0.15"),
        ("mistral-embed", "0.1"),
        ("voyage-3.5", "0.06"),
        ("openai/text-embedding-3-small", "0.02"),
    ] {
        assert_eq!(cost(&book, model, &usage(1_000_000, 0, 0, 0, 0)), usd, "{model}");
    }
}

#[test]
fn a_prompt_of_exactly_the_tier_length_is_still_at_the_lower_price() {
    let book = builtin("list").unwrap();
    let at = |prompt| cost(&book, "gemini-2.5-pro", &usage(prompt, 0, 0, 0, 1_000_000));
    assert_eq!(at(200_000), "10.25");
    assert_eq!(at(200_001), "15.5000025");
    // Cached tokens count towards the length, and the tier bills them too.
    assert_eq!(cost(&book, "gemini-2.5-pro", &usage(1, 200_000, 0, 0, 0)), "0.0500025");
}
