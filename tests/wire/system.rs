//! Messages of role `system` in the middle of a conversation, as coding agents send them, and requests with nothing else.

use std::sync::LazyLock;

use pointsman::wire::Dialect::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Accent, Known, Sending};
use serde_json::{Value, json};

use super::{ask, refused, sent};

static TAKES: LazyLock<Known> = LazyLock::new(|| Known { takes_system: true, ..Known::default() });

/// As Claude Code begins: the context it adds stands after what the user says.
fn agent() -> Value {
    json!({"model":"auto","max_tokens":64000,"system":[{"type":"text","text":"You are an agent.","cache_control":{"type":"ephemeral","ttl":"1h"}}],
        "messages":[{"role":"user","content":[{"type":"text","text":"List the files."}]},
            {"role":"system","content":"Agents: none."}],
        "tools":[{"name":"Bash","description":"d","input_schema":{"type":"object"},"defer_loading":true,"cache_control":{"type":"ephemeral"}}],
        "thinking":{"type":"adaptive"},"output_config":{"effort":"medium"},"metadata":{"user_id":"u"},
        "context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"stream":true})
}

fn to_anthropic(body: &Value, known: &Known) -> Value {
    let sending = Sending { known, ..Sending::default() };
    serde_json::from_slice(
        &ask(AnthropicMessages, body).body_for(AnthropicMessages, "m", &sending).unwrap().body,
    )
    .unwrap()
}

#[test]
fn a_coding_agent_reaches_every_kind_of_model() {
    let chat = sent(AnthropicMessages, &agent(), OpenAiChat, "gpt-4.1");
    assert_eq!(
        chat["messages"],
        json!([{"role":"system","content":"You are an agent."},{"role":"user","content":"List the files."},
            {"role":"system","content":"Agents: none."}])
    );
    let reminder = "<system-reminder>\nAgents: none.\n</system-reminder>";
    let gemini = sent(AnthropicMessages, &agent(), Gemini, "gemini-2.5-flash");
    assert_eq!(
        gemini["contents"],
        json!([{"role":"user","parts":[{"text":"List the files."},{"text":reminder}]}])
    );
    let mistral = Sending { accent: Accent::Mistral, ..Sending::default() };
    let body = ask(AnthropicMessages, &agent()).body_for(OpenAiChat, "mistral-small", &mistral).unwrap();
    let body: Value = serde_json::from_slice(&body.body).unwrap();
    assert_eq!(
        body["messages"][1],
        json!({"role":"user","content":[{"type":"text","text":"List the files."},{"type":"text","text":reminder}]})
    );
    let own = to_anthropic(&agent(), &Known::default());
    assert_eq!(own["messages"][1], json!({"role":"user","content":[{"type":"text","text":reminder}]}));
    let told = ask(AnthropicMessages, &agent()).body_for(OpenAiChat, "gpt-4.1", &Sending::default()).unwrap();
    assert_eq!(told.left_out, ["context_management", "output_config.effort"]);
}

#[test]
fn a_model_that_takes_them_gets_the_bytes_as_they_came() {
    let text = agent().to_string();
    let sending = Sending { known: &TAKES, ..Sending::default() };
    let sent = ask(AnthropicMessages, &agent()).body_for(AnthropicMessages, "auto", &sending).unwrap();
    assert_eq!(sent.body, text.as_bytes());
}

#[test]
fn one_in_a_place_that_anthropic_refuses_moves() {
    let with = |messages: Value| json!({"model":"m","max_tokens":1,"messages":messages});
    let reminder = |text: &str| json!({"role":"user","content":[{"type":"text","text":format!("<system-reminder>\n{text}\n</system-reminder>")}]});
    // Before the first turn: the system prompt, which may be there already, in both its forms.
    let first = json!([{"role":"system","content":"A"},{"role":"system","content":[{"type":"text","text":"B","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"x"}]);
    let got = to_anthropic(&with(first.clone()), &TAKES);
    let hoisted =
        json!([{"type":"text","text":"A"},{"type":"text","text":"B","cache_control":{"type":"ephemeral"}}]);
    assert_eq!((&got["system"], &got["messages"]), (&hoisted, &json!([{"role":"user","content":"x"}])));
    let mut body = with(first);
    body["system"] = json!("S");
    assert_eq!(to_anthropic(&body, &TAKES)["system"][0], json!({"type":"text","text":"S"}));
    body["system"] = json!([{"type":"text","text":"T"}]);
    assert_eq!(to_anthropic(&body, &TAKES)["system"].as_array().unwrap().len(), 3);
    // After the assistant, or before the user: in its place, as the user's.
    let middle = json!([{"role":"user","content":"x"},{"role":"assistant","content":"y"},{"role":"system","content":"C"},{"role":"user","content":"z"}]);
    assert_eq!(to_anthropic(&with(middle), &TAKES)["messages"][2], reminder("C"));
    // Alone: somebody has to speak.
    let alone = to_anthropic(&with(json!([{"role":"system","content":"D"}])), &TAKES);
    assert_eq!(alone["messages"], json!([reminder("D")]));
    // One that says nothing goes.
    let empty = json!([{"role":"user","content":"x"},{"role":"system","content":[],"output_config":{"effort":"low"}}]);
    assert_eq!(
        to_anthropic(&with(empty), &Known::default())["messages"],
        json!([{"role":"user","content":"x"}])
    );
}

#[test]
fn a_later_system_message_of_chat_stays_in_its_place() {
    let body = json!({"model":"m","messages":[{"role":"system","content":"A"},{"role":"user","content":"x"},{"role":"system","content":"B"}]});
    let to = |known: &Known| {
        let sending = Sending { known, ..Sending::default() };
        let sent = ask(OpenAiChat, &body).body_for(AnthropicMessages, "claude-opus-4-8", &sending).unwrap();
        serde_json::from_slice::<Value>(&sent.body).unwrap()
    };
    let taken = to(&TAKES);
    assert_eq!(taken["system"], json!([{"type":"text","text":"A"}]));
    assert_eq!(taken["messages"][1], json!({"role":"system","content":[{"type":"text","text":"B"}]}));
    let other = to(&Known::default());
    assert_eq!(other["messages"].as_array().unwrap().len(), 1);
    assert_eq!(other["messages"][0]["content"][1]["text"], "<system-reminder>\nB\n</system-reminder>");
}

#[test]
fn a_request_that_holds_a_system_prompt_alone_is_the_users_turn() {
    let chat = json!({"model":"m","messages":[{"role":"system","content":"Say hello."}]});
    let got = sent(OpenAiChat, &chat, AnthropicMessages, "m");
    assert_eq!(got["messages"], json!([{"role":"user","content":[{"type":"text","text":"Say hello."}]}]));
    assert_eq!(got.get("system"), None);
    let responses = json!({"model":"m","instructions":"Say hello."});
    let got = sent(OpenAiResponses, &responses, Gemini, "m");
    assert_eq!(got["contents"], json!([{"role":"user","parts":[{"text":"Say hello."}]}]));
    let got = sent(OpenAiResponses, &responses, OpenAiChat, "m");
    assert_eq!(got["messages"], json!([{"role":"user","content":"Say hello."}]));
    assert!(
        refused(OpenAiResponses, &json!({"model":"m","input":[]}), Gemini).starts_with("input: is empty")
    );
}
