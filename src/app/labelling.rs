//! A screen to compare two answers on without knowing whose they are: keys say which is better.
//!
//! ```text
//! ╭ Asked · 17 of 240 ──────────────────────────────────────────────────────╮
//! │ Summarise the meeting in three sentences ...                            │
//! ╰─────────────────────────────────────────────────────────────────────────╯
//! ╭ Left ──────────────────────────────╮╭ Right ─────────────────────────────╮
//! │ ...                                ││ ...                                │
//! ╰────────────────────────────────────╯╰────────────────────────────────────╯
//!  ← left better  → right better  = same  x both bad  Space skip  u undo  q quit
//! ```
//!
//! Invariants: nothing on the screen tells whose an answer is; every verdict is in the file before the next pair is shown.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, Stdout, Write as _};
use std::path::Path;

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Internal;
use super::console::{ConsoleOptions, Dressing};
use super::lessons::mixed;
use crate::console::glyphs::Glyphs;
use crate::console::paint::{self, Look};
use crate::console::terminal::Session;
use crate::console::text;
use crate::console::theme::{Role, Theme};
use crate::console::widgets::panel::{self, Panel, SMALLEST};
use crate::ledger::now;
use crate::record::{self, Entry, Label, LateLabel};
use crate::units::PerMille;

/// Two answers to one prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The request's id.
    pub id: String,
    /// What was asked.
    pub prompt: String,
    /// The models, and what each answered.
    pub answers: [(String, String); 2],
    /// Whether either answer was made up, for want of a key.
    pub is_simulated: bool,
}

/// What somebody says of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The first model's answer is the better one.
    First,
    /// The second's is.
    Second,
    /// Both are as good.
    Same,
    /// Neither is acceptable.
    Neither,
}

impl Verdict {
    /// Returns the qualities that it stands for: what is worse than the other is not good enough.
    fn qualities(self) -> [PerMille; 2] {
        match self {
            Self::First => [PerMille::ONE, PerMille::ZERO],
            Self::Second => [PerMille::ZERO, PerMille::ONE],
            Self::Same => [PerMille::ONE, PerMille::ONE],
            Self::Neither => [PerMille::ZERO, PerMille::ZERO],
        }
    }
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Left,
    Right,
    Same,
    Neither,
    Skip,
    Undo,
    Quit,
    Scroll(i32),
}

/// What comes first is there in the narrowest window.
const KEYS: [(&str, &str); 8] = [
    ("←", "left better"),
    ("→", "right better"),
    ("=", "same"),
    ("x", "both bad"),
    ("Space", "skip"),
    ("u", "undo"),
    ("q", "quit"),
    ("↑/↓", "scroll"),
];

fn deed(key: KeyCode) -> Option<Deed> {
    Some(match key {
        KeyCode::Left | KeyCode::Char('h' | '1') => Deed::Left,
        KeyCode::Right | KeyCode::Char('l' | '2') => Deed::Right,
        KeyCode::Char('=' | 's' | '3') => Deed::Same,
        KeyCode::Char('x' | 'b' | '4') => Deed::Neither,
        KeyCode::Char(' ' | 'n') => Deed::Skip,
        KeyCode::Char('u') | KeyCode::Backspace => Deed::Undo,
        KeyCode::Char('q') => Deed::Quit,
        KeyCode::Up | KeyCode::Char('k') => Deed::Scroll(-1),
        KeyCode::Down | KeyCode::Char('j') => Deed::Scroll(1),
        KeyCode::PageUp => Deed::Scroll(-10),
        KeyCode::PageDown => Deed::Scroll(10),
        _ => return None,
    })
}

/// The file that verdicts go to.
#[derive(Debug)]
pub struct LabelFile {
    file: File,
    source: String,
    /// What was added for each verdict of this sitting.
    written: Vec<Vec<u8>>,
}

