//! Why cost changed between two windows, as table, JSON, CSV or Markdown.

use serde::Serialize;

use super::sheet::{Format, Sheet, render};
use super::text::{cost, count, dollars_rounded, left_out};
use crate::units::{Instant, Names, Pico, changed, members};
use crate::variance::{Dimension, Explained, Hit, Parts, Slice, Split, Trouble, Window};

members! {
    /// One of the two windows.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct WindowRow;
    fn new((from, to): (Instant, Instant), window: &Window) {}
    /// Its first moment.
    pub from: String = from.rfc3339(),
    /// The moment at which it is over.
    pub to: String = to.rfc3339(),
    /// Operations.
    pub requests: u64 = window.requests,
    /// Those that went up the ladder, or to another model after a failed call.
    pub escalated: u64 = window.escalated,
    /// Those that ended without an answer.
    pub failed: u64 = window.failed,
    /// Known and estimated cost; null where nothing of it is known.
    pub cost_usd: Option<String> = window.cost.usd(),
    /// The estimated part.
    pub cost_estimated_usd: String = window.cost.estimated.usd(),
    /// Operations whose cost is not wholly known.
    pub cost_unknown_requests: u64 = window.cost.unknown,
}

members! {
    /// What each cause changed, in dollars.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[expect(missing_docs, reason = "docs/explain.md says what each part is")]
    pub struct PartsRow;
    fn from(parts: &Parts) {}
    pub volume: String = parts.volume.usd(),
    pub mix: String = parts.mix.total().usd(),
    pub price: String = parts.price.usd(),
    pub tokens: String = parts.tokens.usd(),
    pub cache: String = parts.cache.usd(),
    pub escalation: String = parts.escalation.usd(),
    pub retries: String = parts.retries.usd(),
    pub failures: String = parts.failures.usd(),
    pub unknown: String = parts.unknown.usd(),
    pub other: String = parts.other.usd(),
}

/// What `mix` is made of, in dollars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MixRow {
    /// Between teams.
    pub team: String,
    /// Between projects of a team.
    pub project: String,
    /// Between routes of a project.
    pub route: String,
    /// Between models that requests of a route are placed on.
    pub model: String,
}

/// A part of the traffic, by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlsoRow {
    /// `team`, `project`, `route` or `model`.
    pub dimension: &'static str,
    /// Its name; null for requests that carry none.
    pub value: Option<String>,
}

members! {
    /// A part of the traffic whose cost changed.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct SliceRow;
    fn new(slice: &Slice, names: &Names) {
        let Split { before, after, parts } = &slice.split;
    }
    /// `team`, `project`, `route` or `model` (the one called first).
    pub dimension: &'static str = slice.part.name(),
    /// Its name; null for requests that carry none.
    pub value: Option<String> = value(slice.part, names),
    /// What it cost before.
    pub before_usd: String = before.cost.usd(),
    /// What it cost after.
    pub after_usd: String = after.cost.usd(),
    /// The change.
    pub change_usd: String = slice.split.change().usd(),
    /// The part that moved it most.
    pub mostly: &'static str = parts.main(),
    /// Parts of the traffic whose change is nearly all the same.
    pub also: Vec<AlsoRow> = slice
        .also
        .iter()
        .map(|part| AlsoRow { dimension: part.name(), value: value(*part, names) })
        .collect(),
    /// Its requests before.
    pub requests_before: u64 = before.requests,
    /// Its requests after.
    pub requests_after: u64 = after.requests,
    /// Its escalated requests before.
    pub escalated_before: u64 = before.escalated,
    /// Its escalated requests after.
    pub escalated_after: u64 = after.escalated,
    /// Its own split: volume is that of its own requests.
    pub parts: PartsRow = PartsRow::from(parts),
}

members! {
    /// A team whose requests were hit.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct HitRow;
    fn new(hit: &Hit, names: &Names) {}
    /// Which; null for requests that carry none.
    pub team: Option<String> = hit.team.is_some().then(|| names.team(hit.team).to_owned()),
    /// Its requests placed there that were not answered by the first call, before.
    pub requests_before: u64 = hit.requests.0,
    /// The same after.
    pub requests_after: u64 = hit.requests.1,
    /// What more of them cost: escalations, retries and failures.
    pub extra_usd: String = hit.extra.usd(),
}

