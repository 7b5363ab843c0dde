//! Requests that took several passes of the model: each is billed, while the counts at the top may tell of some alone.
//!
//! Invariants: what another model did is never priced at this one's rates, it is a meter that no book has; nothing here
//! refuses a block.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Writes;
use super::meters::Said;
use crate::pricing::Terms;
use crate::record::json::{Num, nullable};

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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Iteration {
    #[serde(rename = "type")]
    kind: Said,
    model: Said,
    input_tokens: Num,
    output_tokens: Num,
    cache_read_input_tokens: Num,
    cache_creation_input_tokens: Num,
    #[serde(deserialize_with = "nullable")]
    cache_creation: Lifetimes,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Lifetimes {
    pub(super) ephemeral_5m_input_tokens: Num,
    pub(super) ephemeral_1h_input_tokens: Num,
}

by_text!(Lifetimes Iterations);

impl Lifetimes {
    pub(super) fn absorb(&mut self, then: Self) {
        absorb!(then into self: ephemeral_5m_input_tokens ephemeral_1h_input_tokens);
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

    fn add(&mut self, pass: &Iteration, own: &mut Said) {
        let kind = pass.kind.as_str();
        let is_own = matches!(kind, "" | "message" | "compaction")
            && (own.as_str().is_empty() || pass.model.as_str().is_empty() || *own == pass.model);
        if is_own {
            own.absorb(pass.model);
            let sums = [
                (&mut self.input, pass.input_tokens),
                (&mut self.output, pass.output_tokens),
                (&mut self.read, pass.cache_read_input_tokens),
                (&mut self.written, pass.cache_creation_input_tokens),
                (&mut self.short, pass.cache_creation.ephemeral_5m_input_tokens),
                (&mut self.long, pass.cache_creation.ephemeral_1h_input_tokens),
            ];
            for (sum, count) in sums {
                let all = |count| sum.or_zero().saturating_add(count);
                sum.0 = count.0.map(all).or(sum.0);
            }
            return;
        }
        let counts = [
            pass.input_tokens,
            pass.output_tokens,
            pass.cache_read_input_tokens,
            pass.cache_creation_input_tokens,
        ];
        let tokens = counts.into_iter().map(Num::or_zero).fold(0, u64::saturating_add);
        let name =
            if matches!(kind, "" | "message" | "compaction") { Said::new("other_model") } else { pass.kind };
        self.others = (name, self.others.1.saturating_add(tokens));
    }
}

impl<'de> Deserialize<'de> for Iterations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Passes;
        impl<'de> Visitor<'de> for Passes {
            type Value = Iterations;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of passes")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Iterations, A::Error> {
                let (mut all, mut own) = (Iterations::default(), Said::default());
                while let Some(pass) = list.next_element::<Option<Iteration>>()? {
                    all.add(&pass.unwrap_or_default(), &mut own);
                }
                Ok(all)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Iterations, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Iterations::default())
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<Iterations, E> {
                Ok(Iterations::default())
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Iterations, E> {
                Ok(Iterations::default())
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Iterations, E> {
                Ok(Iterations::default())
            }
            fn visit_unit<E: Error>(self) -> Result<Iterations, E> {
                Ok(Iterations::default())
            }
        }
        deserializer.deserialize_any(Passes)
    }
}
