//! Colours: reading them, how far apart they look, and the nearest one a poorer terminal can show.
//!
//! Invariant: a colour is converted once, when a theme is loaded, never while drawing.

use ratatui::style::Color;

/// How many colours the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: meaning is carried by words, glyphs and modifiers.
    None,
    /// The sixteen of the terminal's own palette.
    Sixteen,
    /// The 256 of xterm.
    Indexed,
    /// 16 million.
    True,
}

/// The values of the environment that tell what a terminal can show; taken as arguments so that this stays pure.
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminalEnv<'a> {
    /// `NO_COLOR`.
    pub no_color: Option<&'a str>,
    /// `COLORTERM`.
    pub colorterm: Option<&'a str>,
    /// `TERM`.
    pub term: Option<&'a str>,
    /// The first set one of `LC_ALL`, `LC_CTYPE`, `LANG`.
    pub locale: Option<&'a str>,
}

impl TerminalEnv<'_> {
    /// Says whether the operator asked for no colour (<https://no-color.org>: set and not empty).
    pub fn colour_refused(&self) -> bool {
        self.no_color.is_some_and(|value| !value.is_empty())
    }

    /// Works out how many colours there are.
    pub fn depth(&self) -> Depth {
        let term = self.term.unwrap_or_default();
        if self.colour_refused() || term == "dumb" {
            return Depth::None;
        }
        let truecolour = ["truecolor", "24bit"];
        if self.colorterm.is_some_and(|value| truecolour.contains(&value)) || term.ends_with("-direct") {
            return Depth::True;
        }
        let known = ["kitty", "alacritty", "ghostty", "wezterm", "foot", "contour"];
        if known.iter().any(|name| term.contains(name)) {
            Depth::True
        } else if term.contains("256") {
            Depth::Indexed
        } else {
            Depth::Sixteen
        }
    }
}

/// The sixteen, as most terminals show them.
const SIXTEEN: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 49, 49]),
    (Color::Green, [13, 188, 121]),
    (Color::Yellow, [199, 160, 20]),
    (Color::Blue, [36, 114, 200]),
    (Color::Magenta, [188, 63, 188]),
    (Color::Cyan, [17, 168, 205]),
    (Color::Gray, [204, 204, 204]),
    (Color::DarkGray, [118, 118, 118]),
    (Color::LightRed, [241, 76, 76]),
    (Color::LightGreen, [35, 209, 139]),
    (Color::LightYellow, [245, 222, 67]),
    (Color::LightBlue, [59, 142, 234]),
    (Color::LightMagenta, [214, 112, 214]),
    (Color::LightCyan, [41, 184, 219]),
    (Color::White, [255, 255, 255]),
];

/// Reads `#rrggbb`, `#rgb`, `default`, the name of one of the sixteen, or a number 0 to 255 of the xterm palette.
pub fn read(text: &str) -> Option<Color> {
    match text.strip_prefix('#') {
        _ if text == "default" => Some(Color::Reset),
        // The library's parser takes a sign for a digit.
        Some(hex) if !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) => None,
        Some(hex) if hex.len() == 3 => {
            let long: String = hex.chars().flat_map(|digit| [digit, digit]).collect();
            format!("#{long}").parse().ok()
        }
        _ => text.parse().ok(),
    }
}

/// Returns the red, green and blue of a colour; `None` for the terminal's own default.
pub fn rgb(colour: Color) -> Option<[u8; 3]> {
    match colour {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(index) => Some(indexed_rgb(index)),
        named => SIXTEEN.iter().find(|entry| entry.0 == named).map(|entry| entry.1),
    }
}

fn indexed_rgb(index: u8) -> [u8; 3] {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let step = |n: u8| STEPS.get(usize::from(n % 6)).copied().unwrap_or(0);
    match index {
        0..16 => SIXTEEN.get(usize::from(index)).map_or([0; 3], |entry| entry.1),
        16..232 => {
            let n = index - 16;
            [step(n / 36), step(n / 6), step(n)]
        }
        grey => [8 + (grey - 232) * 10; 3],
    }
}

/// Returns the nearest colour that a terminal of this depth can show.
pub fn reduce(colour: Color, depth: Depth) -> Color {
    match (colour, depth) {
        (_, Depth::None) => Color::Reset,
        (Color::Rgb(r, g, b), Depth::Indexed) => Color::Indexed(nearest_indexed([r, g, b])),
        (Color::Rgb(..) | Color::Indexed(_), Depth::Sixteen) => {
            rgb(colour).map_or(Color::Reset, nearest_sixteen)
        }
        (kept, _) => kept,
    }
}