members! {
    /// A model whose calls fail.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct FailingRow;
    fn new(trouble: &Trouble, names: &Names) {}
    /// Which.
    pub model: Option<String> = trouble.model.is_some().then(|| names.model(trouble.model).to_owned()),
    /// `began`, `went_on` or `eased`.
    pub course: &'static str = trouble.course.name(),
    /// Calls before, those not made included.
    pub calls_before: u64 = trouble.before.all(),
    /// Failed calls before.
    pub failed_before: u64 = trouble.before.failed(),
    /// Calls after.
    pub calls_after: u64 = trouble.after.all(),
    /// Failed calls after.
    pub failed_after: u64 = trouble.after.failed(),
    /// How most of them ended.
    pub mostly: Option<&'static str> = trouble.after.worst().or(trouble.before.worst()).map(|(status, _)| status.name()),
    /// The teams whose requests it hit, the worst first.
    pub teams_hit: Vec<HitRow> = trouble.hits.iter().map(|hit| HitRow::new(hit, names)).collect(),
}

/// Something that the log tells besides requests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoteRow {
    /// When.
    pub at: String,
    /// What.
    pub text: String,
}

/// What the figures rest on.
#[derive(Clone, Debug)]
pub struct ExplainScope {
    /// The logs.
    pub logs: Vec<String>,
    /// `recorded` or `routed`.
    pub reading: &'static str,
    /// The price book.
    pub prices: String,
    /// Requests that are in no figure: simulated for want of a key, so that nobody bills them.
    pub left_out: u64,
    /// The windows: each from a moment on and before another.
    pub windows: [(Instant, Instant); 2],
    /// What the log tells of their time.
    pub notes: Vec<NoteRow>,
}

members! {
    /// Why cost changed.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct ExplainReport;
    /// Draws it up.
    pub fn new(
        scope: ExplainScope,
        (before, after): (&Window, &Window),
        explained: &Explained,
        names: &Names,
    ) {
        let Split { parts, .. } = &explained.split;
        let change = explained.split.change();
        let is_known = !before.cost.is_unknown() && !after.cost.is_unknown();
        let mix = &parts.mix;
        let slices = explained.slices.iter().filter(|_| is_known);
        let slices = slices.map(|slice| SliceRow::new(slice, names));
        let failing = explained.trouble.iter().map(|trouble| FailingRow::new(trouble, names));
    }
    /// The form of this object.
    pub schema: &'static str = "pointsman.explain/1",
    /// The logs.
    pub logs: Vec<String> = scope.logs,
    /// `recorded` or `routed`.
    pub reading: &'static str = scope.reading,
    /// The price book.
    pub prices: String = scope.prices,
    /// Requests that are in no figure: simulated for want of a key, so that nobody bills them.
    pub left_out_requests: u64 = scope.left_out,
    /// The first window.
    pub before: WindowRow = WindowRow::new(scope.windows[0], before),
    /// The second window.
    pub after: WindowRow = WindowRow::new(scope.windows[1], after),
    /// What the first cost; null where nothing of it is known.
    pub before_usd: Option<String> = before.cost.usd(),
    /// What the second cost.
    pub after_usd: Option<String> = after.cost.usd(),
    /// The change; null where one of them is unknown.
    pub change_usd: Option<String> = is_known.then(|| change.usd()),
    /// The same in per cent of the first.
    pub change_percent: Option<String> = percent(change, before.cost.total()).filter(|_| is_known),
    /// The part that moved it most.
    pub mostly: Option<&'static str> = (is_known && change != Pico::ZERO).then(|| parts.main()),
    /// What each cause changed; they add up to the change.
    pub parts: Option<PartsRow> = is_known.then(|| PartsRow::from(parts)),
    /// What `mix` is made of.
    pub mix: Option<MixRow> = is_known.then(|| MixRow {
        team: mix.team.usd(),
        project: mix.project.usd(),
        route: mix.route.usd(),
        model: mix.model.usd(),
    }),
    /// The parts of the traffic that changed most, by the size of their change.
    pub slices: Vec<SliceRow> = slices.collect(),
    /// Models whose calls fail, before or after.
    pub failing: Vec<FailingRow> = failing.collect(),
    /// What the log tells of that time.
    pub notes: Vec<NoteRow> = scope.notes,
}

