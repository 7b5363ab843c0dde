//! What was spent beside what a provider bills, by day and model.
//!
//! Invariants: all differences are of integers; what either side does not say is compared with nothing; every line of both sides
//! is in one row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::sheet::{Exact, Format, Sheet, exact, render};
use super::text::{count, dollars_rounded};
use crate::pricing::Billed;
use crate::units::{Pico, members};

/// What one side says of a day and a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// The cost, as far as it is known.
    pub usd: Option<Pico>,
    /// The part of it that is an estimate.
    pub estimated: Pico,
    /// Calls of unknown cost, which are not in it.
    pub unknown_calls: u64,
    /// Prompt tokens, cached ones included.
    pub input: Option<u64>,
    /// Answer tokens.
    pub output: Option<u64>,
    /// Requests to the model.
    pub requests: Option<u64>,
}

impl Amounts {
    fn add(&mut self, other: &Self) {
        fn sum<T: Copy>(one: &mut Option<T>, other: Option<T>, add: impl Fn(T, T) -> T) {
            *one = match (*one, other) {
                (Some(a), Some(b)) => Some(add(a, b)),
                (a, b) => a.or(b),
            };
        }
        sum(&mut self.usd, other.usd, |a, b| a + b);
        self.estimated += other.estimated;
        self.unknown_calls += other.unknown_calls;
        sum(&mut self.input, other.input, u64::saturating_add);
        sum(&mut self.output, other.output, u64::saturating_add);
        sum(&mut self.requests, other.requests, u64::saturating_add);
    }
}

/// A line of either side.
#[derive(Clone, Debug)]
pub struct Side {
    /// The day, like 2026-11-02.
    pub day: String,
    /// The model by the name that both sides share; empty where not named.
    pub model: String,
    /// What is said of them.
    pub amounts: Amounts,
}

/// How the two sides of a row stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// Both say the same, within what is allowed for.
    Matched,
    /// Both say something, and not the same.
    Differs,
    /// Only the log knows of it.
    OursOnly,
    /// Only the bill knows of it.
    TheirsOnly,
    /// Both know of it, but say nothing that can be compared.
    NotComparable,
}

impl Matching {
    fn words(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Differs => "differs",
            Self::OursOnly => "ours only",
            Self::TheirsOnly => "theirs only",
            Self::NotComparable => "not comparable",
        }
    }
}

impl Exact for Matching {
    fn exact(&self) -> String {
        self.words().replace(' ', "_")
    }
}

/// What is compared.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReconcileScope {
    /// The logs.
    pub logs: Vec<String>,
    /// The bills.
    pub bills: Vec<String>,
    /// The first day of the bill.
    pub from: String,
    /// The day after its last.
    pub to: String,
    /// The provider that the log's calls are kept to; null for all.
    pub provider: Option<String>,
    /// Amounts that differ by no more than this are matched.
    pub within_usd: String,
    /// The price book: name and date.
    pub prices: String,
    /// Whether the bill names models.
    pub by_model: bool,
    /// What a reader has to know.
    pub remarks: Vec<String>,
}

members! {
    /// One day and model, or all.
    #[derive(Clone, Debug, Serialize)]
    pub struct ReconcileRow;
    fn new(
        (day, model): (Option<String>, Option<String>),
        ours: Option<Amounts>,
        theirs: Option<Amounts>,
        within: Pico,
    ) {
        let state = match (&ours, &theirs) {
            (Some(_), None) => Matching::OursOnly,
            (None, _) => Matching::TheirsOnly,
            (Some(ours), Some(theirs)) => compare(ours, theirs, within),
        };
        let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
        let both = ours.usd.zip(theirs.usd);
    }
    /// The day.
    pub day: Option<String> = day,
    /// The model.
    pub model: Option<String> = model,
    /// How the sides stand.
    pub state: Matching = state,
    ours_usd: Option<String> = ours.usd.map(Pico::usd),
    ours_estimated_usd: String = ours.estimated.usd(),
    ours_unknown_calls: u64 = ours.unknown_calls,
    theirs_usd: Option<String> = theirs.usd.map(Pico::usd),
    /// Theirs less ours.
    difference_usd: Option<String> = both.map(|(ours, theirs)| (theirs - ours).usd()),
    /// The same in per cent of theirs, with two decimals.
    difference_percent: Option<String> = both.and_then(percent),
    ours_input: Option<u64> = ours.input,
    theirs_input: Option<u64> = theirs.input,
    ours_output: Option<u64> = ours.output,
    theirs_output: Option<u64> = theirs.output,
    ours_requests: Option<u64> = ours.requests,
    theirs_requests: Option<u64> = theirs.requests,
}

