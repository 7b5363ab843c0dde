//! Reads a price book from TOML.
//!
//! Prices are dollars per million tokens, written as numbers (`0.375`) or as strings (`"0.375"`). Both are read from the
//! digits in the file: the TOML parser passes numbers as text, so no float lies in between.
//!
//! ```toml
//! name = "ours"
//! dated = "2026-11-23"
//! source = "contract 4711"
//!
//! [aliases]
//! "small" = "mistral-small-2503"
//!
//! [models."mistral-small-2503"]        # one price: written beside what is known of the model
//! provider = "mistral"
//! input = 0.10
//! output = 0.30
//!
//! [models."gemini-2.5-pro"]            # several prices over time: one row each
//! provider = "google"
//! [[models."gemini-2.5-pro".rows]]
//! input = 1.25
//! output = 10
//! above = [{ tokens = 200000, input = 2.50, output = 15 }]   # prompts longer than that, every token at it
//! [[models."gemini-2.5-pro".rows]]
//! from = 2027-01-01T00:00:00Z
//! input = 1
//! output = 8
//! batch = { input = 0.5, output = 4 }
//! tiers = { flex = { input = 0.5, output = 4 } }    # other service tiers, as the provider names them
//! meters = { web_search = 0.01 }                    # dollars for one of it
//! factors = { "region:us" = 1.1 }                   # tokens cost that much more there
//! hours = [{ utc = "01:00-04:00", days = "mon-fri", times = 2 }]   # and that much more then
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Error;
use crate::pricing::{Hours, HoursError, ModelPrices, PriceBook, PriceRow, Rates, Tier, thousandths};
use crate::units::{Instant, MoneyError, PicoPerMillion, Slip, choice, line_of};

const BOOK: [&str; 5] = ["name", "dated", "source", "aliases", "models"];
const RATES_ONLY: [&str; 1] = ["above"];
const ROW_ONLY: [&str; 7] = ["from", "batch", "tiers", "meters", "factors", "hours", "source"];
const HOURS: [&str; 3] = ["utc", "days", "times"];
const MODEL: [&str; 6] = ["provider", "max_input", "max_output", "deprecated", "other_meters", "rows"];

const METER_HINT: &str = "write dollars for one of it, like web_search = 0.01";
const HOURS_HINT: &str =
    "write utc = \"01:00-04:00, 22:00-06:00\", days = \"mon-fri\" (every day without), times = 2";
const TIMES_HINT: &str = "write what the price of tokens is multiplied by then, like 2 or 0.5, above 0 and with three decimals at most";
const FACTOR_HINT: &str = "write what the price of tokens is multiplied by, like \"region:us\" = 1.1";

fn factor(digits: &str) -> Result<u32, MoneyError> {
    thousandths(digits).ok_or_else(|| MoneyError::OutOfRange(digits.to_owned()))
}

/// Reads a price book; `file` is only for error messages.
pub fn from_toml(text: &str, file: &str) -> Result<PriceBook, Error> {
    let origin = Origin { text, file };
    let root = DeTable::parse(text)
        .map_err(|error| Error::Syntax { file: file.to_owned(), slip: Slip::of(text, &error) })?;
    let book = Fields { origin: &origin, path: String::new(), span: root.span(), table: root.get_ref() };
    book.only(&[&BOOK])?;
    let mut models = BTreeMap::new();
    for model in book.tables("models")? {
        models.insert(model.name.to_owned(), model.fields.model()?);
    }
    Ok(PriceBook {
        name: book.required("name", "name the book, like name = \"list\"", Fields::text)?,
        dated: book.required("dated", "date the book, like dated = \"2026-11-23\"", Fields::text)?,
        source: book.text("source")?.unwrap_or_default(),
        aliases: book.aliases(&models)?,
        models,
    })
}

/// The file that is being read.
struct Origin<'a> {
    text: &'a str,
    file: &'a str,
}

/// One table of the file, with the way to it.
struct Fields<'a> {
    origin: &'a Origin<'a>,
    path: String,
    span: Range<usize>,
    table: &'a DeTable<'a>,
}

