//! Writes a price book as TOML that [`from_toml`](super::from_toml) reads back as the same book.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::pricing::{ModelPrices, PriceBook, PriceRow, Rates, Scheduled, Tier, as_factor};
use crate::units::PicoPerMillion;

/// Writes a price book as TOML, models and aliases by name.
pub fn to_toml(book: &PriceBook) -> String {
    let mut out = String::new();
    line(&mut out, "name", &quote(&book.name));
    line(&mut out, "dated", &quote(&book.dated));
    line(&mut out, "source", &quote(&book.source));
    if !book.aliases.is_empty() {
        out.push_str("\n[aliases]\n");
        for (alias, model) in &book.aliases {
            line(&mut out, &quote(alias), &quote(model));
        }
    }
    for (name, prices) in &book.models {
        write_model(&mut out, &quote(name), prices);
    }
    out
}

/// Writes a row by itself, as it stands among others.
pub fn row_toml(row: &PriceRow) -> String {
    let mut out = String::new();
    write_row(&mut out, row);
    out
}

fn write_model(out: &mut String, name: &str, prices: &ModelPrices) {
    out.push_str("\n[models.");
    out.push_str(name);
    out.push_str("]\n");
    if let Some(provider) = &prices.provider {
        line(out, "provider", &quote(provider));
    }
    if let Some(tokens) = prices.max_input {
        line(out, "max_input", &tokens.to_string());
    }
    if let Some(tokens) = prices.max_output {
        line(out, "max_output", &tokens.to_string());
    }
    if let Some(day) = &prices.deprecated {
        line(out, "deprecated", &quote(day));
    }
    if let [row] = prices.rows.as_slice() {
        write_row(out, row);
    }
    if !prices.other_meters.is_empty() {
        out.push_str("[models.");
        out.push_str(name);
        out.push_str(".other_meters]\n");
        for (meter, text) in &prices.other_meters {
            line(out, &quote(meter), &quote(text));
        }
    }
    if prices.rows.len() > 1 {
        for row in &prices.rows {
            out.push_str("[[models.");
            out.push_str(name);
            out.push_str(".rows]]\n");
            write_row(out, row);
        }
    }
}

fn write_row(out: &mut String, row: &PriceRow) {
    if let Some(from) = row.from {
        line(out, "from", &quote(&from.rfc3339()));
    }
    for (field, price) in priced(&row.standard.base) {
        line(out, field, &price.usd_per_million());
    }
    if !row.standard.above.is_empty() {
        line(out, "above", &inline_tiers(&row.standard));
    }
    if let Some(batch) = &row.batch {
        line(out, "batch", &inline_rates(batch));
    }
    inline_table(out, "tiers", &row.tiers, inline_rates);
    inline_table(out, "meters", &row.meters, |price| price.usd_per_token());
    inline_table(out, "factors", &row.factors, |factor| as_factor(*factor));
    if !row.scheduled.is_empty() {
        let all: Vec<String> = row.scheduled.iter().map(inline_hours).collect();
        line(out, "hours", &format!("[{}]", all.join(", ")));
    }
    if let Some(source) = &row.source {
        line(out, "source", &quote(source));
    }
}

fn inline_hours(one: &Scheduled) -> String {
    let days = one.hours.days().map_or_else(String::new, |days| format!(", days = {}", quote(&days)));
    format!("{{ utc = {}{days}, times = {} }}", quote(&one.hours.utc()), as_factor(one.times))
}

fn inline_table<T>(out: &mut String, field: &str, table: &BTreeMap<String, T>, write: impl Fn(&T) -> String) {
    if !table.is_empty() {
        let fields: Vec<String> =
            table.iter().map(|(name, value)| format!("{} = {}", quote(name), write(value))).collect();
        line(out, field, &format!("{{ {} }}", fields.join(", ")));
    }
}

fn inline_rates(rates: &Rates) -> String {
    let mut fields = inline_prices(&rates.base);
    if !rates.above.is_empty() {
        fields.push_str(", above = ");
        fields.push_str(&inline_tiers(rates));
    }
    format!("{{ {fields} }}")
}

fn inline_tiers(rates: &Rates) -> String {
    let tiers: Vec<String> = rates
        .above
        .iter()
        .map(|(tokens, tier)| format!("{{ tokens = {tokens}, {} }}", inline_prices(tier)))
        .collect();
    format!("[{}]", tiers.join(", "))
}

fn inline_prices(tier: &Tier) -> String {
    let fields: Vec<String> =
        priced(tier).map(|(field, price)| format!("{field} = {}", price.usd_per_million())).collect();
    fields.join(", ")
}

/// Returns the prices of a tier, input and output first.
fn priced(tier: &Tier) -> impl Iterator<Item = (&'static str, PicoPerMillion)> {
    let first = [("input", tier.input), ("output", tier.output)];
    first.into_iter().chain(tier.prices().filter(|(name, _)| !matches!(*name, "input" | "output")))
}

fn line(out: &mut String, key: &str, value: &str) {
    out.push_str(key);
    out.push_str(" = ");
    out.push_str(value);
    out.push('\n');
}

/// Writes a TOML basic string; it serves as key and as value.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
