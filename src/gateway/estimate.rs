//! Tokens where no provider told them: what was delivered is counted with a tokenizer, the prompt by its size.
//!
//! Invariant: a figure from here always makes its cost an estimate.

use crate::pricing::Usage;
use crate::record::WriteTtl;
use crate::record::usage::Counted;
use crate::units::Count;

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
    tokenizer.encode_ordinary(text).len() as u64
}

/// Fills what a provider left untold: prompt by its estimate, answer by what was delivered. Says whether anything was.
pub(super) fn complete(counted: Option<Counted>, prompt: u64, delivered: u64) -> (Usage, WriteTtl, bool) {
    let (mut usage, ttl) =
        counted.map_or((Usage::UNKNOWN, WriteTtl::Reported), |counted| (counted.usage, counted.write_ttl));
    let mut estimated = false;
    let mut fill = |bucket: &mut Count, tokens: u64| {
        if !bucket.is_known() {
            *bucket = Count::new(tokens.min(u64::from(u32::MAX - 2))).unwrap_or(Count::ZERO);
            estimated = true;
        }
    };
    fill(&mut usage.input, prompt);
    fill(&mut usage.output, delivered);
    // Without a word of caching there was none, which is no estimate beside those above.
    fill(&mut usage.cache_read, 0);
    fill(&mut usage.write_5m, 0);
    fill(&mut usage.write_1h, 0);
    (usage, ttl, estimated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_stays_and_what_was_not_is_marked() {
        let told = Usage { input: Count::new(12).unwrap(), output: Count::ZERO, ..Usage::NONE };
        let counted = Counted { usage: told, ..Counted::NOTHING };
        assert_eq!(complete(Some(counted), 99, 99), (told, WriteTtl::Reported, false));
        let half = Counted { usage: Usage { output: Count::UNKNOWN, ..told }, ..counted };
        let (usage, _, estimated) = complete(Some(half), 99, 7);
        assert!(estimated);
        assert_eq!((usage.input.get(), usage.output.get()), (Some(12), Some(7)));
        let (usage, _, estimated) = complete(None, 99, 0);
        assert!(estimated && usage.is_complete());
        assert_eq!(usage.prompt(), Some(99));
    }

    #[test]
    fn delivered_text_is_counted() {
        assert_eq!(tokens("gpt-4.1", ""), 0);
        let words = "one two three four five six seven eight nine ten";
        assert_eq!(tokens("gpt-4.1", words), 10);
        assert_eq!(tokens("gpt-4", words), 10);
    }
}
