//! Errors of providers without what they quote of the request: that is for the client alone.
//!
//! Invariant: no run of [`RUN`] letters and digits that stands in a request goes into ledger, log or screens by way of an error.

use std::borrow::Cow;

use rustc_hash::FxHashSet;

/// So many letters and digits in a row, whatever stands between them, are a quotation: fewer are a name.
const RUN: usize = 32;

/// Returns a message without what it quotes of a body, however that is escaped there.
pub(super) fn unquoted<'m>(message: &'m str, body: &[u8]) -> Cow<'m, str> {
    let letters = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    let told: Vec<usize> =
        message.bytes().enumerate().filter(|(_, byte)| letters(byte)).map(|(at, _)| at).collect();
    if told.len() < RUN {
        return Cow::Borrowed(message);
    }
    let bytes = message.as_bytes();
    let said: Vec<u8> = told.iter().filter_map(|&at| bytes.get(at).copied()).collect();
    let runs: FxHashSet<&[u8]> = said.windows(RUN).collect();
    let asked: Vec<u8> = body.iter().copied().filter(letters).collect();
    let quoted: FxHashSet<&[u8]> = asked.windows(RUN).filter(|run| runs.contains(run)).collect();
    if quoted.is_empty() {
        return Cow::Borrowed(message);
    }
    let mut out = String::with_capacity(message.len());
    let (mut from, mut at) = (0, 0);
    while let Some(run) = said.get(at..at + RUN) {
        if !quoted.contains(run) {
            at += 1;
            continue;
        }
        // The end of a word before may be the same by chance.
        let is_within = |at: usize| {
            at > 0 && told.get(at - 1).zip(told.get(at)).is_some_and(|(before, here)| before + 1 == *here)
        };
        let mut begin = at;
        while said.get(at..at + RUN).is_some_and(|run| quoted.contains(run)) {
            at += 1;
        }
        let last = at + RUN - 2;
        while is_within(begin) && begin < last {
            begin += 1;
        }
        let (start, end) = (told.get(begin).copied(), told.get(last).map(|end| end + 1));
        let (Some(start), Some(mut end)) = (start, end) else { break };
        while !message.is_char_boundary(end) {
            end += 1;
        }
        let start = (from..=start).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(from);
        out.push_str(message.get(from..start).unwrap_or_default());
        out.push_str("[of the request]");
        (from, at) = (end, last + 1);
    }
    out.push_str(message.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_repeats_of_a_prompt_is_taken_out_and_nothing_else() {
        let prompt =
            "My name is Ada Lovelace, and my account number is 4711 0815.\nPlease \"close\" it for me.";
        let body = serde_json::json!({"model": "auto", "messages": [{"role": "user", "content": prompt}]})
            .to_string();
        let message =
            format!("400: messages.0.content: Input should be a valid list, input: {prompt:?} (type=list)");
        let kept = unquoted(&message, body.as_bytes());
        assert_eq!(
            kept,
            r#"400: messages.0.content: Input should be a valid list, input: "[of the request]." (type=list)"#
        );
        for told in ["429: too many requests", "the model claude-sonnet-4-5 does not take temperature", ""] {
            assert_eq!(unquoted(told, body.as_bytes()), told);
        }
        let foreign = "Grüße aus Zürich, wo der Kunde seit 1987 eine Wohnung in der Bahnhofstraße 12 hat";
        let kept = unquoted(foreign, foreign.as_bytes()).into_owned();
        assert!(!kept.contains("Kunde") && kept.contains("[of the request]"), "{kept}");
    }
}
