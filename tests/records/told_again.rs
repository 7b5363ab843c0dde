//! What several spans, rows or bodies tell of one call is put together, and what none of them tells is unknown.

use std::ops::ControlFlow;

use pointsman::config::prices::builtin;
use pointsman::record::{Entry, Input, ReadOptions, open};
use pointsman::units::Instant;

use super::billed::{PLAIN, chat, costs};
use super::counted::{document, span};

fn call(id: &str, parent: &str, more: &[(&str, &str)]) -> String {
    let plain = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", "gpt-4.1"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.usage.input_tokens", "1000"),
        ("gen_ai.usage.output_tokens", "100"),
    ];
    let is_told = |key: &str| more.iter().any(|(told, _)| *told == key);
    let rest = plain.iter().filter(|(key, _)| !is_told(key));
    span(id, parent, "x", &rest.chain(more).copied().collect::<Vec<_>>())
}

fn generation(id: &str, parent: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{id}","traceId":"t","startTime":"2026-05-01T10:00:00Z","providedModelName":"gpt-4.1","parentObservationId":"{parent}",{more}}}"#
    ) + "\n"
}

/// What counts once has to be the same in what it says: a list of words for nothing never ends.
#[test]
fn rows_of_another_moment_and_another_prompt_are_other_calls_whatever_their_id() {
    let book = builtin("list").unwrap();
    let row = |id: &str, minute: u32, prompt: u32| {
        format!(
            r#"{{"request_id":"{id}","request_created_at":"2026-05-01T10:0{minute}:00Z","response_status":200,"response_model":"gpt-4.1","provider":"OPENAI","prompt_tokens":{prompt},"completion_tokens":100}}"#
        ) + "\n"
    };
    for id in ["test", "(none)", "[object Object]", "-1"] {
        let log = [row(id, 0, 1000), row(id, 1, 1001), row(id, 2, 1002)].concat();
        assert_eq!(costs(&book, &log).0.len(), 3, "{id}");
        let twice = format!("{log}{log}");
        assert_eq!(costs(&book, &twice).0.len(), 3, "{id}: a row that is there twice counts once");
    }
    let chat = |prompt: u32| {
        format!(
            r#"{{"id":"chatcmpl-00000000000000000000000000000000","object":"chat.completion","created":1777629600,"model":"gpt-4.1","choices":[{{"index":0,"message":{{"content":"hi"}}}}],"usage":{{"prompt_tokens":{prompt},"completion_tokens":100}}}}"#
        ) + "\n"
    };
    assert_eq!(costs(&book, &(chat(1000) + &chat(1001))).0.len(), 2);
}

/// All requests without a session would else be one session, and be compared with one another.
#[test]
fn names_for_nothing_are_none_in_every_format() {
    let log = r#"{"request_id":"r-1","call_type":"acompletion","api_key":"k","startTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","spend":0.1,"prompt_tokens":1000,"completion_tokens":100,"session_id":"None","end_user":"null","team_id":"00000000-0000-0000-0000-000000000000"}"#;
    let mut read = open(&Input::bytes("log", log.as_bytes().to_vec()), &ReadOptions::default()).unwrap();
    read.for_each(|_, _, entry| {
        let Ok(Entry::Request(record)) = entry else { panic!("{log}") };
        assert_eq!([&*record.team, &*record.user, &*record.session], ["", "", ""]);
        ControlFlow::Continue(())
    })
    .unwrap();
}

const CACHED: &str = "gen_ai.usage.cache_read.input_tokens";

