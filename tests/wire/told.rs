//! What stands deep within a request, in the official libraries' documented examples and beyond, and has no place with the
//! other side: it is told, or carried by its meaning, never dropped in silence.

use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Accent, Ask, Sending};
use serde_json::{Value, json};

fn put(from: Dialect, body: &Value, to: Dialect, model: &str) -> (Value, Vec<String>) {
    let ask = Ask::read_for(from, body.to_string().into(), Some("m")).unwrap();
    let sent = ask.body_for(to, model, &Sending::default()).unwrap();
    (serde_json::from_slice(&sent.body).unwrap(), sent.left_out)
}

fn with(from: Dialect, member: &str, value: &Value) -> Value {
    let mut body = match from {
        Gemini => json!({"contents":[{"role":"user","parts":[{"text":"x"}]}]}),
        OpenAiResponses => json!({"model":"m","input":"x"}),
        _ => json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}),
    };
    body[member] = value.clone();
    body
}

#[test]
fn what_has_no_place_deep_within_is_told() {
    let strict =
        json!([{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object"}}}]);
    let picture = json!([{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA","detail":"high"}}]}]);
    let seen = json!([{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AA","detail":"low"}]}]);
    let examples = json!([{"name":"f","input_schema":{"type":"object"},"input_examples":[{}]}]);
    let cited = json!([{"role":"user","content":[{"type":"document","citations":{"enabled":true},
        "source":{"type":"text","media_type":"text/plain","data":"x"}}]}]);
    let behaved = json!([{"functionDeclarations":[{"name":"f","behavior":"NON_BLOCKING"}]}]);
    let cases = [
        (
            OpenAiChat,
            "messages",
            json!([{"role":"user","name":"Ann","content":"x"}]),
            AnthropicMessages,
            "messages.name",
        ),
        (OpenAiChat, "messages", picture.clone(), Gemini, "detail"),
        (OpenAiChat, "messages", picture, AnthropicMessages, "detail"),
        (OpenAiResponses, "input", seen, AnthropicMessages, "detail"),
        (OpenAiChat, "tools", strict.clone(), Gemini, "tools.strict"),
        (AnthropicMessages, "tools", examples, OpenAiChat, "tools.input_examples"),
        (AnthropicMessages, "messages", cited, OpenAiChat, "messages.citations"),
        (
            Gemini,
            "toolConfig",
            json!({"retrievalConfig":{"languageCode":"de"}}),
            OpenAiChat,
            "toolConfig.retrievalConfig",
        ),
        (Gemini, "tools", behaved, OpenAiChat, "tools.behavior"),
    ];
    for (from, member, value, to, want) in cases {
        let (_, told) = put(from, &with(from, member, &value), to, "m");
        assert_eq!(told, [want], "{from} to {to}");
    }
    let plain = json!([{"type":"function","function":{"name":"f","strict":false}}]);
    assert_eq!(
        put(OpenAiChat, &with(OpenAiChat, "tools", &plain), Gemini, "m").1,
        [""; 0],
        "it says nothing"
    );
    let (old, told) =
        put(OpenAiChat, &with(OpenAiChat, "tools", &strict), AnthropicMessages, "claude-3-5-haiku-20241022");
    assert_eq!(
        (old["tools"][0].get("strict"), told),
        (None, vec!["tools.strict".to_owned()]),
        "older models refuse it"
    );
}

#[test]
fn what_has_a_place_arrives_there() {
    let document = json!([{"role":"user","content":[{"type":"document","title":"T","context":"C",
        "source":{"type":"text","media_type":"text/plain","data":"D"}}]}]);
    let (sent, _) = put(AnthropicMessages, &with(AnthropicMessages, "messages", &document), OpenAiChat, "m");
    assert_eq!(sent["messages"][0]["content"], "T\n\nC\n\nD");
    let screen = json!([{"type":"computer_20250124","name":"computer","display_width_px":1024,"display_height_px":768}]);
    let (sent, told) = put(AnthropicMessages, &with(AnthropicMessages, "tools", &screen), OpenAiChat, "m");
    let description = sent["tools"][0]["function"]["description"].as_str().unwrap();
    assert!(description.contains("1024 by 768"), "{sent}");
    assert_eq!(told, [""; 0]);
    let sound = json!([{"role":"user","parts":[{"text":"What is said?"},{"inlineData":{"mimeType":"audio/mp3","data":"AA=="}}]}]);
    let (sent, _) = put(Gemini, &with(Gemini, "contents", &sound), OpenAiChat, "m");
    assert_eq!(
        sent["messages"][0]["content"][1],
        json!({"type":"input_audio","input_audio":{"data":"AA==","format":"mp3"}})
    );
}

#[test]
fn a_beginning_of_blanks_and_a_call_too_many_for_the_older_form_are_told() {
    let mut body = with(OpenAiChat, "temperature", &json!(0.5));
    body["messages"] = json!([{"role":"user","content":"x"},{"role":"assistant","content":" \n"}]);
    let (sent, told) = put(OpenAiChat, &body, AnthropicMessages, "claude-haiku-4-5");
    assert_eq!(
        (sent["messages"].as_array().unwrap().len(), told),
        (1, vec!["messages (prefill)".to_owned()])
    );
    let functions = with(OpenAiChat, "functions", &json!([{"name":"f","parameters":{"type":"object"}}]));
    assert_eq!(put(OpenAiChat, &functions, Gemini, "m").1, ["functions (one call)"]);
    let (sent, told) = put(OpenAiChat, &functions, AnthropicMessages, "m");
    assert_eq!((&sent["tool_choice"]["disable_parallel_tool_use"], told.len()), (&json!(true), 0));
}

#[test]
fn what_mistral_has_no_counterpart_for_is_refused_in_its_name() {
    let call = json!([{"role":"user","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}]);
    let call = with(AnthropicMessages, "messages", &call);
    let ask = Ask::read(AnthropicMessages, call.to_string().into()).unwrap();
    let sending = Sending { accent: pointsman::wire::Accent::Mistral, ..Sending::default() };
    let error = ask.body_for(OpenAiChat, "m", &sending).unwrap_err().to_string();
    assert!(error.contains(": Mistral has no counterpart") && !error.contains("OpenAI"), "{error}");
}

/// What agents send back of an answer of another server's was once dropped without a word.
#[test]
fn what_a_message_holds_besides_is_told() {
    let messages = json!([
        {"role":"user","content":[{"type":"text","text":"x"}]},
        {"role":"assistant","content":"a","reasoning_content":"hm","refusal":null,"annotations":[],"audio":null},
        {"role":"assistant","content":"b","reasoning_content":""},
        {"role":"user","content":"y"}]);
    let body = with(OpenAiChat, "messages", &messages);
    for (to, accent) in
        [(AnthropicMessages, Accent::OpenAi), (Gemini, Accent::OpenAi), (OpenAiChat, Accent::Mistral)]
    {
        let ask = Ask::read(OpenAiChat, body.to_string().into()).unwrap();
        let told = ask.body_for(to, "m", &Sending { accent, ..Sending::default() }).unwrap().left_out;
        assert_eq!(told, ["messages.reasoning_content"], "{to}");
    }
}

/// A file of text was once refused as having no counterpart, though every model reads text.
#[test]
fn a_document_of_text_is_read_by_every_model() {
    let chat = json!([{"role":"user","content":[
        {"type":"file","file":{"filename":"a.csv","file_data":"data:text/csv;base64,MSwy"}}]}]);
    let (sent, told) = put(OpenAiChat, &with(OpenAiChat, "messages", &chat), AnthropicMessages, "m");
    assert_eq!(sent["messages"][0]["content"], json!([{"type":"text","text":"a.csv\n\n1,2"}]));
    assert!(told.is_empty(), "{told:?}");
    let gemini = json!([{"role":"user","parts":[{"inlineData":{"mimeType":"text/plain","data":"MSwy"}}]}]);
    for (to, place) in
        [(AnthropicMessages, "/messages/0/content/0/text"), (OpenAiChat, "/messages/0/content")]
    {
        let (sent, _) = put(Gemini, &with(Gemini, "contents", &gemini), to, "m");
        assert_eq!(sent.pointer(place).unwrap(), "1,2", "{sent}");
    }
    let responses = json!([{"role":"user","content":[
        {"type":"input_file","filename":"a.json","file_data":"data:application/json;base64,e30="}]}]);
    let (sent, _) = put(OpenAiResponses, &with(OpenAiResponses, "input", &responses), OpenAiChat, "m");
    assert_eq!(sent["messages"][0]["content"], "a.json\n\n{}");
    let (sent, _) = put(OpenAiChat, &with(OpenAiChat, "messages", &chat), Gemini, "m");
    assert_eq!(
        sent["contents"][0]["parts"][0]["inlineData"]["mimeType"], "text/csv",
        "Gemini takes it as it is"
    );
}

#[test]
fn what_a_model_declined_reaches_mistral_as_what_it_said() {
    let messages = json!([{"role":"user","content":"x"},
        {"role":"assistant","content":null,"refusal":"I cannot."},{"role":"user","content":"y"}]);
    let ask = Ask::read(OpenAiChat, with(OpenAiChat, "messages", &messages).to_string().into()).unwrap();
    let sending = Sending { accent: Accent::Mistral, ..Sending::default() };
    let sent: Value = serde_json::from_slice(&ask.body_for(OpenAiChat, "m", &sending).unwrap().body).unwrap();
    assert_eq!(sent["messages"][1], json!({"role":"assistant","content":"I cannot."}));
}

/// Anthropic answers with an error to a text before a tool's result, and to a stop sequence of blanks.
#[test]
fn what_only_anthropic_refuses_does_not_reach_it() {
    let input = json!([{"role":"user","content":"x"},
        {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
        {"role":"user","content":"wait"},
        {"type":"function_call_output","call_id":"c1","output":"done"}]);
    let (sent, _) = put(OpenAiResponses, &with(OpenAiResponses, "input", &input), AnthropicMessages, "m");
    assert_eq!(
        sent["messages"][2]["content"],
        json!([{"type":"tool_result","tool_use_id":"c1","content":"done"},{"type":"text","text":"wait"}])
    );
    for (stop, want, told) in [
        (json!(["\n", "END", ""]), json!(["END"]), vec!["stop (blank)"]),
        (json!("\n"), Value::Null, vec!["stop (blank)"]),
        (json!(["END"]), json!(["END"]), vec![]),
    ] {
        let body = with(OpenAiChat, "stop", &stop);
        let (sent, left_out) = put(OpenAiChat, &body, AnthropicMessages, "m");
        assert_eq!(
            (&sent["stop_sequences"], &left_out),
            (&want, &told.iter().map(|name| (*name).to_owned()).collect())
        );
        let (sent, left_out) = put(OpenAiChat, &body, Gemini, "m");
        assert!(left_out.is_empty() && sent["generationConfig"]["stopSequences"].is_array(), "{sent}");
    }
}
