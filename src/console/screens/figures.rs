//! Figures with their standing: what is known, what is estimated, what nobody knows; and the frames round them.
//!
//! Invariant: an estimate carries `~`, and what is unknown is said to be.

use std::cmp::Ordering;
use std::fmt::Display;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::certificate::Standing;
use crate::console::format::{self, Short, UNKNOWN, short};
use crate::console::paint::{self, Look};
use crate::console::screen::Scene;
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::histogram::Segment;
use crate::console::widgets::key_values::{self, KeyValue};
use crate::console::widgets::panel::Panel;
use crate::pricing::{Cost, CostSum};
use crate::routing::{Route, Rung};
use crate::session::Snapshot;
use crate::telemetry::Cell;
use crate::units::{Instant, Millis, ModelId, Pico, PicoPerMillion, Span, counted};

/// Writes the error of an estimate; one that nobody knows is no zero.
pub(super) fn error(error: Pico, look: Look<'_>) -> Short {
    let sign = look.glyphs.plus_minus();
    match error {
        Pico::ZERO => short!("{sign}?"),
        error => short!("{sign}{}", format::money(error)),
    }
}

/// Names the window: `last 15m`, `all so far`.
pub(super) fn window(snapshot: &Snapshot) -> Short {
    match snapshot.window.window {
        Some(span) => short!("last {span}"),
        None => short!("all so far"),
    }
}

/// Returns the columns that a panel has for its scope beside its title.
pub(super) fn scope_room(area: Rect, title: &str) -> usize {
    usize::from(area.width).saturating_sub(text::width(title) + 7)
}

/// Returns the look that stands for a model everywhere; the last for calls that name none.
pub(super) fn series(look: Look<'_>, model: ModelId) -> Style {
    look.theme.series(model.index().unwrap_or(7))
}

/// Returns the rungs of a route from the least confidence up, as a histogram wants them.
pub(super) fn segments<'a>(scene: Scene<'_>, route: &'a Route) -> Vec<Segment<'a>> {
    let style = |rung: &Rung| series(scene.look, rung.model);
    let rungs = route.ladder.iter().rev().filter(|rung| !rung.fallback);
    rungs.map(|rung| Segment { from: rung.threshold, name: &rung.name, style: style(rung) }).collect()
}

/// Writes a heading and returns what is below it.
pub(super) fn heading(scene: Scene<'_>, words: &str, at: Rect, buf: &mut Buffer) -> Rect {
    let (row, rest) = paint::split_top(at, 1);
    let style = scene.look.style(Role::Column).add_modifier(Modifier::UNDERLINED);
    scene.look.text(buf, row, words, style);
    rest
}