fn percent((ours, theirs): (Pico, Pico)) -> Option<String> {
    (theirs != Pico::ZERO).then(|| {
        let hundredths = (theirs - ours).ratio(10_000, theirs.0.abs()).0;
        let (sign, size) = (if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs());
        format!("{sign}{}.{:02}", size / 100, size % 100)
    })
}

/// How many rows stand how, and what they come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that are matched.
    pub matched: u64,
    /// Rows that differ.
    pub differs: u64,
    /// Rows that only the log knows of.
    pub ours_only: u64,
    /// Rows that only the bill knows of.
    pub theirs_only: u64,
    /// Rows that cannot be compared.
    pub not_comparable: u64,
}

/// The comparison.
#[derive(Clone, Debug, Serialize)]
pub struct ReconcileReport {
    schema: &'static str,
    /// What is compared.
    pub scope: ReconcileScope,
    /// All together.
    pub total: ReconcileRow,
    /// Rows by how they stand.
    pub counts: Counts,
    /// The rows, by day and model.
    pub rows: Vec<ReconcileRow>,
}

impl ReconcileReport {
    /// Compares. `within` is the most by which matched amounts may differ.
    pub fn new(scope: ReconcileScope, ours: &[Side], theirs: &[Side], within: Pico) -> Self {
        let mut rows: BTreeMap<(&str, &str), Both> = BTreeMap::new();
        let mut all = (Amounts::default(), Amounts::default());
        for side in ours {
            let row = rows.entry(of(side, scope.by_model)).or_default();
            row.0.get_or_insert_default().add(&side.amounts);
            all.0.add(&side.amounts);
        }
        for side in theirs {
            let row = rows.entry(of(side, scope.by_model)).or_default();
            row.1.get_or_insert_default().add(&side.amounts);
            all.1.add(&side.amounts);
        }
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let rows: Vec<ReconcileRow> = rows
            .into_iter()
            .map(|((day, model), (ours, theirs))| {
                ReconcileRow::new((named(day), named(model)), ours, theirs, within)
            })
            .collect();
        let count = |state| rows.iter().filter(|row| row.state == state).count() as u64;
        let counts = Counts {
            matched: count(Matching::Matched),
            differs: count(Matching::Differs),
            ours_only: count(Matching::OursOnly),
            theirs_only: count(Matching::TheirsOnly),
            not_comparable: count(Matching::NotComparable),
        };
        let ours = (!ours.is_empty()).then_some(all.0);
        let theirs = (!theirs.is_empty()).then_some(all.1);
        let total = ReconcileRow::new((None, None), ours, theirs, within);
        Self { schema: "pointsman.reconcile/1", scope, total, counts, rows }
    }

    /// Returns what is kept of it; none where one side says no amount.
    pub fn billed(&self) -> Option<Billed> {
        Some(Billed {
            from: self.scope.from.clone(),
            to: self.scope.to.clone(),
            ours_usd: self.total.ours_usd.clone()?,
            theirs_usd: self.total.theirs_usd.clone()?,
            ours_unknown_calls: self.total.ours_unknown_calls,
        })
    }

    /// Writes it as table, CSV or Markdown.
    pub fn text(&self, format: Format) -> String {
        if format == Format::Csv {
            let sheet = Sheet::of(
                "",
                &self.rows,
                exact! {
                    day model state ours_usd ours_estimated_usd ours_unknown_calls theirs_usd difference_usd difference_percent
                    ours_input theirs_input ours_output theirs_output ours_requests theirs_requests
                },
            );
            return render(&[sheet], format);
        }
        let ReconcileScope { logs, bills, from, to, .. } = &self.scope;
        let title = format!("{} beside {} · {from} to {to}", logs.join(", "), bills.join(", "));
        let has_tokens =
            self.rows.iter().any(|row| row.theirs_input.is_some() || row.theirs_output.is_some());
        let mut heads =
            vec!["day", "model", "state", ">ours", ">theirs", ">difference", ">%", ">unknown calls"];
        if has_tokens {
            heads.extend([">input, ours", ">theirs", ">output, ours", ">theirs"]);
        }
        let mut sheet = Sheet::new(title, &heads);
        sheet.rows.extend(self.rows.iter().map(|row| row.for_people(has_tokens)));
        let mut total = self.total.for_people(has_tokens);
        if let Some(first) = total.first_mut() {
            "all".clone_into(first);
        }
        sheet.push(total);
        let mut text = render(&[sheet], format);
        let Counts { matched, differs, ours_only, theirs_only, not_comparable } = self.counts;
        let _ = writeln!(
            text,
            "\n{matched} matched, {differs} differ, {ours_only} ours only, {theirs_only} theirs only, {not_comparable} not comparable"
        );
        for remark in &self.scope.remarks {
            let _ = writeln!(text, "{remark}");
        }
        text
    }
}