fn nearest_indexed(target: [u8; 3]) -> u8 {
    // The first sixteen are the user's own and may look like anything.
    (16..=255u8).min_by(|&a, &b| closer(target, indexed_rgb(a), indexed_rgb(b))).unwrap_or(16)
}

fn nearest_sixteen(target: [u8; 3]) -> Color {
    SIXTEEN.iter().min_by(|a, b| closer(target, a.1, b.1)).map_or(Color::Reset, |entry| entry.0)
}

fn closer(target: [u8; 3], a: [u8; 3], b: [u8; 3]) -> std::cmp::Ordering {
    distance(target, a).total_cmp(&distance(target, b))
}

fn linear(channel: u8) -> f64 {
    let c = f64::from(channel) / 255.0;
    if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
}

/// How far apart two colours look (Euclidean in `OKLab`; 0.02 is about the least difference seen).
pub fn distance(a: [u8; 3], b: [u8; 3]) -> f64 {
    let (a, b) = (oklab(a.map(linear)), oklab(b.map(linear)));
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

fn oklab([red, green, blue]: [f64; 3]) -> [f64; 3] {
    let l = (0.412_221_470_8 * red + 0.536_332_536_3 * green + 0.051_445_992_9 * blue).cbrt();
    let m = (0.211_903_498_2 * red + 0.680_699_545_1 * green + 0.107_396_956_6 * blue).cbrt();
    let s = (0.088_302_461_9 * red + 0.281_718_837_6 * green + 0.629_978_700_5 * blue).cbrt();
    [
        0.210_454_255_3 * l + 0.793_617_785 * m - 0.004_072_046_8 * s,
        1.977_998_495_1 * l - 2.428_592_205 * m + 0.450_593_709_9 * s,
        0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766 * s,
    ]
}

/// The contrast between two colours, 1 to 21 (WCAG 2).
pub fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let light = |c: [u8; 3]| {
        let [r, g, b] = c.map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (light(a), light(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_follows_what_the_terminal_says() {
        let env = |no_color, colorterm, term| TerminalEnv { no_color, colorterm, term, locale: None };
        assert_eq!(env(Some("1"), Some("truecolor"), Some("xterm-256color")).depth(), Depth::None);
        assert_eq!(env(Some(""), Some("truecolor"), Some("xterm")).depth(), Depth::True);
        assert_eq!(env(None, None, Some("xterm-256color")).depth(), Depth::Indexed);
        assert_eq!(env(None, None, Some("xterm-kitty")).depth(), Depth::True);
        assert_eq!(env(None, None, Some("linux")).depth(), Depth::Sixteen);
        assert_eq!(env(None, None, Some("dumb")).depth(), Depth::None);
        assert_eq!(env(None, None, None).depth(), Depth::Sixteen);
    }

    #[test]
    fn colours_are_read_in_every_form() {
        assert_eq!(read("#ff8000"), Some(Color::Rgb(255, 128, 0)));
        assert_eq!(read("#f80"), Some(Color::Rgb(255, 136, 0)));
        assert_eq!(read("light-blue"), Some(Color::LightBlue));
        assert_eq!(read("208"), Some(Color::Indexed(208)));
        assert_eq!(read("default"), Some(Color::Reset));
        for bad in ["", "#", "#ff", "#gggggg", "#+12345", "256", "blau", "#é12"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn poorer_terminals_get_the_nearest_look() {
        assert_eq!(reduce(Color::Rgb(255, 135, 0), Depth::Indexed), Color::Indexed(208));
        assert_eq!(reduce(Color::Rgb(250, 250, 250), Depth::Sixteen), Color::White);
        assert_eq!(reduce(Color::Rgb(10, 10, 12), Depth::Sixteen), Color::Black);
        assert_eq!(reduce(Color::Rgb(240, 80, 80), Depth::Sixteen), Color::LightRed);
        assert_eq!(reduce(Color::Red, Depth::None), Color::Reset);
        assert_eq!(reduce(Color::Rgb(1, 2, 3), Depth::True), Color::Rgb(1, 2, 3));
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        assert!((contrast([119; 3], [255; 3]) - 4.48).abs() < 0.01);
    }
}
