//! A sheet of named columns, written as an aligned table, CSV or Markdown.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use crate::units::marked;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns for a terminal.
    Table,
    /// One JSON object.
    Json,
    /// Comma-separated values with a header.
    Csv,
    /// Markdown tables.
    Md,
}

/// A table of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// What it is about; empty for none.
    pub title: String,
    /// Column heads; a head starting with `>` is for a column aligned to the right.
    pub heads: Vec<Cow<'static, str>>,
    /// Rows, as wide as `heads`.
    pub rows: Vec<Vec<String>>,
}

/// A column: its head, and what it says of a thing.
pub type Column<'c, T> = (&'static str, &'c dyn Fn(&T) -> String);

/// Columns of members under their own names, exactly as they are.
macro_rules! exact {
    ($($member:ident)*) => { &[$((stringify!($member), &|row| $crate::report::sheet::Exact::exact(&row.$member))),*] };
}

/// A member as CSV has it: all of it, and nothing where there is none.
pub(super) trait Exact {
    /// Writes it.
    fn exact(&self) -> String;
}

macro_rules! as_text {
    ($($kind:ty)*) => { $(impl Exact for $kind {
        fn exact(&self) -> String {
            self.to_string()
        }
    })* };
}

as_text!(String &str bool u16 u64 usize);

impl<T: Exact> Exact for Option<T> {
    fn exact(&self) -> String {
        self.as_ref().map(T::exact).unwrap_or_default()
    }
}

pub(super) use exact;

