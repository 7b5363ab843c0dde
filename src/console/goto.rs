//! What may be typed at "go to": a time, a step in time, a share of the log, an event.

use crate::session::{Command, Snapshot};
use crate::units::{Instant, PerMille, Span};

/// What the prompt shows while nothing is typed.
pub const HINT: &str = "14:03:20   +5m   -30s   50%   ev 12000   2026-05-23T14:03Z";

/// Reads what was typed.
///
/// # Errors
/// A sentence that says what is understood.
pub fn parse(text: &str, snapshot: &Snapshot) -> Result<Command, String> {
    let text = text.trim();
    let invalid = || format!("`{text}` is no place in the log; write one of: {HINT}");
    if let Some(share) = text.strip_suffix('%') {
        let tenths = decimal_tenths(share.trim()).filter(|&tenths| tenths <= 1000).ok_or_else(invalid)?;
        return PerMille::new(tenths).map(Command::SeekShare).ok_or_else(invalid);
    }
    if let Some(event) = text.strip_prefix("ev").or_else(|| text.strip_prefix('#')) {
        let digits: String = event.chars().filter(|c| !matches!(c, ' ' | ',' | '_')).collect();
        return digits.parse().map(Command::SeekEvent).map_err(|_| invalid());
    }
    if let Some(sign) = text.chars().next().filter(|c| matches!(c, '+' | '-')) {
        let span = span(&text[1..]).ok_or_else(invalid)?;
        return Ok(Command::SeekBy(if sign == '-' { Span(-span.0) } else { span }));
    }
    if let Some(clock) = Span::parse_clock(text) {
        let Some((first, last)) = snapshot.log.bounds() else { return Err("the log is empty".to_owned()) };
        // The time of day nearest to the play head's own day that lies in the log.
        let day = snapshot.clock.day_start();
        let places = [
            day + clock,
            day + clock + Span::days(1),
            day + clock - Span::days(1),
            first.day_start() + clock,
        ];
        let inside = places.into_iter().find(|at| (first..=last).contains(at));
        return Ok(Command::SeekTime(inside.unwrap_or(day + clock)));
    }
    let full = if text.len() == 17 && text.ends_with('Z') {
        format!("{}:00Z", text.get(..16).unwrap_or(text))
    } else {
        text.to_owned()
    };
    Instant::parse(&full).map(Command::SeekTime).map_err(|_| invalid())
}

/// Reads `12` or `12.5` as tenths.
fn decimal_tenths(text: &str) -> Option<u16> {
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    let tenth = if tenth.len() == 1 { tenth.parse::<u16>().ok()? } else { return None };
    whole.parse::<u16>().ok()?.checked_mul(10)?.checked_add(tenth)
}

/// Reads `90s`, `5m`, `1h30m`, `2d`; a number without a unit counts seconds.
fn span(text: &str) -> Option<Span> {
    Span::parse(text)
        .or_else(|| Span::parse(&format!("{text}s")))
        .filter(|span| *span > Span::ZERO && *span < Span(i64::MAX))
}
