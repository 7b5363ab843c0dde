//! Reports that a gateway writes by itself: one a day or month, once that is over and the time has come.
//!
//! Invariant: a report is a file that is there or not; one that is missing is written, at the start as well, and none twice.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::load::Setup;
use super::logs::input_within;
use super::spend::spent;
use crate::config::{self, ReportForm, ReportSettings};
use crate::gateway::now;
use crate::record::ReadOptions;
use crate::report::{FocusOptions, FocusVersion, Format, SpendReport, focus, to_json};
use crate::session::{LoadError, Stretch};
use crate::telemetry::{Period, SpendOptions};
use crate::units::{Instant, Span, When};

/// The longest sleep: a clock that is set meanwhile is noticed within it.
const NAP: Duration = Duration::from_secs(3600);

/// The reports of one gateway.
#[derive(Debug)]
pub(super) struct Schedule {
    settings: ReportSettings,
    period: Period,
    ledger: PathBuf,
    setup: Setup,
}

impl Schedule {
    /// Makes the schedule that settings ask for; none where they ask for no reports.
    pub(super) fn new(settings: &ReportSettings, ledger: &Path, setup: Setup) -> Option<Self> {
        let period = settings.every.period()?;
        Some(Self { settings: settings.clone(), period, ledger: ledger.to_owned(), setup })
    }

    fn time(&self) -> Span {
        self.settings.time().unwrap_or_default()
    }

    /// Returns the last stretch whose report is due.
    fn due(&self, now: Instant) -> (Instant, Instant) {
        let end = self.period.start(now - self.time());
        (self.period.start(end - Span(1)), end)
    }

    /// Returns the moment at which the next report is due.
    fn next(&self, now: Instant) -> Instant {
        self.period.end(self.period.start(now - self.time())) + self.time()
    }

    fn path(&self, from: Instant) -> PathBuf {
        let path = PathBuf::from(self.settings.path.replace("{date}", &from.date()));
        match self.ledger.parent() {
            Some(folder) if path.is_relative() => folder.join(path),
            _ => path,
        }
    }

    /// Writes what is due, then and whenever more is, for as long as the gateway runs.
    pub(super) async fn run(self) {
        let schedule = std::sync::Arc::new(self);
        loop {
            let writer = std::sync::Arc::clone(&schedule);
            let _ = tokio::task::spawn_blocking(move || writer.write_due(now())).await;
            let wait = schedule.next(now()) - now();
            let wait = Duration::from_micros(u64::try_from(wait.0).unwrap_or(0))
                .saturating_add(Duration::from_secs(1));
            tokio::time::sleep(wait.min(NAP)).await;
        }
    }

    fn write_due(&self, now: Instant) {
        let (from, to) = self.due(now);
        let path = self.path(from);
        if path.exists() {
            return;
        }
        match self.write(&path, (from, to)) {
            Ok(()) => tracing::info!(path = %path.display(), "report written"),
            Err(error) if matches!(error.downcast_ref(), Some(LoadError::Empty(..))) => {}
            Err(error) => {
                tracing::error!(path = %path.display(), "the report could not be written: {error:#}");
            }
        }
    }