impl Sheet {
    /// Starts a sheet.
    pub fn new(title: impl Into<String>, heads: &[&'static str]) -> Self {
        Self::by(title, &[], heads)
    }

    /// Starts one whose first columns are named after what it is told apart by.
    pub fn by(title: impl Into<String>, by: &[String], heads: &[&'static str]) -> Self {
        let heads = by.iter().cloned().map(Cow::Owned).chain(heads.iter().copied().map(Cow::Borrowed));
        Self { title: title.into(), heads: heads.collect(), rows: Vec::new() }
    }

    /// Starts one with a row for each of some things: each column has its head, and what it says of a thing.
    pub fn of<T>(
        title: impl Into<String>,
        things: impl IntoIterator<Item = T>,
        columns: &[Column<'_, T>],
    ) -> Self {
        let heads: Vec<&'static str> = columns.iter().map(|(head, _)| *head).collect();
        let mut sheet = Self::new(title, &heads);
        for thing in things {
            sheet.push(columns.iter().map(|(_, cell)| cell(&thing)).collect());
        }
        sheet
    }

    /// Makes one of lines alone.
    pub(super) fn lines(title: impl Into<String>, lines: &[String]) -> Self {
        Self::of(title, lines, &[("", &|line| (*line).clone())])
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }
}

fn head(text: &str) -> (&str, bool) {
    text.strip_prefix('>').map_or((text, false), |text| (text, true))
}

/// What begins a formula in a spreadsheet, also in the wide forms of Asian scripts.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Makes text of what a spreadsheet would take for a formula; numbers stay numbers.
fn no_formula(text: &str) -> Cow<'_, str> {
    let begins = text.trim_start().starts_with(FORMULA) || text.starts_with(['\t', '\r', '\n']);
    let is_number = || {
        let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        text.bytes().all(plain) && text.parse::<f64>().is_ok()
    };
    if begins && !is_number() { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// Writes a value as CSV has it: as it is, and nothing where there is none.
pub(crate) fn cell<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Writes sheets one after another.
pub fn render(sheets: &[Sheet], format: Format) -> String {
    let mut out = String::new();
    for (at, sheet) in sheets.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        match format {
            Format::Csv => csv(sheet, &mut out),
            Format::Md => markdown(sheet, &mut out),
            Format::Table | Format::Json => table(sheet, &mut out),
        }
    }
    out
}

/// The longest cell, in columns, that others are aligned with.
const LONGEST: usize = 80;

/// Writes the columns of a sheet aligned: its heads, where there are any, then its rows.
pub fn aligned(sheet: &Sheet) -> Vec<String> {
    let heads = sheet.heads.iter().map(|text| head(text).0.to_owned()).collect();
    let has_heads = sheet.heads.iter().any(|text| !head(text).0.is_empty());
    let mut lines: Vec<Vec<String>> = vec![heads];
    lines.extend(sheet.rows.iter().map(|row| row.iter().map(|cell| marked(cell).into_owned()).collect()));
    let mut widths = vec![0; sheet.heads.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            // One long name moves its own row's figures alone, not those of all rows out of sight.
            *width = (*width).max(Some(cell.width()).filter(|own| *own <= LONGEST).unwrap_or(0));
        }
    }
    let aligned = |cells: &Vec<String>| {
        let mut text = String::new();
        for ((cell, width), name) in cells.iter().zip(&widths).zip(&sheet.heads) {
            let gap = if text.is_empty() { "" } else { "  " };
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            let (before, behind) = if head(name).1 { (&*pad, "") } else { ("", &*pad) };
            text.extend([gap, before, cell, behind]);
        }
        text.trim_end().to_owned()
    };
    lines.iter().skip(usize::from(!has_heads)).map(aligned).collect()
}

fn table(sheet: &Sheet, out: &mut String) {
    if !sheet.title.is_empty() {
        let _ = writeln!(out, "{}", marked(&sheet.title));
    }
    for line in aligned(sheet) {
        let _ = writeln!(out, "  {line}");
    }
}

fn markdown(sheet: &Sheet, out: &mut String) {
    if !sheet.title.is_empty() {
        let _ = writeln!(out, "### {}\n", marked(&sheet.title));
    }
    let escape = |text: &str| marked(text).replace('|', "\\|");
    let heads: Vec<String> = sheet.heads.iter().map(|name| escape(head(name).0)).collect();
    let rules: Vec<&str> = sheet.heads.iter().map(|name| if head(name).1 { "---:" } else { "---" }).collect();
    let _ = writeln!(out, "| {} |\n| {} |", heads.join(" | "), rules.join(" | "));
    for row in &sheet.rows {
        let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

/// Writes a cell of a table of comma-separated values: nothing in it is a formula, a command or an end of the cell.
pub(super) fn csv_cell(text: &str) -> String {
    let text = no_formula(text);
    let text = marked(&text);
    if text.contains([',', ';', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}

fn csv(sheet: &Sheet, out: &mut String) {
    let heads: Vec<String> = sheet.heads.iter().map(|name| csv_cell(head(name).0)).collect();
    let _ = writeln!(out, "{}", heads.join(","));
    for row in &sheet.rows {
        let cells: Vec<String> = row.iter().map(|cell| csv_cell(cell)).collect();
        let _ = writeln!(out, "{}", cells.join(","));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_starts_a_formula_and_numbers_stay_numbers() {
        let mut sheet = Sheet::new("", &["name"]);
        let cells = [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            " =1",
            "\r=1",
            "\u{ff1d}1",
            "\u{200b}=1",
        ];
        for cell in cells.into_iter().chain(["-12.5", "+3", "-1e-7", "a=b", "-", "x;y"]) {
            sheet.push(vec![cell.to_owned()]);
        }
        let written = render(&[sheet], Format::Csv);
        let mut lines: Vec<&str> = written.lines().skip(1).collect();
        let plain = lines.split_off(cells.len() - 1);
        for line in lines {
            assert!(line.trim_start_matches('"').starts_with('\''), "{line:?}");
        }
        assert_eq!(plain, ["\u{fffd}=1", "-12.5", "+3", "-1e-7", "a=b", "'-", "\"x;y\""]);
    }

    #[test]
    fn a_name_of_any_length_leaves_the_figures_of_other_rows_where_they_are() {
        let mut sheet = Sheet::new("", &["team", ">cost"]);
        for name in ["ads", &"x".repeat(300)] {
            sheet.push(vec![name.to_owned(), "$1".to_owned()]);
        }
        let lines = aligned(&sheet);
        assert_eq!((lines[1].as_str(), lines[2].len()), ("ads     $1", 306));
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_is_written() {
        let mut sheet = Sheet::new("t\u{1b}[2J", &["name", "why"]);
        sheet.push(vec!["a\u{202e}b\u{200b}".to_owned(), "two\nlines \u{9b}1m|".to_owned()]);
        for format in [Format::Table, Format::Csv, Format::Md] {
            let written = render(&[sheet.clone()], format);
            assert!(written.chars().all(|c| c == '\n' || crate::units::is_safe(c)), "{written:?}");
        }
    }
}
