//! Synthetic answers in OpenAI's chat form: text, JSON that fits a schema, calls of tools; whole or word by word.
//!
//! Invariant: one unit of output is one token, so the usage block is exact however the answer was asked for.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::asked::Asked;
use super::draws::{CUT, CUT_AT, Draws};
use super::schema::Fill;
use super::simulation::{Piece, Simulation, headers};
use super::tools::{Call, Tool};
use super::{schema, tools};
use crate::config::providers::SimulatedSpec;

/// What every synthetic text begins with.
const NOTICE: &str = "SIMULATED answer, made up without any model:";
/// The most words of an answer.
const MOST_WORDS: u64 = 2_000;
/// The most answers to one request.
const MOST_CHOICES: u64 = 8;
/// The bytes of JSON that make one unit.
const JSON_UNIT: usize = 4;
/// When every synthetic answer says it was created: the same request shall give the same bytes.
const CREATED: u64 = 1_700_000_000;

const WORDS: [&str; 48] = [
    "the", "a", "point", "switch", "signal", "track", "train", "station", "line", "yard", "goods", "service",
    "takes", "leaves", "passes", "waits", "moves", "carries", "holds", "clears", "slow", "fast", "early",
    "late", "north", "south", "long", "short", "plain", "steady", "and", "or", "then", "when", "while",
    "before", "after", "under", "over", "between", "without", "toward", "every", "one", "no", "its", "this",
    "that",
];

/// What is said, in units of one token each: a text, or calls of tools.
struct Said<'r> {
    units: Vec<String>,
    /// The calls, each with its arguments in units.
    calls: Vec<(Tool<'r>, Vec<String>)>,
    finish: &'static str,
}

impl Said<'_> {
    fn tokens(&self) -> u64 {
        self.units.len() as u64 + self.calls.iter().map(|(_, units)| units.len() as u64).sum::<u64>()
    }
}

pub(super) fn answer(model: &str, spec: &SimulatedSpec, draws: &Draws, request: &Value) -> Simulation {
    let Some(messages) = request.get("messages").and_then(Value::as_array).filter(|list| !list.is_empty())
    else {
        return Simulation::invalid("invalid_messages", "messages are missing");
    };
    let choices = request.get("n").and_then(Value::as_u64).unwrap_or(1).clamp(1, MOST_CHOICES);
    let asked = Asked::read(messages);
    let calls = match tools::calls(request, &asked, draws) {
        Ok(calls) => calls,
        Err(why) => return Simulation::invalid("invalid_tool_choice", why),
    };
    let said: Vec<Said<'_>> =
        (0..choices).map(|choice| say(spec, draws, request, &asked, &calls, choice)).collect();
    let prompt: u64 = messages.iter().map(|message| 3 + tokens(message, 0)).sum::<u64>()
        + request.get("tools").map_or(0, |tools| tokens(tools, 0));
    let completion: u64 = said.iter().map(Said::tokens).sum();
    let usage = json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": { "cached_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": 0 },
    });
    let first = draws.first_byte(spec, model);
    let per_word = Draws::per_word(spec, model);
    let cut = draws.hits(spec.cut, CUT).then(|| draws.below(completion, CUT_AT));
    if request.get("stream").and_then(Value::as_bool) == Some(true) {
        let wants_usage =
            request.pointer("/stream_options/include_usage").and_then(Value::as_bool) == Some(true);
        let usage = wants_usage.then_some(&usage);
        let pieces = stream(model, draws, &said, usage, per_word, cut);
        return Simulation { status: 200, headers: headers("text/event-stream"), first, pieces };
    }
    let body = whole(model, draws, &said, &usage);
    let words = u32::try_from(completion).unwrap_or(u32::MAX);
    let mut simulation = Simulation::whole(200, first + per_word.saturating_mul(words), &body);
    if cut.is_some() {
        cut_in_half(&mut simulation);
    }
    simulation
}

fn cut_in_half(simulation: &mut Simulation) {
    if let Some(Piece { bytes: Ok(bytes), .. }) = simulation.pieces.front_mut() {
        bytes.truncate(bytes.len() / 2);
    }
    simulation.pieces.push_back(broken(Duration::ZERO));
}

fn broken(wait: Duration) -> Piece {
    Piece { wait, bytes: Err("SIMULATED break of the connection") }
}

