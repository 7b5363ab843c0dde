//! The signs the console draws with, in three sets, so that every terminal can show every screen.
//!
//! Invariant: every sign is one column wide, and the ascii set holds nothing but ASCII.

use super::theme::TerminalEnv;

/// Which signs are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlyphSet {
    /// Braille charts, block bars, rounded lines.
    Braille,
    /// Quadrant charts instead of braille, for fonts without it.
    Block,
    /// Nothing but ASCII.
    Ascii,
}

macro_rules! glyphs {
    ($($(#[doc = $doc:literal])* $name:ident: $kind:ty = $drawn:expr, $ascii:expr;)*) => {
        /// The signs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Glyphs {
            /// Which set this is.
            pub set: GlyphSet,
            $($(#[doc = $doc])* pub $name: $kind,)*
        }

        const BRAILLE: Glyphs = Glyphs { set: GlyphSet::Braille, $($name: $drawn,)* };
        const BLOCK: Glyphs = Glyphs { set: GlyphSet::Block, ..BRAILLE };
        const ASCII: Glyphs = Glyphs { set: GlyphSet::Ascii, $($name: $ascii,)* };
    };
}

// Each as it is drawn, and in ASCII.
glyphs! {
    /// Columns that grow upwards, from nothing to full in eighths.
    up: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'], [' ', '.', '.', ':', ':', '|', '|', '#', '#'];
    /// Rows that grow to the right, from nothing to full in eighths.
    right: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'], [' ', '-', '-', '-', '=', '=', '=', '#', '#'];
    /// Lines: horizontal and vertical.
    line: (char, char) = ('─', '│'), ('-', '|');
    /// Corners: top left, top right, bottom left, bottom right.
    corner: (char, char, char, char) = ('╭', '╮', '╰', '╯'), ('+', '+', '+', '+');
    /// Ticks on an axis: at the left axis, at the bottom axis, where both meet.
    tick: (char, char, char) = ('┤', '┬', '└'), ('+', '+', '+');
    /// A dashed vertical line.
    dashed: char = '┊', ':';
    /// Play, pause, follow.
    play: (char, char, char) = ('▶', '‖', '»'), ('>', '|', '>');
    /// The policy in force, the one being tried: at thresholds.
    threshold: (char, char) = ('▲', '△'), ('^', 'v');
    /// The policy in force, the one being tried: in charts.
    point: (char, char) = ('●', '○'), ('@', 'o');
    /// A mark the operator set.
    mark: char = '⚑', 'M';
    /// Something wrong; something to look at; all well.
    state: (char, char, char) = ('✗', '!', '✓'), ('x', '!', '+');
    /// More, less, the same.
    change: (char, char, char) = ('▲', '▼', '='), ('^', 'v', '=');
    /// The chosen row.
    chosen: char = '▸', '>';
    /// Pointers to the left and right.
    arrow: (char, char) = ('◀', '▶'), ('<', '>');
    /// A full and an empty step of a gauge.
    gauge: (char, char) = ('▰', '▱'), ('#', '.');
    /// Part of a bar that is set aside.
    held: char = '▒', '=';
    /// Text was truncated here. In ASCII not `~`, which stands before estimates.
    ellipsis: char = '…', '\\';
    /// No value.
    absent: char = '–', '-';
    /// A separating dot.
    dot: char = '·', '|';
    /// The empty part of a bar.
    empty: char = '·', '.';
    /// Scrollbar: track and thumb.
    scroll: (char, char) = ('│', '█'), ('|', '#');
    /// A point where nothing else can be drawn.
    speck: char = '•', '*';
    /// Where what is certified begins, and the line from there on.
    certified: (char, char) = ('┃', '━'), ('[', '=');
}

impl Glyphs {
    /// Returns the signs of a set.
    pub const fn of(set: GlyphSet) -> &'static Self {
        match set {
            GlyphSet::Braille => &BRAILLE,
            GlyphSet::Block => &BLOCK,
            GlyphSet::Ascii => &ASCII,
        }
    }

    /// Chooses by the setting `auto`, `braille`, `block` or `ascii`; `auto` takes ascii where the locale is not UTF-8 or
    /// the terminal is the Linux console.
    pub fn choose(setting: &str, env: &TerminalEnv<'_>) -> &'static Self {
        let set = match setting {
            "braille" => GlyphSet::Braille,
            "block" => GlyphSet::Block,
            "ascii" => GlyphSet::Ascii,
            _ if matches!(env.term, Some("linux" | "dumb")) || !is_utf8(env.locale) => GlyphSet::Ascii,
            _ => GlyphSet::Braille,
        };
        Self::of(set)
    }

    /// Returns the set after this one, starting again at the end.
    pub const fn next(&self) -> &'static Self {
        match self.set {
            GlyphSet::Braille => &BLOCK,
            GlyphSet::Block => &ASCII,
            GlyphSet::Ascii => &BRAILLE,
        }
    }

    /// Returns the sign before an error.
    pub fn plus_minus(&self) -> &'static str {
        if self.is_ascii() { "+/-" } else { "±" }
    }

    /// Says whether only ASCII may be drawn.
    pub fn is_ascii(&self) -> bool {
        self.set == GlyphSet::Ascii
    }
}

fn is_utf8(locale: Option<&str>) -> bool {
    // No locale at all is no word against UTF-8 on systems that never set one; the C locale is.
    if cfg!(windows) || cfg!(target_os = "macos") {
        return true;
    }
    let lower = locale.unwrap_or_default().to_ascii_lowercase();
    lower.contains("utf-8") || lower.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthChar;

    fn every_sign(g: &Glyphs) -> Vec<char> {
        let (tl, tr, bl, br) = g.corner;
        let triples = [g.tick, g.play, g.state, g.change];
        let pairs = [g.line, g.threshold, g.point, g.arrow, g.gauge, g.scroll];
        let mut all = vec![
            tl, tr, bl, br, g.dashed, g.mark, g.chosen, g.held, g.ellipsis, g.absent, g.dot, g.empty, g.speck,
        ];
        all.extend(g.up.iter().chain(&g.right));
        all.extend(triples.iter().flat_map(|t| [t.0, t.1, t.2]));
        all.extend(pairs.iter().flat_map(|p| [p.0, p.1]));
        all
    }

    #[test]
    fn every_sign_is_one_column_and_ascii_is_ascii() {
        for set in [GlyphSet::Braille, GlyphSet::Block, GlyphSet::Ascii] {
            for sign in every_sign(Glyphs::of(set)) {
                assert_eq!(sign.width(), Some(1), "{sign:?}");
                assert!(set != GlyphSet::Ascii || sign.is_ascii(), "{sign:?}");
            }
        }
    }

    #[test]
    fn auto_follows_locale_and_terminal() {
        let choose = |term, locale| {
            Glyphs::choose("auto", &TerminalEnv { term: Some(term), locale, ..TerminalEnv::default() }).set
        };
        assert_eq!(choose("xterm-256color", Some("en_GB.UTF-8")), GlyphSet::Braille);
        assert_eq!(choose("linux", Some("en_GB.UTF-8")), GlyphSet::Ascii);
        if cfg!(target_os = "linux") {
            assert_eq!(choose("xterm", Some("C")), GlyphSet::Ascii);
            assert_eq!(choose("xterm", None), GlyphSet::Ascii);
        }
        assert_eq!(Glyphs::choose("block", &TerminalEnv::default()).set, GlyphSet::Block);
    }
}
