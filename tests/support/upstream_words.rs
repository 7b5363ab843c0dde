//! How likely the words of an answer were, and what else might have stood there, where a model API is asked for it: each piece of text
//! is a word of its own.

use serde_json::{Value, json};

use super::super::upstream_script::Dialect;
use super::Says;

/// The chances of a word and of what else might have stood there, likeliest first.
const CHANCES: [f64; 6] = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.03125];

impl Says<'_> {
    /// Returns how many others are asked for; none where nothing is.
    pub(super) fn others(&self) -> Option<usize> {
        let at = |pointer: &str| self.call.body.pointer(pointer);
        let (is_asked, others) = match self.call.dialect {
            Dialect::Chat => (at("/logprobs") == Some(&json!(true)), at("/top_logprobs")),
            Dialect::Responses => {
                let include = at("/include").and_then(Value::as_array);
                let is_it = |one: &Value| one == "message.output_text.logprobs";
                (include.is_some_and(|list| list.iter().any(is_it)), at("/top_logprobs"))
            }
            Dialect::Gemini => (
                at("/generationConfig/responseLogprobs") == Some(&json!(true)),
                at("/generationConfig/logprobs"),
            ),
            _ => (false, None),
        };
        is_asked.then(|| others.and_then(Value::as_u64).unwrap_or(0).try_into().unwrap_or(0))
    }

    /// Lists words as OpenAI does; nothing where it is not asked for.
    pub(super) fn words(&self, pieces: &[String]) -> Option<Value> {
        let others = self.others()?;
        let one = |text: &str, chance: f64| json!({"token": text, "logprob": chance.ln(), "bytes": text.as_bytes()});
        let word = |text: &String| {
            let mut word = one(text, CHANCES[0]);
            let names = [text, "b", "c", "d", "e", "f"];
            let top = names.iter().zip(CHANCES).take(others).map(|(name, chance)| one(name, chance));
            word["top_logprobs"] = top.collect();
            word
        };
        Some(pieces.iter().map(word).collect())
    }

    /// Returns the same as chat has it.
    pub(super) fn chat_words(&self, pieces: &[String]) -> Value {
        self.words(pieces).map_or(Value::Null, |words| json!({"content": words, "refusal": null}))
    }

    /// Returns the same as Gemini has it.
    pub(super) fn gemini_words(&self, pieces: &[String]) -> Option<Value> {
        let others = self.others()?;
        let one =
            |text: &str, chance: f64| json!({"token": text, "tokenId": 7, "logProbability": chance.ln()});
        let chosen: Value = pieces.iter().map(|text| one(text, CHANCES[0])).collect();
        let top = |text: &String| {
            let names = [text, "b", "c", "d", "e", "f"];
            let all: Value =
                names.iter().zip(CHANCES).take(others).map(|(name, chance)| one(name, chance)).collect();
            json!({"candidates": all})
        };
        let top: Value = pieces.iter().map(top).collect();
        Some(json!({"chosenCandidates": chosen, "topCandidates": top}))
    }
}