fn say<'r>(
    spec: &SimulatedSpec,
    draws: &Draws,
    request: &Value,
    asked: &Asked,
    calls: &[Call<'r>],
    choice: u64,
) -> Said<'r> {
    let most = ["max_completion_tokens", "max_tokens"].into_iter().find_map(|key| request.get(key)?.as_u64());
    let most = usize::try_from(most.unwrap_or(u64::MAX)).unwrap_or(usize::MAX).max(1);
    if !calls.is_empty() {
        let calls = calls.iter().map(|call| (call.tool, slices(&call.arguments))).collect();
        return shortened(Said { units: Vec::new(), calls, finish: "tool_calls" }, most);
    }
    let units = if let Some(json) = json_answer(request, asked) {
        slices(&json)
    } else if let Some(text) = asked.exactly() {
        text.split_inclusive(' ').map(str::to_owned).collect()
    } else if asked.results.is_empty() {
        words(draws, choice, draws.length(u64::from(spec.words)).min(MOST_WORDS))
    } else {
        mention(&asked.results)
    };
    let mut said = Said { units, calls: Vec::new(), finish: "stop" };
    stop_early(&mut said.units, request.get("stop"));
    shortened(said, most)
}

/// Cuts to the most tokens that are allowed; calls beyond them are not begun.
fn shortened(mut said: Said<'_>, most: usize) -> Said<'_> {
    let mut left = most;
    for units in std::iter::once(&mut said.units).chain(said.calls.iter_mut().map(|(_, units)| units)) {
        if units.len() > left {
            units.truncate(left);
            said.finish = "length";
        }
        left -= units.len();
    }
    said.calls.retain(|(_, units)| !units.is_empty());
    said
}

/// Ends a text where the first stop sequence stands.
fn stop_early(units: &mut Vec<String>, stop: Option<&Value>) {
    let stops = match stop {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let text = units.concat();
    let found = stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop)).min();
    let Some(mut left) = found else { return };
    units.retain_mut(|unit| {
        let kept = unit.len().min(left);
        left -= kept;
        unit.truncate(kept);
        kept > 0
    });
}

