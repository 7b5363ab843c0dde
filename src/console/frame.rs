//! What stands round every screen: header, tabs, playback bar.
//!
//! ```text
//! pointsman  REPLAY  policy 14*  gateway-0412.jsonl.zst              2026-05-23 14:03:22 UTC   $41.87
//! 1 Overview  2 Tune  3 Traffic  4 Models  5 Spend        last 15m · routed · prices list 2026-11-23
//!
//! pointsman  LIVE  SIMULATED  policy 14  3 open  http://127.0.0.1:4141               14:03:22 UTC   $41.87
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::fmt::Write as _;

use super::paint;
use super::screen::{FiguresOf, Scene, Screen, ScreenId};
use super::screens::{events, figures, spend};
use super::theme::Role;
use super::widgets::replay::{PlayState, ReplayBar, Strip, WHOLE};
use super::{format, text};
use crate::session::{LiveView, Log, NoteKind, Play, Reading, Severity, Snapshot, Speed, window_label};
use crate::units::Instant;

/// Where the parts of the window lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The first line.
    pub header: Rect,
    /// The tabs.
    pub tabs: Rect,
    /// The screen.
    pub body: Rect,
    /// The playback bar.
    pub bar: Rect,
    /// The keys, a message or the prompt.
    pub footer: Rect,
}

/// Divides the window.
pub fn parts(area: Rect) -> Parts {
    let (header, rest) = paint::split_top(area, 1);
    let (tabs, rest) = paint::split_top(rest, 1);
    let (body, rest) = paint::split_top(rest, rest.height.saturating_sub(2));
    let (bar, footer) = paint::split_top(rest, 1);
    Parts { header, tabs, body, bar, footer }
}

/// The strip over the whole log, worked out once.
#[derive(Clone, Debug, Default)]
pub struct StripData {
    rate: Vec<u32>,
    errors: Vec<u32>,
}

impl StripData {
    /// Works it out.
    pub fn new(log: &Log) -> Self {
        let cells = u64::try_from(log.strip.len().max(2) - 1).unwrap_or(1);
        Self {
            rate: log.strip.iter().map(|cell| cell.requests).collect(),
            errors: (0u64..)
                .zip(&log.strip)
                .filter(|(_, cell)| cell.is_trouble())
                .map(|(at, _)| u32::try_from(at * u64::from(WHOLE) / cells).unwrap_or(WHOLE))
                .collect(),
        }
    }
}

/// The state word and its role.
fn state(snapshot: &Snapshot, frozen: Option<&str>) -> (String, Role) {
    if let Some(since) = frozen {
        return (format!("FROZEN {since}"), Role::Warn);
    }
    if let Some(live) = &snapshot.live {
        return live_state(snapshot, live);
    }
    match snapshot.play {
        Play::Playing => (format!("REPLAY {}", snapshot.speed), Role::State),
        Play::Paused => ("PAUSED".to_owned(), Role::State),
        Play::Ended => ("END".to_owned(), Role::State),
        Play::Following => ("LIVE".to_owned(), Role::State),
    }
}

/// The state word of a live session: what is wrong first, then what is shown.
fn live_state(snapshot: &Snapshot, live: &LiveView) -> (String, Role) {
    let new = format!("{} new", format::count(live.fresh));
    match snapshot.play {
        _ if live.closed.is_some() => ("DISCONNECTED".to_owned(), Role::Error),
        Play::Following => ("LIVE".to_owned(), Role::State),
        Play::Playing => (format!("REPLAY {} · {new}", snapshot.speed), Role::Warn),
        Play::Paused | Play::Ended => {
            let held = live.held.map_or_else(String::new, |held| format!(" {held}"));
            let word = if live.rewound { "PAUSED" } else { "FROZEN" };
            (format!("{word}{held} · {new}"), Role::Warn)
        }
    }
}

/// What a session says is wrong in the header, the most important first.
fn faults(snapshot: &Snapshot) -> Vec<(String, Role)> {
    let mut all = snapshot.live.as_ref().map(live_words).unwrap_or_default();
    if !snapshot.log.skipped.damaged.is_empty() {
        all.push(("LOG BROKE OFF".to_owned(), Role::Error));
    }
    all.extend(snapshot.log.placed().map(|placed| (placed.to_uppercase(), Role::Warn)));
    all
}

