//! Charges as FOCUS cost and usage data: CSV, one row a meter and stretch of time.
//!
//! Invariants: in every row unit price times quantity is the cost, to the last digit; all costs together are known and
//! estimated cost, to the pico-dollar; a cost that is unknown has no row; no cell starts a formula.

use std::fmt::Write as _;
use std::io::{self, Write};

use rustc_hash::FxHashMap;
use serde_json::{Map, Value as Json};

use super::json::safe;
use super::sheet::csv_cell;
use crate::pricing::Unpriced;
use crate::telemetry::{Dimension, MeterKey, MeterSum, Metered, Meters, Period, Spend, Value};
use crate::units::{Instant, ModelId, Names, Pico, ProjectId, RouteTag, TagsId, TeamId, tag, tags_of};

/// A version of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FocusVersion {
    /// 1.2
    #[value(name = "1.2")]
    V1_2,
    /// 1.4
    #[value(name = "1.4")]
    V1_4,
}

/// Who is billed, and in which form.
#[derive(Clone, Debug)]
pub struct FocusOptions {
    /// The version.
    pub version: FocusVersion,
    /// The account's id.
    pub account: String,
    /// The account's name.
    pub account_name: String,
}

/// What was written, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FocusWritten {
    /// Rows.
    pub rows: u64,
    /// What all rows come to.
    pub total: Pico,
    /// Calls of unknown cost, which have no row, by why.
    pub unknown: Vec<(&'static str, u64)>,
    /// Calls without a row, as their answers were made up in a provider's place.
    pub made_up: u64,
}

/// Costs and quantities, those that differ in every row.
const FIGURES: &[&str] = &[
    "BilledCost",
    "EffectiveCost",
    "ListCost",
    "ContractedCost",
    "PricingCurrencyEffectiveCost",
    "ConsumedQuantity",
    "PricingQuantity",
];
const PERIOD: &[&str] = &["BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"];
const ACCOUNT: &[&str] = &[
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "ChargeCategory",
    "ChargeClass",
    "ChargeFrequency",
    "CommitmentDiscountStatus",
    "InvoiceId",
    "PricingCategory",
    "PricingCurrency",
    "ServiceCategory",
    "ServiceSubcategory",
];
const SKU: &[&str] = &[
    "ChargeDescription",
    "ConsumedUnit",
    "PricingUnit",
    "ListUnitPrice",
    "ContractedUnitPrice",
    "PricingCurrencyListUnitPrice",
    "PricingCurrencyContractedUnitPrice",
    "InvoiceIssuerName",
    "ProviderName",
    "PublisherName",
    "ServiceName",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
];
const PAYER: &[&str] = &["SubAccountId", "SubAccountName", "Tags", "x_Team", "x_Project", "x_Route"];
/// Columns of our own stand behind those of the specification.
const OWN: &[&str] = &["x_CostKind", "x_Model", "x_CallCount"];

/// An amount in atto-dollars: a price for a million times a quantity, without a remainder.
const ATTO: u32 = 18;
const ATTO_PER_PICO: i128 = 1_000_000;

/// Writes all meters.
///
/// # Errors
/// Where the output cannot be written.
pub fn focus(
    spend: &Spend,
    names: &Names,
    options: &FocusOptions,
    out: &mut dyn Write,
) -> io::Result<FocusWritten> {
    let Some(meters) = &spend.meters else { return Ok(FocusWritten::default()) };
    let heads = FIGURES.iter().chain(PERIOD).chain(ACCOUNT).chain(SKU).chain(PAYER).chain(OWN);
    let heads: Vec<&str> = heads.map(|name| renamed(name, options.version)).collect();
    writeln!(out, "{}", heads.join(","))?;
    let mut rows = Rows::new(spend, meters, names, account(options));
    let mut keys: Vec<&MeterKey> = meters.sums.keys().collect();
    keys.sort_unstable();
    let mut written = 0;
    let mut line = String::with_capacity(2048);
    for key in keys {
        let Some(sum) = meters.sums.get(key) else { continue };
        for row in Row::of(key, sum) {
            line.clear();
            rows.write(key, &row, &mut line);
            out.write_all(line.as_bytes())?;
            written += 1;
        }
    }
    let unknown = Unpriced::ALL.into_iter().zip(meters.unknown).filter(|(_, calls)| *calls > 0);
    let unknown = unknown.map(|(why, calls)| (why.text(), calls)).collect();
    let total = meters.sums.values().map(|sum| sum.amount).sum();
    Ok(FocusWritten { rows: written, total, unknown, made_up: meters.made_up })
}

