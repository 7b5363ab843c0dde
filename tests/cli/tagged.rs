//! Tags in reports, charges and budgets, whatever tool kept them.

use rust_decimal::Decimal;
use serde_json::Value;

use super::json;
use super::program::Sandbox;

/// Two calls of a model at 2 and 8 dollars a million, 0.0052 and 0.00104 in all, one of them tagged, as each tool keeps that.
const TOLD: [(&str, &str); 9] = [
    (
        "own.jsonl",
        r#"{"id":"a","at":"2026-05-23T10:00:01Z","model":"gpt-4.1","in":2000,"cache_read":0,"out":150,"tags":["env=prod","tier=gold"]}
{"id":"b","at":"2026-05-23T10:00:02Z","model":"gpt-4.1","in":400,"cache_read":0,"out":30}
"#,
    ),
    (
        "litellm.jsonl",
        r#"{"request_id":"a","call_type":"acompletion","startTime":"2026-05-23T10:00:01Z","endTime":"2026-05-23T10:00:02Z","model":"gpt-4.1","prompt_tokens":2000,"completion_tokens":150,"total_tokens":2150,"spend":0.0052,"request_tags":"[\"env:prod\",\"tier=gold\"]"}
{"request_id":"b","call_type":"acompletion","startTime":"2026-05-23T10:00:02Z","endTime":"2026-05-23T10:00:03Z","model":"gpt-4.1","prompt_tokens":400,"completion_tokens":30,"total_tokens":430,"spend":0.00104,"request_tags":[]}
"#,
    ),
    (
        "litellm-metadata.jsonl",
        r#"{"request_id":"a","call_type":"acompletion","startTime":"2026-05-23T10:00:01Z","endTime":"2026-05-23T10:00:02Z","model":"gpt-4.1","prompt_tokens":2000,"completion_tokens":150,"total_tokens":2150,"spend":0.0052,"metadata":{"spend_logs_metadata":{"env":"prod","tier":"gold"}}}
{"request_id":"b","call_type":"acompletion","startTime":"2026-05-23T10:00:02Z","endTime":"2026-05-23T10:00:03Z","model":"gpt-4.1","prompt_tokens":400,"completion_tokens":30,"total_tokens":430,"spend":0.00104,"metadata":{"spend_logs_metadata":null}}
"#,
    ),
    (
        "helicone.jsonl",
        r#"{"request_id":"a","request_created_at":"2026-05-23T10:00:01Z","response_created_at":"2026-05-23T10:00:05Z","response_status":200,"response_model":"gpt-4.1","request_model":"gpt-4.1","provider":"OPENAI","delay_ms":4810,"total_tokens":2150,"prompt_tokens":2000,"prompt_cache_write_tokens":0,"prompt_cache_read_tokens":0,"completion_tokens":150,"request_properties":{"env":"prod","Helicone-Session-Id":"s-1"},"properties":{"tier":"gold"}}
{"request_id":"b","request_created_at":"2026-05-23T10:00:02Z","response_created_at":"2026-05-23T10:00:05Z","response_status":200,"response_model":"gpt-4.1","request_model":"gpt-4.1","provider":"OPENAI","delay_ms":4810,"total_tokens":430,"prompt_tokens":400,"prompt_cache_write_tokens":0,"prompt_cache_read_tokens":0,"completion_tokens":30,"properties":null}
"#,
    ),
    (
        "portkey.jsonl",
        r#"{"id":"a","trace_id":"s-1","created_at":"2026-05-23T10:00:01Z","ai_org":"openai","ai_model":"gpt-4.1","req_units":2000,"res_units":150,"total_units":2150,"cost":0.52,"cost_currency":"USD","response_time":5043,"response_status_code":200,"metadata":{"_user":"cust-1","env":"prod","tier":"gold"}}
{"id":"b","trace_id":"s-1","created_at":"2026-05-23T10:00:02Z","ai_org":"openai","ai_model":"gpt-4.1","req_units":400,"res_units":30,"total_units":430,"cost":0.104,"cost_currency":"USD","response_time":5043,"response_status_code":200}
"#,
    ),
    (
        "langfuse.jsonl",
        r#"{"trace_id":"s-1","project_id":"checkout","type":"GENERATION","level":"DEFAULT","id":"a","start_time":"2026-05-23T10:00:01Z","end_time":"2026-05-23T10:00:04Z","provided_model_name":"gpt-4.1","usage_details":{"input":2000,"output":150,"total":2150},"tags":["tier:gold"],"metadata":{"env":"prod","attributes":{"a":"b"}}}
{"trace_id":"s-1","project_id":"checkout","type":"GENERATION","level":"DEFAULT","id":"b","start_time":"2026-05-23T10:00:02Z","end_time":"2026-05-23T10:00:05Z","provided_model_name":"gpt-4.1","usage_details":{"input":400,"output":30,"total":430},"metadata":{}}
"#,
    ),
    (
        "tensorzero.jsonl",
        r#"{"id":"a","inference_id":"i","raw_response":"{}","model_name":"gpt-4.1","model_provider_name":"openai","input_tokens":2000,"output_tokens":150,"provider_cache_read_input_tokens":0,"provider_cache_write_input_tokens":0,"cost":"0.0052","response_time_ms":10,"timestamp":"2026-05-23T10:00:01Z","tags":{"env":"prod","tier":"gold"}}
{"id":"b","inference_id":"j","raw_response":"{}","model_name":"gpt-4.1","model_provider_name":"openai","input_tokens":400,"output_tokens":30,"provider_cache_read_input_tokens":0,"provider_cache_write_input_tokens":0,"cost":"0.00104","response_time_ms":10,"timestamp":"2026-05-23T10:00:02Z","tags":{}}
"#,
    ),
    (
        "otel.jsonl",
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8e","spanId":"a","startTimeUnixNano":"1779530401120000000","endTimeUnixNano":"1779530405930000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4.1"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"2000"}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":"150"}},{"key":"ai.telemetry.metadata.env","value":{"stringValue":"prod"}},{"key":"langfuse.trace.tags","value":{"arrayValue":{"values":[{"stringValue":"tier:gold"}]}}}]}]}]}]}
{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8f","spanId":"b","startTimeUnixNano":"1779530402120000000","endTimeUnixNano":"1779530405930000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4.1"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"400"}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":"30"}}]}]}]}]}
"#,
    ),
    (
        "mapped.csv",
        "ts,mdl,prompt,completion,environment,plan\n2026-05-23T10:00:01Z,gpt-4.1,2000,150,prod,gold\n2026-05-23T10:00:02Z,gpt-4.1,400,30,,\n",
    ),
];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in TOLD {
        sandbox.write(name, text);
    }
    sandbox
}