impl LabelFile {
    /// Opens or makes it; what is in it stays.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn open(path: &Path, who: &str) -> io::Result<Self> {
        let mut file = record::open_to_add(path, &mut OpenOptions::new())?;
        if file.seek(io::SeekFrom::End(0))? == 0 {
            let header = record::Header { source: "labels".to_owned(), ..record::Header::default() };
            record::Writer::new(&mut file, &header).finish()?;
        }
        Ok(Self { file, source: format!("label by {who}"), written: Vec::new() })
    }

    fn put(&mut self, pair: &Compared, verdict: Verdict) -> io::Result<()> {
        let (at, mut lines) = (now(), Vec::new());
        for ((model, _), quality) in pair.answers.iter().zip(verdict.qualities()) {
            // Marked so, they count for nothing of requests that were served in truth.
            let mark = if pair.is_simulated { " (simulated)" } else { "" };
            let source = format!("{}{mark}", self.source);
            let label = Label {
                model: model.as_str().into(),
                quality: Some(quality),
                output: None,
                source: source.into(),
            };
            let late = LateLabel { at, id: pair.id.as_str().into(), label };
            record::append_line(&mut lines, &Entry::Label(Box::new(late)));
        }
        self.file.write_all(&lines)?;
        self.written.push(lines);
        self.file.flush()
    }

    /// Takes the latest verdict of this sitting back; says whether there was one.
    fn take_back(&mut self) -> io::Result<bool> {
        let Some(lines) = self.written.pop() else { return Ok(false) };
        // Where a file system has no locks, there is one sitting.
        let _ = self.file.lock();
        let cut = self.cut(&lines);
        let _ = self.file.unlock();
        cut.map(|()| true)
    }

    /// Cuts lines out; what others added behind them stays.
    fn cut(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut all = Vec::new();
        self.file.seek(io::SeekFrom::Start(0))?;
        self.file.read_to_end(&mut all)?;
        let Some(at) = memchr::memmem::rfind(&all, lines) else { return Ok(()) };
        self.file.set_len(at as u64)?;
        self.file.write_all(all.get(at + lines.len()..).unwrap_or_default())
    }
}

/// A sitting: pairs in a drawn order, and what was said of them.
#[derive(Debug)]
pub struct Sitting {
    pairs: Vec<Compared>,
    seed: u64,
    /// The pair that is shown.
    at: usize,
    /// Verdicts of before and of this sitting; none for what was skipped or is still to come.
    said: Vec<Option<Verdict>>,
    /// The pairs that this sitting judged, in their order.
    judged: Vec<usize>,
    /// Verdicts of earlier sittings.
    before: usize,
    scroll: u16,
}

impl Sitting {
    /// Puts pairs into the order that a seed draws; `is_done` says of which there is a verdict already.
    pub fn new(mut pairs: Vec<Compared>, seed: u64, is_done: impl Fn(&str) -> bool) -> Self {
        pairs.sort_by_cached_key(|pair| (mixed(seed, &pair.id), pair.id.clone()));
        let all = pairs.len();
        pairs.retain(|pair| !is_done(&pair.id));
        let said = vec![None; pairs.len()];
        Self { before: all - pairs.len(), said, pairs, seed, at: 0, judged: Vec::new(), scroll: 0 }
    }

    /// Counts the verdicts of this sitting: of which the first model won, of which the second, same, neither.
    pub fn counts(&self) -> [usize; 4] {
        let count = |verdict| self.said.iter().filter(|said| **said == Some(verdict)).count();
        [Verdict::First, Verdict::Second, Verdict::Same, Verdict::Neither].map(count)
    }

    /// Says whether the first model's answer stands at the right.
    fn is_turned(&self, pair: &Compared) -> bool {
        mixed(self.seed.wrapping_add(1), &pair.id) & 1 == 1
    }

    /// Does what a key asks; says whether the sitting goes on.
    fn act(&mut self, deed: Deed, file: &mut LabelFile) -> io::Result<bool> {
        let Some(pair) = self.pairs.get(self.at) else {
            return match deed {
                Deed::Undo => self.undo(file).map(|()| true),
                _ => Ok(deed != Deed::Quit),
            };
        };
        let is_turned = self.is_turned(pair);
        let verdict = match deed {
            Deed::Left => Some(if is_turned { Verdict::Second } else { Verdict::First }),
            Deed::Right => Some(if is_turned { Verdict::First } else { Verdict::Second }),
            Deed::Same => Some(Verdict::Same),
            Deed::Neither => Some(Verdict::Neither),
            Deed::Quit => return Ok(false),
            Deed::Undo => return self.undo(file).map(|()| true),
            Deed::Scroll(by) => {
                self.scroll = u16::try_from((i32::from(self.scroll) + by).clamp(0, 10_000)).unwrap_or(0);
                return Ok(true);
            }
            Deed::Skip => None,
        };
        if let Some(verdict) = verdict {
            file.put(pair, verdict)?;
            if let Some(said) = self.said.get_mut(self.at) {
                *said = Some(verdict);
            }
            self.judged.push(self.at);
        }
        (self.at, self.scroll) = (self.at + 1, 0);
        Ok(true)
    }