/// Says what is wrong as shortly as it can be said.
fn brief(full: &str) -> &str {
    let end = full.find([',', ':']).unwrap_or(full.len()).min(full.find(" since ").unwrap_or(full.len()));
    full.get(..end).unwrap_or(full)
}

/// What a live session says of itself in the header, the most important first.
fn live_words(live: &LiveView) -> Vec<(String, Role)> {
    let status = &live.status;
    let mut words = Vec::new();
    let ledger = match status.ledger.severity {
        Severity::Fine => None,
        Severity::Warning => Some(Role::Warn),
        Severity::Failure => Some(Role::Error),
    };
    // Of a gateway that is gone, nobody knows how it is now.
    let is_heard = live.closed.is_none();
    if let Some(role) = ledger.filter(|_| is_heard) {
        words.push((format!("LEDGER {}", text::clean(&status.ledger.text)), role));
    }
    if status.draining && is_heard {
        words.push(("DRAINING".to_owned(), Role::Warn));
    }
    if is_heard && status.memory_limit > 0 && status.memory_held > status.memory_limit / 2 {
        let share = u128::from(status.memory_held) * 100 / u128::from(status.memory_limit);
        words.push((format!("MEMORY {share} %"), if share < 90 { Role::Warn } else { Role::Error }));
    }
    if live.lost > 0 {
        words.push((format!("{} lost", crate::units::counted(live.lost, "line")), Role::Warn));
    }
    words
}

/// The columns kept for the name and the state word, whatever is wrong.
const FOR_THE_STATE: u16 = 26;

/// The fewest columns that are worth a part of a log's name.
const LEAST_TITLE: usize = 8;

/// The columns kept for all else in the header before a fault is told in full.
const FOR_THE_REST: u16 = 75;