fn value(part: Dimension, names: &Names) -> Option<String> {
    match part {
        Dimension::Project(id) => id.is_some().then(|| names.project(id).to_owned()),
        Dimension::Team(id) => id.is_some().then(|| names.team(id).to_owned()),
        Dimension::Model(id) => id.is_some().then(|| names.model(id).to_owned()),
        Dimension::Route(tag) => tag.is_some().then(|| names.route(tag).to_owned()),
    }
}

/// Writes a change in per cent of what was before, with one decimal.
fn percent(change: Pico, before: Pico) -> Option<String> {
    (before > Pico::ZERO).then(|| {
        let thousandths = Pico(change.0.saturating_mul(1000)).ratio(1, before.0).0;
        let sign = if thousandths < 0 { "-" } else { "" };
        format!("{sign}{}.{}", thousandths.abs() / 10, thousandths.abs() % 10)
    })
}

/// Puts the sign of a change before what has none; nothing changed has none.
fn plus(change: &str) -> String {
    let has_sign = change.starts_with(['-', '+']) || change.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    format!("{}{change}", if has_sign { "" } else { "+" })
}

/// Writes a change in dollars with its sign.
fn signed(usd: &str) -> String {
    if usd == "0" { dollars_rounded(usd) } else { plus(&dollars_rounded(usd)) }
}

impl ExplainReport {
    /// Writes it as table, CSV or Markdown.
    pub fn text(&self, format: Format) -> String {
        if format == Format::Csv {
            return render(&[self.flat()], format);
        }
        let notes = Sheet::of(
            "What the log tells of that time",
            &self.notes,
            &[("at", &|note| note.at.clone()), ("", &|note| note.text.clone())],
        );
        let mut sheets = vec![self.summary(), self.causes(), self.where_it_is(), self.calls(), notes];
        sheets.retain(|sheet| !sheet.rows.is_empty());
        render(&sheets, format)
    }

    fn parts(&self) -> Vec<(&'static str, &str, &'static str)> {
        let Some(parts) = &self.parts else { return Vec::new() };
        vec![
            ("volume", parts.volume.as_str(), "more or fewer requests"),
            ("mix", parts.mix.as_str(), "other teams, projects, routes, models"),
            ("price", parts.price.as_str(), "what a token costs"),
            ("tokens", parts.tokens.as_str(), "longer or shorter prompts and answers"),
            ("cache", parts.cache.as_str(), "how much of prompts came from caches"),
            ("escalation", parts.escalation.as_str(), "requests that went on to another model"),
            ("retries", parts.retries.as_str(), "requests that called a model again"),
            ("failures", parts.failures.as_str(), "requests that ended without an answer"),
            ("unknown", parts.unknown.as_str(), "what is known of requests whose cost is not wholly known"),
            ("other", parts.other.as_str(), "what is not billed by tokens"),
        ]
    }

