//! Made-up answers in OpenAI's chat form: text, JSON that fits a schema, calls of tools; whole or word by word.
//!
//! Invariant: one unit of output is one token, so the usage block is exact however the answer was asked for.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::draws::{CUT, CUT_AT};
use super::{Draws, Piece, Simulation, headers, schema};
use crate::config::providers::SimulatedSpec;

/// What every made-up text begins with.
const NOTICE: &str = "SIMULATED answer, made up without any model:";
/// The most words of an answer.
const MOST_WORDS: u64 = 2_000;
/// The most answers to one request.
const MOST_CHOICES: u64 = 8;
/// The bytes of JSON that make one unit.
const JSON_UNIT: usize = 4;
/// When every made-up answer says it was created: the same request shall give the same bytes.
const CREATED: u64 = 1_700_000_000;

const WORDS: [&str; 48] = [
    "the", "a", "point", "switch", "signal", "track", "train", "station", "line", "yard", "goods", "service",
    "takes", "leaves", "passes", "waits", "moves", "carries", "holds", "clears", "slow", "fast", "early",
    "late", "north", "south", "long", "short", "plain", "steady", "and", "or", "then", "when", "while",
    "before", "after", "under", "over", "between", "without", "toward", "every", "one", "no", "its", "this",
    "that",
];

/// What is said, in units of one token each.
struct Said {
    units: Vec<String>,
    /// The tool that is called with them.
    tool: Option<String>,
    finish: &'static str,
}

pub(super) fn answer(model: &str, spec: &SimulatedSpec, draws: &Draws, request: &Value) -> Simulation {
    let Some(messages) = request.get("messages").and_then(Value::as_array).filter(|list| !list.is_empty())
    else {
        return Simulation::error(400, "invalid_request_error", "invalid_messages", "messages are missing");
    };
    let choices = request.get("n").and_then(Value::as_u64).unwrap_or(1).clamp(1, MOST_CHOICES);
    let said: Vec<Said> = (0..choices).map(|choice| say(spec, draws, request, choice)).collect();
    let prompt: u64 = messages.iter().map(|message| 3 + tokens(message, 0)).sum::<u64>()
        + request.get("tools").map_or(0, |tools| tokens(tools, 0));
    let completion: u64 = said.iter().map(|said| said.units.len() as u64).sum();
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

fn say(spec: &SimulatedSpec, draws: &Draws, request: &Value, choice: u64) -> Said {
    let most = ["max_completion_tokens", "max_tokens"].into_iter().find_map(|key| request.get(key)?.as_u64());
    let most = usize::try_from(most.unwrap_or(u64::MAX)).unwrap_or(usize::MAX).max(1);
    let mut said = if let Some((name, parameters)) = tool(request) {
        Said { units: slices(&schema::fit(parameters).to_string()), tool: Some(name), finish: "tool_calls" }
    } else if let Some(json) = json_answer(request) {
        Said { units: slices(&json.to_string()), tool: None, finish: "stop" }
    } else {
        let length = draws.length(u64::from(spec.words)).min(MOST_WORDS);
        Said { units: words(draws, choice, length), tool: None, finish: "stop" }
    };
    if said.units.len() > most {
        said.units.truncate(most);
        said.finish = "length";
    }
    said
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

/// Gives the tool that the request says must be called: the one it names, else the first.
fn tool(request: &Value) -> Option<(String, &Value)> {
    let tools = request.get("tools")?.as_array()?;
    let choice = request.get("tool_choice")?;
    let named = choice.pointer("/function/name").and_then(Value::as_str);
    if named.is_none() && choice.as_str() != Some("required") {
        return None;
    }
    let name_of = |tool: &Value| tool.pointer("/function/name").and_then(Value::as_str).map(str::to_owned);
    let tool = match named {
        Some(named) => tools.iter().find(|tool| name_of(tool).as_deref() == Some(named))?,
        None => tools.first()?,
    };
    Some((name_of(tool)?, tool.pointer("/function/parameters").unwrap_or(&Value::Null)))
}

fn json_answer(request: &Value) -> Option<Value> {
    let format = request.get("response_format")?;
    match format.get("type")?.as_str()? {
        "json_schema" => Some(schema::fit(format.pointer("/json_schema/schema").unwrap_or(&Value::Null))),
        "json_object" => Some(json!({ "simulated": true, "answer": NOTICE })),
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

fn call_id(draws: &Draws, choice: usize) -> String {
    format!("call_sim_{}_{choice}", draws.id())
}

fn whole(model: &str, draws: &Draws, said: &[Said], usage: &Value) -> Value {
    let choice = |(index, said): (usize, &Said)| {
        let text = said.units.concat();
        let message = match &said.tool {
            None => json!({ "role": "assistant", "content": text, "refusal": null }),
            Some(name) => {
                let function = json!({ "name": name, "arguments": text });
                let call = json!({ "id": call_id(draws, index), "type": "function", "function": function });
                json!({ "role": "assistant", "content": null, "refusal": null, "tool_calls": [call] })
            }
        };
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
    said: &[Said],
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
    let mut pieces = VecDeque::new();
    let mut push = |wait, bytes| pieces.push_back(Piece { wait, bytes: Ok(bytes) });
    let mut sent = 0;
    for (index, said) in said.iter().enumerate() {
        let start = match &said.tool {
            None => json!({ "role": "assistant", "content": "" }),
            Some(name) => {
                let function = json!({ "name": name, "arguments": "" });
                let call = json!({ "index": 0, "id": call_id(draws, index), "type": "function", "function": function });
                json!({ "role": "assistant", "content": null, "tool_calls": [call] })
            }
        };
        push(Duration::ZERO, delta(index, start, None));
        for unit in &said.units {
            if cut == Some(sent) {
                pieces.push_back(broken(per_word));
                return pieces;
            }
            sent += 1;
            let part = match &said.tool {
                None => json!({ "content": unit }),
                Some(_) => json!({ "tool_calls": [{ "index": 0, "function": { "arguments": unit } }] }),
            };
            push(per_word, delta(index, part, None));
        }
        push(Duration::ZERO, delta(index, json!({}), Some(said.finish)));
    }
    if let Some(usage) = usage {
        push(Duration::ZERO, event(json!([]), usage));
    }
    push(Duration::ZERO, Bytes::from_static(b"data: [DONE]\n\n"));
    pieces
}