    fn undo(&mut self, file: &mut LabelFile) -> io::Result<()> {
        if file.take_back()?
            && let Some(last) = self.judged.pop()
        {
            (self.at, self.scroll) = (last, 0);
            if let Some(said) = self.said.get_mut(last) {
                *said = None;
            }
        }
        Ok(())
    }

    /// Draws it.
    fn draw(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        paint::clear(buf, area, look.theme.base());
        if panel::too_small(area, buf, look) {
            return;
        }
        let (body, foot) = paint::split_top(area, area.height.saturating_sub(1));
        draw_keys(foot, buf, look);
        let done = self.before + self.judged.len();
        let all = self.before + self.pairs.len();
        let scope = format!("{done} of {all} judged, {} in this sitting", self.judged.len());
        let is_simulated = self.pairs.get(self.at).is_some_and(|pair| pair.is_simulated);
        let scope = if is_simulated { format!("SIMULATED, {scope}") } else { scope };
        let Some(pair) = self.pairs.get(self.at) else {
            let inside = Panel { title: "Compare", scope: &scope, focus: true }.page(body, buf, look);
            let words = "no more pairs: u takes the latest verdict back, q leaves; what was skipped comes again next time";
            look.wrapped(buf, inside, words, Role::Text);
            return;
        };
        let prompt = safe(&pair.prompt);
        let wide = usize::from(area.width.saturating_sub(4)).max(8);
        let rows = u16::try_from(wrapped(&prompt, wide).count()).unwrap_or(u16::MAX).saturating_add(2);
        let (top, below) = paint::split_top(body, rows.min(body.height / 3).max(3));
        let inside = Panel { title: "Asked", scope: &scope, focus: false }.page(top, buf, look);
        lines(buf, inside, &prompt, self.scroll, look);
        let (left, right) = if area.width < 60 {
            paint::split_top(below, below.height / 2)
        } else {
            paint::split_left(below, below.width / 2)
        };
        let is_turned = self.is_turned(pair);
        for (at, title, place) in [(left, "Left", is_turned), (right, "Right", !is_turned)] {
            let (_, answer) = &pair.answers[usize::from(place)];
            let inside = Panel { title, scope: "", focus: true }.page(at, buf, look);
            lines(buf, inside, &safe(answer), self.scroll, look);
        }
        if look.glyphs.is_ascii() {
            paint::to_ascii(buf);
        }
    }
}

fn draw_keys(at: Rect, buf: &mut Buffer, look: Look<'_>) {
    let mut rest = paint::split_left(at, 1).1;
    for (key, what) in KEYS {
        let key = match (key, look.glyphs.is_ascii()) {
            ("←", true) => "1",
            ("→", true) => "2",
            ("↑/↓", true) => "j/k",
            _ => key,
        };
        // Whole or not at all.
        if text::width(key) + 1 + text::width(what) > usize::from(rest.width) {
            continue;
        }
        for (words, role) in [(format!("{key} "), Role::Key), (format!("{what}  "), Role::KeyHint)] {
            let wide = u16::try_from(text::width(&words)).unwrap_or(u16::MAX);
            let (here, after) = paint::split_left(rest, wide);
            look.text(buf, here, &words, role);
            rest = after;
        }
    }
}

/// Makes a text from outside safe, line by line.
fn safe(words: &str) -> String {
    words.lines().map(text::clean).collect::<Vec<_>>().join("\n")
}

/// Cuts a text into lines; those that have room stay as they are, indented or empty.
fn wrapped(words: &str, wide: usize) -> impl Iterator<Item = &str> {
    words.lines().flat_map(move |line| {
        let (whole, pieces) =
            if text::width(line) <= wide { (Some(line), None) } else { (None, Some(text::wrap(line, wide))) };
        whole.into_iter().chain(pieces.into_iter().flatten())
    })
}

/// Draws a text from a row on; says along the bottom how much is left.
fn lines(buf: &mut Buffer, at: Rect, words: &str, from: u16, look: Look<'_>) {
    let wide = usize::from(at.width).max(1);
    let all = wrapped(words, wide).count();
    // The last line stays in sight.
    let from = usize::from(from).min(all.saturating_sub(usize::from(at.height)));
    for (row, piece) in (0..at.height).zip(wrapped(words, wide).skip(from)) {
        let left = all - from - usize::from(row);
        if row + 1 == at.height && left > 1 {
            let keys = if look.glyphs.is_ascii() { "j/k" } else { "↑/↓" };
            let words = format!("{} {left} more, {keys} scroll", look.glyphs.ellipsis);
            look.text(buf, paint::nth_row(at, row), &words, Role::Muted);
            break;
        }
        look.text(buf, paint::nth_row(at, row), piece, Role::Text);
    }
}

