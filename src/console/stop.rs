//! What may be typed at "stop": whom to stop, or whom to let go.

use crate::runaway::Whom;

/// What the prompt shows while nothing is typed.
pub const HINT: &str =
    "key NAME   team NAME   session KEY/NAME   all   lift key NAME   (Enter does it, Esc does not)";

/// Reads what was typed: whom, and whether he is let go; nothing where nothing was.
///
/// # Errors
/// A sentence that says what is understood.
pub fn parse(text: &str) -> Result<Option<(Whom, bool)>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (name, lifts) = text.strip_prefix("lift ").map_or((text, false), |name| (name.trim(), true));
    let whom = Whom::parse(name).ok_or_else(|| format!("`{text}` stops nobody; write one of: {HINT}"))?;
    Ok(Some((whom, lifts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_to_stop_is_said_in_full_and_a_slip_stops_nobody() {
        let read = |text| parse(text).map(|found| found.map(|(whom, lifts)| (whom.to_string(), lifts)));
        assert_eq!(read(" key ci-bot "), Ok(Some(("key ci-bot".to_owned(), false))));
        assert_eq!(read("lift team search"), Ok(Some(("team search".to_owned(), true))));
        assert_eq!(read("all"), Ok(Some(("all".to_owned(), false))));
        assert_eq!(read(""), Ok(None));
        for slip in ["ci-bot", "kye ci-bot", "al", "lift", "key"] {
            assert!(read(slip).is_err(), "{slip}");
        }
    }
}
