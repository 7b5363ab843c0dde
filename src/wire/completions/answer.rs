//! A finished completion, written; it is read as chat's is.

use super::{FORM, echoed, finish_word};
use crate::wire::Ask;
use crate::wire::chat::chunks::whole;
use crate::wire::reply::{Choice, Part, Reply};

/// Writes a completion.
pub(in crate::wire) fn write(ask: &Ask, reply: &Reply<'_>) -> Vec<u8> {
    let before = echoed(ask);
    whole(FORM, ask, reply, |o, choice| {
        o.text("text", &format!("{before}{}", said(choice)));
        match choice.logprobs {
            Some(told) => told.completions(o, &mut (before.chars().count() as u64)),
            None => o.raw("logprobs", "null"),
        }
        o.text("finish_reason", finish_word(choice.finish));
    })
}

/// Gives what was said, a refusal too, as there is no other place for it.
fn said(choice: &Choice<'_>) -> String {
    let text = |part: &Part<'_>| match part {
        Part::Text(text) | Part::Refusal(text) => Some(text.to_string()),
        Part::Thought(_) | Part::Call(_) | Part::Other => None,
    };
    choice.parts.iter().filter_map(text).collect()
}
