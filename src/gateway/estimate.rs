//! Tokens where no provider told them: what was delivered is counted with a tokenizer, the prompt by its size.
//!
//! Invariants: a figure from here always makes its cost an estimate; what may have been written unseen is unknown, never zero.

use crate::pricing::Usage;
use crate::record::WriteTtl;
use crate::record::usage::Counted;
use crate::units::Count;
use crate::wire::{Ask, Dialect, may_think};

/// Tokens that a provider's own words around a prompt may come to.
pub(super) const TEMPLATE: u64 = 256;

/// Counts the tokens of a text as OpenAI's newer models see it; other models' tokenizers differ by some percent.
///
/// The tables are built at first use, which takes a fraction of a second: call it where that holds nobody up.
pub(super) fn tokens(model: &str, text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let older = ["gpt-3.5", "gpt-4-", "text-embedding"].iter().any(|name| model.starts_with(name))
        || model == "gpt-4";
    let tokenizer =
        if older { tiktoken_rs::cl100k_base_singleton() } else { tiktoken_rs::o200k_base_singleton() };
    pieces(text).map(|piece| tokenizer.encode_ordinary(piece).len() as u64).sum()
}

/// The longest text given to the tokenizer at once, and the longest without a space in it. Its work grows with the square
/// of what it cannot cut, and it fails where it has to look back too far.
const PIECE: usize = 4096;
const WORD: usize = 256;

/// Cuts a text before spaces, where the tokenizer cuts it too; where there is none for very long, anywhere between
/// characters. A long run of spaces is as unbroken as a long word.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at_checked(cut(rest)).unwrap_or((rest, ""));
        rest = after;
        Some(piece)
    })
}

/// Returns how long the next piece is.
fn cut(text: &str) -> usize {
    let (mut last, mut word) = (0, 0);
    let mut before = b' ';
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        if at > 0 && byte == b' ' && before != b' ' {
            last = at;
            word = at;
        }
        before = byte;
        if at >= PIECE || at - word >= WORD {
            let mut end = if last > 0 { last } else { at };
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            return end;
        }
    }
    text.len()
}

/// Returns how long an answer was that nobody saw the end of, where what came of it and the thoughts that were shown say so:
/// one of which nothing came may be worked on all the same, and a model that keeps its thoughts to itself wrote more than came.
pub(super) fn cut_off(ask: &Ask, model: &str, (delivered, thoughts): (u64, u64)) -> Option<u64> {
    // Vectors are no tokens.
    if matches!(ask.dialect(), Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings) {
        return Some(0);
    }
    let is_hidden = thoughts == 0 && (may_think(model) || ask.measures().thoughts > 0);
    Some(delivered).filter(|delivered| *delivered > 0 && !is_hidden)
}

/// Fills what a provider left untold: prompt by its estimate, answer by what was written, where that is known. Says whether
/// anything was, or what was told is a guess.
pub(super) fn complete(
    counted: Option<Counted>,
    prompt: u64,
    written: Option<u64>,
) -> (Usage, WriteTtl, bool) {
    let (mut usage, ttl) =
        counted.map_or((Usage::UNKNOWN, WriteTtl::Reported), |counted| (counted.usage, counted.write_ttl));
    let mut estimated = counted.is_some_and(|counted| counted.is_guess);
    let mut fill = |bucket: &mut Count, tokens: Option<u64>| {
        if !bucket.is_known() {
            let tokens = tokens.map(|tokens| tokens.min(u64::from(u32::MAX - 2)));
            *bucket = Count::from_option(tokens).unwrap_or_default();
            estimated = true;
        }
    };
    fill(&mut usage.input, Some(prompt));
    fill(&mut usage.output, written);
    // Without a word of caching there was none, which is no estimate beside those above.
    fill(&mut usage.cache_read, Some(0));
    fill(&mut usage.write_5m, Some(0));
    fill(&mut usage.write_1h, Some(0));
    (usage, ttl, estimated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_stays_and_what_was_not_is_marked() {
        let told = Usage { input: Count::new(12).unwrap(), output: Count::ZERO, ..Usage::NONE };
        let counted = Counted { usage: told, ..Counted::NOTHING };
        assert_eq!(complete(Some(counted), 99, Some(99)), (told, WriteTtl::Reported, false));
        let half = Counted { usage: Usage { output: Count::UNKNOWN, ..told }, ..counted };
        let (usage, _, estimated) = complete(Some(half), 99, Some(7));
        assert!(estimated);
        assert_eq!((usage.input.get(), usage.output.get()), (Some(12), Some(7)));
        let (usage, _, estimated) = complete(None, 99, None);
        assert!(estimated);
        assert_eq!((usage.prompt(), usage.output.get()), (Some(99), None), "unknown is never zero");
    }

    #[test]
    fn what_may_have_been_written_unseen_is_unknown() {
        for (body, model, came, want) in [
            (r#"{"model":"m","messages":[]}"#, "gpt-4.1", (0, 0), None),
            (r#"{"model":"m","messages":[]}"#, "gpt-4.1", (7, 0), Some(7)),
            (r#"{"model":"m","messages":[]}"#, "gpt-5", (7, 0), None),
            (r#"{"model":"m","messages":[]}"#, "gemini-2.5-flash", (7, 3), Some(7)),
            (
                r#"{"model":"m","messages":[],"thinking":{"type":"enabled","budget_tokens":9}}"#,
                "c",
                (7, 0),
                None,
            ),
        ] {
            let ask = Ask::read(Dialect::OpenAiChat, body.into()).unwrap();
            assert_eq!(cut_off(&ask, model, came), want, "{model} {body}");
        }
        let ask = Ask::read(Dialect::OpenAiEmbeddings, r#"{"model":"m","input":"a"}"#.into()).unwrap();
        assert_eq!(cut_off(&ask, "m", (0, 0)), Some(0), "vectors are no tokens");
    }

    #[test]
    fn no_text_brings_the_tokenizer_down_or_holds_it_up() {
        let spaces = " ".repeat(1_000_000);
        assert!((1..=1_000_000).contains(&tokens("gpt-4.1", &spaces)));
        for unbroken in ["a", "\n", "東", "👍🏽", "é"] {
            assert!(tokens("gpt-4.1", &unbroken.repeat(200_000)) > 0, "{unbroken}");
        }
    }

    #[test]
    fn pieces_are_the_text_and_cost_no_token_more_where_it_has_spaces() {
        let prose = "The quick brown fox, as they say, jumps over 12 lazy dogs; 東京 too.\n".repeat(500);
        assert_eq!(pieces(&prose).collect::<String>(), prose);
        assert!(pieces(&prose).all(|piece| piece.len() <= PIECE + 4));
        let whole = tiktoken_rs::o200k_base_singleton().encode_ordinary(&prose).len() as u64;
        assert_eq!(tokens("gpt-4.1", &prose), whole);
        let unbroken = "x東".repeat(10_000);
        assert_eq!(pieces(&unbroken).collect::<String>(), unbroken);
    }

    #[test]
    fn delivered_text_is_counted() {
        assert_eq!(tokens("gpt-4.1", ""), 0);
        let words = "one two three four five six seven eight nine ten";
        assert_eq!(tokens("gpt-4.1", words), 10);
        assert_eq!(tokens("gpt-4", words), 10);
    }
}
