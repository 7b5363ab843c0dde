//! The help: every key that works here and what it does, the language of filters, and what signs and words mean.
//!
//! Invariant: nothing is listed that does not work; a key that another context has taken is not shown with this one;
//! every sentence is shown whole, on as many lines as it takes; signs are taken from the set that is drawn with.

use std::borrow::Cow;
use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, Context};
use super::glyphs::Glyphs;
use super::keys::Keymap;
use super::paint::{self, Look};
use super::text;
use super::theme::Role;
use super::widgets::panel::Panel;
use super::widgets::table::scrollbar;
use crate::session::listing::LANGUAGE;

/// One thing that is explained: keys, a form, a sign.
#[derive(Clone, Debug)]
struct Row {
    what: String,
    name: &'static str,
    means: &'static str,
}

#[derive(Clone, Debug)]
struct Section {
    heading: &'static str,
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Page {
    name: &'static str,
    sections: Vec<Section>,
}

/// The help over one screen.
#[derive(Clone, Debug)]
pub struct Help {
    screen: Context,
    pages: Vec<Page>,
    page: usize,
    offset: usize,
}

/// A line as it is drawn.
enum Line<'a> {
    Heading(&'a str),
    Row(&'a str, &'a str),
}

fn keys(layers: &[Context], keymap: &Keymap, ascii: bool) -> Vec<Section> {
    let mut sections: Vec<(Context, Section)> = Vec::new();
    for (context, spec) in keymap.actions_here(layers) {
        let what = keymap.labels_here(layers, spec.action, ascii);
        // An action without a key here is still found in the palette.
        if what.is_empty() && !spec.keys.is_empty() {
            continue;
        }
        let what = match keymap.label_here(layers, Action::Palette, ascii) {
            Some(palette) if what.is_empty() => format!("{palette} {}", spec.name),
            _ => what,
        };
        let row = Row { what, name: spec.name, means: spec.doc };
        match sections.last_mut() {
            Some((last, section)) if *last == context => section.rows.push(row),
            _ => sections.push((context, Section { heading: context.name(), rows: vec![row] })),
        }
    }
    sections.into_iter().map(|(_, section)| section).collect()
}

fn section<S: Into<String>>(
    heading: &'static str,
    rows: impl IntoIterator<Item = (S, &'static str)>,
) -> Section {
    let rows = rows.into_iter().map(|(what, means)| Row { what: what.into(), name: "", means }).collect();
    Section { heading, rows }
}

/// The pages that are the same on every screen.
fn explained(glyphs: &Glyphs) -> [Page; 2] {
    let filter = section("terms of a filter; all must hold", LANGUAGE.iter().copied());
    let signs = section("signs", signs(glyphs));
    let words = section("words", WORDS.iter().copied());
    [Page { name: "Filter", sections: vec![filter] }, Page { name: "Signs", sections: vec![signs, words] }]
}

/// Writes what filters, signs and words mean, for documentation.
pub fn explained_markdown(glyphs: &Glyphs) -> String {
    explained(glyphs).iter().fold(String::new(), |out, page| out + &markdown(page))
}

fn markdown(page: &Page) -> String {
    let mut out = String::new();
    for section in &page.sections {
        let named = section.rows.iter().any(|row| !row.name.is_empty());
        let head = if named { "| key | action | what it does |\n|---|---|---|" } else { "| | |\n|---|---|" };
        let _ = writeln!(out, "### {}\n\n{head}", section.heading);
        for row in &section.rows {
            let escaped = row.what.replace('|', "\\|");
            let parts: Vec<String> = if named {
                escaped.split(' ').map(|key| format!("`{key}`")).collect()
            } else {
                vec![format!("`{escaped}`")]
            };
            let name = if named { format!("{} | ", row.name) } else { String::new() };
            let _ = writeln!(out, "| {} | {name}{} |", parts.join(" "), row.means);
        }
        out.push('\n');
    }
    out
}

impl Help {
    /// Opens the help over a screen.
    pub fn open(screen: Context, keymap: &Keymap, glyphs: &Glyphs) -> Self {
        let keys = Page { name: "Keys", sections: keys(screen.layers(), keymap, glyphs.is_ascii()) };
        let [filter, signs] = explained(glyphs);
        Self { screen, pages: vec![keys, filter, signs], page: 0, offset: 0 }
    }

    /// Returns where the help lies over a screen.
    pub fn area(screen: Rect) -> Rect {
        paint::centred(
            screen,
            screen.width.min(150),
            screen.height.saturating_sub(2).max(screen.height.min(3)),
        )
    }

    /// Where the names of the pages and the page itself lie.
    fn parts(screen: Rect) -> (Rect, Rect) {
        let inner = Panel::inner(Self::area(screen));
        paint::split_top(inner, u16::from(inner.height > 3) + u16::from(inner.height > 12))
    }

    fn columns(inner: Rect) -> u16 {
        (inner.width / 66).clamp(1, 2)
    }

    /// Shows the page so many further, going round.
    pub fn turn(&mut self, by: isize) {
        let count = isize::try_from(self.pages.len().max(1)).unwrap_or(1);
        let at = isize::try_from(self.page).unwrap_or(0);
        self.page = usize::try_from((at + by).rem_euclid(count)).unwrap_or(0);
        self.offset = 0;
    }

    /// Scrolls by so many lines of a help over this screen area.
    pub fn scroll(&mut self, by: isize, screen: Rect) {
        let (_, inner) = Self::parts(screen);
        let last = self.rows(inner).saturating_sub(usize::from(inner.height));
        self.offset = self.offset.saturating_add_signed(by).min(last);
    }

    /// Scrolls by so many pages.
    pub fn scroll_pages(&mut self, by: isize, screen: Rect) {
        let (_, inner) = Self::parts(screen);
        let page = isize::try_from(inner.height.saturating_sub(1).max(1)).unwrap_or(1);
        self.scroll(by.saturating_mul(page), screen);
    }

    /// The columns given to what is explained: as many as the longest takes, up to a third.
    fn first_column(&self, wide: u16) -> u16 {
        let rows = self.pages.get(self.page).into_iter().flat_map(|page| &page.sections);
        let widest = rows.flat_map(|section| &section.rows).map(|row| text::width(&row.what)).max();
        let widest = u16::try_from(widest.unwrap_or(0)).unwrap_or(u16::MAX).saturating_add(2);
        widest.min(wide / 3).max(8.min(wide))
    }

    /// Lays the page out in lines of one column.
    fn lines(&self, inner: Rect) -> Vec<Line<'_>> {
        let wide = (inner.width.saturating_sub(1)) / Self::columns(inner);
        let room = usize::from(wide.saturating_sub(self.first_column(wide) + 2)).max(8);
        let mut lines = Vec::new();
        for (at, section) in
            self.pages.get(self.page).into_iter().flat_map(|page| page.sections.iter().enumerate())
        {
            if at > 0 {
                lines.push(Line::Row("", ""));
            }
            lines.push(Line::Heading(section.heading));
            for row in &section.rows {
                let mut what = row.what.as_str();
                for line in text::wrap(row.means, room) {
                    lines.push(Line::Row(std::mem::take(&mut what), line));
                }
            }
        }
        lines
    }

    /// The rows that the longest column takes.
    fn rows(&self, inner: Rect) -> usize {
        self.lines(inner).len().div_ceil(usize::from(Self::columns(inner)))
    }

    /// Draws it over a screen.
    pub fn render(&self, screen: Rect, buf: &mut Buffer, look: Look<'_>) {
        let screen = screen.intersection(buf.area);
        let area = Self::area(screen);
        paint::clear(buf, area, look.theme.popup());
        Panel { title: "Help", scope: self.screen.name(), focus: true }.render(area, buf, look);
        let (tabs, inner) = Self::parts(screen);
        if inner.is_empty() {
            return;
        }
        self.tabs(tabs, buf, look);
        let lines = self.lines(inner);
        let columns = Self::columns(inner);
        let rows = lines.len().div_ceil(usize::from(columns));
        let visible = usize::from(inner.height);
        let offset = self.offset.min(rows.saturating_sub(visible));
        let wide = (inner.width - 1) / columns;
        let first = self.first_column(wide);
        for column in 0..columns {
            let place = Rect { x: inner.x + column * wide, width: wide, ..inner };
            let lines = lines.iter().skip(usize::from(column) * rows).take(rows).skip(offset);
            for (row, line) in (0..inner.height).zip(lines) {
                render_line(line, first, paint::nth_row(place, row), buf, look);
            }
        }
        let place = Rect { x: inner.right() - 1, width: 1, ..inner };
        scrollbar(buf, place, offset, visible, rows, look);
    }

    fn tabs(&self, at: Rect, buf: &mut Buffer, look: Look<'_>) {
        let (_, mut rest) = paint::split_left(paint::nth_row(at, 0), 1);
        for (place, page) in self.pages.iter().enumerate() {
            let role = if place == self.page { Role::TabActive } else { Role::Tab };
            let used = look.text(buf, rest, page.name, look.theme.popup().patch(look.style(role)));
            rest = paint::split_left(rest, used + 2).1;
        }
        let keys: Cow<'_, str> =
            if look.glyphs.is_ascii() { "left/right: pages".into() } else { "←/→ pages".into() };
        let room = Rect { width: rest.width.saturating_sub(1), ..rest };
        if usize::from(room.width) > text::width(&keys) {
            look.text_right(buf, room, &keys, Role::Muted);
        }
    }

    /// Lists keys, names and sentences under their headings, for documentation.
    pub fn markdown(&self) -> String {
        self.pages.get(self.page).map(markdown).unwrap_or_default()
    }
}

fn render_line(line: &Line<'_>, first: u16, at: Rect, buf: &mut Buffer, look: Look<'_>) {
    let (_, at) = paint::split_left(at, 1);
    match line {
        Line::Heading(heading) => {
            look.text(buf, at, heading, Role::Title);
        }
        Line::Row(what, means) => {
            let (place, rest) = paint::split_left(at, first);
            let (place, _) = paint::split_left(place, place.width.saturating_sub(1));
            look.text(buf, place, what, Role::Key);
            let (words_at, _) = paint::split_left(rest, rest.width.saturating_sub(1));
            look.text(buf, words_at, means, look.theme.popup());
        }
    }
}

/// A sign or word, and what it means.
pub type Entry = (String, &'static str);

/// Signs at figures, rows and thresholds, as this set draws them.
pub fn signs(glyphs: &Glyphs) -> Vec<Entry> {
    let (wrong, look, well) = glyphs.state;
    let one = |sign: char| sign.to_string();
    let plus_minus = glyphs.plus_minus();
    let per_mille = if glyphs.is_ascii() { "540" } else { "540 ‰" };
    vec![
        ("~$3.20".into(), "an estimate: the log does not hold it, so it is worked out"),
        (format!("{plus_minus}$0.10"), "how far off the estimate may be (95 %); with ? nobody can say"),
        ("$1.20 +?".into(), "besides, there are calls whose cost nobody knows; they are not counted as zero"),
        ("+35?".into(), "in the header: so many requests of unknown cost besides"),
        (one(glyphs.absent), "the log does not tell"),
        (
            per_mille.into(),
            "confidence and thresholds: per mille, 0 to 1000; a request goes to the first rung it reaches",
        ),
        ("527r".into(), "confidence 527, recorded in the log"),
        ("527c".into(), "confidence 527, by the built-in classifier"),
        (one(glyphs.threshold.0), "at a request: it went up the ladder; at a threshold: in force"),
        (one(glyphs.threshold.1), "a threshold that is staged: tried, not in force"),
        ("540*".into(), "staged; behind the policy's number: something is staged"),
        (
            format!("{} {}", glyphs.point.0, glyphs.point.1),
            "on a curve: where the policy in force stands, where the staged one would",
        ),
        ("S".into(), "synthetic: by the simulator, or by the rule that wrote the sample"),
        (format!("{well} {look} {wrong}"), "all well; something to look at; something failed"),
        (format!("{} $", glyphs.mark), "among events: a note or your mark; a change of prices"),
        (
            format!("time{} {}", glyphs.change.1, glyphs.change.0),
            "the table is sorted by this column, the most first; the least first",
        ),
        (one(glyphs.chosen), "the chosen row or part"),
        (
            format!("{}{}", glyphs.right[8], glyphs.held),
            "in the bar of a budget: spent, and held for calls under way",
        ),
        (one(glyphs.dashed), "in charts over time: something happened here"),
        (
            one(glyphs.line.1),
            "in the strip at the bottom: where the playback stands; red where one in twelve failed",
        ),
        (one(glyphs.ellipsis), "cut here: zoom with z, or widen the window"),
    ]
}

/// Words that mean one thing on every screen.
pub const WORDS: &[(&str, &str)] = &[
    ("failed", "requests that ended without an answer"),
    ("failed calls", "calls that failed, also those that another call made good"),
    ("faults", "requests with at least one failed call, answered in the end or not; e goes to the next"),
    ("escalated", "requests that went up the ladder after a call"),
    ("recorded", "the reading that accounts for what the log says happened; v switches"),
    ("routed", "the reading in which the policy decides; what it lacks is estimated"),
    ("observed", "none of the figure is an estimate"),
    ("applied, staged", "the policies in force, each in its time; the one being tried"),
    ("all at 560", "on a curve: that threshold over the whole window, though it changed within it"),
    ("last 1h", "the window that figures are of, by the traffic's own clock; w and W change it"),
    ("so far", "all that was played, from the start of the log"),
    (
        "saved",
        "what the same tokens on the baseline model would have cost, less what was paid: an estimate; failures save nothing",
    ),
    (
        "within error, unclear",
        "in the place of a difference: its error is as large, so it is neither better nor worse",
    ),
    ("saved, net", "on Spend: less also what routing itself cost, lost caches and shadow calls among it"),
    ("flip", "to be sent elsewhere by the staged policy"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::glyphs::GlyphSet;

    const GLYPHS: &Glyphs = Glyphs::of(GlyphSet::Braille);

    #[test]
    fn the_help_shows_what_holds_here_and_nothing_else() {
        let keymap = Keymap::default();
        let of = |screen: Context| Help::open(screen, &keymap, GLYPHS).markdown();
        let tune = of(Context::Tune);
        assert!(tune.contains("| `←` `h` | Threshold down by 1 |"), "{tune}");
        assert!(tune.contains("| `<` `Alt-←` | Back 10 seconds |"), "{tune}");
        assert!(of(Context::Overview).contains("| `←` `<` `Alt-←` | Back 10 seconds |"));
        assert!(!of(Context::Overview).contains("Threshold down by 1"), "it is a key of Tune alone");
    }

    #[test]
    fn every_sentence_is_shown_whole_at_every_width() {
        let keymap = Keymap::default();
        let mut help = Help::open(Context::Tune, &keymap, GLYPHS);
        for _ in 0..3 {
            for width in [40u16, 80, 100, 150] {
                let (_, inner) = Help::parts(Rect::new(0, 0, width, 24));
                let lines = help.lines(inner);
                let all: Vec<&str> = lines
                    .iter()
                    .filter_map(|line| if let Line::Row(_, words) = line { Some(*words) } else { None })
                    .collect();
                let shown = all.join(" ");
                for row in help.pages[help.page].sections.iter().flat_map(|section| &section.rows) {
                    assert!(shown.contains(row.means), "{width}: {}", row.means);
                }
            }
            help.turn(1);
        }
    }
}