/// Shows pair after pair until there are no more or somebody quits.
///
/// # Errors
/// Where settings cannot be used, the terminal fails or the file cannot be written.
pub fn compare(sitting: &mut Sitting, file: &mut LabelFile, options: &ConsoleOptions) -> anyhow::Result<()> {
    let mut dressing = Dressing::read(options)?;
    let settings = dressing.console_settings(true)?;
    let (theme, glyphs): (Theme, &'static Glyphs) = (settings.theme, settings.glyphs);
    let mut session: Session<BufWriter<Stdout>> = Session::open(false).map_err(Internal::from_any)?;
    loop {
        let look = Look { theme: &theme, glyphs };
        let drawn = session.draw(|frame| sitting.draw(frame.area(), frame.buffer_mut(), look));
        drawn.map_err(Internal::from_any)?;
        match crossterm::event::read().map_err(Internal::from_any)? {
            Event::Key(key) if key.kind == KeyEventKind::Press => {
                let is_with_control = key.modifiers.contains(KeyModifiers::CONTROL);
                let asked = if is_with_control {
                    (key.code == KeyCode::Char('c')).then_some(Deed::Quit)
                } else {
                    deed(key.code)
                };
                // Nobody judges what the window has no room to show.
                let (width, height) = crossterm::terminal::size().map_err(Internal::from_any)?;
                let is_shown = width >= SMALLEST.0 && height >= SMALLEST.1;
                if let Some(asked) = asked.filter(|asked| is_shown || *asked == Deed::Quit)
                    && !sitting.act(asked, file)?
                {
                    session.close();
                    return Ok(());
                }
            }
            Event::Resize(..) => session.repaint().map_err(Internal::from_any)?,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::themes;
    use crate::console::glyphs::GlyphSet;
    use crate::console::theme::{Catalogue, Depth};

    fn pairs(count: usize) -> Vec<Compared> {
        let pair = |at| Compared {
            id: format!("op-{at}"),
            prompt: format!("question {at}"),
            answers: [
                ("cheap".to_owned(), format!("of the cheap {at}")),
                ("strong".to_owned(), format!("of the strong {at}")),
            ],
            is_simulated: false,
        };
        (0..count).map(pair).collect()
    }

    fn shown(sitting: &Sitting, (width, height): (u16, u16)) -> String {
        let theme = Catalogue::new(themes::built_in()).load("dark", Depth::True).unwrap().0;
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        sitting.draw(buf.area, &mut buf, Look { theme: &theme, glyphs: Glyphs::of(GlyphSet::Braille) });
        let row = |y| (0..width).map(|x| buf[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| row(y) + "\n").collect()
    }

    /// Verdicts of people certify thresholds: none is about what nobody could read.
    #[test]
    fn a_window_without_room_for_both_answers_says_so_and_offers_no_verdict() {
        let sitting = Sitting::new(pairs(3), 7, |_| false);
        for size in [(40, 10), (20, 5), (59, 30), (80, 15)] {
            let page = shown(&sitting, size);
            assert!(page.contains("too small") && !page.contains("better"), "{page}");
        }
        assert!(shown(&sitting, SMALLEST).contains("left better"));
    }

    /// What is judged would else be judged by its beginning.
    #[test]
    fn what_has_no_room_says_the_keys_that_show_it_and_comes_into_sight() {
        let mut long = pairs(1);
        let lines = |what: &str| (0..60).map(|line| format!("{what} {line}")).collect::<Vec<_>>().join("\n");
        long[0].prompt = lines("asked");
        long[0].answers[0].1 = lines("told");
        let folder = tempfile::tempdir().unwrap();
        let mut file = LabelFile::open(&folder.path().join("labels.jsonl"), "ann").unwrap();
        let mut sitting = Sitting::new(long, 7, |_| false);
        assert_eq!(shown(&sitting, (80, 24)).matches("more, ↑/↓ scroll").count(), 2);
        (0..6).for_each(|_| assert!(sitting.act(Deed::Scroll(10), &mut file).unwrap()));
        let page = shown(&sitting, (80, 24));
        assert!(page.contains("asked 59") && page.contains("told 59") && !page.contains("more"), "{page}");
    }

    #[test]
    fn a_verdict_is_about_the_answer_that_was_seen_on_that_side_and_undo_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let mut file = LabelFile::open(&path, "ann").unwrap();
        let mut sitting = Sitting::new(pairs(40), 7, |_| false);
        let mut turned = 0;
        for _ in 0..40 {
            let page = shown(&sitting, (120, 30));
            assert!(!page.contains("strong\n") && page.contains("left better"), "{page}");
            let row = page.lines().find(|row| row.contains("of the strong")).unwrap();
            let is_strong_left = row.find("of the strong").unwrap() < row.find("of the cheap").unwrap();
            turned += usize::from(is_strong_left);
            // The strong one is always found better, and the verdict before taken back once.
            let asked = if is_strong_left { Deed::Left } else { Deed::Right };
            assert!(sitting.act(Deed::Neither, &mut file).unwrap());
            assert!(sitting.act(Deed::Undo, &mut file).unwrap());
            assert!(sitting.act(asked, &mut file).unwrap());
        }
        assert!((8..=32).contains(&turned), "{turned} of 40 with the strong answer at the left");
        assert_eq!(sitting.counts(), [0, 40, 0, 0]);
        // What somebody else adds meanwhile is not his to take back.
        let mut other = LabelFile::open(&path, "bob").unwrap();
        let pair = &pairs(1)[0];
        file.put(pair, Verdict::Neither).unwrap();
        other.put(pair, Verdict::Same).unwrap();
        assert!(file.take_back().unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!((text.matches("by bob").count(), text.matches("by ann").count()), (2, 80), "{text}");
        assert!(other.take_back().unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let mut labels = 0;
        record::each_line(&text, |_, entry| {
            if let Ok(Entry::Label(late)) = entry {
                let quality = late.label.quality.unwrap().get();
                assert_eq!(
                    (quality == 1000, &*late.label.source),
                    (late.label.model == "strong", "label by ann")
                );
                labels += 1;
            }
        });
        assert_eq!(labels, 80, "{text}");
        assert!(text.starts_with("{\"pointsman\":\"log\""), "{text}");
    }

    #[test]
    fn a_sitting_goes_on_where_the_last_one_stopped_and_what_was_skipped_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = LabelFile::open(&folder.path().join("labels.jsonl"), "ann").unwrap();
        let mut first = Sitting::new(pairs(5), 1, |_| false);
        let skipped = first.pairs[0].id.clone();
        first.act(Deed::Skip, &mut file).unwrap();
        let judged = first.pairs[1].id.clone();
        first.act(Deed::Same, &mut file).unwrap();
        let again = Sitting::new(pairs(5), 1, |id| id == judged);
        assert_eq!((again.before, again.pairs.len(), &again.pairs[0].id), (1, 4, &skipped));
        assert!(shown(&again, (80, 24)).contains("1 of 5 judged, 0 in this sitting"));
    }

    /// Such labels would else certify requests that were served in truth.
    #[test]
    fn what_is_said_of_made_up_answers_is_marked_on_screen_and_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.jsonl");
        let mut file = LabelFile::open(&path, "ann").unwrap();
        let mut pairs = pairs(1);
        pairs[0].is_simulated = true;
        let mut sitting = Sitting::new(pairs, 1, |_| false);
        assert!(shown(&sitting, (80, 24)).contains("SIMULATED"));
        sitting.act(Deed::Same, &mut file).unwrap();
        assert!(!shown(&sitting, (80, 24)).contains("SIMULATED"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("label by ann (simulated)").count(), 2, "{text}");
    }

    #[test]
    fn the_way_out_is_to_be_seen_in_the_usual_window() {
        let sitting = Sitting::new(pairs(1), 1, |_| false);
        let shown = |width| shown(&sitting, (width, 24)).lines().last().unwrap().trim_end().to_owned();
        assert!(shown(80).ends_with("u undo  q quit"), "{}", shown(80));
        assert!(shown(120).ends_with("q quit  ↑/↓ scroll"), "{}", shown(120));
    }

    #[test]
    fn the_screen_breaks_at_no_size_and_text_from_outside_stays_text() {
        let mut pairs = pairs(1);
        pairs[0].answers[0].1 = "a\u{1b}[2Jb\nsecond line\n".repeat(50);
        let sitting = Sitting::new(pairs, 0, |_| false);
        for size in [(0, 0), (1, 1), (9, 40), (59, 20), (80, 24), (200, 60)] {
            assert!(!shown(&sitting, size).contains('\u{1b}'));
        }
        assert!(shown(&sitting, (80, 24)).contains("second line"));
    }
}
