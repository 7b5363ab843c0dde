//! `pointsman forecast`: what a month (or another period) will have cost when it is over.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::args::{ReadLogsArgs, end_time, names, usd};
use super::output;
use crate::forecast::{BackTest, HOUR, Method, Outcome, Step, forecast, runs_out};
use crate::pricing::thousandths;
use crate::record::Timing;
use crate::report::{Format, Sheet, count, dollars_rounded, render};
use crate::session::{Log, Pace, pace, spent_at};
use crate::units::{Instant, Pico, Span, When, members};

/// Foretells what the period in which a log ends will have cost when it is over.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman forecast november.jsonl october.jsonl\n  pointsman forecast ledger-export.jsonl --period week --limit 400 --format json\n  pointsman forecast november.jsonl --to 2026-11-15   # as it stood then\n  pointsman forecast november.jsonl --step 2026-11-20=1.2     # a launch, a fifth more from then on\n\nFrom a week on it goes by the hour of the week, times the level of the last days (half-life three days); the range is from how far days and forecasts of the past were off, and the error from trying the method on that past. Of less than a week it is the plain rate, and says so; before the first whole hour nothing is foretold. Days and hours are UTC."
)]
pub struct ForecastArgs {
    /// The calendar period in which the log ends.
    #[arg(long, value_enum, default_value_t)]
    pub period: Period,
    /// Foretell up to this moment instead of the period's end; a day counts whole.
    #[arg(long, value_name = "TIME", value_parser = end_time)]
    pub until: Option<When>,
    /// Say when so many dollars of the period are spent.
    #[arg(long, value_name = "USD", value_parser = usd, allow_negative_numbers = true)]
    pub limit: Option<Pico>,
    /// A change to come that you know of: from that moment on an hour costs so many times as much; may be given more than once.
    #[arg(long, value_name = "TIME=TIMES", value_parser = step)]
    pub step: Vec<(When, u32)>,
    #[command(flatten)]
    pub(crate) input: ReadLogsArgs,
}

fn step(text: &str) -> Result<(When, u32), String> {
    let wrong = || format!("`{text}`: write a moment and a factor, like 2026-11-15=1.2");
    let (when, times) = text.rsplit_once('=').ok_or_else(wrong)?;
    let when = When::parse(when.trim()).map_err(|error| format!("{}: {error}", when.trim()))?;
    Ok((when, thousandths(times.trim()).ok_or_else(wrong)?))
}

/// A calendar period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Default)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday to Monday.
    Week,
    /// A month.
    #[default]
    Month,
    /// Three months.
    Quarter,
    /// A year.
    Year,
}

impl Period {
    /// Returns the moments at which the period of a moment begins and is over.
    fn around(self, at: Instant) -> (Instant, Instant) {
        let day = at.day_start();
        let months = match self {
            Self::Day => return (day, day + Span::days(1)),
            Self::Week => {
                // The first day of 1970 was a Thursday.
                let weekday = (day.0.div_euclid(Span::days(1).0) + 3).rem_euclid(7);
                let monday = day - Span::days(weekday);
                return (monday, monday + Span::days(7));
            }
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
        };
        let date = at.date();
        let mut numbers = date.split('-').map(|part| part.parse::<u32>().unwrap_or(1));
        let (year, month) = (numbers.next().unwrap_or(1970), numbers.next().unwrap_or(1));
        let begins = (month.saturating_sub(1)) / months * months;
        let first = |months: u32| {
            let (year, month) = (year + months / 12, months % 12 + 1);
            Instant::parse(&format!("{year:04}-{month:02}-01T00:00:00Z")).unwrap_or(day)
        };
        (first(begins), first(begins + months))
    }
}

#[derive(Debug, Serialize)]
struct Tried {
    mape_percent: String,
    tries: usize,
    days_ahead: usize,
}

#[derive(Debug, Serialize)]
struct Known {
    at: String,
    times_permille: u32,
}

#[derive(Debug, Serialize)]
struct Limit {
    limit_usd: String,
    /// When it is spent; null where the period is over before, or where nothing is foretold.
    runs_out_at: Option<String>,
}