/// What the two sides say, ours first.
type Both = (Option<Amounts>, Option<Amounts>);

fn of(side: &Side, by_model: bool) -> (&str, &str) {
    (&side.day, if by_model { &side.model } else { "" })
}

/// Compares amounts, and tokens where only those are told.
fn compare(ours: &Amounts, theirs: &Amounts, within: Pico) -> Matching {
    let is_same = if let (Some(ours), Some(theirs)) = (ours.usd, theirs.usd) {
        Some((theirs - ours).0.abs() <= within.0)
    } else {
        let tokens = [(ours.input, theirs.input), (ours.output, theirs.output)];
        let mut told = tokens.into_iter().filter_map(|(ours, theirs)| Some(ours? == theirs?)).peekable();
        told.peek().is_some().then(|| told.all(|is_same| is_same))
    };
    match is_same {
        Some(true) => Matching::Matched,
        Some(false) => Matching::Differs,
        None => Matching::NotComparable,
    }
}

impl ReconcileRow {
    fn for_people(&self, has_tokens: bool) -> Vec<String> {
        let or_dash = |amount: &Option<String>, write: &dyn Fn(&str) -> String| {
            amount.as_deref().map_or_else(|| "-".to_owned(), write)
        };
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), count);
        let about = if self.ours_estimated_usd == "0" { "" } else { "~" };
        let sides = [&self.ours_usd, &self.theirs_usd];
        let mut sums = sides.map(|amount| or_dash(amount, &dollars_rounded));
        // Two amounts that differ are not shown alike.
        if sums[0] == sums[1] && self.ours_usd != self.theirs_usd {
            sums = sides.map(|amount| or_dash(amount, &|usd| format!("${usd}")));
        }
        let [ours, theirs] = sums;
        let mut cells = vec![
            self.day.clone().unwrap_or_default(),
            self.model.clone().unwrap_or_default(),
            self.state.words().to_owned(),
            format!("{about}{ours}"),
            theirs,
            or_dash(&self.difference_usd, &dollars_rounded),
            self.difference_percent.clone().unwrap_or_default(),
            if self.ours_unknown_calls == 0 { String::new() } else { count(self.ours_unknown_calls) },
        ];
        if has_tokens {
            let tokens = [self.ours_input, self.theirs_input, self.ours_output, self.theirs_output];
            cells.extend(tokens.map(number));
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(day: &str, model: &str, usd: Option<&str>) -> Side {
        let usd = usd.map(|usd| Pico::from_usd(usd).unwrap());
        Side { day: day.to_owned(), model: model.to_owned(), amounts: Amounts { usd, ..Amounts::default() } }
    }

    #[test]
    fn every_line_of_both_sides_is_in_one_row() {
        let ours = [
            side("d1", "a", Some("1")),
            side("d1", "a", Some("0.5")),
            side("d1", "b", Some("2")),
            side("d2", "a", None),
        ];
        let theirs = [side("d1", "a", Some("1.504")), side("d1", "c", Some("7")), side("d2", "a", Some("3"))];
        let scope = ReconcileScope { by_model: true, ..ReconcileScope::default() };
        let report = ReconcileReport::new(scope.clone(), &ours, &theirs, Pico::from_usd("0.005").unwrap());
        // $1.50 beside $1.50 would leave nobody with an idea of what is $0.004.
        let shown = report.rows[0].for_people(false);
        assert_eq!((shown[3].as_str(), shown[4].as_str()), ("$1.5", "$1.504"));
        let states: Vec<_> = report.rows.iter().map(|row| row.state).collect();
        let expected = [Matching::Matched, Matching::OursOnly, Matching::TheirsOnly, Matching::NotComparable];
        assert_eq!(states, expected);
        assert_eq!(report.rows[0].difference_percent.as_deref(), Some("0.27"), "0.004 of 1.504");
        assert_eq!(report.total.difference_usd.as_deref(), Some("8.004"));
        let strict = ReconcileReport::new(scope, &ours, &theirs, Pico::ZERO);
        assert_eq!(strict.counts.differs, 1);
        let by_day = ReconcileReport::new(ReconcileScope::default(), &ours, &theirs, Pico::ZERO);
        assert_eq!(by_day.rows.len(), 2);
    }
}
