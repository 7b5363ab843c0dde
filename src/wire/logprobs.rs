//! How likely each token was, in the form of every dialect that tells it.
//!
//! Invariant: numbers pass as they were written; what a provider does not tell is left away, never made up.

use std::borrow::Cow;

use super::gemini::names::member;
use super::json::{Array, Object, Raw, Value, array, put};

/// What a provider told of the tokens of a text; it is read when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Logprobs<'a> {
    is_geminis: bool,
    told: Value<'a>,
}

/// The same, kept beyond the text it was read from.
#[derive(Debug)]
pub(super) struct ToldLogprobs {
    is_geminis: bool,
    told: String,
}

impl ToldLogprobs {
    /// Returns what was told.
    pub(super) fn get(&self) -> Logprobs<'_> {
        Logprobs { is_geminis: self.is_geminis, told: Value::of(&self.told) }
    }
}

/// A token, how likely it was, and what else might have stood in its place.
struct Token<'a> {
    text: Cow<'a, str>,
    logprob: &'a str,
    top: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Logprobs<'a> {
    /// Finds those of a candidate of Gemini's.
    pub(super) fn of_gemini(candidate: Value<'a>) -> Option<Self> {
        let told = member(candidate, "logprobsResult").filter(|told| told.is_object());
        told.map(|told| Self { is_geminis: true, told })
    }

    /// Keeps them beyond the text they were read from.
    pub(super) fn kept(self) -> ToldLogprobs {
        ToldLogprobs { is_geminis: self.is_geminis, told: self.told.raw().to_owned() }
    }

    /// Takes those of a chat completion.
    pub(super) fn of_chat(told: Value<'a>) -> Self {
        Self { is_geminis: false, told }
    }

    fn tokens(self) -> Vec<Token<'a>> {
        let one = |token: Value<'a>| {
            let logprob = token.get(if self.is_geminis { "logProbability" } else { "logprob" })?;
            Some((token.text_of("token").unwrap_or_default(), logprob.raw()))
        };
        let list = |name: &str| self.told.list(name);
        let token = |token: Value<'a>, top: Option<Value<'a>>| {
            let (text, logprob) = one(token)?;
            let top = top.into_iter().flat_map(Value::items).filter_map(one).collect();
            Some(Token { text, logprob, top })
        };
        if self.is_geminis {
            let tops = list("topCandidates").map(|top| top.get("candidates")).chain(std::iter::repeat(None));
            return list("chosenCandidates").zip(tops).filter_map(|(said, top)| token(said, top)).collect();
        }
        let said = list("content").chain(list("refusal"));
        said.filter_map(|said| token(said, said.get("top_logprobs"))).collect()
    }

    /// Returns the list that responses have.
    pub(super) fn json(self) -> String {
        let mut list = Vec::new();
        array(&mut list, |a| self.list(a));
        String::from_utf8(list).unwrap_or_default()
    }

    fn list(self, a: &mut Array<'_>) {
        for token in self.tokens() {
            a.object(|o| {
                chat_token(o, &token.text, token.logprob);
                o.array("top_logprobs", |a| {
                    token.top.iter().for_each(|(text, logprob)| a.object(|o| chat_token(o, text, logprob)));
                });
            });
        }
    }

    /// Writes the member in which chat has them.
    pub(super) fn chat(self, o: &mut Object<'_>) {
        put!(o, "logprobs": { "content": [|a| self.list(a)], "refusal": null });
    }

    /// Writes the member in which completions have them, of a text before which there are `offset` characters.
    pub(super) fn completions(self, o: &mut Object<'_>, offset: &mut u64) {
        let tokens = self.tokens();
        let offsets = tokens.iter().map(|token| {
            let before = *offset;
            *offset += token.text.chars().count() as u64;
            before
        });
        o.object("logprobs", |o| {
            put!(o, "tokens": [for token in &tokens => &token.text]);
            put!(o, "token_logprobs": [for token in &tokens => Raw(token.logprob)]);
            o.array("top_logprobs", |a| {
                for token in &tokens {
                    a.object(|o| token.top.iter().for_each(|(text, logprob)| o.put(text, Raw(logprob))));
                }
            });
            put!(o, "text_offset": [for offset in offsets => offset]);
        });
    }

    /// Writes the member in which Gemini has them.
    pub(super) fn gemini(self, o: &mut Object<'_>) {
        let tokens = self.tokens();
        put!(o, "logprobsResult": {
            "topCandidates": [for token in &tokens => {
                "candidates": [for (text, logprob) in &token.top => {
                    "token": text, "logProbability": Raw(logprob),
                }],
            }],
            "chosenCandidates": [for token in &tokens => {
                "token": &token.text, "logProbability": Raw(token.logprob),
            }],
        });
    }
}

fn chat_token(o: &mut Object<'_>, text: &str, logprob: &str) {
    put!(o, "token": text, "logprob": Raw(logprob), "bytes": [for byte in text.bytes() => u64::from(byte)]);
}