members! {
    #[derive(Debug, Serialize)]
    struct Report;
    fn new(
        args: &ForecastArgs,
        log: &Log,
        pace: &Pace,
        (from, to): (Instant, Instant),
        outcome: Option<&Outcome>,
        known: &[(Instant, Step)],
        limit: Option<Limit>,
    ) {
        let is_known = !pace.spent.is_unknown();
        let usd = |pick: fn(&Outcome) -> Option<Pico>| outcome.filter(|_| is_known).and_then(pick).map(Pico::usd);
    }
    schema: &'static str = "pointsman.forecast/1",
    logs: Vec<String> = names(&args.input.from.logs),
    reading: &'static str = args.input.read_as.name(),
    prices: String = log.book.clone(),
    from: String = from.rfc3339(),
    to: String = to.rfc3339(),
    /// The last request: what is known ends there.
    at: String = pace.at.rfc3339(),
    spent_usd: Option<String> = pace.spent.usd(),
    /// Requests of the period whose cost is not wholly known: what is not known of it is in no figure.
    cost_unknown_requests: u64 = pace.spent.unknown,
    /// Null where nothing is known of what is spent, and before the first whole hour.
    p50_usd: Option<String> = usd(|outcome| Some(outcome.p50)),
    p10_usd: Option<String> = usd(|outcome| outcome.p10),
    p90_usd: Option<String> = usd(|outcome| outcome.p90),
    method: Option<&'static str> = outcome.map(|outcome| outcome.method.name()),
    method_note: String = note(outcome, pace),
    /// What is known to change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Known> = known
        .iter()
        .map(|(at, step)| Known { at: at.rfc3339(), times_permille: step.times })
        .collect(),
    history_hours: usize = pace.hours.len(),
    backtest: Option<Tried> = outcome.and_then(|outcome| outcome.backtest).map(|test: BackTest| Tried {
        mape_percent: format!("{}.{}", test.mape / 10, test.mape % 10),
        tries: test.tries,
        days_ahead: test.days,
    }),
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    limit: Option<Limit> = limit,
}

/// Runs the subcommand.
///
/// # Errors
/// Where a log, policy or price book cannot be used, or `--until` is no later than the log's end.
pub fn run(args: &ForecastArgs) -> anyhow::Result<()> {
    let log = args.input.load()?;
    if let Some(why) = log.untimed() {
        anyhow::ensure!(log.timing != Timing::Placed, "nothing can be foretold: {why}");
        output::remark(why);
    }
    let reading = args.input.read_as;
    let pace = pace(&log, reading, |at| args.period.around(at).0);
    let (from, end) = args.period.around(pace.at);
    let to = args.until.map_or(end, |until| until.after(pace.at));
    anyhow::ensure!(to > pace.at, "--until {to} is no later than the log's last request ({})", pace.at);
    let (rest, hours) = left(&pace, to);
    let known = known(args, &pace)?;
    let steps: Vec<Step> = known.iter().map(|(_, step)| *step).collect();
    let outcome = forecast(&pace.hours, pace.spent.total(), (rest, hours), &steps);
    let limit = args.limit.map(|limit| {
        let hours = runs_out(&pace.hours, limit - pace.spent.total(), (rest, hours), &steps);
        let in_log = spent_at(&log, reading, from, limit);
        let at = in_log.or_else(|| {
            hours.map(|hours| match (i64::try_from(hours).unwrap_or(i64::MAX), rest) {
                (0, _) => pace.at,
                (n, 0) => pace.hour_ends - Span::hours(1) + Span::hours(n),
                (n, _) => pace.hour_ends + Span::hours(n - 1),
            })
        });
        Limit { limit_usd: limit.usd(), runs_out_at: at.map(|at| at.min(to).rfc3339()) }
    });
    let report = Report::new(args, &log, &pace, (from, to), outcome.as_ref(), &known, limit);
    let format = args.input.from.format;
    let sheet = || if format == Format::Csv { flat(&report) } else { sheet(&report) };
    output::report(format, &report, || render(&[sheet()], format))?;
    output::damage(&log.skipped.damaged)
}

/// Returns what is known to change, each with its moment: what has changed already is in the hours of the past.
fn known(args: &ForecastArgs, pace: &Pace) -> anyhow::Result<Vec<(Instant, Step)>> {
    let step = |(when, times): &(When, u32)| {
        let at = when.after(pace.at);
        anyhow::ensure!(at > pace.at, "--step: {at} is no later than the log's last request ({})", pace.at);
        let hour = (at - pace.hour_ends).0.max(0) / Span::hours(1).0;
        Ok((at, Step { hour: usize::try_from(hour).unwrap_or(usize::MAX), times: *times }))
    };
    let mut known: Vec<_> = args.step.iter().map(step).collect::<anyhow::Result<_>>()?;
    crate::units::sort_by_key(&mut known, |(at, _)| *at);
    Ok(known)
}

