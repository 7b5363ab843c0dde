//! Requests that took several passes of the model: each is billed, while the counts at the top may tell of some alone.
//!
//! Invariants: what another model did is never priced at this one's rates, it is a meter that no book has; nothing here
//! refuses a block.

use super::meters::Said;
use super::{Plainly, Writes};
use crate::pricing::Terms;
use crate::record::json::Num;
use crate::record::value::{FromValue, Object, Value};

/// What all passes of one model came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Iterations {
    pub(super) input: Num,
    pub(super) output: Num,
    pub(super) read: Num,
    written: Num,
    short: Num,
    long: Num,
    /// Tokens of other models, by the kind of pass.
    others: (Said, u64),
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lifetimes {
    /// Of whichever lifetime, where one number stands in place of both.
    pub(super) all: Num,
    pub(super) ephemeral_5m_input_tokens: Num,
    pub(super) ephemeral_1h_input_tokens: Num,
}

impl FromValue for Lifetimes {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        if value.raw().starts_with(|first: char| first.is_ascii_digit()) {
            return Ok(Self { all: value.count()?, ..Self::default() });
        }
        let object = value.object()?;
        Ok(Self {
            all: Num::default(),
            ephemeral_5m_input_tokens: object.count("ephemeral_5m_input_tokens")?,
            ephemeral_1h_input_tokens: object.count("ephemeral_1h_input_tokens")?,
        })
    }
}

impl FromValue for Iterations {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let (mut all, mut own) = (Self::default(), Said::default());
        if value.raw().starts_with('[') {
            for pass in value.items()? {
                all.add(&pass.object()?, &mut own)?;
            }
        }
        Ok(all)
    }
}

impl Plainly for Lifetimes {}
impl Plainly for Iterations {}

impl Lifetimes {
    pub(super) fn absorb(&mut self, then: Self) {
        absorb!(then into self: all ephemeral_5m_input_tokens ephemeral_1h_input_tokens);
    }
}

impl Iterations {
    /// Takes over what another block of the same answer says.
    pub(super) fn absorb(&mut self, then: Self) {
        absorb!(then into self: input output read written short long);
        if then.others.1 > self.others.1 {
            self.others = then.others;
        }
    }

    /// Returns the writes of all passes.
    pub(super) fn writes(&self) -> Writes {
        Writes { total: self.written.0, short: self.short.0, long: self.long.0 }
    }

    /// Returns the prompts of all passes, cached parts included; none where no pass told any.
    pub(super) fn prompts(&self) -> Num {
        let cached = self.read.or_zero().saturating_add(self.writes().all());
        Num(self.input.0.map(|input| input.saturating_add(cached)))
    }

    /// Tells of what other models did.
    pub(super) fn tell(&self, terms: &mut Terms) {
        terms.meter(self.others.0.as_str(), self.others.1);
    }

    fn add(&mut self, pass: &Object<'_>, own: &mut Said) -> Result<(), String> {
        let (kind, model) = (pass.word("type")?, Said::new(&pass.word("model")?));
        let [input, output, read, written] =
            ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
                .map(|name| pass.count(name));
        let (input, output, read, written) = (input?, output?, read?, written?);
        let is_plain = matches!(&*kind, "" | "message" | "compaction");
        if is_plain && (own.as_str().is_empty() || model.as_str().is_empty() || *own == model) {
            own.absorb(model);
            let lifetimes = Lifetimes::from_value(pass.get("cache_creation")?)?;
            let sums = [
                (&mut self.input, input),
                (&mut self.output, output),
                (&mut self.read, read),
                (&mut self.written, written),
                (&mut self.short, lifetimes.ephemeral_5m_input_tokens),
                (&mut self.long, lifetimes.ephemeral_1h_input_tokens),
            ];
            for (sum, count) in sums {
                let all = |count| sum.or_zero().saturating_add(count);
                sum.0 = count.0.map(all).or(sum.0);
            }
            return Ok(());
        }
        let tokens =
            [input, output, read, written].into_iter().map(Num::or_zero).fold(0, u64::saturating_add);
        let name = Said::new(if is_plain { "other_model" } else { &kind });
        self.others = (name, self.others.1.saturating_add(tokens));
        Ok(())
    }
}
