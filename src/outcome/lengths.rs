//! How long models' answers are by habit, as far as it was published: what ratios of lengths are pulled towards before a log tells
//! more.
//!
//! Source: `ZeroEval` (Apache-2.0, github.com/WildEval/ZeroEval, results of GSM): the mean characters of
//! answers to the same 873 questions. Of ten of these models, answers to other questions (calls of tools, BFCL v1) differ about as
//! the square root of these lengths does: it leaves an error of a fifth where a guess of equal lengths leaves more than a quarter.

use crate::pricing::PriceTable;
use crate::units::ModelId;

/// Mean characters of an answer, by a model's name in price books.
const ANSWERS: [(&str, i128); 20] = [
    ("claude-3-5-haiku-20241022", 762),
    ("claude-3-5-sonnet-20240620", 591),
    ("claude-3-5-sonnet-20241022", 406),
    ("claude-3-haiku-20240307", 736),
    ("claude-3-opus-20240229", 536),
    ("claude-3-sonnet-20240229", 837),
    ("deepseek-v2.5", 547),
    ("gemini-1.5-flash", 406),
    ("gemini-1.5-pro", 447),
    ("gemma-2-9b-it", 460),
    ("gpt-3.5-turbo", 408),
    ("gpt-3.5-turbo-0125", 408),
    ("gpt-4o", 520),
    ("gpt-4o-2024-05-13", 539),
    ("gpt-4o-2024-08-06", 520),
    ("gpt-4o-mini", 548),
    ("gpt-4o-mini-2024-07-18", 548),
    ("llama-3.1-70b-instruct", 575),
    ("llama-3.1-8b-instruct", 760),
    ("o1-mini-2024-09-12", 395),
];

/// The variance of the logarithm of a ratio of answers around that square root: half as much again as was seen.
pub(super) const VARIANCE: i128 = 90_000;

/// Published lengths of the models that a log names, in order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lengths(Vec<(ModelId, i128)>);

impl Lengths {
    /// Looks up the models of a table.
    pub(super) fn of(prices: &PriceTable) -> Self {
        let known = ANSWERS.iter().filter_map(|(name, length)| Some((prices.listed(name)?, *length)));
        let mut known: Vec<(ModelId, i128)> = known.collect();
        known.sort_unstable();
        known.dedup_by_key(|(model, _)| *model);
        Self(known)
    }

    /// Returns by how much longer answers of one model are thought to be than another's, `one` standing for as long; none where
    /// either is not published.
    pub(super) fn ratio(&self, from: ModelId, to: ModelId, one: i128) -> Option<i128> {
        let of = |model: ModelId| self.0.iter().find(|(known, _)| *known == model).map(|(_, length)| *length);
        let (from, to) = (of(from)?, of(to)?);
        let square = to * one * one / from.max(1);
        i128::try_from(square.unsigned_abs().isqrt()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::{PriceBook, PriceRow, PriceTable};
    use crate::units::Names;

    #[test]
    fn only_published_models_have_a_ratio_and_it_turns_round_with_them() {
        let (mut names, mut book) = (Names::default(), PriceBook::default());
        for name in ["gpt-4o", "somebody-elses", "gpt-3.5-turbo-0125"] {
            names.intern_model(name);
            book.add_row(name, PriceRow::default());
        }
        let lengths = Lengths::of(&PriceTable::new(&book, &names));
        let (gpt4o, other, gpt35) = (ModelId(0), ModelId(1), ModelId(2));
        let longer = lengths.ratio(gpt35, gpt4o, 1_000_000).unwrap();
        assert!((1_125_000..1_135_000).contains(&longer), "root of 520 over 408: {longer}");
        let back = lengths.ratio(gpt4o, gpt35, 1_000_000).unwrap();
        assert!((longer * back / 1_000_000 - 1_000_000).abs() < 10, "{longer} {back}");
        assert_eq!(
            (lengths.ratio(gpt4o, other, 1_000_000), lengths.ratio(gpt4o, gpt4o, 1_000_000)),
            (None, Some(1_000_000))
        );
    }
}
