//! The list has the catalogue's prices, and besides them only those that a provider's own page says.

use std::collections::BTreeMap;

use pointsman::config::prices::builtin;
use pointsman::units::{Instant, PicoPerMillion};

use super::catalogue;

#[test]
fn every_listed_price_is_the_catalogues() {
    let Some((_, import)) = catalogue() else { return };
    let book = builtin("list").unwrap();
    // Where Anthropic's own entry is gone, the book says in a comment whose figures it takes.
    let elsewhere = BTreeMap::from([
        ("claude-opus-4-1", "anthropic.claude-opus-4-1-20250805-v1:0"),
        ("claude-opus-4", "anthropic.claude-opus-4-20250514-v1:0"),
        ("claude-sonnet-4", "anthropic.claude-sonnet-4-20250514-v1:0"),
    ]);
    // What OpenAI's own page says of its tools, and the catalogue does not.
    let tools = [
        ("code_interpreter", "0.03"),
        ("file_search", "0.0025"),
        ("web_search", "0.01"),
        ("web_search_preview", "0.01"),
        ("web_search_preview", "0.025"),
    ];
    let tools = tools.map(|(name, usd)| (name, PicoPerMillion::from_usd_per_token(usd).unwrap()));
    for (name, prices) in &book.models {
        // Retired, and gone from the catalogue: xAI's own figures.
        if name == "grok-4" {
            continue;
        }
        if prices.provider.as_deref() == Some("anthropic") {
            let base = prices.rows[0].standard.base;
            assert_eq!(base.write_1h.unwrap().0, 2 * base.input.0, "Anthropic's rule, {name}");
        }
        let own = match prices.provider.as_deref() {
            Some("google") => format!("gemini/{name}"),
            Some("deepseek") if !import.book.models.contains_key(name) => format!("deepseek/{name}"),
            Some("mistral") if name != "mistral-small-2503" => format!("mistral/{name}"),
            Some("voyage") => format!("voyage/{name}"),
            Some("xai") => format!("xai/{name}"),
            _ => (*elsewhere.get(name.as_str()).unwrap_or(&name.as_str())).to_owned(),
        };
        let source =
            import.book.find(&own).unwrap_or_else(|| panic!("no catalogue entry for {name} as {own}"));
        if !prices.rows[0].scheduled.is_empty() {
            // The catalogue writes the peak and when it is off, the list the other way round: the same at every minute of a week.
            let minutes = (0..7 * 1440).map(|minute| Instant(minute * 60_000_000));
            let differs = |at: &Instant| prices.at(*at).unwrap().standard != source.at(*at).unwrap().standard;
            assert_eq!(minutes.clone().find(differs), None, "{name}");
            let peak = minutes.filter(|at| prices.at(*at).unwrap().standard != prices.rows[0].standard);
            assert_eq!(peak.count(), 5 * 7 * 60, "seven hours on five days, {name}");
            continue;
        }
        let mut expected = source.rows[0].standard.clone();
        if elsewhere.contains_key(name.as_str()) {
            // Bedrock's entry has no 1-hour write; Anthropic's rule for it is twice the input price.
            for tier in
                std::iter::once(&mut expected.base).chain(expected.above.iter_mut().map(|(_, tier)| tier))
            {
                tier.write_1h = Some(PicoPerMillion(tier.input.0 * 2));
            }
        }
        assert_eq!(prices.rows[0].standard, expected, "{name}");
        let (row, theirs) = (&prices.rows[0], &source.rows[0]);
        assert_eq!(row.batch, theirs.batch, "{name}");
        assert_eq!((&row.tiers, &row.factors), (&theirs.tiers, &theirs.factors), "{name}");
        assert!(theirs.meters.iter().all(|(meter, price)| row.meters.get(meter) == Some(price)), "{name}");
        for (meter, price) in row.meters.iter().filter(|(meter, _)| !theirs.meters.contains_key(*meter)) {
            let is_listed = tools.iter().any(|(name, usd)| name == meter && usd == price);
            // Anthropic has one price of a search for all its models; the catalogue leaves it out of some.
            let search =
                import.book.find("claude-opus-4-6").and_then(|model| model.rows[0].meters.get(meter));
            let is_anthropics = prices.provider.as_deref() == Some("anthropic") && search == Some(price);
            assert!(
                is_anthropics || (is_listed && prices.provider.as_deref() == Some("openai")),
                "{name}: {meter}"
            );
        }
        assert_eq!((prices.max_input, prices.max_output), (source.max_input, source.max_output), "{name}");
        assert!(prices.rows[0].source.is_some(), "{name} names no source");
    }
}
