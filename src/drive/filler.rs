//! Words that stand in for a prompt that the log does not hold.
//!
//! Common words of which each is one token to the usual tokenizers, so the count comes near the one that is logged. The
//! same seed gives the same words, and a longer text begins like a shorter one: the turns of a session share their
//! start, as real ones do, and prompt caches have something to hold.

use crate::units::Draw;

const WORDS: &str = "the time year people way day man thing woman life child world school state family student group \
    country problem hand part place case week company system program question work government number \
    night point home water room mother area money story fact month lot right study book eye job word \
    business issue side kind head house service friend father power hour game line end city";

/// Writes a text of about so many tokens.
pub fn filler(seed: u64, tokens: u64) -> String {
    let words: Vec<&str> = WORDS.split(' ').collect();
    let count = usize::try_from(tokens).unwrap_or(usize::MAX);
    let mut text = String::with_capacity(count.saturating_mul(6));
    for place in 0..tokens {
        if place > 0 {
            text.push(' ');
        }
        let index = usize::try_from(Draw::at(seed, place).next() % 64).unwrap_or_default();
        text.push_str(words.get(index).unwrap_or(&"the"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_words_and_longer_texts_begin_alike() {
        let (short, long) = (filler(7, 50), filler(7, 80));
        assert_eq!(short, filler(7, 50));
        assert!(long.starts_with(&short));
        assert_ne!(filler(8, 50), short);
        assert_eq!(filler(7, 0), "");
    }

    #[test]
    fn every_word_is_one_token() {
        let tokenizer = tiktoken_rs::o200k_base().unwrap();
        assert_eq!(tokenizer.encode_ordinary(&filler(1, 500)).len(), 500);
    }
}
