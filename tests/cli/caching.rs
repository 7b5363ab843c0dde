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
