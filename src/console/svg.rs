//! A drawn frame as a picture (SVG).
//!
//! Invariant: the same buffer always gives the same bytes; every cell stands exactly on its grid; bars, braille and lines
//! are drawn as shapes so that they join in every viewer, and the rest is text that can be selected.

use std::fmt::{self, Write};

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr;

use super::text::is_safe;
use super::theme::colour;

/// The width of a cell in the picture.
const WIDE: u32 = 9;
/// The height of a cell in the picture.
const HIGH: u32 = 20;
/// Where letters stand, from the top of the cell.
const BASE: u32 = 15;

/// The colours that stand for the terminal's own.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// Its ink.
    pub fg: [u8; 3],
    /// Its ground.
    pub bg: [u8; 3],
}

impl Ground {
    /// A dark terminal.
    pub const DARK: Self = Self { fg: [0xd7, 0xdc, 0xe3], bg: [0x14, 0x17, 0x1c] };
    /// A light terminal.
    pub const LIGHT: Self = Self { fg: [0x23, 0x27, 0x2e], bg: [0xfb, 0xfa, 0xf7] };
}

/// What a cell looks like once colours are settled.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ink {
    fg: [u8; 3],
    bg: [u8; 3],
    modifier: Modifier,
}

impl Ink {
    fn of(cell: &Cell, ground: Ground) -> Self {
        let fg = colour::rgb(cell.fg).unwrap_or(ground.fg);
        let bg = colour::rgb(cell.bg).unwrap_or(ground.bg);
        let modifier = cell.modifier;
        let (fg, bg) = if modifier.contains(Modifier::REVERSED) { (bg, fg) } else { (fg, bg) };
        // Dim text lies half-way to its ground.
        let fg = if modifier.contains(Modifier::DIM) { mix(fg, bg) } else { fg };
        Self { fg, bg, modifier }
    }
}

fn mix(fg: [u8; 3], bg: [u8; 3]) -> [u8; 3] {
    let mut out = fg;
    for (channel, ground) in out.iter_mut().zip(bg) {
        *channel = u8::try_from((u16::from(*channel) * 3 + u16::from(ground) * 2) / 5).unwrap_or(*channel);
    }
    out
}

struct Hex([u8; 3]);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2])
    }
}

/// Draws a frame as SVG.
pub fn render(buf: &Buffer, ground: Ground, title: &str) -> String {
    let area = buf.area;
    let (width, height) = (u32::from(area.width) * WIDE, u32::from(area.height) * HIGH);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" font-family=\"ui-monospace,'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"15\">\n<title>"
    );
    escape(&mut out, title);
    let _ =
        writeln!(out, "</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>", Hex(ground.bg));
    let mut shapes = String::new();
    let mut letters = String::new();
    for y in 0..area.height {
        row(buf, y, ground, &mut out, &mut shapes, &mut letters);
    }
    // Grounds first, shapes over them, letters on top.
    let _ = write!(out, "<g shape-rendering=\"crispEdges\">\n{shapes}</g>\n<g>\n{letters}</g>\n</svg>\n");
    out
}

fn row(
    buf: &Buffer,
    y: u16,
    ground: Ground,
    grounds: &mut String,
    shapes: &mut String,
    letters: &mut String,
) {
    let area = buf.area;
    let cell = |x: u16| buf.cell((area.x.saturating_add(x), area.y.saturating_add(y)));
    let top = u32::from(y) * HIGH;
    let mut x = 0;
    while x < area.width {
        let Some(first) = cell(x) else { break };
        let ink = Ink::of(first, ground);
        let start = x;
        let mut words = String::new();
        // A run: cells that look the same. A wide letter is a run of its own, so that the grid holds in every font.
        while let Some(next) = cell(x).filter(|next| Ink::of(next, ground) == ink) {
            let symbol = next.symbol();
            let wide = symbol.width() > 1;
            if wide && x > start {
                break;
            }
            if shape(shapes, u32::from(x) * WIDE, top, symbol, ink.fg) {
                words.push(' ');
            } else {
                words.push_str(symbol);
            }
            x += if wide { 2 } else { 1 };
            if wide || x >= area.width {
                break;
            }
        }
        let x = x.min(area.width);
        let (left, wide) = (u32::from(start) * WIDE, u32::from(x - start) * WIDE);
        if ink.bg != ground.bg {
            let bg = Hex(ink.bg);
            let _ = writeln!(
                grounds,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{HIGH}\" fill=\"{bg}\"/>"
            );
        }
        text_run(letters, &words, left, top, ink);
    }
}

/// Writes the words of a run, without the spaces at its ends.
fn text_run(out: &mut String, words: &str, left: u32, top: u32, ink: Ink) {
    let underlined = ink.modifier.contains(Modifier::UNDERLINED);
    let body = if underlined { words } else { words.trim_end_matches(' ') };
    let trimmed = if underlined { body } else { body.trim_start_matches(' ') };
    if trimmed.is_empty() {
        return;
    }
    let before = u32::try_from(body.len() - trimmed.len()).unwrap_or(0);
    let wide = u32::try_from(trimmed.width()).unwrap_or(0) * WIDE;
    let (x, y, fg) = (left + before * WIDE, top + BASE, Hex(ink.fg));
    let _ =
        write!(out, "<text x=\"{x}\" y=\"{y}\" fill=\"{fg}\" textLength=\"{wide}\" xml:space=\"preserve\"");
    if ink.modifier.contains(Modifier::BOLD) {
        out.push_str(" font-weight=\"bold\"");
    }
    if ink.modifier.contains(Modifier::ITALIC) {
        out.push_str(" font-style=\"italic\"");
    }
    match (underlined, ink.modifier.contains(Modifier::CROSSED_OUT)) {
        (true, _) => out.push_str(" text-decoration=\"underline\""),
        (false, true) => out.push_str(" text-decoration=\"line-through\""),
        (false, false) => {}
    }
    out.push('>');
    escape(out, trimmed);
    out.push_str("</text>\n");
}