    fn summary(&self) -> Sheet {
        let left_out = left_out(self.left_out_requests);
        let about = format!("{} · {} · prices {}{left_out}", self.logs.join(", "), self.reading, self.prices);
        let mut sheet = Sheet::new(about, &["", ">before", ">after", ">change"]);
        let (before, after) = (&self.before, &self.after);
        let usd = |usd: &Option<String>| cost(usd.as_deref());
        let change = match (&self.change_usd, &self.change_percent) {
            (Some(change), Some(percent)) => format!("{} ({} %)", signed(change), plus(percent)),
            (Some(change), None) => signed(change),
            (None, _) => usd(&None),
        };
        sheet.push(vec!["from".into(), before.from.clone(), after.from.clone(), String::new()]);
        sheet.push(vec!["to".into(), before.to.clone(), after.to.clone(), String::new()]);
        sheet.push(vec!["cost".into(), usd(&self.before_usd), usd(&self.after_usd), change]);
        let mut line = |name: &str, before: u64, after: u64, always: bool| {
            if always || before + after > 0 {
                sheet.push(vec![name.into(), count(before), count(after), changed(before, after)]);
            }
        };
        line("requests", before.requests, after.requests, true);
        line("escalated", before.escalated, after.escalated, false);
        line("failed", before.failed, after.failed, false);
        line("cost unknown", before.cost_unknown_requests, after.cost_unknown_requests, false);
        sheet
    }

    fn causes(&self) -> Sheet {
        Sheet::of(
            "Why",
            self.parts().into_iter().filter(|(_, amount, _)| *amount != "0"),
            &[
                ("part", &|(name, ..)| (*name).into()),
                (">change", &|(_, amount, _)| signed(amount)),
                ("", &|(.., what)| (*what).into()),
            ],
        )
    }

    fn where_it_is(&self) -> Sheet {
        let both = |before: u64, after: u64| format!("{} to {}", count(before), count(after));
        let also = |slice: &SliceRow| {
            let parts = slice.also.iter();
            let parts =
                parts.map(|part| format!("{} {}", part.dimension, part.value.as_deref().unwrap_or("-")));
            parts.collect::<Vec<_>>().join(", ")
        };
        Sheet::of(
            "Where",
            &self.slices,
            &[
                ("", &|slice| slice.dimension.into()),
                ("", &|slice| slice.value.clone().unwrap_or_else(|| "-".into())),
                (">before", &|slice| dollars_rounded(&slice.before_usd)),
                (">after", &|slice| dollars_rounded(&slice.after_usd)),
                (">change", &|slice| signed(&slice.change_usd)),
                (">requests", &|slice| both(slice.requests_before, slice.requests_after)),
                (">escalated", &|slice| both(slice.escalated_before, slice.escalated_after)),
                ("mostly", &|slice| slice.mostly.into()),
                ("the same as", &|slice| also(slice)),
            ],
        )
    }

    fn calls(&self) -> Sheet {
        let hit = |row: &FailingRow| {
            let hit = row.teams_hit.iter().take(3).map(|hit| {
                format!("{} {}", hit.team.as_deref().unwrap_or("-"), dollars_rounded(&hit.extra_usd))
            });
            hit.collect::<Vec<_>>().join(", ")
        };
        Sheet::of(
            "Calls that fail",
            &self.failing,
            &[
                ("model", &|row| row.model.clone().unwrap_or_else(|| "-".into())),
                (">failed before", &|row| count(row.failed_before)),
                (">of", &|row| count(row.calls_before)),
                (">failed after", &|row| count(row.failed_after)),
                (">of", &|row| count(row.calls_after)),
                ("", &|row| row.course.replace('_', " ")),
                ("mostly", &|row| row.mostly.unwrap_or_default().into()),
                ("teams hit most", &|row| hit(row)),
            ],
        )
    }

    fn flat(&self) -> Sheet {
        let mut sheet = Sheet::new("", &["kind", "name", "before_usd", "after_usd", "change_usd", "mostly"]);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let none = String::new;
        let [before, after, change] = [&self.before_usd, &self.after_usd, &self.change_usd].map(text);
        sheet.push(vec!["all".into(), none(), before, after, change, self.mostly.unwrap_or_default().into()]);
        for (name, amount, _) in self.parts() {
            sheet.push(vec!["part".into(), name.into(), none(), none(), amount.into(), none()]);
        }
        for slice in &self.slices {
            let [before, after, change] =
                [&slice.before_usd, &slice.after_usd, &slice.change_usd].map(Clone::clone);
            let (kind, mostly) = (slice.dimension.into(), slice.mostly.into());
            sheet.push(vec![kind, text(&slice.value), before, after, change, mostly]);
        }
        sheet
    }
}
