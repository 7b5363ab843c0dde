//! How likely each token was, in the form of every dialect that tells it.
//!
//! Invariant: numbers pass as they were written; what a provider does not tell is left away, never made up.

use std::borrow::Cow;

use super::gemini::names::member;
use super::json::{Array, Object, Progress, Raw, Value, Within, array, put, spliced};
use crate::checks::{Others, Words};
use crate::units::PerMille;

/// How many of the likeliest words in each place are asked for, and looked at.
pub(super) const TOP: &str = "5";
const MOST: usize = 5;

/// How a dialect tells it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Lists of what was said and what might have been, side by side.
    Gemini,
    /// An object with a list.
    Chat,
    /// That list alone.
    Responses,
}

/// What a provider told of the tokens of a text; it is read when it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Logprobs<'a> {
    form: Form,
    told: Value<'a>,
}

/// The same, kept beyond the text it was read from.
pub(super) struct ToldLogprobs {
    form: Form,
    told: String,
}

impl ToldLogprobs {
    /// Returns what was told.
    pub(super) fn get(&self) -> Logprobs<'_> {
        Logprobs { form: self.form, told: Value::of(&self.told) }
    }
}

/// How likely the words of an answer were, taken together: exp of the mean logarithm (arXiv 2404.10136 and others take it for how
/// sure a model is). What any answer of its form has is left aside: blanks, fences of code, and in JSON all but the values.
#[derive(Default)]
pub(super) struct Sureness {
    sum: f64,
    count: u32,
    /// The least likely of them, and how many were less likely than not.
    worst: f64,
    tail: u32,
    /// Of those of which others are told: how far ahead the likeliest was, how evenly spread they are, how many there are.
    margin: f64,
    entropy: f64,
    weighed: u32,
    /// Whether the answer is JSON; not known before its first character.
    is_json: Option<bool>,
    json: Progress,
}

impl Sureness {
    /// Takes the next tokens.
    pub(super) fn take(&mut self, told: Logprobs<'_>) {
        for token in told.tokens() {
            if let Some(logprob) = Value::of(token.logprob).measure().filter(|_| self.is_word(&token.text)) {
                let logprob = logprob.min(0.0);
                self.sum += logprob;
                self.worst = self.worst.min(logprob);
                self.tail = self.tail.saturating_add(u32::from(logprob < -std::f64::consts::LN_2));
                self.count = self.count.saturating_add(1);
                self.weigh(&token);
            }
        }
    }

    /// Takes what else might have stood in a token's place.
    fn weigh(&mut self, token: &Token<'_>) {
        let mut chances = [0.0; MOST];
        let told = token.top.iter().filter_map(|(_, logprob)| Value::of(logprob).measure());
        let mut told: Vec<f64> = told.map(|logprob| logprob.min(0.0).exp()).collect();
        told.sort_unstable_by(|a, b| b.total_cmp(a));
        // With no other one to compare it with, nothing is known.
        let [first, second, ..] = told[..] else { return };
        chances.iter_mut().zip(&told).for_each(|(slot, chance)| *slot = *chance);
        let all: f64 = chances.iter().sum();
        let parts = chances.iter().map(|chance| chance / all).filter(|part| *part > 0.0);
        self.margin += first - second;
        self.entropy -= parts.map(|part| part * part.ln()).sum::<f64>();
        self.weighed = self.weighed.saturating_add(1);
    }

    /// Returns what they come to.
    pub(super) fn get(&self) -> Option<PerMille> {
        (self.count > 0).then(|| PerMille::from_probability((self.sum / f64::from(self.count)).exp()))?
    }

    /// Returns the same in more detail.
    pub(super) fn words(&self) -> Option<Words> {
        let count = f64::from(Some(self.count).filter(|count| *count > 0)?);
        let tail = f64::from(self.tail) / count;
        Some(Words {
            mean: thousandths(-self.sum / count),
            worst: thousandths(-self.worst),
            tail: thousandths(tail),
            others: (self.weighed > 0).then(|| Others {
                margin: thousandths(self.margin / f64::from(self.weighed)),
                entropy: thousandths(self.entropy / f64::from(self.weighed)),
            }),
        })
    }