fn renamed(name: &'static str, version: FocusVersion) -> &'static str {
    match (name, version) {
        ("ProviderName", FocusVersion::V1_4) => "ServiceProviderName",
        ("PublisherName", FocusVersion::V1_4) => "HostProviderName",
        (name, _) => name,
    }
}

fn account(options: &FocusOptions) -> String {
    let (id, name) = (csv_cell(&options.account), csv_cell(&options.account_name));
    format!("{id},{name},USD,Usage,,Usage-Based,,,Standard,USD,AI and Machine Learning,Generative AI,")
}

/// One row's figures.
struct Row {
    what: What,
    /// In atto-dollars.
    cost: i128,
    /// With its decimals.
    priced: (i128, u32),
    consumed: u64,
    calls: u64,
}

/// What a row is for: what it is priced by is a part of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    /// A meter at its unit price.
    Meter(Metered),
    /// What rounding each charge to the pico-dollar made of the meter's sum.
    Rounding,
}

impl Row {
    /// Makes the rows of a sum: one, and one more where rounded charges are not the price times their quantity.
    fn of(key: &MeterKey, sum: &MeterSum) -> impl Iterator<Item = Self> {
        let amount = sum.amount.0.saturating_mul(ATTO_PER_PICO);
        let (first, rest) = match key.metered {
            Metered::Priced(_, price) => {
                let exact = i128::from(price.0).saturating_mul(i128::from(sum.quantity));
                let priced = (i128::from(sum.quantity), 6);
                (Self::new(key.metered, exact, priced, sum), amount - exact)
            }
            // Amounts without a unit price are so many dollars at a dollar each.
            Metered::Whole => (Self::new(key.metered, amount, (amount, ATTO), sum), 0),
        };
        let rounding = (rest != 0).then_some(Self {
            what: What::Rounding,
            cost: rest,
            priced: (rest, ATTO),
            consumed: sum.calls,
            calls: sum.calls,
        });
        std::iter::once(first).chain(rounding)
    }

    fn new(metered: Metered, cost: i128, priced: (i128, u32), sum: &MeterSum) -> Self {
        Self { what: What::Meter(metered), cost, priced, consumed: sum.quantity, calls: sum.calls }
    }
}

/// What is sold: by provider, model, tier and meter, and whether its cost is an estimate.
type Sku = (Value, ModelId, u32, bool, What);

/// Writes rows; what many have alike is put together once.
struct Rows<'a> {
    spend: &'a Spend,
    meters: &'a Meters,
    names: &'a Names,
    account: String,
    period: (Instant, String),
    /// The columns of the specification, and our own.
    skus: FxHashMap<Sku, (String, String)>,
    payers: FxHashMap<(TeamId, ProjectId, RouteTag, TagsId), String>,
}

impl<'a> Rows<'a> {
    fn new(spend: &'a Spend, meters: &'a Meters, names: &'a Names, account: String) -> Self {
        Self {
            spend,
            meters,
            names,
            account,
            period: (Instant(i64::MIN), String::new()),
            skus: FxHashMap::default(),
            payers: FxHashMap::default(),
        }
    }

