//! What may be typed at "rollout": what becomes of which.

use std::sync::Arc;

use crate::rollout::Order;
use crate::units::choice;

/// What the prompt shows while nothing is typed.
pub const HINT: &str = "hold NAME   go NAME   skip NAME   back NAME   (Enter does it, Esc does not)";

/// Reads what was typed: which rollout, and what becomes of it; nothing where nothing was.
///
/// # Errors
/// A sentence that says what is understood.
pub fn parse(text: &str, known: &[&str]) -> Result<Option<(Arc<str>, Order)>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (word, name) = text.split_once(' ').unwrap_or((text, ""));
    let order = Order::ALL.iter().find(|(one, _)| *one == word).map(|(_, order)| *order);
    let order = order.ok_or_else(|| format!("`{word}` is nothing to be done; write one of: {HINT}"))?;
    match (name.trim(), known) {
        // Where there is one, it is meant.
        ("", [only]) => Ok(Some(((*only).into(), order))),
        (name, known) if known.contains(&name) => Ok(Some((name.into(), order))),
        (name, known) => Err(format!("there is no rollout `{name}`; {}", choice(name, known))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_its_rollout_and_a_slip_does_nothing() {
        let known = ["cheaper", "active"];
        assert_eq!(parse(" hold cheaper ", &known), Ok(Some(("cheaper".into(), Order::Hold))));
        assert_eq!(parse("back active", &known), Ok(Some(("active".into(), Order::Back))));
        assert_eq!(parse("skip", &known[..1]), Ok(Some(("cheaper".into(), Order::Skip))));
        assert_eq!(parse("", &known), Ok(None));
        for slip in ["cheaper", "hold", "hold chaeper", "bakc cheaper", "stop cheaper"] {
            assert!(parse(slip, &known).is_err(), "{slip}");
        }
    }
}
