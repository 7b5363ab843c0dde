//! Spend as one HTML page: charts, tables and what the figures mean, for whoever pays.
//!
//! Invariants: no script and nothing fetched; it prints as it stands, in light or dark; nothing from a log is markup.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::chart::{Bar, by_name, escaped, money, over_time};
use super::sheet::Sheet;
use super::spend::{SpendReport, SpendRow, spend_rows};
use super::text::count;
use crate::telemetry::{Dimension, Period, Spend, SpendTable};
use crate::units::{Names, OTHERS, Pico, Span};

/// The most bars of a chart by name, and of one over time.
const MOST_NAMES: usize = 15;
const MOST_TIMES: usize = 2_400;
/// The most rows of the table.
const MOST_ROWS: usize = 1_000;

/// How pages look.
const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5c6878;--line:#d9dee6;--page:#fff;--card:#f6f8fa;--known:#2f6fb0;--estimated:#8fb8e0;--unknown:#b4562b}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b6;--line:#38424f;--page:#14191f;--card:#1d242c;--known:#5a9fe0;--estimated:#37608a;--unknown:#e08a5a}}
*{box-sizing:border-box}body{margin:0 auto;padding:2rem 1.5rem;max-width:64rem;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:2rem 0 .6rem}p{margin:.3rem 0}.soft{color:var(--soft)}
.cards{display:flex;flex-wrap:wrap;gap:.8rem;margin-top:1.2rem}.card{flex:1 1 10rem;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem}
.card b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums}.card span{color:var(--soft);font-size:.85rem}
table{border-collapse:collapse;width:100%;font-size:.85rem;font-variant-numeric:tabular-nums}th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:left;overflow-wrap:break-word}td:first-child{min-width:6rem}
th{color:var(--soft);font-weight:600}.n{text-align:right;white-space:nowrap}tfoot td{font-weight:600;border-top:2px solid var(--line)}
svg{display:block}text{fill:var(--ink);font:12px system-ui,sans-serif}.tick{fill:var(--soft);font-size:11px}.grid{stroke:var(--line)}
.known{fill:var(--known)}.estimated{fill:var(--estimated)}.key{display:inline-block;width:.75rem;height:.75rem;border-radius:2px;margin:0 .35rem 0 .9rem;vertical-align:-1px}
.k1{background:var(--known)}.k2{background:var(--estimated)}.warn{color:var(--unknown)}
@media print{body{max-width:none;padding:0;font-size:11px}h2{break-after:avoid}svg,tr,.card{break-inside:avoid}.known,.estimated,.key{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
";

impl SpendReport {
    /// Lists the tables that a page needs besides that of the report, which stands first.
    pub fn page_tables(by: &[Dimension]) -> Vec<Vec<Dimension>> {
        let single = [Dimension::Hour, Dimension::Day, Dimension::Month, Dimension::Team, Dimension::Model];
        std::iter::once(by.to_vec()).chain(single.map(|dimension| vec![dimension])).collect()
    }

    /// Writes the page.
    pub fn page(&self, spend: &Spend, names: &Names) -> String {
        let mut page = opened(&format!("LLM spend, {}", self.stretch()));
        let logs = escaped(&self.scope.logs.join(", "));
        let _ = write!(page, "<p class=\"soft\">{logs} · prices {}</p>", escaped(&self.scope.prices));
        self.cards(&mut page);
        let legend = "<span class=\"key k1\"></span>known<span class=\"key k2\"></span>estimated";
        let long = spend.within.map_or(Span::ZERO, |(first, last)| last - first);
        let (time, of_time) = if long <= Span::days(2) {
            (Period::Hour, Dimension::Hour)
        } else if long <= Span::days(400) {
            (Period::Day, Dimension::Day)
        } else {
            (Period::Month, Dimension::Month)
        };
        let find =
            |dimension: &Dimension| spend.tables.iter().skip(1).find(|table| table.by == [dimension.clone()]);
        if let Some(table) = find(&of_time) {
            let _ = write!(
                page,
                "<h2>Spend by {} (UTC) <span class=\"soft\">{legend}</span></h2>",
                of_time.name()
            );
            page.push_str(&over_time(&times(spend, table, time), &format!("Spend by {}", of_time.name())));
        }
        for (dimension, title) in [(Dimension::Team, "Spend by team"), (Dimension::Model, "Spend by model")] {
            if let Some(table) = find(&dimension) {
                let rows = spend_rows(spend, table, names, Some(MOST_NAMES));
                let _ = write!(page, "<h2>{title}</h2>{}", by_name(&bars(&rows), title));
            }
        }
        self.savings(&mut page);
        self.certainty(&mut page);
        self.table(&mut page);
        page.push_str("<h2>How to read this</h2>");
        let meaning = "Known amounts are priced from tokens that the provider reported. Estimated ones rest on an assumption: a token count, a model or a price that stands in. What is unknown is in no amount. Times are UTC.";
        let _ = write!(page, "<p>{meaning}</p>");
        for remark in self.remarks() {
            let _ = write!(page, "<p class=\"warn\">{}</p>", escaped(&remark));
        }
        page.push_str("</body></html>\n");
        page
    }

    fn stretch(&self) -> String {
        let day = |at: &Option<String>| at.as_deref().and_then(|at| at.get(..10)).unwrap_or("-").to_owned();
        let (first, last) = (day(&self.scope.first_at), day(&self.scope.last_at));
        if first == last { first } else { format!("{first} to {last}") }
    }

    fn cards(&self, page: &mut String) {
        let sums = &self.total.sums;
        page.push_str("<div class=\"cards\">");
        let mut card = |figure: &str, name: &str, class: &str| {
            let _ = write!(
                page,
                "<div class=\"card\"><b class=\"{class}\">{figure}</b><span>{name}</span></div>"
            );
        };
        let spent = if sums.cost.is_unknown() { "unknown".to_owned() } else { money(sums.cost.total()) };
        card(&spent, "spent", "");
        card(&count(sums.requests), "requests", "");
        if sums.requests > 0 && !sums.cost.is_unknown() {
            let whole = i128::from(sums.requests.saturating_sub(sums.cost.unknown));
            let per = sums.cost.whole().ratio(1000, whole.max(1));
            card(&money(per), "for 1,000 requests", "");
        }
        if sums.comparable > 0 {
            let saved = sums.baseline - sums.compared;
            // How long the baseline's answers would have been nobody saw: no colour says more than that.
            let name = if saved.0 < 0 { "more than the baseline" } else { "saved against the baseline" };
            card(&money(Pico(saved.0.abs())), name, "");
        }
        if sums.cost.unknown > 0 {
            card(&count(sums.cost.unknown), "requests of unknown cost", "warn");
        }
        page.push_str("</div>");
    }

    fn savings(&self, page: &mut String) {
        let sums = &self.total.sums;
        page.push_str("<h2>Against the baseline</h2>");
        if sums.comparable == 0 {
            page.push_str("<p class=\"soft\">No request has both a cost and one on the baseline model.</p>");
            return;
        }
        let model = &self.scope.baseline_model;
        let bar = |name: String, known: Pico, estimated: Pico| Bar { name, known, estimated };
        let bars = [
            bar(format!("all on {model}"), Pico::ZERO, sums.baseline),
            bar("as it was".to_owned(), sums.compared, Pico::ZERO),
        ];
        page.push_str(&by_name(&bars, "Spend against the baseline"));
        let _ = write!(
            page,
            "<p class=\"soft\">The same tokens on {}, an estimate: another model may take more or fewer. {} of {} requests can be compared.</p>",
            escaped(model),
            count(sums.comparable),
            count(sums.requests)
        );
    }

    fn certainty(&self, page: &mut String) {
        let cost = &self.total.sums.cost;
        page.push_str("<h2>How sure this is</h2>");
        let bar = |name: &str, known, estimated| Bar { name: name.to_owned(), known, estimated };
        let bars = [bar("known", cost.known, Pico::ZERO), bar("estimated", Pico::ZERO, cost.estimated)];
        page.push_str(&by_name(&bars, "Known and estimated spend"));
        let _ = write!(
            page,
            "<p class=\"{}\">Of unknown cost, and in no amount: {} requests ({} calls).</p>",
            if cost.unknown > 0 { "warn" } else { "soft" },
            count(cost.unknown),
            count(self.total.sums.unknown_calls)
        );
    }

    fn table(&self, page: &mut String) {
        let Sheet { heads, mut rows, .. } = self.sheet();
        // A column in which nothing stands is left away.
        let is_used: Vec<bool> = (0..heads.len())
            .map(|at| rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.is_empty())))
            .collect();
        let used = |at: usize| is_used.get(at).copied().unwrap_or(true);
        let heads: Vec<Cow<'static, str>> =
            heads.into_iter().enumerate().filter(|(at, _)| used(*at)).map(|(_, head)| head).collect();
        for row in &mut rows {
            let mut at = 0..;
            row.retain(|_| at.next().is_none_or(used));
        }
        self::heads(page, &format!("By {}", self.scope.by.join(", ")), &heads);
        let (body, total) = rows.split_at(rows.len().saturating_sub(1));
        body.iter().take(MOST_ROWS).for_each(|row| cells(page, row, &heads));
        if let Some(more) = body.len().checked_sub(MOST_ROWS).filter(|more| *more > 0) {
            cells(page, &[format!("and {} more rows", count(more as u64))], &heads);
        }
        page.push_str("</tbody><tfoot>");
        for row in total {
            cells(page, row, &heads);
        }
        page.push_str("</tfoot></table>");
    }
}