fn escape(out: &mut String, words: &str) {
    for c in words.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if !is_safe(c) => {}
            c => out.push(c),
        }
    }
}

/// Draws block, braille and line signs as shapes; says whether it was one.
fn shape(out: &mut String, x: u32, y: u32, symbol: &str, fg: [u8; 3]) -> bool {
    let mut chars = symbol.chars();
    let (Some(sign), None) = (chars.next(), chars.next()) else { return false };
    let code = u32::from(sign);
    let fill = Hex(fg);
    let mut rect = |left: f64, top: f64, wide: f64, high: f64| {
        let (left, top) = (f64::from(x) + left, f64::from(y) + top);
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{high}\" fill=\"{fill}\"/>"
        );
    };
    let (wide, high) = (f64::from(WIDE), f64::from(HIGH));
    match code {
        0x2581..=0x2588 => {
            let tall = high * f64::from(code - 0x2580) / 8.0;
            rect(0.0, high - tall, wide, tall);
        }
        0x2589..=0x258f => rect(0.0, 0.0, wide * f64::from(0x2590 - code) / 8.0, high),
        0x2580 => rect(0.0, 0.0, wide, high / 2.0),
        0x2590 => rect(wide / 2.0, 0.0, wide / 2.0, high),
        0x2596..=0x259f => {
            // Which quarters are filled: top left, top right, bottom left, bottom right.
            const QUARTERS: [u8; 10] =
                [0b0010, 0b0001, 0b1000, 0b1011, 0b1001, 0b1110, 0b1101, 0b0100, 0b0110, 0b0111];
            let filled =
                usize::try_from(code - 0x2596).ok().and_then(|at| QUARTERS.get(at)).copied().unwrap_or(0);
            for quarter in 0..4u8 {
                if filled & (0b1000 >> quarter) != 0 {
                    let (column, line) = (f64::from(quarter % 2), f64::from(quarter / 2));
                    rect(column * wide / 2.0, line * high / 2.0, wide / 2.0, high / 2.0);
                }
            }
        }
        0x2800..=0x28ff => {
            for (bit, (column, line)) in
                [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)].into_iter().enumerate()
            {
                if (code - 0x2800) >> bit & 1 == 1 {
                    rect(1.5 + f64::from(column) * 4.5, 1.5 + f64::from(line) * 5.0, 2.0, 2.0);
                }
            }
        }
        _ => return line(out, x, y, sign, fg),
    }
    true
}

/// Draws box lines from edge to edge of the cell.
fn line(out: &mut String, x: u32, y: u32, sign: char, fg: [u8; 3]) -> bool {
    let path = match sign {
        '─' => "M0 10H9",
        '│' => "M4.5 0V20",
        '┊' => "M4.5 1V4M4.5 6V9M4.5 11V14M4.5 16V19",
        '╭' => "M4.5 20V14.5Q4.5 10 9 10",
        '╮' => "M0 10Q4.5 10 4.5 14.5V20",
        '╰' => "M4.5 0V5.5Q4.5 10 9 10",
        '╯' => "M0 10Q4.5 10 4.5 5.5V0",
        '└' => "M4.5 0V10H9",
        '┤' => "M4.5 0V20M0 10H4.5",
        '┬' => "M0 10H9M4.5 10V20",
        _ => return false,
    };
    let stroke = Hex(fg);
    let _ = writeln!(
        out,
        "<path transform=\"translate({x} {y})\" d=\"{path}\" fill=\"none\" stroke=\"{stroke}\" shape-rendering=\"auto\"/>"
    );
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Style};

    fn sample() -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 2));
        buf.set_string(0, 0, "a<b&日本 ▃⣿│", Style::new());
        buf.set_string(0, 1, "chosen", Style::new().fg(Color::Red).add_modifier(Modifier::REVERSED));
        buf
    }

    #[test]
    fn pictures_keep_the_grid_and_escape_text() {
        let svg = render(&sample(), Ground::DARK, "a \"title\" & more");
        assert!(svg.starts_with("<svg xmlns") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("viewBox=\"0 0 108 40\"") && svg.contains("a &quot;title&quot; &amp; more"));
        assert!(svg.contains(">a&lt;b&amp;</text>"), "{svg}");
        // Each wide letter stands on its own two cells.
        assert!(
            svg.contains(
                "<text x=\"36\" y=\"15\" fill=\"#d7dce3\" textLength=\"18\" xml:space=\"preserve\">日</text>"
            ),
            "{svg}"
        );
        assert!(svg.contains("<text x=\"54\""), "{svg}");
        assert!(
            !svg.contains('▃') && !svg.contains('⣿') && !svg.contains('│'),
            "shapes are drawn, not written"
        );
        assert_eq!(svg, render(&sample(), Ground::DARK, "a \"title\" & more"));
    }
}