/// Draws the header.
pub fn header(scene: Scene<'_>, frozen: Option<&str>, area: Rect, buf: &mut Buffer) {
    let (snapshot, look) = (scene.snapshot, scene.look);
    let style = look.style(Role::Header);
    paint::clear(buf, area, look.theme.base().patch(style));
    // From the right: what must always be seen stands first.
    let all = &snapshot.to_date.all;
    let word = if snapshot.reading == Reading::Routed { "routed" } else { "spent" };
    let mark = if all.cost.estimated == crate::units::Pico::ZERO { "" } else { "~" };
    let mut spend = format!("{mark}{} {word}", format::money(all.cost.total()));
    if all.cost.unknown > 0 && all.cost.total() == crate::units::Pico::ZERO {
        "cost unknown".clone_into(&mut spend);
    } else if all.cost.unknown > 0 {
        let word = if area.width >= 100 { " unknown" } else { "?" };
        let _ = write!(spend, " +{}{word}", format::count_short(all.cost.unknown));
    }
    let date = snapshot.clock.date();
    // Where there is no room for the date, the day of a log of several stands with the time.
    let moment = figures::moment(snapshot, snapshot.clock);
    let clock = match area.width {
        140.. => format!("{} UTC", snapshot.clock.clock()),
        125.. => format!("{moment} UTC"),
        _ => moment.to_string(),
    };
    let skipped = snapshot.log.skipped.count;
    let mut right = area;
    for (full, role) in faults(snapshot) {
        let has_room = text::columns(&full).saturating_add(FOR_THE_REST) <= right.width;
        let words = if has_room { full.as_str() } else { brief(&full) };
        // Cut rather than left out: part of a warning still warns.
        let room = text::columns(words).saturating_add(2).min(right.width.saturating_sub(FOR_THE_STATE));
        if room < 8 {
            break;
        }
        let at = Rect { x: right.right() - room, width: room - 1, ..right };
        look.text(buf, at, words, role);
        right.width -= room;
    }
    let mut put_at_right = |words: &str, role: Role, buf: &mut Buffer| -> u16 {
        let wide = text::columns(words).saturating_add(2);
        if wide.saturating_add(30) <= right.width {
            let at = Rect { x: right.right() - wide, width: wide - 1, ..right };
            look.text(buf, at, words, role);
            right.width -= wide;
        }
        right.width
    };
    put_at_right(&spend, Role::Accent, buf);
    let room = put_at_right(&clock, Role::Header, buf);
    // Budgets are as recorded, which says nothing beside what was decided anew.
    let fullest = spend::headline(snapshot, area.width, room, look.glyphs)
        .filter(|_| snapshot.reading == Reading::Recorded);
    if let Some((words, role)) = &fullest {
        put_at_right(words, *role, buf);
    }
    if let Some((words, role)) = events::headline(snapshot) {
        put_at_right(&words, role, buf);
    }
    // A live session's address is worth more than the date, which is today's; so is a budget.
    let is_last = snapshot.live.is_some() || fullest.is_some() || figures::spans_days(snapshot);
    if area.width >= if is_last { 140 } else { 110 } {
        put_at_right(&date, Role::Muted, buf);
    }
    if skipped > 0 {
        put_at_right(&format!("{} skipped", crate::units::counted(skipped, "line")), Role::Warn, buf);
    }
    let passed_over: u64 = snapshot.log.skipped.passed_over.values().sum();
    if passed_over > 0 {
        put_at_right(&format!("{} passed over", format::count_short(passed_over)), Role::Muted, buf);
    }
    let mut left = Rect { x: right.x + 1, width: right.width.saturating_sub(2), ..right };
    let mut put = |words: &str, role: Role, buf: &mut Buffer| {
        // Part of an address says nothing, nor do a few letters of a name.
        let whole = words.starts_with("http") || words.starts_with("ledger ");
        let least = if whole { usize::MAX } else { LEAST_TITLE };
        // Nor does a figure without its word; what is wrong, and what state this is, is told as far as it goes.
        let room = usize::from(left.width);
        let partly = matches!(role, Role::Title | Role::State | Role::Warn | Role::Error | Role::Simulated);
        let least = if role == Role::Muted { least } else { usize::MAX };
        if !partly && text::width(words).min(least) > room {
            return;
        }
        let used = look.text(buf, left, words, role);
        left = paint::split_left(left, used + 2).1;
    };
    put("pointsman", Role::Title, buf);
    let (word, role) = state(snapshot, frozen);
    put(&word, role, buf);
    let disconnected = snapshot.live.as_ref().filter(|live| live.closed.is_some());
    if let Some(at) = disconnected.and_then(|live| live.again) {
        put(&format!("tries again {}", at.clock()), Role::Warn, buf);
    }
    let synthetic =
        snapshot.log.simulated > 0 || snapshot.live.as_ref().is_some_and(|live| live.status.simulated);
    if synthetic {
        put("SIMULATED", Role::Simulated, buf);
    }
    if let Some(why) = disconnected.and_then(|live| live.closed.as_ref()) {
        put(&text::clean(why), Role::Warn, buf);
    }
    let star = if snapshot.staged.is_some() { "*" } else { "" };
    let version = snapshot.policy.version;
    let Some(live) = &snapshot.live else {
        put(&format!("policy {version}{star}"), Role::Accent, buf);
        put(&snapshot.log.title, Role::Muted, buf);
        return;
    };
    put(&format!("policy {version}{star}"), Role::Accent, buf);
    // What was open when the gateway was heard last, nobody knows.
    if live.closed.is_none() {
        put(&format!("{} open", format::count(live.status.open)), Role::Header, buf);
        let refused = live.status.refused();
        if refused > 0 && area.width >= 100 {
            put(&format!("{} refused", format::count_short(refused)), Role::Muted, buf);
        }
    }
    let address = if live.status.address.is_empty() { &snapshot.log.title } else { &live.status.address };
    put(&text::clean(address), Role::Muted, buf);
    let ledger = &live.status.ledger;
    if ledger.severity == Severity::Fine && !ledger.text.is_empty() {
        put(&format!("ledger {}", text::clean(&ledger.text)), Role::Muted, buf);
    }
}

/// Draws the tabs.
pub fn tabs(scene: Scene<'_>, front: &dyn Screen, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    paint::clear(buf, area, look.theme.base());
    // Where digits type a threshold, the function keys change screens.
    let key = if front.types_digits() { "F" } else { "" };
    let mut used = area.x;
    for (screen, at, is_named) in tab_places(front, scene.view.screen, area) {
        used = at.right() + 2;
        let number = screen as usize + 1;
        let active = scene.view.screen == screen;
        let style = look.style(if active { Role::TabActive } else { Role::Tab });
        let name =
            if is_named { format!("{key}{number} {}", screen.name()) } else { format!("{key}{number}") };
        look.text(buf, at, &name, style);
    }
    let room = Rect { x: used, width: area.right().saturating_sub(used + 1), ..area };
    let scope = scope(scene, front, usize::from(room.width));
    look.text_right(buf, room, &scope, Role::Muted);
}

