//! Texts of a form, of a pattern, of a length.

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Value};

/// The longest text that is made.
const LONGEST: usize = 10_000;
/// How often a repetition without end is repeated to reach a length.
const MOST_REPEATS: u32 = 256;

/// Returns a text that fits; `harmless` is taken where nothing is asked of it, and `nth` gives another for each place.
pub(super) fn fit(facets: &[&Map<String, Value>], harmless: Option<&str>, nth: u64) -> String {
    let count = |key: &'static str| facets.iter().filter_map(move |facet| facet.get(key)?.as_u64());
    let size = |n: u64| usize::try_from(n).unwrap_or(LONGEST).min(LONGEST);
    let least = count("minLength").max().map_or(0, size);
    let most = count("maxLength").min().map(size);
    let said = |key: &str| facets.iter().find_map(|facet| facet.get(key)?.as_str());
    if let Some(text) = said("pattern").and_then(|pattern| matching(pattern, least)) {
        return text;
    }
    if let Some(text) = said("format").and_then(|format| form(format, nth)) {
        return text;
    }
    let plain = harmless.filter(|text| nth == 0 && text.len() >= least).unwrap_or("SIMULATED");
    let mut text = if nth == 0 { plain.to_owned() } else { format!("{nth} {plain}") };
    let length = text.chars().count();
    text.extend(std::iter::repeat_n('.', least.saturating_sub(length)));
    match most {
        Some(most) => text.chars().take(most).collect(),
        None => text,
    }
}

/// Returns what does no harm in an argument of that name.
pub(super) fn harmless(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().replace(['_', '-'], "").as_str() {
        "command" | "cmd" | "commands" | "script" => "ls",
        "path" | "dir" | "directory" | "dirpath" | "folder" | "cwd" | "workdir" | "targetdirectory" => ".",
        "filepath" | "file" | "filename" | "absolutepath" | "targetfile" => "README.md",
        "pattern" | "glob" | "globpattern" => "*",
        "url" | "uri" => "https://example.com/",
        _ => return None,
    })
}

fn form(format: &str, nth: u64) -> Option<String> {
    let more = if nth == 0 { String::new() } else { nth.to_string() };
    let (day, last) = (1 + nth % 28, nth % 10_000);
    Some(match format {
        "date-time" => format!("2000-01-{day:02}T00:00:00Z"),
        "date" => format!("2000-01-{day:02}"),
        "time" => format!("00:00:{:02}Z", nth % 60),
        "duration" => format!("P{}D", 1 + nth),
        "email" | "idn-email" => format!("simulated{more}@example.com"),
        "hostname" | "idn-hostname" => format!("simulated{more}.example.com"),
        "ipv4" => format!("192.0.2.{}", 1 + nth % 254),
        "ipv6" => format!("2001:db8::{}", 1 + last),
        "uri" | "url" | "iri" | "uri-template" | "uri-reference" | "iri-reference" => {
            format!("https://example.com/simulated{more}")
        }
        "uuid" => format!("00000000-0000-4000-8000-00000000{last:04}"),
        "json-pointer" => format!("/simulated{more}"),
        "relative-json-pointer" => nth.to_string(),
        "regex" => format!("simulated{more}"),
        "byte" | "base64" => "U0lNVUxBVEVE".to_owned(),
        _ => return None,
    })
}

/// Makes a text that a pattern matches, as short as may be but not shorter than `least` letters where that is possible.
fn matching(pattern: &str, least: usize) -> Option<String> {
    let parsed = regex_syntax::ParserBuilder::new().nest_limit(64).build().parse(pattern).ok()?;
    let mut best = None;
    for repeats in
        std::iter::successors(Some(0), |n: &u32| Some(n * 2 + 1)).take_while(|n| *n <= MOST_REPEATS)
    {
        let mut text = String::new();
        write(&parsed, repeats, &mut text)?;
        let is_enough = text.chars().count() >= least;
        best = Some(text);
        if is_enough {
            break;
        }
    }
    best
}

/// Writes what a part of a pattern matches; `None` for bytes that are no text, or beyond all measure.
fn write(part: &Hir, repeats: u32, out: &mut String) -> Option<()> {
    if out.len() > LONGEST {
        return None;
    }
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => out.push(letter(class)?),
        HirKind::Repetition(repetition) => {
            let times = repetition.min.saturating_add(repeats).min(repetition.max.unwrap_or(u32::MAX));
            for _ in 0..times {
                write(&repetition.sub, repeats.min(1), out)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, repeats, out)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, repeats, out))?,
        HirKind::Alternation(parts) => write(parts.first()?, repeats, out)?,
    }
    Some(())
}

/// Picks a letter of a class: one that reads well, where there is one.
fn letter(class: &Class) -> Option<char> {
    match class {
        Class::Unicode(class) => {
            let has = |c: &char| class.iter().any(|range| range.start() <= *c && *c <= range.end());
            ['S', 's', '1', '0', 'a', 'A', ' ', '-']
                .into_iter()
                .find(has)
                .or_else(|| Some(class.iter().next()?.start()))
        }
        Class::Bytes(class) => {
            let first = class.iter().next()?.start();
            first.is_ascii().then(|| char::from(first))
        }
    }
}