    fn write(&self, path: &Path, (from, to): (Instant, Instant)) -> anyhow::Result<()> {
        let by = self.settings.dimensions().map_err(|name| anyhow::anyhow!("`{name}` is no dimension"))?;
        let is_focus = self.settings.format == ReportForm::Focus;
        let tables = match self.settings.format {
            ReportForm::Focus => Vec::new(),
            ReportForm::Html => SpendReport::page_tables(&by),
            _ => vec![by],
        };
        let options = SpendOptions {
            tables,
            most: SpendOptions::MOST,
            meters: is_focus.then_some(Period::Day),
            ..SpendOptions::default()
        };
        let stretch = Stretch::new(Some(When::At(from)), Some(When::At(to)));
        let setup = self.setup.within(stretch);
        let logs = [self.ledger.clone()];
        let name = self.ledger.display().to_string();
        let input = input_within(&logs, Some(from), Some(to));
        let found = spent(&input, vec![name], &setup, &ReadOptions::default(), options)?;
        let text = if is_focus {
            let account = "pointsman".to_owned();
            let form = FocusOptions { version: FocusVersion::V1_2, account_name: account.clone(), account };
            let mut text = Vec::new();
            focus(&found.spend, &found.names, &form, &mut text)?;
            text
        } else {
            let report = SpendReport::new(found.scope, &found.spend, &found.names, None);
            let text = match self.settings.format {
                ReportForm::Html | ReportForm::Focus => report.page(&found.spend, &found.names),
                ReportForm::Csv => report.text(Format::Csv),
                ReportForm::Json => to_json(&report)?,
                ReportForm::Md => report.text(Format::Md),
                ReportForm::Parquet => String::new(),
            };
            if self.settings.format == ReportForm::Parquet { report.parquet()? } else { text.into_bytes() }
        };
        config::write_whole(path, |file| file.write_all(&text))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::SetupOptions;
    use crate::config::Every;

    fn schedule(every: Every) -> Schedule {
        let settings = ReportSettings { every, ..ReportSettings::default() };
        let setup = Setup::new(&SetupOptions::default()).unwrap();
        Schedule::new(&settings, Path::new("/data/ledger.db"), setup).unwrap()
    }

    #[test]
    fn a_day_is_due_once_it_is_over_and_the_time_has_come() {
        let at = |text: &str| Instant::parse(text).unwrap();
        let days = schedule(Every::Day);
        for (now, from, next) in [
            ("2026-11-29T05:59:59Z", "2026-11-27", "2026-11-29T06:00:00.000Z"),
            ("2026-11-29T06:00:00Z", "2026-11-28", "2026-11-30T06:00:00.000Z"),
        ] {
            assert_eq!(days.due(at(now)).0.date(), from, "{now}");
            assert_eq!(days.next(at(now)).rfc3339(), next, "{now}");
        }
        let months = schedule(Every::Month);
        let (from, to) = months.due(at("2026-03-01T06:00:00Z"));
        assert_eq!((from.date(), to.date()), ("2026-02-01".to_owned(), "2026-03-01".to_owned()));
        assert_eq!(months.next(at("2026-03-01T06:00:00Z")).date(), "2026-04-01");
        assert_eq!(days.path(from), Path::new("/data/reports/2026-02-01.html"));
    }

    #[test]
    fn a_report_is_of_its_day_and_written_once() {
        let folder = tempfile::tempdir().unwrap();
        // What is read as a ledger may be any log.
        let log = folder.path().join("log.jsonl");
        let line = |at: &str| {
            format!("{{\"at\":\"{at}\",\"team\":\"a\",\"model\":\"gpt-4.1\",\"in\":1000,\"out\":100}}\n")
        };
        let lines =
            ["2026-11-27T23:59:59Z", "2026-11-28T00:00:00Z", "2026-11-28T23:59:59Z", "2026-11-29T00:00:00Z"];
        std::fs::write(&log, lines.map(line).concat()).unwrap();
        let settings = ReportSettings {
            every: Every::Day,
            format: ReportForm::Json,
            path: "{date}.json".to_owned(),
            ..ReportSettings::default()
        };
        let setup = Setup::new(&SetupOptions::default()).unwrap();
        let schedule = Schedule::new(&settings, &log, setup).unwrap();
        let now = Instant::parse("2026-11-29T07:00:00Z").unwrap();
        schedule.write_due(now);
        let path = folder.path().join("2026-11-28.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&report["total"]["requests"], &report["total"]["cost_usd"]),
            (&2.into(), &"0.0056".into())
        );
        std::fs::write(&path, "kept").unwrap();
        schedule.write_due(now);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
        // A day without a request has none.
        schedule.write_due(Instant::parse("2026-11-27T07:00:00Z").unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
