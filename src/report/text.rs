//! The replay report for people: a summary, then one table a dimension. CSV is one flat table with exact figures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::replay::{
    ConstraintCheck, Latency, NewsRow, RecordedCharges, ReplayReport, Row, StreamLimitRow, UnknownMeter,
};
use super::sheet::{Column, Format, Sheet, render};
pub(crate) use crate::units::grouped as count;
use crate::units::{counted, took};

/// Returns what a title says of requests with simulated answers, behind what they are of; nothing where there are none.
pub fn simulated(requests: u64) -> String {
    if requests == 0 { String::new() } else { format!(" · {} SIMULATED", counted(requests, "request")) }
}

/// Returns what a title says of requests that are in no figure, as nobody bills them.
pub fn left_out(requests: u64) -> String {
    if requests == 0 {
        return String::new();
    }
    format!(" · left out: {} SIMULATED for want of a key, which nobody bills", counted(requests, "request"))
}

/// Writes the report as table, CSV or Markdown.
pub fn replay_text(report: &ReplayReport, format: Format) -> String {
    if format == Format::Csv {
        return render(&[flat(report)], format);
    }
    let mut sheets = vec![summary(report)];
    let dimensions =
        [&report.by_model, &report.by_route, &report.by_team, &report.by_project, &report.by_task];
    for (title, rows) in
        ["By model", "By route", "By team", "By project", "By task"].into_iter().zip(dimensions)
    {
        if !rows.is_empty() {
            sheets.push(dimension(title, rows));
        }
    }
    if !report.stream_limits.is_empty() {
        sheets.push(stream_limits(&report.stream_limits));
    }
    if let Some(check) = report.constraints.as_ref().filter(|check| !check.broken.is_empty()) {
        sheets.push(broken(check));
    }
    sheets.extend(passed_over(&report.passed_over));
    if !report.skipped.is_empty() {
        let mut sheet = Sheet::lines(format!("Skipped lines ({})", report.skipped_lines), &report.skipped);
        if report.skipped_lines > report.skipped.len() as u64 {
            sheet.push(vec![format!("and {} more", report.skipped_lines - report.skipped.len() as u64)]);
        }
        sheets.push(sheet);
    }
    render(&sheets, format)
}