/// Says what the screen's figures are of, as fully as there is room: window, reading, how much is estimated, prices,
/// classifier. A panel says it again only where its own differ.
pub(super) fn scope(scene: Scene<'_>, front: &dyn Screen, room: usize) -> String {
    let is_live = scene.snapshot.live.is_some();
    let words = match front.figures_of() {
        FiguresOf::Budgets if is_live => "budgets in force, now",
        FiguresOf::Budgets if room < 27 => "budgets so far",
        FiguresOf::Budgets => "budgets so far, as recorded",
        FiguresOf::Events if is_live => "alerts in force, now",
        FiguresOf::Events if room < 25 => "would be told",
        FiguresOf::Events => "what would have been told",
        FiguresOf::Rollout if room < 20 => "by stage",
        FiguresOf::Rollout => "each in its own stage",
        FiguresOf::Worlds if room < 20 => "routed",
        FiguresOf::Worlds => "routed, estimates ~",
        of @ (FiguresOf::Window | FiguresOf::Played | FiguresOf::WhatIf) => return requests(scene, of, room),
    };
    words.to_owned()
}

/// Says which requests figures are of.
fn requests(scene: Scene<'_>, of: FiguresOf, room: usize) -> String {
    let (snapshot, dot) = (scene.snapshot, scene.look.glyphs.dot);
    let listed = of == FiguresOf::Played;
    let all = &if listed { &snapshot.to_date } else { &snapshot.totals }.all;
    let (window, brief) = match snapshot.window.window {
        _ if listed && snapshot.live.is_some() => ("all so far".to_owned(), "so far".to_owned()),
        _ if listed => ("all played".to_owned(), "all".to_owned()),
        Some(_) => {
            let label = window_label(snapshot.window.window);
            (format!("last {label}"), label)
        }
        None if snapshot.log.history.start() > 0 => ("all in memory".to_owned(), "in memory".to_owned()),
        None => ("all so far".to_owned(), "so far".to_owned()),
    };
    // What-if is of the routed reading, whichever is shown elsewhere.
    let tune = of == FiguresOf::WhatIf;
    let reading = if tune { Reading::Routed } else { snapshot.reading }.name();
    let share = format::percent(all.estimated, all.requests);
    let (standing, short) = match (all.estimated, all.requests) {
        (_, requests) if tune || requests == 0 => (String::new(), String::new()),
        (0, _) => (format!(" {dot} observed"), format!(" {dot} observed")),
        _ => {
            let whole = share.split_once('.').map_or("<1", |(whole, _)| whole);
            let whole = if matches!(whole, "0" | "<0") { "<1" } else { whole };
            (format!(" {dot} {share} estimated"), format!(" {dot} {whole} % est."))
        }
    };
    let full = format!("{window} {dot} {reading}{standing}");
    let priced = format!("{full} {dot} prices {}", snapshot.log.book);
    let classified = format!("{priced} {dot} classifier {}", snapshot.log.classifier);
    let forms = [
        if snapshot.log.classified > 0 { classified } else { priced.clone() },
        priced,
        full,
        format!("{brief} {dot} {reading}{short}"),
        format!("{brief} {dot} {reading}"),
        window,
        brief,
    ];
    let [.., least] = &forms;
    forms.iter().find(|words| text::width(words) <= room).unwrap_or(least).clone()
}

/// The columns that what a screen's figures are of has beside the tabs at least: a window and a reading.
const FOR_THE_SCOPE: u16 = 16;