    fn write(&mut self, key: &MeterKey, row: &Row, line: &mut String) {
        decimal(row.cost, ATTO, line);
        let digits = line.len();
        for _ in 0..4 {
            line.push(',');
            line.extend_from_within(..digits);
        }
        let _ = write!(line, ",{}.0,", row.consumed);
        let is_of_tokens = match row.what {
            What::Meter(Metered::Priced(meter, _)) => is_of_tokens(self.meters.names.get(meter as usize)),
            _ => true,
        };
        let (quantity, digits) = row.priced;
        decimal(quantity, if is_of_tokens { digits } else { 0 }, line);
        line.push(',');
        if self.period.0 != key.start {
            let (month, end) = (key.start.month_start(), self.meters.period.end(key.start));
            let next = Period::Month.end(month);
            let moments = [month, next, key.start, end].map(seconds);
            self.period = (key.start, format!("{},", moments.join(",")));
        }
        line.push_str(&self.period.1);
        line.push_str(&self.account);
        let sku = (key.provider, key.model, key.tier, key.estimated, row.what);
        if !self.skus.contains_key(&sku) {
            let text = self.sku(key, row.what);
            self.skus.insert(sku, text);
        }
        let (sku, own) = self.skus.get(&sku).map_or(("", ""), |(sku, own)| (sku, own));
        line.push_str(sku);
        let payer = (key.team, key.project, key.route, key.tags);
        if !self.payers.contains_key(&payer) {
            let text = self.payer(key);
            self.payers.insert(payer, text);
        }
        line.push_str(self.payers.get(&payer).map_or("", String::as_str));
        let _ = writeln!(line, ",{own},{}", row.calls);
    }

    fn sku(&self, key: &MeterKey, what: What) -> (String, String) {
        let named = |text: String| if text.is_empty() || text == "-" { "unknown".to_owned() } else { text };
        let provider = named(self.spend.text(&Dimension::Provider, key.provider, self.names));
        let model = named(self.names.model(key.model).to_owned());
        let tier = self.meters.names.get(key.tier as usize);
        let shown = display_name(&provider);
        let (meter, id, consumed, pricing, price) = match what {
            What::Meter(Metered::Priced(meter, price)) => {
                let name = self.meters.names.get(meter as usize);
                let (words, id) = (meter_words(name), name.replace('_', "-"));
                if is_of_tokens(name) {
                    let id = format!("{id}-tokens");
                    (words, id, "Tokens", "1000000 Tokens", with_fraction(price.usd_per_million()))
                } else {
                    let unit = if name.contains("search") { "Requests" } else { "Units" };
                    (words, id, unit, unit, with_fraction(price.usd_per_token()))
                }
            }
            What::Meter(Metered::Whole) => {
                let words = if key.estimated { "Estimated Charges" } else { "Recorded Charges" };
                (words.to_owned(), "charges".to_owned(), "Requests", "USD", "1.0".to_owned())
            }
            What::Rounding => {
                ("Rounding".to_owned(), "rounding".to_owned(), "Requests", "USD", "1.0".to_owned())
            }
        };
        let in_tier = if tier.is_empty() || tier == "-" { String::new() } else { format!("/{tier}") };
        let sku = format!("{provider}/{model}{in_tier}/{id}");
        let price_id = format!("{sku}/{price}");
        let mut details = vec![("x_ModelId", model.clone())];
        details.extend((!in_tier.is_empty()).then(|| ("x_ServiceTier", tier.to_owned())));
        if let What::Meter(Metered::Priced(meter, _)) = what {
            details.extend(token_keys(self.meters.names.get(meter as usize)));
        }
        let details: Map<String, Json> =
            details.into_iter().map(|(name, value)| (name.to_owned(), Json::from(value))).collect();
        let kind = if key.estimated { "estimated" } else { "known" };
        let cells = [
            &*format!("{model} {}", meter.to_lowercase()),
            consumed,
            pricing,
            &price,
            &price,
            &price,
            &price,
            &shown,
            &shown,
            &shown,
            &format!("{shown} API"),
            &sku,
            &meter,
            &safe(&Json::Object(details).to_string()),
            &price_id,
        ];
        let cells: Vec<String> = cells.into_iter().map(csv_cell).collect();
        (format!("{},", cells.join(",")), [kind, &model].map(csv_cell).join(","))
    }