#[test]
fn of_two_spans_of_one_call_neither_loses_what_it_alone_tells() {
    let book = builtin("list").unwrap();
    for (more, want) in [
        ((CACHED, "800"), "known 0.0016"),
        (("openai.response.service_tier", "priority"), "known 0.0049"),
        (("gen_ai.provider.name", "azure.ai.openai"), "no_price"),
        (("gen_ai.usage.web_search_requests", "1"), "known 0.0128"),
    ] {
        for (inner, outer) in [(&[more][..], &[][..]), (&[], &[more])] {
            let (inner, outer) = (call("02", "01", inner), call("01", "", outer));
            for log in [
                document(&[inner.clone(), outer.clone()]),
                document(&[outer.clone(), inner.clone()]),
                document(std::slice::from_ref(&inner)) + &document(std::slice::from_ref(&outer)),
                document(&[outer]) + &document(&[inner]),
            ] {
                assert_eq!(costs(&book, &log).0, [want], "{log}");
            }
        }
    }
    let (plain, split) = (
        r#""type":"GENERATION","usageDetails":{"input":1000,"output":100,"total":1100}"#,
        r#""type":"GENERATION","usageDetails":{"input":200,"input_cached_tokens":800,"output":100,"total":1100}"#,
    );
    for (outer, inner) in [(plain, split), (split, plain)] {
        let (outer, inner) = (generation("o", "", outer), generation("i", "o", inner));
        for log in [format!("{outer}{inner}"), format!("{inner}{outer}")] {
            assert_eq!(costs(&book, &log).0, ["known 0.0016"], "{log}");
        }
    }
    // The same answer in two formats or lines, too; two counts that contradict each other are an estimate.
    let cached = format!(r#"{PLAIN},"prompt_tokens_details":{{"cached_tokens":800}}"#);
    for [one, two] in [[PLAIN, &cached], [&cached, PLAIN]] {
        let log = format!("{}\n{}\n", chat(one, ""), chat(two, ""));
        assert_eq!(costs(&book, &log).0, ["known 0.0016"], "{log}");
    }
    let against = document(&[call("01", "", &[(CACHED, "500")]), call("02", "01", &[(CACHED, "800")])]);
    assert_eq!(costs(&book, &against).0, ["about 0.0016"]);
    // A framework's name for itself says nothing of who served.
    let framework =
        document(&[call("01", "", &[("gen_ai.provider.name", "langchain")]), call("02", "01", &[])]);
    assert_eq!(costs(&book, &framework).0, ["known 0.0028"]);
}

#[test]
fn a_sum_that_tells_more_than_the_calls_within_it_makes_them_estimates() {
    let book = builtin("list").unwrap();
    let sum = |more: &[(&str, &str)]| {
        let tokens = [("gen_ai.usage.input_tokens", "2000"), ("gen_ai.usage.output_tokens", "200")];
        call("01", "", &[&tokens[..], more].concat())
    };
    let inner = |id: &str, more: &[(&str, &str)]| call(id, "01", more);
    let log = |sum: String, more: &[(&str, &str)]| document(&[inner("02", &[]), inner("03", more), sum]);
    assert_eq!(costs(&book, &log(sum(&[]), &[])).0, ["known 0.0028"; 2]);
    assert_eq!(costs(&book, &log(sum(&[(CACHED, "800")]), &[])).0, ["about 0.0028"; 2]);
    let explained = log(sum(&[(CACHED, "800")]), &[(CACHED, "800")]);
    assert_eq!(costs(&book, &explained).0, ["known 0.0028", "known 0.0016"]);
}

#[test]
fn a_run_of_an_agent_counts_where_nothing_within_it_does() {
    let book = builtin("list").unwrap();
    let run = |id: &str, parent: &str| {
        let tokens = [("gen_ai.usage.input_tokens", "2000"), ("gen_ai.usage.output_tokens", "200")];
        let kind = [("gen_ai.operation.name", "invoke_agent")];
        document(&[call(id, parent, &[&kind[..], &tokens].concat())])
    };
    let small = [("gen_ai.request.model", "gpt-4.1-mini")];
    let (one, two) = (document(&[call("02", "01", &[])]), document(&[call("03", "01", &small)]));
    let outer = run("01", "");
    assert_eq!(costs(&book, &outer).0, ["about 0.0056"]);
    for log in [format!("{outer}{one}{two}"), format!("{one}{outer}{two}"), format!("{one}{two}{outer}")] {
        assert_eq!(costs(&book, &log).0, ["known 0.0028", "known 0.00056"], "{log}");
    }
    let within = document(&[call("02", "04", &[])]);
    assert_eq!(costs(&book, &format!("{outer}{}{within}", run("04", "01"))).0, ["known 0.0028"]);
    let agent = |usage: &str| generation("a", "", &format!(r#""type":"AGENT","usageDetails":{{{usage}}}"#));
    assert_eq!(costs(&book, &agent(r#""input":1000,"output":100"#)).0, ["about 0.0028"]);
    let (alone, inner) = (
        agent(r#""input":1000,"output":100"#),
        generation("i", "a", r#""type":"GENERATION","usageDetails":{"input":1000,"output":100}"#),
    );
    assert_eq!(costs(&book, &format!("{alone}{inner}")).0, ["known 0.0028"]);
    // A run that tells no tokens is no call.
    assert_eq!(costs(&book, &format!("{}{inner}", agent(""))).0, ["known 0.0028"]);
}

#[test]
fn no_tokens_at_all_of_a_call_that_succeeded_are_unknown_in_every_format() {
    let book = builtin("list").unwrap();
    let zeros = r#""prompt_tokens":0,"completion_tokens":0,"total_tokens":0"#;
    let litellm = |more: &str| {
        format!(
            r#"{{"request_id":"r","call_type":"acompletion","api_key":"k","startTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","spend":0,{zeros}{more}}}"#
        )
    };
    let none = [("gen_ai.usage.input_tokens", "0"), ("gen_ai.usage.output_tokens", "0")];
    for log in [
        litellm(r#","status":"success""#),
        document(&[call("01", "", &none)]),
        generation("g", "", r#""type":"GENERATION","usageDetails":{"input":0,"output":0}"#),
        format!(
            r#"{{"request_id":"h","request_created_at":"2026-05-01T10:00:00Z","response_status":200,"response_model":"gpt-4.1","provider":"OPENAI",{zeros}}}"#
        ),
        r#"{"id":"r","model_name":"gpt-4.1","model_provider_name":"openai","input_tokens":0,"output_tokens":0,"timestamp":"2026-05-01T10:00:00Z","cached":false}"#.to_owned(),
        format!(r#"{{"id":"c","object":"chat.completion","model":"gpt-4.1","choices":[{{"message":{{"content":""}},"finish_reason":"stop"}}],"usage":{{{zeros}}}}}"#),
        r#"{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"stop_reason":"end_turn","usage":{"input_tokens":0,"output_tokens":0}}"#.to_owned(),
    ] {
        assert_eq!(costs(&book, &log).0, ["no_usage"], "{log}");
    }
    // What the gateway's own cache answered, or refused, is known to have used nothing.
    for more in [
        r#","cache_hit":"True""#,
        r#","status":"failure","metadata":{"error_information":{"error_code":"400"}}"#,
    ] {
        assert_eq!(costs(&book, &litellm(more)).0, ["known 0"], "{more}");
    }
    let ours =
        r#"{"id":"r","at":"2026-05-01T10:00:00Z","model":"gpt-4.1","in":1000,"out":100,"reasoning":150}"#;
    assert_eq!(costs(&book, ours).0, ["about 0.004"], "reasoning is more than the answer it is part of");
}

/// Fifty calls whose exporter writes zeros or a word where it has no id are no tellings of one.
#[test]
fn calls_whose_id_is_none_are_not_taken_for_each_other() {
    let book = builtin("list").unwrap();
    let litellm = |id: &str, input: u64| {
        format!(
            r#"{{"request_id":"{id}","call_type":"acompletion","api_key":"k","startTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","spend":0.1,"prompt_tokens":{input},"completion_tokens":100,"total_tokens":{}}}"#,
            input + 100
        ) + "\n"
    };
    let zeros = |id: &str, input: &str| {
        let one = call(id, "", &[("gen_ai.usage.input_tokens", input)]);
        document(&[one.replace(r#""traceId":"aa""#, r#""traceId":"00000000000000000000000000000000""#)])
    };
    let claude = |input: u64| {
        format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{{"type":"text","text":"hi"}}],"stop_reason":"end_turn","usage":{{"input_tokens":{input},"output_tokens":100}}}}"#
        ) + "\n"
    };
    let mut logs = vec![
        zeros("0000000000000000", "1000") + &zeros("0000000000000000", "2000"),
        claude(1000) + &claude(2000),
    ];
    logs.extend(["None", "null", "undefined", "-", "0"].map(|id| litellm(id, 1000) + &litellm(id, 2000)));
    for log in logs {
        assert_eq!(costs(&book, &log).0.len(), 2, "{log}");
    }
    // What Langfuse's own table calls its columns.
    let table = "\"id\",\"timestamp\",\"traceId\",\"type\",\"model\",\"inputUsage\",\"outputUsage\",\"totalUsage\",\"startTime\"\n\"o1\",\"2026-05-01T10:00:00Z\",\"t1\",\"GENERATION\",\"gpt-4.1\",\"1000\",\"100\",\"1100\",\"2026-05-01T10:00:00Z\"\n";
    assert_eq!(costs(&book, table).0, ["known 0.0028"]);
    // A code in quotes is a code.
    for status in ["429", "200", "418"] {
        let line = format!(
            r#"{{"id":"1","at":"2026-05-01T10:00:00Z","model":"gpt-4.1","in":1000,"out":100,"status":"{status}"}}"#
        );
        assert_eq!(costs(&book, &(line + "\n")).0.len(), 1, "{status}");
    }
}

/// Writers that know no moment write a zero; years before the rest of a log, it would make every rate nonsense.
#[test]
fn a_moment_of_zero_is_none() {
    let answer = |id: u32, created: u64| {
        chat(PLAIN, "")
            .replace("abcdefghijklmnopqrs", &format!("abcdefghijklmnopq{id:02}"))
            .replace("1777629600", &created.to_string())
            + "\n"
    };
    let row = |start: &str| {
        format!(
            r#"{{"request_id":"r-1","call_type":"acompletion","api_key":"k","startTime":{start},"endTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","spend":0.1,{PLAIN}}}"#
        ) + "\n"
    };
    let span = call("01", "", &[])
        .replace(r#""startTimeUnixNano":"1777629600000000000""#, r#""startTimeUnixNano":"0""#);
    let [day, end] = ["2026-05-01T10:00:00Z", "2026-05-01T10:00:01Z"];
    for (log, want) in [
        (answer(1, 0) + &answer(2, 1_777_629_600), vec![(day, None), (day, None)]),
        (answer(1, 1_777_629_600) + &answer(2, 0), vec![(day, None), (day, None)]),
        (row("0"), vec![(day, None)]),
        (row("\"0001-01-01T00:00:00Z\""), vec![(day, None)]),
        (document(&[span]), vec![(end, None)]),
    ] {
        let mut found = Vec::new();
        let mut source =
            open(&Input::bytes("log", log.as_bytes().to_vec()), &ReadOptions::default()).unwrap();
        let read = source.for_each(|_, _, entry| {
            if let Ok(Entry::Request(record)) = entry {
                found.push((record.at, record.attempts.last().and_then(|call| call.latency_ms)));
            }
            ControlFlow::Continue(())
        });
        read.unwrap();
        let want: Vec<_> = want.into_iter().map(|(at, took)| (Instant::parse(at).unwrap(), took)).collect();
        assert_eq!(found, want, "{log}");
    }
}

#[test]
fn a_table_exported_with_its_columns_reads_like_its_rows() {
    let book = builtin("list").unwrap();
    let table = concat!(
        "request_id,call_type,spend,total_tokens,prompt_tokens,completion_tokens,startTime,model,custom_llm_provider,metadata,messages,cache_hit,status\n",
        "r1,acompletion,0.0016,1100,1000,100,2026-05-01 10:00:00.000,gpt-4.1,openai,\"{\"\"usage_object\"\":{\"\"prompt_tokens\"\":1000,\"\"prompt_tokens_details\"\":{\"\"cached_tokens\"\":800}}}\",\"two\nlines, \"\"so\"\"\",False,success\n",
        "r2,aget_responses,0.0016,1100,1000,100,2026-05-01 10:00:00.000,gpt-4.1,openai,{},,False,success\n",
    );
    assert_eq!(costs(&book, table).0, ["known 0.0016"]);
    let other = table.replace("\"two\nlines, \"\"so\"\"\"", "").replace(',', ";").replace(":1000;", ":1000,");
    assert_eq!(costs(&book, &other).0, ["known 0.0016"]);
}

#[test]
fn a_body_within_a_row_or_a_span_tells_how_the_answer_ended() {
    let book = builtin("list").unwrap();
    let helicone = |reason: &str| {
        format!(
            r#"{{"request_id":"h","request_created_at":"2026-05-01T10:00:00Z","response_status":200,"response_model":"gpt-4.1","provider":"OPENAI",{PLAIN},"response_body":{{"id":"c","object":"chat.completion","model":"gpt-4.1","choices":[{{"index":0,"message":{{"content":"hi"}},"finish_reason":{reason}}}],"usage":{{{PLAIN}}}}}}}"#
        )
    };
    assert_eq!(costs(&book, &helicone("null")).0, ["about 0.0028"], "it was cut");
    assert_eq!(costs(&book, &helicone(r#""stop""#)).0, ["known 0.0028"]);
}

#[test]
fn one_short_id_in_one_moment_is_two_requests_where_the_models_differ() {
    let book = builtin("list").unwrap();
    let line = |model: &str| {
        format!(r#"{{"id":"r","at":"2026-05-01T10:00:00Z","model":"{model}","in":1000,"out":100}}"#) + "\n"
    };
    let (one, two) = (line("gpt-4.1"), line("gpt-4.1-2025-04-14"));
    assert_eq!(costs(&book, &format!("{one}{two}{one}")).0, ["known 0.0028"; 2]);
}