/// Returns what is left until a moment: thousandths of the hour under way, and whole hours after it.
fn left(pace: &Pace, to: Instant) -> (u64, usize) {
    let hour = Span::hours(1).0;
    let rest = (pace.hour_ends.min(to) - pace.at).0.max(0);
    let hours = (to - pace.hour_ends).0.max(0) / hour;
    let rest = i64::try_from(HOUR).unwrap_or(1000).saturating_mul(rest) / hour;
    (u64::try_from(rest).unwrap_or(0), usize::try_from(hours).unwrap_or(usize::MAX))
}

fn note(outcome: Option<&Outcome>, pace: &Pace) -> String {
    match outcome.map(|outcome| outcome.method) {
        None => "nothing is foretold before the first whole hour".to_owned(),
        Some(Method::Profile) => "hour-of-week profile times the level of the last days".to_owned(),
        Some(Method::RunRate) => format!(
            "plain run rate: {} of history, a profile of the week needs 168 and some cost in them",
            crate::units::counted(pace.hours.len() as u64, "whole hour")
        ),
    }
}

/// One row of everything, exact: what CSV is.
fn flat(report: &Report) -> Sheet {
    output::fields(
        [report],
        "from to at spent_usd cost_unknown_requests p50_usd p10_usd p90_usd method history_hours \
         mape_percent=backtest/mape_percent limit_usd runs_out_at",
    )
}

fn sheet(report: &Report) -> Sheet {
    let money = |usd: Option<&str>| usd.map_or_else(|| "unknown".to_owned(), dollars_rounded);
    let mut sheet = Sheet::new(
        format!("{} · {} · prices {}", report.logs.join(", "), report.reading, report.prices),
        &["", ">", ""],
    );
    let mut line = |name: &str, value: String, note: String| sheet.push(vec![name.into(), value, note]);
    line("period", report.from.clone(), format!("up to {}", report.to));
    line("spent", money(report.spent_usd.as_deref()), format!("up to {}", report.at));
    if report.cost_unknown_requests > 0 {
        let unknown = count(report.cost_unknown_requests);
        line("cost unknown", unknown, "requests of which not all is in these figures".into());
    }
    line("expected", money(report.p50_usd.as_deref()), report.method_note.clone());
    for Known { at, times_permille } in &report.steps {
        let times = crate::pricing::as_factor(*times_permille);
        line("known to change", times, format!("times what an hour would cost, from {at} on"));
    }
    if report.p10_usd.is_some() {
        line("one in ten below", money(report.p10_usd.as_deref()), String::new());
        line("one in ten above", money(report.p90_usd.as_deref()), String::new());
    }
    let error = match &report.backtest {
        Some(tried) => {
            let times = crate::units::counted(tried.tries as u64, "forecast");
            let days = crate::units::counted(tried.days_ahead as u64, "day");
            (format!("{} %", tried.mape_percent), format!("mean of {times} of {days} on the same past"))
        }
        None => ("unknown".to_owned(), "too little past to try it on".to_owned()),
    };
    line("error", error.0, error.1);
    if let Some(limit) = &report.limit {
        let never = if report.method.is_some() { "not in this period" } else { "unknown" };
        let at = limit.runs_out_at.clone().unwrap_or_else(|| never.into());
        line("limit", money(Some(&limit.limit_usd)), format!("spent: {at}"));
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_the_calendar() {
        let at = Instant::parse("2026-11-29T05:19:21Z").unwrap();
        for (period, from, to) in [
            (Period::Day, "2026-11-29", "2026-11-30"),
            (Period::Week, "2026-11-23", "2026-11-30"),
            (Period::Month, "2026-11-01", "2026-12-01"),
            (Period::Quarter, "2026-10-01", "2027-01-01"),
            (Period::Year, "2026-01-01", "2027-01-01"),
        ] {
            let (begins, ends) = period.around(at);
            assert_eq!((begins.date(), ends.date()), (from.to_owned(), to.to_owned()), "{period:?}");
        }
        let leap = Instant::parse("2028-02-29T23:59:59Z").unwrap();
        assert_eq!(Period::Month.around(leap).1.rfc3339(), "2028-03-01T00:00:00.000Z");
    }
}
