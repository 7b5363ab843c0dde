//! What caches of prompts could have read, by hand.

use serde_json::Value;

use super::program::Sandbox;

/// Three prompts of 512-token blocks: the second begins with the first, the third is the first again after 400 s.
const TRACE: &str = r#"{"timestamp": 0, "input_length": 1024, "output_length": 10, "hash_ids": [1, 2]}
{"timestamp": 1000, "input_length": 1500, "output_length": 10, "hash_ids": [1, 2, 3]}
{"timestamp": 400000, "input_length": 1024, "output_length": 10, "hash_ids": [1, 2]}
"#;

#[test]
fn the_ideal_share_is_what_was_warm_when_a_prompt_came_again() {
    let sandbox = Sandbox::new();
    sandbox.write("trace.jsonl", TRACE);
    let share = |ttl: &str| -> Value {
        let text = sandbox.good(&format!("cache trace.jsonl --ttl {ttl} --format json"));
        let found: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(found["prompt_tokens"], 3548);
        found["ideal_hit_share"].clone()
    };
    // 1,024 tokens of the second prompt, and of the third while they live: 2,048 or 1,024 of 3,548.
    assert_eq!([share("inf"), share("1h"), share("5m")], [0.577_227, 0.577_227, 0.288_613]);
}

/// A share of prompts that are compared beside one of all of them would tell of hits that nobody lost.
#[test]
fn what_was_read_is_told_of_the_same_prompts_as_what_could_be() {
    let sandbox = Sandbox::new();
    let call = |minute: u32, session: &str, read: u32| {
        format!(
            "{{\"at\":\"2026-05-23T10:{minute:02}:00Z\",{session}\"model\":\"gpt-4.1\",\"in\":{},\"cache_read\":{read},\"out\":10}}\n",
            4096 - read
        )
    };
    let alone = call(2, "", 0);
    let session = "\"session\":\"s\",";
    sandbox.write("log.jsonl", call(0, session, 0) + &call(1, session, 4096) + &alone);
    sandbox.write("alone.jsonl", call(3, "", 2048) + &alone);
    let found = |file: &str| -> Value {
        serde_json::from_str(&sandbox.good(&format!("cache {file} --format json"))).expect("JSON")
    };
    let both = found("log.jsonl");
    assert_eq!(
        (&both["prompt_tokens"], &both["compared_tokens"]),
        (&Value::from(12_288), &Value::from(8192))
    );
    assert_eq!([&both["ideal_hit_share"], &both["observed_hit_share"]], [0.5, 0.5]);
    assert_eq!(found("alone.jsonl")["observed_hit_share"], 0.25, "none compared: of all");
}

/// Exports come newest first; what was warm goes by time.
#[test]
fn the_order_of_lines_changes_no_figure() {
    let sandbox = Sandbox::new();
    let line = |minute: u32| {
        format!(
            "{{\"at\":\"2026-05-23T10:{minute:02}:00Z\",\"session\":\"s{}\",\"model\":\"gpt-4.1\",\"in\":{},\"cache_read\":0,\"out\":10}}\n",
            minute % 3,
            2000 + minute * 500
        )
    };
    let lines: Vec<String> = (0..20).map(line).collect();
    sandbox.write("a.jsonl", lines.concat());
    sandbox.write("b.jsonl", lines.iter().rev().map(String::as_str).collect::<String>());
    let found = |file: &str| sandbox.run(&format!("cache {file} --format csv")).out;
    assert_eq!(found("a.jsonl"), found("b.jsonl"));
}

#[test]
fn where_nothing_tells_what_prompts_begin_with_there_is_no_share() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "log.jsonl",
        "{\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"gpt-4.1\",\"in\":2000,\"out\":10}\n",
    );
    let found: Value =
        serde_json::from_str(&sandbox.good("cache log.jsonl --ttl inf --format json")).expect("JSON");
    assert_eq!(found["ideal_hit_share"], Value::Null, "unknown is no zero");
}