    fn payer(&self, key: &MeterKey) -> String {
        let named = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
        let (team, project) = (named(self.names.team(key.team)), named(self.names.project(key.project)));
        let route = named(self.names.route(key.route));
        let own = [("project", &*project), ("route", &route), ("team", &team)];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        // Of two with one name that which is a column, too, holds.
        let told = tags_of(self.names.tags(key.tags)).filter_map(tag).chain(own);
        let tags: Map<String, Json> = told.map(|(name, value)| (name.to_owned(), value.into())).collect();
        let tags = safe(&Json::Object(tags).to_string());
        let cells = [&team, &team, &tags, &team, &project, &route].map(|cell| csv_cell(cell));
        cells.join(",")
    }
}

/// Says whether a meter counts tokens.
fn is_of_tokens(meter: &str) -> bool {
    crate::pricing::Tier::PRICES.contains(&meter)
}

fn meter_words(meter: &str) -> String {
    match meter {
        "input" => "Input Tokens".to_owned(),
        "cache_read" => "Cached Input Tokens".to_owned(),
        "write_5m" => "Cache Write Tokens, 5 Minutes".to_owned(),
        "write_1h" => "Cache Write Tokens, 1 Hour".to_owned(),
        "output" => "Output Tokens".to_owned(),
        "reasoning" => "Reasoning Tokens".to_owned(),
        other => {
            let words = other.split('_').map(|word| {
                let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
                format!("{}{rest}", first.to_uppercase())
            });
            let words = words.collect::<Vec<_>>().join(" ");
            if is_of_tokens(other) { format!("{words} Tokens") } else { words }
        }
    }
}

/// The keys of a token meter: its direction, and what a cache did where the provider bills that apart.
fn token_keys(meter: &str) -> Vec<(&'static str, String)> {
    let (direction, cache) = match meter {
        "input" | "audio_input" | "image_input" => ("Input", Some("Uncached")),
        "cache_read" | "audio_cached" => ("Input", Some("Read")),
        "write_5m" | "write_1h" => ("Input", Some("Write")),
        "output" | "reasoning" | "audio_output" | "image_output" => ("Output", None),
        _ => return Vec::new(),
    };
    let mut keys = vec![("x_TokenDirection", direction.to_owned())];
    keys.extend(cache.map(|cache| ("x_TokenCacheAction", cache.to_owned())));
    keys
}

/// Writes a provider as it writes itself.
fn display_name(provider: &str) -> String {
    let name = match provider {
        "openai" => "OpenAI",
        "anthropic" => "Anthropic",
        "google" | "gemini" => "Google",
        "mistral" => "Mistral AI",
        "deepseek" => "DeepSeek",
        "xai" => "xAI",
        "openrouter" => "OpenRouter",
        "groq" => "Groq",
        "unknown" => "Unknown",
        other => other,
    };
    name.to_owned()
}

fn seconds(at: Instant) -> String {
    let text = at.rfc3339();
    text.split_once('.').map_or_else(|| text.clone(), |(whole, _)| format!("{whole}Z"))
}

fn with_fraction(text: String) -> String {
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// Writes an integer with so many decimals, at least one of them and no zeros behind.
fn decimal(value: i128, digits: u32, out: &mut String) {
    let (magnitude, scale) = (value.unsigned_abs(), 10u128.pow(digits));
    if value < 0 {
        out.push('-');
    }
    let _ = match u64::try_from(magnitude / scale) {
        Ok(whole) => write!(out, "{whole}."),
        Err(_) => write!(out, "{}.", magnitude / scale),
    };
    let start = out.len();
    // At most eighteen digits.
    let fraction = u64::try_from(magnitude % scale).unwrap_or(0);
    if digits > 0 {
        let _ = write!(out, "{fraction:0width$}", width = digits as usize);
    }
    while out.len() > start + 1 && out.ends_with('0') {
        out.pop();
    }
    if out.len() == start {
        out.push('0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_never_look_like_whole_numbers() {
        let text = |value, digits| {
            let mut out = String::new();
            decimal(value, digits, &mut out);
            out
        };
        assert_eq!(text(1_843_210, 6), "1.84321");
        assert_eq!(text(3_000_000, 6), "3.0");
        assert_eq!(text(0, 18), "0.0");
        assert_eq!(text(7, 0), "7.0");
        assert_eq!(text(-1, 18), "-0.000000000000000001");
        assert_eq!(text(460_802_500_000_000_000, 18), "0.4608025");
    }
}
