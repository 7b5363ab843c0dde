//! How likely each token was, in the form of every dialect that tells it.
//!
//! Invariant: numbers pass as they were written; what a provider does not tell is left away, never made up.

use std::borrow::Cow;

use super::Dialect;
use super::gemini::names::member;
use super::json::{Array, Object, Value};

/// What a provider told of the tokens of a text; it is read when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Logprobs<'a> {
    is_geminis: bool,
    told: Value<'a>,
}

/// A token, how likely it was, and what else might have stood in its place.
struct Token<'a> {
    text: Cow<'a, str>,
    logprob: &'a str,
    top: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Logprobs<'a> {
    /// Finds them in one of the answers to a request.
    pub(super) fn of(from: Dialect, choice: Value<'a>) -> Option<Self> {
        let is_geminis = from == Dialect::Gemini;
        let told = if is_geminis { member(choice, "logprobsResult") } else { choice.get("logprobs") };
        told.filter(|told| told.is_object()).map(|told| Self { is_geminis, told })
    }

    /// Takes those of a chat completion.
    pub(super) fn of_chat(told: Value<'a>) -> Self {
        Self { is_geminis: false, told }
    }

    fn tokens(self) -> Vec<Token<'a>> {
        let one = |token: Value<'a>, key: &str| {
            Some((token.text_of("token").unwrap_or_default(), token.get(key)?.raw()))
        };
        if self.is_geminis {
            let tops = self.told.get("topCandidates").map(|tops| tops.items().collect::<Vec<_>>());
            let chosen = self.told.get("chosenCandidates").into_iter().flat_map(Value::items);
            let with_top = |(at, token): (usize, Value<'a>)| {
                let (text, logprob) = one(token, "logProbability")?;
                let top = tops.as_ref().and_then(|tops| tops.get(at)?.get("candidates"));
                let top = top.into_iter().flat_map(Value::items);
                Some(Token { text, logprob, top: top.filter_map(|top| one(top, "logProbability")).collect() })
            };
            return chosen.enumerate().filter_map(with_top).collect();
        }
        let content = self.told.get("content").into_iter().flat_map(Value::items);
        let refusal = self.told.get("refusal").into_iter().flat_map(Value::items);
        let with_top = |token: Value<'a>| {
            let (text, logprob) = one(token, "logprob")?;
            let top = token.get("top_logprobs").into_iter().flat_map(Value::items);
            Some(Token { text, logprob, top: top.filter_map(|top| one(top, "logprob")).collect() })
        };
        content.chain(refusal).filter_map(with_top).collect()
    }

    /// Gives the list that responses have.
    pub(super) fn json(self) -> String {
        let mut list = Vec::new();
        let mut items = Array::start(&mut list);
        self.list(&mut items);
        items.end();
        String::from_utf8(list).unwrap_or_default()
    }

    fn list(self, a: &mut Array<'_>) {
        for token in self.tokens() {
            a.object(|o| {
                chat_token(o, &token.text, token.logprob);
                o.array("top_logprobs", |a| {
                    for (text, logprob) in &token.top {
                        a.object(|o| chat_token(o, text, logprob));
                    }
                });
            });
        }
    }

    /// Writes the member in which chat has them.
    pub(super) fn chat(self, o: &mut Object<'_>) {
        o.object("logprobs", |o| {
            o.array("content", |a| self.list(a));
            o.raw("refusal", "null");
        });
    }

    /// Writes the member in which completions have them, of a text before which there are `offset` characters.
    pub(super) fn completions(self, o: &mut Object<'_>, offset: &mut u64) {
        let tokens = self.tokens();
        o.object("logprobs", |o| {
            o.array("tokens", |a| tokens.iter().for_each(|token| a.text(&token.text)));
            o.array("token_logprobs", |a| tokens.iter().for_each(|token| a.raw(token.logprob)));
            o.array("top_logprobs", |a| {
                for token in &tokens {
                    a.object(|o| token.top.iter().for_each(|(text, logprob)| o.raw(text, logprob)));
                }
            });
            o.array("text_offset", |a| {
                for token in &tokens {
                    a.raw(&offset.to_string());
                    *offset += token.text.chars().count() as u64;
                }
            });
        });
    }

    /// Writes the member in which Gemini has them.
    pub(super) fn gemini(self, o: &mut Object<'_>) {
        let tokens = self.tokens();
        let write = |o: &mut Object<'_>, text: &str, logprob: &str| {
            o.text("token", text);
            o.raw("logProbability", logprob);
        };
        o.object("logprobsResult", |o| {
            o.array("topCandidates", |a| {
                for token in &tokens {
                    a.object(|o| {
                        o.array("candidates", |a| {
                            for (text, logprob) in &token.top {
                                a.object(|o| write(o, text, logprob));
                            }
                        });
                    });
                }
            });
            o.array("chosenCandidates", |a| {
                for token in &tokens {
                    a.object(|o| write(o, &token.text, token.logprob));
                }
            });
        });
    }
}

fn chat_token(o: &mut Object<'_>, text: &str, logprob: &str) {
    o.text("token", text);
    o.raw("logprob", logprob);
    o.array("bytes", |a| text.bytes().for_each(|byte| a.raw(&byte.to_string())));
}