/// Lists why entries were passed over, and how many; nothing where none was.
pub(super) fn passed_over(why: &BTreeMap<String, u64>) -> Option<Sheet> {
    let columns: &[Column<'_, (&String, &u64)>] =
        &[("entries", &|(_, entries)| count(**entries)), ("why", &|(why, _)| (*why).clone())];
    (!why.is_empty()).then(|| Sheet::of("Passed over", why, columns))
}

fn stream_limits(rows: &[StreamLimitRow]) -> Sheet {
    let limit = |row: &StreamLimitRow| match row.limit {
        "tokens_per_second" => format!("{} {}", row.limit, row.value),
        limit => format!("{limit} {} ms", row.value),
    };
    Sheet::of(
        "Limits on streams",
        rows,
        &[
            ("route", &|row| row.route.clone()),
            ("limit", &|row| limit(row)),
            (">would have cut", &|row| count(row.cut)),
            (">of streams", &|row| count(row.streams)),
            (">not told by the log", &|row| count(row.unknown)),
        ],
    )
}

fn broken(check: &ConstraintCheck) -> Sheet {
    let heads = ["request", "arrived", "route", "model", "which"];
    let mut sheet = Sheet::new("Calls that should not have been made", &heads);
    for one in &check.broken {
        let model = one.model.clone().unwrap_or_else(|| "not named".to_owned());
        sheet.push(vec![one.request.clone(), one.at.clone(), one.route.clone(), model, one.why.clone()]);
    }
    let more = check.broken_calls.saturating_sub(check.broken.len() as u64);
    if more > 0 {
        sheet.push(vec![format!("and {} more", count(more))]);
    }
    sheet
}

/// Writes a decimal dollar text for people.
pub(crate) fn dollars_rounded(text: &str) -> String {
    crate::units::Pico::from_usd(text).map_or_else(|_| text.to_owned(), crate::units::Pico::dollars)
}

/// Returns a cost; what is not known at all is no zero.
pub(super) fn cost(amount: Option<&str>) -> String {
    amount.map_or_else(|| "unknown".to_owned(), dollars_rounded)
}

fn millis(latency: Option<&Latency>, pick: impl Fn(&Latency) -> u64) -> String {
    latency.map_or_else(|| "-".to_owned(), |latency| took(pick(latency)))
}

fn summary(report: &ReplayReport) -> Sheet {
    let mut sheet =
        Sheet::new(format!("{} · {}", report.scope.logs.join(", "), report.scope.reading), &["", ">", ""]);
    let mut line = |name: &str, value: String, note: String| sheet.push(vec![name.into(), value, note]);
    let when = |at: &Option<String>| at.clone().unwrap_or_else(|| "-".into());
    line(
        "requests",
        count(report.requests),
        format!("{} to {}", when(&report.first_at), when(&report.last_at)),
    );
    if let Some(timing) = &report.timing {
        line("times", timing.kind.into(), timing.remark.clone());
    }
    if report.simulated_requests > 0 {
        line(
            "simulated",
            count(report.simulated_requests),
            "made up, which nobody bills; the log says so".into(),
        );
    }
    let mut notes = Vec::new();
    if report.cost_estimated_usd != "0" {
        notes.push(format!(
            "{} of it estimated {}",
            dollars_rounded(&report.cost_estimated_usd),
            report.cost_error_usd.as_ref().map_or_else(
                || "(error not known)".to_owned(),
                |error| format!("±{}", dollars_rounded(error))
            )
        ));
    }
    if report.cost_unknown_requests > 0 {
        notes.push(format!(
            "{} calls of unknown cost ({}), which are not in it",
            match report.cost_unknown_requests {
                1 => "1 request has".to_owned(),
                n => format!("{} have", counted(n, "request")),
            },
            counted(report.by_model.iter().map(|row| row.cost_unknown_requests).sum(), "call")
        ));
    }
    notes.push(format!("prices {}", report.scope.prices));
    line("cost", cost(report.cost_usd.as_deref()), notes.join("; "));
    if let Some(RecordedCharges { remark: Some(remark), differing_requests, .. }) = &report.recorded_charges {
        line("charged otherwise", count(*differing_requests), remark.clone());
    }
    if let Some(ConstraintCheck { checked, broken_calls, .. }) = &report.constraints {
        let note = match broken_calls {
            0 => "all of them to models that their route and key allow".to_owned(),
            n => format!("{} of them to models that their route or key forbids, see below", count(*n)),
        };
        line("constrained", count(*checked), note);
    }
    for UnknownMeter { meter, calls } in &report.unknown_meters {
        let note = format!(
            "calls are billed by `{meter}`, which the price book has no price for: their cost is not known"
        );
        line("unknown meter", count(*calls), note);
    }
    for NewsRow { at, text } in &report.news {
        line(
            "models",
            String::new(),
            format!("{text} (from {} on)", at.get(..16).unwrap_or(at).replace('T', " ")),
        );
    }
    let (baseline, saved) = against_baseline(report);
    line("baseline", baseline.0, baseline.1);
    line("saved", saved.0, saved.1);
    line("escalated", count(report.escalated), format!("policy {}", report.scope.policy));
    line("failed", count(report.errors), String::new());
    let latency = report.latency_ms.as_ref();
    line(
        "latency p50",
        millis(latency, |l| l.p50),
        latency.map_or_else(|| "not recorded".into(), |l| format!("{} known", count(l.known))),
    );
    line("latency p95", millis(latency, |l| l.p95), String::new());
    line("latency p99", millis(latency, |l| l.p99), String::new());
    if let Some(quality) = &report.quality {
        line("quality", quality.clone(), format!("mean of {}", counted(report.labelled_requests, "label")));
    }
    if report.classified_requests > 0 {
        line(
            "classified",
            count(report.classified_requests),
            format!("no confidence in the log: {}", report.scope.classifier),
        );
    }
    let passed_over: u64 = report.passed_over.values().sum();
    if passed_over > 0 {
        line("passed over", count(passed_over), "no model calls, or told again: see below".into());
    }
    if report.skipped_lines > 0 {
        line("skipped lines", count(report.skipped_lines), "see below".into());
    }
    sheet
}

/// What the baseline and the savings are, each with its note. Where nothing can be compared both are unknown, and the note
/// says what would make them known.
fn against_baseline(report: &ReplayReport) -> ((String, String), (String, String)) {
    let model = &report.scope.baseline_model;
    if let (Some(baseline), Some(saved)) = (&report.baseline_usd, &report.saved_usd) {
        let mut note = format!("the same tokens on {model}");
        if report.compared_requests < report.requests {
            let (compared, all) = (count(report.compared_requests), count(report.requests));
            let _ = write!(note, ", {compared} of {all} compared");
        }
        let less = "baseline less the cost of the requests compared".to_owned();
        return ((dollars_rounded(baseline), note), (dollars_rounded(saved), less));
    }
    let unknown = || "unknown".to_owned();
    let why = if report.unnamed_model_requests == report.requests {
        format!(
            "the log names no model: --assume-model {model} prices it, as an estimate; --as routed tells what this policy would cost"
        )
    } else {
        format!("no request has both a cost and one on {model}: --baseline and --prices may help")
    };
    ((unknown(), why), (unknown(), String::new()))
}

fn dimension(title: &str, rows: &[Row]) -> Sheet {
    // A model's errors are calls that failed; elsewhere requests that ended without an answer.
    let of_calls = title == "By model";
    let errors = if of_calls { ">failed calls" } else { ">failed" };
    let unknown = if of_calls { ">unknown calls" } else { ">unknown" };
    let about = |row: &Row| if row.cost_estimated_usd == "0" { "" } else { "~" };
    let some = |n: u64| if n == 0 { String::new() } else { count(n) };
    let columns: &[Column<'_, &Row>] = &[
        ("name", &|row| row.name.1.clone().unwrap_or_else(|| "-".into())),
        (">requests", &|row| count(row.requests)),
        (">cost", &|row| format!("{}{}", about(row), cost(row.cost_usd.as_deref()))),
        (unknown, &|row| some(row.cost_unknown_requests)),
        (">input", &|row| count(row.tokens.input)),
        (">cache read", &|row| count(row.tokens.cache_read)),
        (">cache write", &|row| count(row.tokens.cache_write)),
        (">output", &|row| count(row.tokens.output)),
        (">p50", &|row| millis(row.latency_ms.as_ref(), |l| l.p50)),
        (">p95", &|row| millis(row.latency_ms.as_ref(), |l| l.p95)),
        (">p99", &|row| millis(row.latency_ms.as_ref(), |l| l.p99)),
        (">escalated", &|row| count(row.escalated)),
        (errors, &|row| count(row.errors)),
        (">not made", &|row| count(row.not_made)),
    ];
    // Few logs have calls that were never made.
    let left_out = usize::from(rows.iter().all(|row| row.not_made == 0));
    Sheet::of(title, rows, columns.get(..columns.len() - left_out).unwrap_or(columns))
}

fn flat(report: &ReplayReport) -> Sheet {
    let latency = |row: &Row, pick: fn(&Latency) -> u64| {
        row.latency_ms.as_ref().map(|l| pick(l).to_string()).unwrap_or_default()
    };
    let dimensions =
        [&report.by_model, &report.by_route, &report.by_team, &report.by_project, &report.by_task];
    // A model's failures are calls; elsewhere they are requests that ended without an answer.
    let failed = |row: &Row, of_calls: bool| {
        if (row.name.0 == "model") == of_calls { row.errors.to_string() } else { String::new() }
    };
    Sheet::of(
        "",
        std::iter::once(&report.all).chain(dimensions.into_iter().flatten()),
        &[
            ("dimension", &|row| row.name.0.into()),
            ("name", &|row| row.name.1.clone().unwrap_or_default()),
            ("requests", &|row| row.requests.to_string()),
            ("attempts", &|row| row.attempts.to_string()),
            ("failed_requests", &|row| failed(row, false)),
            ("failed_calls", &|row| failed(row, true)),
            ("escalated", &|row| row.escalated.to_string()),
            ("input", &|row| row.tokens.input.to_string()),
            ("cache_read", &|row| row.tokens.cache_read.to_string()),
            ("cache_write", &|row| row.tokens.cache_write.to_string()),
            ("output", &|row| row.tokens.output.to_string()),
            ("cost_usd", &|row| row.cost_usd.clone().unwrap_or_default()),
            ("cost_estimated_usd", &|row| row.cost_estimated_usd.clone()),
            ("cost_unknown_requests", &|row| row.cost_unknown_requests.to_string()),
            ("latency_p50_ms", &|row| latency(row, |l| l.p50)),
            ("latency_p95_ms", &|row| latency(row, |l| l.p95)),
            ("latency_p99_ms", &|row| latency(row, |l| l.p99)),
            ("not_made", &|row| row.not_made.to_string()),
        ],
    )
}