/// Names with their figures, one below the other.
#[derive(Default)]
pub(super) struct List(Vec<(&'static str, String, Role)>);

impl List {
    /// Adds one.
    pub(super) fn put(&mut self, key: &'static str, value: impl Display, role: Role) {
        self.0.push((key, value.to_string(), role));
    }

    /// Adds one at a place, or at the end where there are fewer.
    pub(super) fn insert(&mut self, at: usize, (key, value, role): (&'static str, String, Role)) {
        self.0.insert(at.min(self.0.len()), (key, value, role));
    }

    /// Counts them.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Draws them; returns what is left below. Words that have no room beside their name stand below it.
    pub(super) fn draw(&self, scene: Scene<'_>, at: Rect, buf: &mut Buffer) -> Rect {
        let look = scene.look;
        let room = usize::from(at.width);
        let mut rows = Vec::new();
        for (key, value, role) in &self.0 {
            let style = look.style(*role);
            let wide = text::width(value);
            if text::width(key) + 1 + wide <= room || !value.contains(' ') || wide < 24 {
                rows.push(KeyValue { key, value, style });
                continue;
            }
            rows.push(KeyValue { key, value: "", style });
            rows.extend(text::wrap(value, room.max(1)).map(|value| KeyValue { key: "", value, style }));
        }
        let used = u16::try_from(rows.len()).unwrap_or(u16::MAX).min(at.height);
        let (here, rest) = paint::split_top(at, used);
        key_values::render(&rows, here, buf, look);
        paint::split_top(rest, u16::from(rest.height > 12)).1
    }
}

/// Writes words over as many rows as they take, and returns what is left below.
pub(super) fn say(scene: Scene<'_>, words: &str, role: Role, at: Rect, buf: &mut Buffer) -> Rect {
    let words = text::clean(words);
    let high = text::wrap(&words, usize::from(at.width).max(8)).count().max(1);
    let (here, below) = paint::split_top(at, u16::try_from(high).unwrap_or(1));
    scene.look.wrapped(buf, here, &words, role);
    below
}

/// Takes lines away until the rest has room: those that yield most go first, the last of equals.
pub(super) fn fit<T>(lines: &mut Vec<T>, rows: usize, yields: impl Fn(&T) -> u8) {
    while lines.len() > rows {
        let last = lines.iter().enumerate().max_by_key(|(_, line)| yields(line)).map(|(at, _)| at);
        last.map(|at| lines.remove(at));
    }
}

/// Draws a panel's frame and returns the area inside; says along the bottom where a part of the traffic was synthetic.
pub(super) fn frame(
    scene: Scene<'_>,
    place: usize,
    title: &str,
    scope: &str,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    let inner = Panel { title, scope, focus: scene.view.focus == place }.render(area, buf, scene.look);
    let area = area.intersection(buf.area);
    let log = &scene.snapshot.log;
    // Where all of the log was synthetic, the header says so once for every panel.
    if log.simulated == 0 || log.simulated >= log.len() {
        return inner;
    }
    let words = " PARTLY SIMULATED ";
    let wide = text::columns(words);
    if area.width > wide.saturating_add(3) && area.height > 1 {
        let at = Rect { x: area.right() - wide - 2, y: area.bottom() - 1, width: wide, height: 1 };
        scene.look.text(buf, at, words, Role::Simulated);
    }
    inner
}

/// Draws the same and returns the area inside with a column free at both sides.
pub(super) fn page(
    scene: Scene<'_>,
    place: usize,
    title: &str,
    scope: &str,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    paint::margin(frame(scene, place, title, scope, area, buf))
}

/// Says in the middle of an empty panel why it is empty.
pub(super) fn nothing(scene: Scene<'_>, words: &str, area: Rect, buf: &mut Buffer) {
    let row = paint::nth_row(area, area.height.saturating_sub(1) / 2);
    scene.look.text_middle(buf, row, words, Role::Muted);
}

/// Writes a sum of costs and returns the role that says how well it is known: `$1.20`, `~$1.20`, `$1.20 +?`, `unknown`.
pub(super) fn cost(sum: &CostSum) -> (Short, Role) {
    let total = sum.total();
    if sum.is_unknown() {
        return (short!("unknown"), Role::Unknown);
    }
    let (sign, role) =
        if sum.estimated == Pico::ZERO { ("", Role::Observed) } else { ("~", Role::Estimated) };
    (short!("{sign}{}{}", format::money(total), besides(sum)), role)
}

/// Writes one cost and returns the role that says how well it is known: `$0.0123`, `~$0.0123`, `unknown`.
pub(super) fn one_cost(cost: Cost) -> (Short, Role) {
    match cost {
        Cost::Known(amount) => (format::money(amount), Role::Observed),
        Cost::Estimated(amount) => (short!("~{}", format::money(amount)), Role::Estimated),
        Cost::Unknown(_) => (short!("unknown"), Role::Unknown),
    }
}

/// Writes one latency and returns the role that says how well it is known.
pub(super) fn one_latency(latency: Millis, is_observed: bool) -> (Short, Role) {
    match latency.get().map(millis) {
        None => (short!("unknown"), Role::Unknown),
        Some(words) if is_observed => (words, Role::Observed),
        Some(words) => (short!("~{words}"), Role::Estimated),
    }
}

/// Writes an amount worked out of a sum of costs, with the mark of an estimate where the sum holds one.
pub(super) fn amount(amount: Option<Pico>, of: &CostSum) -> Short {
    let sign = if of.estimated == Pico::ZERO { "" } else { "~" };
    format::or_unknown(amount, |amount| short!("{sign}{}", format::money(amount)))
}

/// Writes a cost for a column in which some are `+?`, so that amounts stand under one another.
pub(super) fn cost_in_column(sum: &CostSum, some_unknown: bool) -> (Short, Role) {
    let (mut words, role) = cost(sum);
    if some_unknown && sum.unknown == 0 {
        let _ = words.try_push_str("   ");
    }
    (words, role)
}

/// Writes how many of something there are: `1 call`, `12 calls`.
pub(super) fn plural(count: u64, one: &str) -> Short {
    let s = if count == 1 { "" } else { "s" };
    short!("{} {one}{s}", format::count_short(count))
}

/// Returns what a thousand requests cost, over those of known or estimated cost.
pub(super) fn per_thousand(sum: &CostSum, requests: u64) -> Option<Pico> {
    let counted = requests.checked_sub(sum.unknown).filter(|&counted| counted > 0 && !sum.is_unknown())?;
    Some(sum.whole().ratio(1000, i128::from(counted)))
}

/// Returns what the costs of some time come to over another time; none where most of them are unknown, for that would be
/// many times too little.
pub(super) fn at_rate(sum: &CostSum, requests: u64, covered: Span, over: Span) -> Option<Pico> {
    // Less than a minute of traffic is no rate.
    let known = covered >= Span::mins(1) && !sum.is_unknown() && sum.unknown <= requests / 2;
    known.then(|| sum.total().ratio(i128::from(over.0), i128::from(covered.0)))
}

/// Returns the mark of a sum beside which there are costs that nobody knows.
pub(super) fn besides(sum: &CostSum) -> &'static str {
    if sum.unknown > 0 { " +?" } else { "" }
}

/// Says how to draw a difference of two amounts that is off by so much at most: in grey where that may be all of it, and in the
/// colour of estimates where nobody knows how far off it is; less is better.
pub(super) fn difference(change: Pico, error: Option<Pico>) -> (Role, bool) {
    let size = change.0.saturating_abs();
    match error {
        _ if change.0 == 0 => (Role::Muted, false),
        Some(error) if size <= error.0 => (Role::Muted, true),
        Some(_) if change.0 < 0 => (Role::Better, false),
        Some(_) => (Role::Worse, false),
        None => (Role::Estimated, false),
    }
}

/// Which way is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Good {
    /// Less of it.
    Less,
    /// More of it.
    More,
    /// None.
    Neither,
}

/// Says how to draw what changed.
pub(super) fn verdict(from: impl Into<i128>, to: impl Into<i128>, good: Good) -> Role {
    match (to.into().cmp(&from.into()), good) {
        (Ordering::Equal, _) | (_, Good::Neither) => Role::Muted,
        (Ordering::Less, Good::Less) | (Ordering::Greater, Good::More) => Role::Better,
        _ => Role::Worse,
    }
}

/// Says how to draw what was saved beside the same tokens on the baseline model: how long that one's answers would have been nobody
/// saw, so it is an estimate; and whether the cost's own error covers it.
pub(super) fn saved(cell: &Cell) -> (Role, bool) {
    let saved = cell.saved();
    let error = Some(cell.cost_error()).filter(|error| saved.0.saturating_abs() <= error.0);
    difference(Pico(-saved.0), error)
}

/// Writes one amount's share of another.
pub(super) fn money_share(part: Pico, whole: Pico) -> Short {
    let size = |amount: Pico| amount.0.max(0).unsigned_abs();
    format::percent_of(size(part), size(whole))
}

/// Writes the share that a sum of costs has of a whole.
pub(super) fn cost_share(sum: &CostSum, whole: Pico) -> Short {
    if sum.is_unknown() { short!("{UNKNOWN}") } else { money_share(sum.total(), whole) }
}

/// Returns a share in thousandths, for bars.
pub(super) fn thousandths(part: u64, whole: u64) -> u32 {
    let exact = u128::from(part).saturating_mul(1000) / u128::from(whole.max(1));
    u32::try_from(exact).unwrap_or(1000).min(1000)
}

/// Returns a share of money in thousandths, for bars.
pub(super) fn money_thousandths(part: Pico, whole: Pico) -> u32 {
    let exact = part.0.max(0).saturating_mul(1000) / whole.0.max(1);
    u32::try_from(exact).unwrap_or(1000).min(1000)
}

/// Writes milliseconds: `2.84 s`.
pub(super) fn millis(millis: u64) -> Short {
    format::duration(Span(i64::try_from(millis).unwrap_or(i64::MAX / 1000).saturating_mul(1000)))
}

/// Writes what a feature weighs, in logits: `+1.20`.
pub(in crate::console) fn weight(hundredths: impl Into<i32>) -> Short {
    let hundredths = hundredths.into();
    let (sign, size) = (if hundredths < 0 { '-' } else { '+' }, hundredths.unsigned_abs());
    short!("{sign}{}.{:02}", size / 100, size % 100)
}

/// Writes a price for a million tokens: `$2.00`, `$0.075`.
pub(super) fn price(price: PicoPerMillion) -> Short {
    short!("{}", price.dollars())
}

/// Writes the time of day, with the day before it where the log spans several: `14:03:20`, `05-23 14:03:20`.
pub(in crate::console) fn moment(snapshot: &Snapshot, at: Instant) -> Short {
    let clock = at.clock();
    if spans_days(snapshot) {
        short!("{} {clock}", at.date().get(5..).unwrap_or_default())
    } else {
        short!("{clock}")
    }
}

/// Says whether the log runs over midnight.
pub(in crate::console) fn spans_days(snapshot: &Snapshot) -> bool {
    snapshot.log.bounds().is_some_and(|(first, last)| first.day_start() != last.day_start())
}

/// Returns the share of prompt tokens that were read from cache, where any prompt tokens are known.
pub(super) fn cache_share(cell: &Cell) -> Short {
    format::percent(cell.tokens.cache_read, cell.tokens.prompt())
}

/// Returns what stands in the place of a model's name where there is none: no call was made, or none names it.
pub(super) fn unnamed(cell: &Cell) -> &'static str {
    if cell.attempts == 0 { "(no call made)" } else { "(no model named)" }
}

