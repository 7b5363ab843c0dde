//! Reports that a gateway writes by itself, as gateway.toml asks for them.

use serde::Deserialize;

use super::settings::settings;
use crate::telemetry::{Dimension, Period};
use crate::units::{Span, choice};

/// How often reports are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Every {
    /// Not at all.
    Never,
    /// For every day (UTC).
    Day,
    /// For every calendar month (UTC).
    Month,
}

impl Every {
    /// Returns the stretch of time that a report is about.
    pub fn period(self) -> Option<Period> {
        match self {
            Self::Never => None,
            Self::Day => Some(Period::Day),
            Self::Month => Some(Period::Month),
        }
    }
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportForm {
    /// A page with charts.
    Html,
    /// Comma-separated values.
    Csv,
    /// A JSON object.
    Json,
    /// A Markdown table.
    Md,
    /// An Apache Parquet file.
    Parquet,
    /// FOCUS 1.2.
    Focus,
}

settings! {
    /// Which reports are written.
    pub struct ReportSettings {
        /// How often.
        pub every: Every = Every::Never,
        /// At what time of the day after (UTC).
        pub at: String = "06:00".to_owned(),
        /// What spend is told apart by.
        pub by: Vec<String> = vec!["team".to_owned(), "model".to_owned()],
        /// The form.
        pub format: ReportForm = ReportForm::Html,
        /// The file, in the ledger's folder unless it says otherwise; `{date}` is the first day that the report is about.
        pub path: String = "reports/{date}.html".to_owned(),
    }
}

impl ReportSettings {
    /// Returns the time of day as a length from midnight.
    pub fn time(&self) -> Option<Span> {
        Span::parse_clock(&self.at)
    }

    /// Returns what spend is told apart by.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn dimensions(&self) -> Result<Vec<Dimension>, &str> {
        self.by.iter().map(|name| Dimension::named(name).ok_or(name.as_str())).collect()
    }

    /// Says what is wrong: the key, and what to write.
    pub(super) fn wrong(&self) -> Option<(&'static str, String)> {
        if self.time().is_none() {
            return Some(("at", format!("at: `{}` is no time of day; write \"06:00\"", self.at)));
        }
        match self.dimensions() {
            Err(name) => {
                let hint = choice(name, &Dimension::NAMED.map(|(name, _)| name));
                return Some(("by", format!("by: `{name}` is not known here; {hint}")));
            }
            Ok(list) if list.is_empty() => return Some(("by", "by must name at least one".to_owned())),
            Ok(_) => {}
        }
        // One file for all stretches would be written once and never again.
        let lacks_date = self.every != Every::Never && !self.path.contains("{date}");
        lacks_date.then(|| ("path", "path must have {date} in it, for each report is a file".to_owned()))
    }
}