    /// Says whether a token says anything, and is not only how an answer is put.
    fn is_word(&mut self, token: &str) -> bool {
        let Some(first) = token.trim_start().chars().next() else {
            self.json.push(token);
            return false;
        };
        if !*self.is_json.get_or_insert(matches!(first, '{' | '[')) {
            return token.trim().chars().any(|c| c != '`');
        }
        let mut is_word = false;
        let mut bytes = [0; 4];
        for c in token.chars() {
            let before = self.json.within();
            self.json.push(c.encode_utf8(&mut bytes));
            is_word |= match (before, self.json.within()) {
                (Within::Text, Within::Text) | (_, Within::Bare) => true,
                (Within::Bare, _) => c.is_alphanumeric(),
                _ => false,
            };
        }
        is_word
    }
}

/// Returns a number from 0 on in thousandths, as far as they reach.
fn thousandths(number: f64) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
    let whole = (number * 1000.0).round().clamp(0.0, f64::from(u16::MAX)) as u16;
    whole
}

/// Takes what a client did not ask for out of an answer, or out of an event of one; nothing where it has none.
pub(super) fn without(data: &str) -> Option<String> {
    let mut all: Vec<(Value<'_>, &str)> = Vec::new();
    let root = Value::of(data);
    for choice in root.list("choices") {
        all.extend(choice.get("logprobs").filter(|told| told.is_object()).map(|told| (told, "null")));
    }
    for candidate in root.list("candidates") {
        all.extend(member(candidate, "logprobsResult").map(|told| (told, "null")));
    }
    // Responses have them in a part, which stands by itself, in its item and in the whole.
    let wholes = [Some(root), root.get("response")].into_iter().flatten();
    let items = wholes.flat_map(|whole| whole.list("output")).chain(root.get("item"));
    let parts = items
        .flat_map(|item| item.list("content"))
        .chain([Some(root), root.get("part")].into_iter().flatten());
    for part in parts {
        all.extend(part.get("logprobs").filter(|told| told.is_array()).map(|told| (told, "[]")));
    }
    // Responses say how they were asked, too.
    for whole in [Some(root), root.get("response")].into_iter().flatten() {
        let told = whole.get("top_logprobs").filter(|told| told.number().is_some_and(|top| top > 0));
        all.extend(told.map(|told| (told, "0")));
    }
    let spans: Vec<_> = all.iter().map(|(told, empty)| (told.span_in(data.as_bytes()), *empty)).collect();
    if spans.is_empty() { None } else { String::from_utf8(spliced(data.as_bytes(), spans)).ok() }
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
        told.map(|told| Self { form: Form::Gemini, told })
    }

    /// Keeps them beyond the text they were read from.
    pub(super) fn kept(self) -> ToldLogprobs {
        ToldLogprobs { form: self.form, told: self.told.raw().to_owned() }
    }

    /// Takes those of a chat completion.
    pub(super) fn of_chat(told: Value<'a>) -> Self {
        Self { form: Form::Chat, told }
    }

    /// Finds those of a part of a response, or of an event of one.
    pub(super) fn of_response(part: Value<'a>) -> Option<Self> {
        let told = part.get("logprobs").filter(|told| told.items().next().is_some());
        told.map(|told| Self { form: Form::Responses, told })
    }

    fn tokens(self) -> Vec<Token<'a>> {
        let one = |token: Value<'a>| {
            let logprob = token.get(if self.form == Form::Gemini { "logProbability" } else { "logprob" })?;
            Some((token.text_of("token").unwrap_or_default(), logprob.raw()))
        };
        let list = |name: &str| self.told.list(name);
        let token = |token: Value<'a>, top: Option<Value<'a>>| {
            let (text, logprob) = one(token)?;
            let top = top.into_iter().flat_map(Value::items).filter_map(one).collect();
            Some(Token { text, logprob, top })
        };
        if self.form == Form::Gemini {
            let tops = list("topCandidates").map(|top| top.get("candidates")).chain(std::iter::repeat(None));
            return list("chosenCandidates").zip(tops).filter_map(|(said, top)| token(said, top)).collect();
        }
        if self.form == Form::Responses {
            let said = self.told.items();
            return said.filter_map(|said| token(said, said.get("top_logprobs"))).collect();
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