/// Writes a latency that may be unknown.
pub(super) fn latency(value: Option<u64>) -> Short {
    format::or_unknown(value, millis)
}

/// Says how a threshold's certificate stands; none where no answer was judged.
pub(super) fn certificate(standing: &Standing) -> Option<String> {
    match (standing.given, standing.withdrawn) {
        (Some(given), _) => Some(format!("certified from {}", given.threshold)),
        (None, Some((_, why))) => Some(format!("certificate withdrawn: {}", why.reason())),
        (None, None) if standing.n == 0 => None,
        (None, None) => Some(format!("not certifiable, {} more", counted(standing.needed, "label"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_better_or_worse_only_where_it_is_more_than_its_error() {
        let drawn = |change, error: Option<i128>| difference(Pico(change), error.map(Pico));
        assert_eq!(drawn(-10, Some(9)), (Role::Better, false));
        assert_eq!(drawn(10, Some(0)), (Role::Worse, false));
        assert_eq!([drawn(-10, Some(10)), drawn(10, Some(11))], [(Role::Muted, true); 2]);
        assert_eq!(drawn(0, Some(5)), (Role::Muted, false), "no difference is within no error");
        assert_eq!(drawn(-10, None), (Role::Estimated, false), "nobody knows how far off it is");
        let cell = |spread: i128| Cell {
            baseline: CostSum { estimated: Pico(100), ..CostSum::default() },
            compared: Pico(90),
            spread: crate::outcome::Spread { habit: spread, ..Default::default() },
            ..Cell::default()
        };
        assert_eq!((saved(&cell(0)), saved(&cell(10))), ((Role::Estimated, false), (Role::Muted, true)));
    }

    #[test]
    fn a_rate_of_mostly_unknown_costs_is_unknown_and_no_many_times_too_small_amount() {
        let sum = |unknown| CostSum { known: Pico::USD, unknown, ..CostSum::default() };
        let rate = |unknown, requests| at_rate(&sum(unknown), requests, Span::mins(30), Span::hours(1));
        assert_eq!(rate(0, 10), Some(Pico(2 * Pico::USD.0)));
        assert_eq!((rate(5, 10).is_some(), besides(&sum(5))), (true, " +?"));
        assert_eq!(rate(6, 10), None);
        assert_eq!(at_rate(&sum(0), 10, Span::secs(59), Span::hours(1)), None);
    }
}