/// Returns where each tab stands, for drawing and for the mouse, and whether it bears its name: where there is no room for all,
/// the last of them are numbers, but for the one that is shown.
pub fn tab_places(
    front: &dyn Screen,
    shown: ScreenId,
    area: Rect,
) -> impl Iterator<Item = (ScreenId, Rect, bool)> + use<> {
    // The same places on every screen, but where what the figures are of needs the room.
    let keys: u16 = if front.types_digits() || area.width >= 130 { 3 } else { 2 };
    let name = |screen: ScreenId| u16::try_from(screen.name().len()).unwrap_or(0);
    let all: u16 = ScreenId::ALL.iter().map(|screen| name(*screen) + keys + 1).sum();
    let mut spare = i32::from(area.width) - i32::from(all + 1 + FOR_THE_SCOPE);
    let mut named = ScreenId::ALL.map(|_| true);
    for (screen, is_named) in ScreenId::ALL.into_iter().zip(&mut named).rev() {
        if spare < 0 && screen != shown {
            *is_named = false;
            spare += i32::from(name(screen)) + 1;
        }
    }
    let mut x = area.x.saturating_add(1);
    ScreenId::ALL.into_iter().zip(named).map(move |(screen, is_named)| {
        let width = if is_named { name(screen) + keys } else { keys - 1 };
        let at = Rect { x, width: width.min(area.right().saturating_sub(x)), ..area };
        x = x.saturating_add(width + 1);
        (screen, at, is_named)
    })
}

/// Draws the playback bar and returns where its strip lies.
pub fn bar(scene: Scene<'_>, data: &StripData, area: Rect, buf: &mut Buffer) -> Rect {
    let (snapshot, look) = (scene.snapshot, scene.look);
    paint::clear(buf, area, look.theme.base());
    let marks: Vec<u32> = snapshot.marks.iter().map(|&mark| place(snapshot, mark)).collect();
    let tripped = snapshot.log.notes.iter().filter(|note| note.kind == NoteKind::Runaway);
    let trips: Vec<u32> = tripped.map(|note| millionths(snapshot, note.at)).collect();
    let now = if area.width >= 100 { snapshot.clock.clock_millis() } else { snapshot.clock.clock() };
    let end = snapshot.log.bounds().map_or_else(String::new, |(_, last)| last.clock());
    let end = snapshot.live.as_ref().map_or(end, |live| live.now.clock());
    let label = snapshot.looped.map_or_else(String::new, |(from, to)| {
        format!("{}–{}", at(snapshot, from).clock(), at(snapshot, to).clock())
    });
    let bar = ReplayBar {
        state: match snapshot.play {
            Play::Playing => PlayState::Playing,
            Play::Following if snapshot.live.as_ref().is_some_and(|live| live.closed.is_some()) => {
                PlayState::Closed
            }
            Play::Following => PlayState::Following,
            Play::Paused if snapshot.live.as_ref().is_some_and(|live| !live.rewound) => PlayState::Held,
            Play::Paused | Play::Ended => PlayState::Paused,
        },
        speed_tenths: match snapshot.speed {
            Speed::Tenths(tenths) => tenths,
            Speed::Max => 0,
        },
        now: &now,
        end: &end,
        strip: Strip {
            rate: &data.rate,
            head: millionths(snapshot, snapshot.clock),
            errors: &data.errors,
            trips: &trips,
            marks: &marks,
            looped: snapshot.looped.map(|(from, to)| (place(snapshot, from), place(snapshot, to))),
        },
        events: (snapshot.head as u64, known_requests(snapshot)),
        error_count: snapshot.log.errors.partition_point(|&error| (error as usize) < snapshot.head) as u64,
        loop_label: &label,
    };
    let inside = paint::margin(area);
    bar.render(inside, buf, look);
    bar.strip_area(inside, look)
}

/// Counts the requests there are, those included that wait while a live view is held.
fn known_requests(snapshot: &Snapshot) -> u64 {
    let held = snapshot.live.as_ref().filter(|live| live.held.is_some() && !live.rewound);
    let waiting = held.map_or(0, |live| (snapshot.head as u64).saturating_add(live.fresh));
    waiting.max(snapshot.log.len() as u64)
}

fn at(snapshot: &Snapshot, index: usize) -> Instant {
    snapshot
        .log
        .history
        .get(index.min(snapshot.log.len().saturating_sub(1)))
        .map_or(snapshot.clock, |one| one.at)
}

fn place(snapshot: &Snapshot, index: usize) -> u32 {
    millionths(snapshot, at(snapshot, index))
}

fn millionths(snapshot: &Snapshot, at: Instant) -> u32 {
    let Some((first, last)) = snapshot.log.bounds() else { return 0 };
    let whole = i128::from((last - first).0.max(1));
    let part = i128::from((at - first).0).clamp(0, whole);
    u32::try_from(part * i128::from(WHOLE) / whole).unwrap_or(WHOLE)
}
