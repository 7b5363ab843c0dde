//! Synthetic embeddings in OpenAI's form, as numbers or as base64 of 32-bit floats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::draws::Draws;
use super::simulation::Simulation;
use crate::config::providers::SimulatedSpec;
use crate::providers::wait;

/// The longest vector.
const MOST_DIMENSIONS: u64 = 8192;
/// The most inputs of one request, as with OpenAI.
const MOST_INPUTS: usize = 2048;

pub(super) fn answer(model: &str, spec: &SimulatedSpec, draws: &Draws, request: &Value) -> Simulation {
    let invalid = |message| Simulation::invalid("invalid_input", message);
    let tokens = |input: &Value| match input {
        Value::String(text) => Some((text.len() as u64).div_ceil(4)),
        Value::Array(tokens) if tokens.iter().all(Value::is_u64) => Some(tokens.len() as u64),
        _ => None,
    };
    let inputs: Vec<&Value> = match request.get("input") {
        Some(Value::Array(list)) if list.is_empty() => return invalid("input is empty"),
        Some(Value::Array(list)) if !list.iter().all(Value::is_u64) => list.iter().collect(),
        Some(one) => vec![one],
        None => return invalid("input is missing"),
    };
    if inputs.len() > MOST_INPUTS {
        return invalid("input has more than 2048 entries");
    }
    let Some(counts) = inputs.iter().map(|&input| tokens(input)).collect::<Option<Vec<u64>>>() else {
        return invalid("input is neither text nor tokens");
    };
    let dimensions = match request.get("dimensions").filter(|asked| !asked.is_null()) {
        None => usual(model),
        Some(asked) => match asked.as_u64().filter(|n| (1..=MOST_DIMENSIONS).contains(n)) {
            Some(asked) => asked,
            None => return invalid("dimensions has to be a number from 1 to 8192"),
        },
    };
    let base64 = request.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let own = Draws::new(spec.seed, input.to_string().as_bytes(), 0);
            let vector = vector(own.text(0), dimensions);
            let embedding = if base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                Value::String(STANDARD.encode(bytes))
            } else {
                json!(vector)
            };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    let sum: u64 = counts.iter().sum();
    let usage = json!({ "prompt_tokens": sum, "total_tokens": sum });
    let body = json!({ "object": "list", "data": data, "model": model, "usage": usage, "simulated": true });
    Simulation::whole(200, draws.first_byte(spec, model) / 4, &body)
}

/// Returns how long the vectors of a model are where nothing is said of it.
fn usual(model: &str) -> u64 {
    match () {
        () if model.contains("text-embedding-3-large") => 3072,
        () if model.contains("text-embedding-") => 1536,
        () if model.contains("embed") => 1024,
        () => 256,
    }
}

/// Makes a vector of length one.
fn vector(seed: u64, dimensions: u64) -> Vec<f32> {
    let component = |n| {
        let thousandths = u16::try_from(wait::draw(seed, n) % 2001).unwrap_or(0);
        f32::from(thousandths) - 1000.0
    };
    let raw: Vec<f32> = (0..dimensions).map(component).collect();
    let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt().max(1.0);
    raw.iter().map(|value| value / length).collect()
}
