//! The palette: any action, found by a few of its letters.
//!
//! Invariant: what is listed is what works here, with the key that does it, so that the palette teaches the keys.

use std::fmt;

use crossterm::event::KeyEvent;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, Context};
use super::format::short;
use super::keys::Keymap;
use super::paint::{self, Look};
use super::prompt::Prompt;
use super::text;
use super::theme::Role;
use super::widgets::panel::Panel;
use super::widgets::table::{TableState, scrollbar};

/// An action that matches what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    action: Action,
    score: u32,
    /// Which letters of the name matched.
    letters: Vec<u32>,
}

/// The palette's state.
pub struct Palette {
    prompt: Prompt,
    layers: &'static [Context],
    found: Vec<Found>,
    state: TableState,
    matcher: Matcher,
}

impl fmt::Debug for Palette {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Palette")
            .field("query", &self.prompt.value())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Palette {
    /// Opens the palette over a screen.
    pub fn open(layers: &'static [Context], keymap: &Keymap) -> Self {
        let matcher = Matcher::new(Config::DEFAULT);
        let mut palette = Self {
            prompt: Prompt::default(),
            layers,
            found: Vec::new(),
            state: TableState::default(),
            matcher,
        };
        palette.search(keymap);
        palette
    }

    /// Edits what is looked for.
    pub fn key(&mut self, event: &KeyEvent, keymap: &Keymap) {
        if self.prompt.key(event) {
            self.search(keymap);
        }
    }

    /// Takes pasted text into what is looked for.
    pub fn paste(&mut self, pasted: &str, keymap: &Keymap) {
        if self.prompt.paste(pasted) {
            self.search(keymap);
        }
    }

    /// Moves the choice.
    pub fn step(&mut self, by: isize) {
        self.state.step(by, self.found.len());
    }

    /// Returns the chosen action.
    pub fn chosen(&self) -> Option<Action> {
        self.state.selected.and_then(|at| self.found.get(at)).map(|found| found.action)
    }

    fn search(&mut self, keymap: &Keymap) {
        let pattern = Pattern::parse(self.prompt.value(), CaseMatching::Smart, Normalization::Smart);
        let mut letters = Vec::new();
        let mut chars = Vec::new();
        self.found.clear();
        for (_, spec) in keymap.actions_here(self.layers) {
            if self.found.iter().any(|found| found.action == spec.action) || spec.action == Action::Palette {
                continue;
            }
            letters.clear();
            let name = pattern.indices(Utf32Str::new(spec.name, &mut chars), &mut self.matcher, &mut letters);
            // A match in the name counts twice as much as one in the other words.
            let score = name.map(|score| score * 2).or_else(|| {
                letters.clear();
                let mut other =
                    |words: &str| pattern.score(Utf32Str::new(words, &mut chars), &mut self.matcher);
                other(spec.words)
                    .or_else(|| other(spec.id))
                    .or_else(|| other(spec.doc).map(|score| score / 2))
            });
            if let Some(score) = score {
                letters.sort_unstable();
                letters.dedup();
                self.found.push(Found { action: spec.action, score, letters: letters.clone() });
            }
        }
        // Where some match as a whole, those that match by letters here and there are noise.
        let best = self.found.iter().map(|found| found.score).max().unwrap_or(0);
        self.found.retain(|found| found.score.saturating_mul(2) >= best);
        // Stable: equals stay in the order of the table.
        crate::units::sort_by_key(&mut self.found, |found| std::cmp::Reverse(found.score));
        self.state = TableState { selected: (!self.found.is_empty()).then_some(0), offset: 0 };
    }

    /// Returns where the palette lies over a screen.
    pub fn area(screen: Rect) -> Rect {
        let (width, height) = (paint::box_width(screen, 76), screen.height.min(18));
        let x = screen.x + (screen.width - width) / 2;
        let y = screen.y + (screen.height - height) / 4;
        Rect { x, y, width, height }
    }

    /// Draws it over a screen.
    pub fn render(&self, screen: Rect, buf: &mut Buffer, look: Look<'_>, keymap: &Keymap) {
        let area = Self::area(screen.intersection(buf.area));
        paint::clear(buf, area, look.theme.popup());
        let scope = short!("{} actions", self.found.len());
        let inner = Panel { title: "Actions", scope: &scope, focus: true }.render(area, buf, look);
        let (line, list) = paint::split_top(inner, 1);
        self.prompt.render(": ", "type a few letters", line, buf, look);
        let visible = usize::from(list.height);
        let state = self.state.scrolled(self.found.len(), visible);
        let bar = u16::from(self.found.len() > visible);
        let rows = Rect { width: list.width.saturating_sub(2 * bar), ..list };
        for (row, (at, found)) in (0..rows.height).zip(self.found.iter().enumerate().skip(state.offset)) {
            self.row(paint::nth_row(rows, row), found, state.selected == Some(at), buf, look, keymap);
        }
        if bar == 1 && list.width > 1 {
            let place = Rect { x: list.right() - 1, width: 1, ..list };
            scrollbar(buf, place, state.offset, visible, self.found.len(), look);
        }
        if self.found.is_empty() {
            look.text(buf, paint::nth_row(list, 0), " nothing is called that", Role::Muted);
        }
    }

    fn row(
        &self,
        at: Rect,
        found: &Found,
        selected: bool,
        buf: &mut Buffer,
        look: Look<'_>,
        keymap: &Keymap,
    ) {
        let spec = found.action.spec();
        let keys = keymap.labels_here(self.layers, found.action, look.glyphs.is_ascii());
        let wide = text::columns(&keys).min(at.width / 3);
        let (_, inside) = paint::split_left(at, 1);
        let (words, place) = paint::split_left(inside, inside.width.saturating_sub(wide + 1));
        let used = look.text(buf, words, spec.name, look.theme.popup());
        for &letter in &found.letters {
            // Names are ASCII, so letters are columns.
            if let Some(offset) = u16::try_from(letter).ok().filter(|&offset| offset < used) {
                paint::tint(buf, Rect { x: words.x + offset, width: 1, ..words }, look.style(Role::Match));
            }
        }
        let (_, rest) = paint::split_left(words, used.saturating_add(2));
        if rest.width >= 12 && !says_the_same(spec.name, spec.doc) {
            look.text(buf, rest, spec.doc, Role::Muted);
        }
        look.text_right(buf, place, &keys, Role::Key);
        if selected {
            paint::tint(buf, at, look.style(Role::Selection));
        }
    }
}

/// Says whether a sentence says nothing that the name does not.
fn says_the_same(name: &str, doc: &str) -> bool {
    let root = |word: &str| {
        let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        word.to_ascii_lowercase().trim_end_matches('s').to_owned()
    };
    let known: Vec<String> = name.split_whitespace().map(root).collect();
    let filler = ["the", "a", "an", "it", "table", "thi", "of"];
    doc.split_whitespace().map(root).all(|word| known.contains(&word) || filler.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_sentence_that_repeats_its_name_is_not_said_twice() {
        use super::says_the_same;
        assert!(says_the_same("Sort by the next column", "Sorts the table by the next column."));
        assert!(!says_the_same("Undo", "Takes back the last change of policy."));
    }

    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn find(layers: &'static [Context], query: &str) -> Vec<Action> {
        let keymap = Keymap::default();
        let mut palette = Palette::open(layers, &keymap);
        for c in query.chars() {
            palette.key(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &keymap);
        }
        palette.found.iter().map(|found| found.action).collect()
    }

    #[test]
    fn a_few_letters_or_another_word_find_an_action() {
        let tune = Context::Tune.layers();
        for (query, action) in [
            ("apply", Action::Apply),
            ("rollback", Action::Undo),
            ("nxerr", Action::NextError),
            ("colour", Action::NextTheme),
            ("quit", Action::Quit),
        ] {
            assert_eq!(find(tune, query).first(), Some(&action), "{query}");
        }
        assert!(find(tune, "zzzzqq").is_empty());
    }

    #[test]
    fn only_what_works_here_is_listed() {
        let here = find(Context::Overview.layers(), "");
        assert!(!here.contains(&Action::Apply) && here.contains(&Action::Quit));
        assert!(here.contains(&Action::Play));
    }

    #[test]
    fn names_are_ascii_so_that_matched_letters_are_columns() {
        for spec in super::super::action::ACTIONS {
            assert!(spec.name.is_ascii(), "{}", spec.name);
        }
    }
}
