//! A sheet of named columns, written as an aligned table, CSV or Markdown.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

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
    pub heads: Vec<&'static str>,
    /// Rows, as wide as `heads`.
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    /// Starts a sheet.
    pub fn new(title: impl Into<String>, heads: &[&'static str]) -> Self {
        Self { title: title.into(), heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }
}

fn head(text: &str) -> (&str, bool) {
    text.strip_prefix('>').map_or((text, false), |text| (text, true))
}

/// Keeps control characters of foreign names out of a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
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

fn table(sheet: &Sheet, out: &mut String) {
    let mut widths: Vec<usize> = sheet.heads.iter().map(|text| head(text).0.width()).collect();
    let rows: Vec<Vec<String>> =
        sheet.rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    if !sheet.title.is_empty() {
        let _ = writeln!(out, "{}", sheet.title);
    }
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for ((cell, width), name) in cells.zip(&widths).zip(&sheet.heads) {
            if !text.is_empty() {
                text.push_str("  ");
            }
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            if head(name).1 {
                text.push_str(&pad);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.push_str(&pad);
            }
        }
        let _ = writeln!(out, "  {}", text.trim_end());
    };
    if !sheet.heads.iter().all(|name| head(name).0.is_empty()) {
        line(&mut sheet.heads.iter().map(|name| head(name).0));
    }
    for row in &rows {
        line(&mut row.iter().map(String::as_str));
    }
}

fn markdown(sheet: &Sheet, out: &mut String) {
    if !sheet.title.is_empty() {
        let _ = writeln!(out, "### {}\n", sheet.title);
    }
    let escape = |text: &str| clean(text).replace('|', "\\|");
    let heads: Vec<String> = sheet.heads.iter().map(|name| escape(head(name).0)).collect();
    let rules: Vec<&str> = sheet.heads.iter().map(|name| if head(name).1 { "---:" } else { "---" }).collect();
    let _ = writeln!(out, "| {} |\n| {} |", heads.join(" | "), rules.join(" | "));
    for row in &sheet.rows {
        let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

fn csv(sheet: &Sheet, out: &mut String) {
    let quote = |text: &str| {
        let text = clean(text);
        if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    let heads: Vec<String> = sheet.heads.iter().map(|name| quote(head(name).0)).collect();
    let _ = writeln!(out, "{}", heads.join(","));
    for row in &sheet.rows {
        let cells: Vec<String> = row.iter().map(|cell| quote(cell)).collect();
        let _ = writeln!(out, "{}", cells.join(","));
    }
}