/// Puts what tools gave into words.
fn mention(results: &[(String, String)]) -> Vec<String> {
    let mut text = NOTICE.to_owned();
    for (name, result) in results {
        let said = if result.is_empty() { "nothing" } else { result };
        let _ = write!(text, " {name} gave {said}");
    }
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn words(draws: &Draws, choice: u64, length: u64) -> Vec<String> {
    let mut units: Vec<String> = NOTICE.split(' ').map(|word| format!("{word} ")).collect();
    for n in 0..length {
        let at = usize::try_from(draws.text(choice * MOST_WORDS + n) % WORDS.len() as u64).unwrap_or(0);
        let word = WORDS.get(at).copied().unwrap_or("the");
        units.push(if n + 1 == length { format!("{word}.") } else { format!("{word} ") });
    }
    units
}

fn json_answer(request: &Value, asked: &Asked) -> Option<String> {
    let format = request.get("response_format")?;
    match format.get("type")?.as_str()? {
        "json_schema" => {
            let schema = format.pointer("/json_schema/schema").unwrap_or(&Value::Null);
            Some(schema::fit(schema, Fill::Answer).to_string())
        }
        "json_object" => {
            let exact = asked
                .exactly()
                .filter(|text| serde_json::from_str::<Value>(text).is_ok_and(|v| v.is_object()));
            Some(exact.unwrap_or_else(|| json!({ "simulated": true, "answer": NOTICE }).to_string()))
        }
        _ => None,
    }
}

fn slices(text: &str) -> Vec<String> {
    let mut units = Vec::new();
    let mut unit = String::new();
    for letter in text.chars() {
        unit.push(letter);
        if unit.len() >= JSON_UNIT {
            units.push(std::mem::take(&mut unit));
        }
    }
    if !unit.is_empty() {
        units.push(unit);
    }
    units
}

/// Estimates the tokens of a part of the request: a quarter of the bytes of its text; a picture counts as 1,024.
fn tokens(value: &Value, depth: u32) -> u64 {
    match value {
        // serde_json follows no more than 128 levels, so this ends.
        _ if depth > 200 => 0,
        Value::String(text) => (text.len() as u64).div_ceil(4),
        Value::Array(items) => items.iter().map(|item| tokens(item, depth + 1)).sum(),
        Value::Object(fields) if fields.contains_key("image_url") => 1024,
        Value::Object(fields) => {
            fields.iter().filter(|(key, _)| *key != "type").map(|(_, value)| tokens(value, depth + 1)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn call_id(draws: &Draws, choice: usize, nth: usize) -> String {
    let again = if nth == 0 { String::new() } else { format!("_{nth}") };
    format!("call_sim_{}_{choice}{again}", draws.id())
}

/// Writes a call, or its beginning.
fn call(draws: &Draws, choice: usize, nth: usize, tool: Tool<'_>, arguments: &str) -> Value {
    let id = call_id(draws, choice, nth);
    if tool.is_custom {
        json!({ "id": id, "type": "custom", "custom": { "name": tool.name, "input": arguments } })
    } else {
        json!({ "id": id, "type": "function", "function": { "name": tool.name, "arguments": arguments } })
    }
}

fn whole(model: &str, draws: &Draws, said: &[Said<'_>], usage: &Value) -> Value {
    let choice = |(index, said): (usize, &Said<'_>)| {
        let mut message = json!({ "role": "assistant", "content": said.units.concat(), "refusal": null });
        if !said.calls.is_empty() {
            let calls = said.calls.iter().enumerate();
            message["content"] = Value::Null;
            message["tool_calls"] =
                calls.map(|(nth, (tool, units))| call(draws, index, nth, *tool, &units.concat())).collect();
        }
        json!({ "index": index, "message": message, "logprobs": null, "finish_reason": said.finish })
    };
    json!({
        "id": format!("chatcmpl-sim-{}", draws.id()),
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": said.iter().enumerate().map(choice).collect::<Vec<_>>(),
        "usage": usage,
        "system_fingerprint": "simulated",
    })
}

fn stream(
    model: &str,
    draws: &Draws,
    said: &[Said<'_>],
    usage: Option<&Value>,
    per_word: Duration,
    cut: Option<u64>,
) -> VecDeque<Piece> {
    let id = format!("chatcmpl-sim-{}", draws.id());
    let event = |choices: Value, usage: &Value| {
        let chunk = json!({
            "id": id,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model,
            "choices": choices,
            "usage": usage,
            "system_fingerprint": "simulated",
        });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let delta = |index: usize, delta: Value, finish: Option<&str>| {
        event(
            json!([{ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish }]),
            &Value::Null,
        )
    };
    // What begins, and what follows word by word.
    let mut chunks: Vec<(bool, Bytes)> = Vec::new();
    for (index, said) in said.iter().enumerate() {
        let content = if said.calls.is_empty() { json!("") } else { Value::Null };
        chunks.push((false, delta(index, json!({ "role": "assistant", "content": content }), None)));
        chunks.extend(said.units.iter().map(|unit| (true, delta(index, json!({ "content": unit }), None))));
        for (nth, (tool, units)) in said.calls.iter().enumerate() {
            let mut begun = call(draws, index, nth, *tool, "");
            begun["index"] = nth.into();
            chunks.push((false, delta(index, json!({ "tool_calls": [begun] }), None)));
            let (kind, field) = if tool.is_custom { ("custom", "input") } else { ("function", "arguments") };
            chunks.extend(units.iter().map(|unit| {
                let part = json!({ "index": nth, kind: { field: unit } });
                (true, delta(index, json!({ "tool_calls": [part] }), None))
            }));
        }
        chunks.push((false, delta(index, json!({}), Some(said.finish))));
    }
    chunks.extend(usage.map(|usage| (false, event(json!([]), usage))));
    let mut pieces = VecDeque::with_capacity(chunks.len() + 1);
    let mut sent = 0;
    for (is_unit, bytes) in chunks {
        if is_unit && cut == Some(sent) {
            pieces.push_back(broken(per_word));
            return pieces;
        }
        sent += u64::from(is_unit);
        pieces.push_back(Piece { wait: if is_unit { per_word } else { Duration::ZERO }, bytes: Ok(bytes) });
    }
    pieces.push_back(Piece { wait: Duration::ZERO, bytes: Ok(Bytes::from_static(b"data: [DONE]\n\n")) });
    pieces
}