/// Returns how a log is named to the program.
fn named(log: &str) -> String {
    let map = "--map at=ts,model=mdl,in=prompt,out=completion,tag.env=environment,tag.tier=plan";
    if log == "mapped.csv" { format!("{log} {map}") } else { log.to_owned() }
}

fn dollars(row: &Value) -> Decimal {
    Decimal::from_str_exact(row["cost_usd"].as_str().expect("a cost")).expect("an exact number")
}

#[test]
fn spend_is_told_apart_by_tags_whichever_tool_kept_them() {
    let sandbox = sandbox();
    for (log, _) in TOLD {
        let told = json(&sandbox.good(&format!("report {} --by tag.env,tag:tier --format json", named(log))));
        assert_eq!(told["scope"]["by"], serde_json::json!(["tag.env", "tag.tier"]), "{log}");
        let rows = told["rows"].as_array().expect("rows");
        let tags: Vec<_> =
            rows.iter().map(|row| (row["tag.env"].as_str(), row["tag.tier"].as_str())).collect();
        assert_eq!(tags, [(Some("prod"), Some("gold")), (None, None)], "{log}");
        assert_eq!(rows.iter().map(dollars).sum::<Decimal>(), dollars(&told["total"]), "{log}");
        assert_eq!(dollars(&rows[0]).to_string(), "0.0052", "{log}");
    }
    let units = json(&sandbox.good("unit own.jsonl --by tag.env --format json"));
    assert_eq!(units["rows"][0]["tag.env"], "prod");
    assert!(
        sandbox
            .good("report own.jsonl --by tag.env,model --format csv")
            .starts_with("tag.env,model,requests,")
    );
}

#[test]
fn charges_carry_every_tag_and_add_up_all_the_same() {
    let sandbox = sandbox();
    let text = sandbox.run("report own.jsonl --format focus").out;
    assert!(text.contains(r#"{""env"":""prod"",""route"":""general"",""tier"":""gold""}"#), "{text}");
    assert_eq!(text.lines().count(), 5, "input and output of a call with tags and of one without\n{text}");
}

#[test]
fn a_budget_by_tag_holds_over_the_log_of_another_tool() {
    let sandbox = sandbox();
    sandbox.write("budgets.toml", "[budget.env]\neach = \"tag.env\"\nlimit = { day = 1 }\n");
    for (log, _) in TOLD {
        let told = sandbox.good(&format!("budgets show {} --budgets budgets.toml --format csv", named(log)));
        let spent: Vec<&str> = told.lines().filter(|line| line.contains("prod")).collect();
        assert!(matches!(spent[..], [line] if line.contains("0.0052")), "{log}\n{told}");
    }
}

#[test]
fn what_is_no_dimension_is_told_with_those_that_are() {
    let sandbox = sandbox();
    let refused = sandbox.run("report own.jsonl --by teem");
    assert!(refused.err.contains("did you mean") && refused.err.contains("`teem`"), "{}", refused.err);
    assert!(sandbox.run("report own.jsonl --by tag.").err.contains("tag.NAME"));
    assert!(sandbox.run("unit own.jsonl --by model").err.contains("`model`"));
    let refused = sandbox.run("replay mapped.csv --map at=ts,model=mdl,in=prompt,tag.env=enviroment");
    assert!(
        refused.err.contains("tag.env=enviroment") && refused.err.contains("environment"),
        "{}",
        refused.err
    );
}