/// Begins a page.
pub(super) fn opened(title: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>"
    )
}

/// Begins a table under its title; its rows come next.
pub(super) fn heads(page: &mut String, title: &str, heads: &[Cow<'static, str>]) {
    let _ = write!(page, "<h2>{}</h2><table><thead><tr>", escaped(title));
    for head in heads {
        let _ = write!(page, "<th{}>{}</th>", side(head), escaped(head.trim_start_matches('>')));
    }
    page.push_str("</tr></thead><tbody>");
}

/// Puts figures to the right.
fn side(head: &str) -> &'static str {
    if head.starts_with('>') { " class=\"n\"" } else { "" }
}

/// Writes a row.
pub(super) fn cells(page: &mut String, row: &[String], heads: &[Cow<'static, str>]) {
    page.push_str("<tr>");
    for (cell, head) in row.iter().zip(heads) {
        let _ = write!(page, "<td{}>{}</td>", side(head), escaped(cell));
    }
    page.push_str("</tr>");
}

fn bars(rows: &[SpendRow]) -> Vec<Bar> {
    let bar = |row: &SpendRow| {
        let name = row.by.first().map_or("", |(_, name)| name.as_str());
        Bar {
            name: if name.is_empty() { "not named".to_owned() } else { name.to_owned() },
            known: row.sums.cost.known,
            estimated: row.sums.cost.estimated,
        }
    };
    rows.iter().map(bar).collect()
}

/// Lists a bar for every stretch between the first and the last, those without a request included.
fn times(spend: &Spend, table: &SpendTable, period: Period) -> Vec<Bar> {
    let mut known: Vec<_> =
        table.rows.iter().filter_map(|(key, sums)| Some((key.first()?.0, sums))).collect();
    known.sort_unstable_by_key(|(at, _)| *at);
    let Some((first, last)) = spend.within else { return Vec::new() };
    let (mut at, mut bars) = (period.start(first), Vec::new());
    while at <= last && bars.len() < MOST_TIMES {
        let sums =
            known.binary_search_by_key(&at.0, |(start, _)| *start).ok().and_then(|place| known.get(place));
        let text = at.rfc3339();
        let shown = match period {
            Period::Hour => text.get(5..16),
            Period::Day => text.get(..10),
            Period::Month => text.get(..7),
        };
        bars.push(Bar {
            name: shown.unwrap_or(OTHERS).replace('T', " "),
            known: sums.map(|(_, sums)| sums.cost.known).unwrap_or_default(),
            estimated: sums.map(|(_, sums)| sums.cost.estimated).unwrap_or_default(),
        });
        at = period.end(at);
    }
    bars
}