/// A table inside a table, under its key.
struct Named<'a> {
    name: &'a str,
    fields: Fields<'a>,
}

impl<'a> Fields<'a> {
    fn path_of(&self, field: &str) -> String {
        let bare =
            !field.is_empty() && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let quoted = if bare { field.to_owned() } else { format!("{field:?}") };
        if self.path.is_empty() { quoted } else { format!("{}.{quoted}", self.path) }
    }

    fn error(
        &self,
        field: &str,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error::Field {
            file: self.origin.file.to_owned(),
            line: line_of(self.origin.text, span.start),
            field: self.path_of(field),
            message: message.into(),
            hint: hint.into(),
        }
    }

    fn wrong_type(&self, field: &str, value: &Spanned<DeValue<'_>>, wanted: &str, hint: &str) -> Error {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(field, &value.span(), format!("expected {wanted}, found {found}"), hint)
    }

    /// Refuses fields that nobody reads; a misspelt cache price must not vanish in silence.
    fn only(&self, known: &[&[&str]]) -> Result<(), Error> {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !known.iter().any(|names| names.contains(&name)) {
                let names: Vec<&str> = known.iter().flat_map(|names| names.iter().copied()).collect();
                let hint = choice(name, &names);
                return Err(self.error(name, &key.span(), "unknown field", hint));
            }
        }
        Ok(())
    }

    fn required<T>(
        &self,
        field: &str,
        hint: &str,
        read: impl Fn(&Self, &str) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        read(self, field)?.ok_or_else(|| self.error(field, &self.span, "missing", hint))
    }

    fn text(&self, field: &str) -> Result<Option<String>, Error> {
        self.table.get(field).map_or(Ok(None), |value| match value.get_ref() {
            DeValue::String(text) => Ok(Some(text.to_string())),
            DeValue::Datetime(at) => Ok(Some(at.to_string())),
            _ => Err(self.wrong_type(field, value, "a text", "put it in double quotes")),
        })
    }

    fn number(&self, field: &str) -> Result<Option<u64>, Error> {
        self.table.get(field).map_or(Ok(None), |value| {
            let digits = match value.get_ref() {
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
                _ => None,
            };
            match digits {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong_type(
                    field,
                    value,
                    "a number of tokens",
                    "write it like 200000 or 200_000",
                )),
            }
        })
    }

    fn price(&self, field: &str) -> Result<Option<PicoPerMillion>, Error> {
        const HINT: &str = "write dollars per million tokens, like 2.00, 0.0375 or \"0.0375\"";
        self.decimal(field, PicoPerMillion::from_usd_per_million, HINT)
    }

    /// Reads a number by its digits.
    fn decimal<T>(
        &self,
        field: &str,
        read: impl Fn(&str) -> Result<T, MoneyError>,
        hint: &str,
    ) -> Result<Option<T>, Error> {
        self.table.get(field).map_or(Ok(None), |value| {
            let digits = match value.get_ref() {
                DeValue::Float(number) => number.as_str(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
                DeValue::String(text) => text,
                _ => return Err(self.wrong_type(field, value, "a price", hint)),
            };
            read(digits).map(Some).map_err(|error| self.error(field, &value.span(), error.to_string(), hint))
        })
    }

    fn moment(&self, field: &str) -> Result<Option<Instant>, Error> {
        const HINT: &str = "write a day (2026-11-23, from midnight UTC) or a moment (2026-11-23T08:00:00Z)";
        let Some(text) = self.text(field)? else { return Ok(None) };
        let midnight = format!("{text}T00:00:00Z");
        let span = self.table.get(field).map_or_else(|| self.span.clone(), Spanned::span);
        Instant::parse(&text)
            .or_else(|error| Instant::parse(&midnight).map_err(|_| error))
            .map(Some)
            .map_err(|error| self.error(field, &span, error.to_string(), HINT))
    }

    fn below(&self, field: &str) -> Result<Option<Self>, Error> {
        self.table
            .get(field)
            .map_or(Ok(None), |value| self.as_fields(self.path_of(field), field, value).map(Some))
    }

    fn as_fields(&self, path: String, field: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Self, Error> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(Self { origin: self.origin, path, span: value.span(), table }),
            _ => Err(self.wrong_type(field, value, "a table", "write [section] or { key = value }")),
        }
    }

    fn tables(&self, field: &str) -> Result<Vec<Named<'a>>, Error> {
        let Some(parent) = self.below(field)? else { return Ok(Vec::new()) };
        let named = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &'a std::borrow::Cow<'a, str> = key.get_ref();
            parent.as_fields(parent.path_of(name), name, value).map(|fields| Named { name, fields })
        };
        parent.table.iter().map(named).collect()
    }

    fn list(&self, field: &str) -> Result<Vec<Self>, Error> {
        let Some(value) = self.table.get(field) else { return Ok(Vec::new()) };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong_type(
                field,
                value,
                "a list of tables",
                "write [{ … }, { … }] or [[section]]",
            ));
        };
        let path = self.path_of(field);
        items
            .iter()
            .enumerate()
            .map(|(at, item)| self.as_fields(format!("{path}[{at}]"), field, item))
            .collect()
    }

    fn model(&self) -> Result<ModelPrices, Error> {
        self.only(&[&MODEL, &Tier::PRICES, &RATES_ONLY, &ROW_ONLY])?;
        let flat = Tier::PRICES
            .iter()
            .chain(&RATES_ONLY)
            .chain(&ROW_ONLY)
            .find(|field| self.table.contains_key(**field));
        let mut rows = Vec::new();
        for row in self.list("rows")? {
            row.only(&[&Tier::PRICES, &RATES_ONLY, &ROW_ONLY])?;
            rows.push((row.row()?, row.span.clone()));
        }
        if let Some(field) = flat {
            if !rows.is_empty() {
                let span = self.table.get(*field).map_or_else(|| self.span.clone(), Spanned::span);
                let hint = "state one price beside the model, or every price under rows, not both";
                return Err(self.error(field, &span, "a price beside rows", hint));
            }
            rows.push((self.row()?, self.span.clone()));
        }
        crate::units::sort_by_key(&mut rows, |(row, _)| row.from);
        for pair in rows.windows(2) {
            if let [(old, _), (new, span)] = pair
                && old.from == new.from
            {
                let hint = "give every row its own `from`; only the first may do without";
                return Err(self.error("rows", span, "two rows start at the same moment", hint));
            }
        }
        let mut other_meters = BTreeMap::new();
        if let Some(meters) = self.below("other_meters")? {
            for key in meters.table.keys() {
                let name: &str = key.get_ref();
                other_meters.insert(name.to_owned(), meters.text(name)?.unwrap_or_default());
            }
        }
        Ok(ModelPrices {
            provider: self.text("provider")?,
            max_input: self.number("max_input")?,
            max_output: self.number("max_output")?,
            deprecated: self.text("deprecated")?,
            other_meters,
            rows: rows.into_iter().map(|(row, _)| row).collect(),
        })
    }

    fn row(&self) -> Result<PriceRow, Error> {
        let batch = match self.below("batch")? {
            Some(batch) => Some(batch.only_rates()?),
            None => None,
        };
        let mut tiers = BTreeMap::new();
        for tier in self.tables("tiers")? {
            tiers.insert(tier.name.to_owned(), tier.fields.only_rates()?);
        }
        let row = PriceRow {
            from: self.moment("from")?,
            standard: self.rates()?,
            batch,
            tiers,
            meters: self.numbers("meters", PicoPerMillion::from_usd_per_token, METER_HINT)?,
            factors: self.numbers("factors", factor, FACTOR_HINT)?,
            scheduled: Vec::new(),
            source: self.text("source")?,
        };
        let span = self.table.get("hours").map_or_else(|| self.span.clone(), Spanned::span);
        row.schedule(self.hours()?).map_err(|error| self.no_hours("hours", &span, &error))
    }

    /// Reads the hours in which prices are multiplied, and by how many thousandths.
    fn hours(&self) -> Result<Vec<(Hours, u32)>, Error> {
        let mut all = Vec::new();
        for hours in self.list("hours")? {
            hours.only(&[&HOURS])?;
            let utc = hours.required("utc", HOURS_HINT, Self::text)?;
            let days = hours.text("days")?;
            let times = hours
                .required("times", TIMES_HINT, |fields, name| fields.decimal(name, factor, TIMES_HINT))?;
            let read = Hours::parse(&utc, days.as_deref().unwrap_or_default()).map_err(|error| {
                let field = if matches!(error, HoursError::Day(..)) { "days" } else { "utc" };
                let span = hours.table.get(field).map_or_else(|| hours.span.clone(), Spanned::span);
                hours.no_hours(field, &span, &error)
            })?;
            all.push((read, times));
        }
        Ok(all)
    }

    fn no_hours(&self, field: &str, span: &Range<usize>, error: &HoursError) -> Error {
        let hint = match error {
            HoursError::Overlap(_) => "let each moment of the week lie in one stretch at most",
            HoursError::Inexact(_) => TIMES_HINT,
            _ => HOURS_HINT,
        };
        self.error(field, span, error.to_string(), hint)
    }

    /// Reads a table of named numbers.
    fn numbers<T>(
        &self,
        field: &str,
        read: impl Fn(&str) -> Result<T, MoneyError>,
        hint: &str,
    ) -> Result<BTreeMap<String, T>, Error> {
        let Some(table) = self.below(field)? else { return Ok(BTreeMap::new()) };
        let names = table.table.keys().map(|key| -> &str { key.get_ref() });
        names
            .map(|name| {
                let value = table.required(name, hint, |table, name| table.decimal(name, &read, hint))?;
                Ok((name.to_owned(), value))
            })
            .collect()
    }

    /// Reads the prices of a service tier and refuses what is none.
    fn only_rates(&self) -> Result<Rates, Error> {
        self.only(&[&Tier::PRICES, &RATES_ONLY])?;
        self.rates()
    }

    fn rates(&self) -> Result<Rates, Error> {
        let mut above = Vec::new();
        for tier in self.list("above")? {
            tier.only(&[&["tokens"], &Tier::PRICES])?;
            let tokens =
                tier.required("tokens", "say above how many prompt tokens the tier holds", Self::number)?;
            if above.iter().any(|(known, _)| *known == tokens) {
                let hint = "give each tier its own number of tokens";
                return Err(tier.error("tokens", &tier.span, "two tiers start at the same length", hint));
            }
            above.push((tokens, tier.tier()?));
        }
        crate::units::sort_by_key(&mut above, |(tokens, _)| *tokens);
        Ok(Rates { base: self.tier()?, above })
    }

    fn tier(&self) -> Result<Tier, Error> {
        const HINT: &str =
            "every price needs input and output, in dollars per million tokens; write 0 for what is free";
        Tier::build(|name| self.price(name), |name| self.error(name, &self.span, "missing", HINT))
    }

    fn aliases(&self, models: &BTreeMap<String, ModelPrices>) -> Result<BTreeMap<String, String>, Error> {
        let mut aliases = BTreeMap::new();
        let Some(section) = self.below("aliases")? else { return Ok(aliases) };
        for key in section.table.keys() {
            let name: &str = key.get_ref();
            let target = section.text(name)?.unwrap_or_default();
            if !models.contains_key(&target) {
                let hint = "an alias names a model that has its prices in this book";
                return Err(section.error(
                    name,
                    &key.span(),
                    format!("the book has no model `{target}`"),
                    hint,
                ));
            }
            if models.contains_key(name) {
                let hint = "take away the alias or the model of that name";
                return Err(section.error(name, &key.span(), "is a model of this book itself", hint));
            }
            aliases.insert(name.to_owned(), target);
        }
        Ok(aliases)
    }
}
