//! Golden verdicts: what each check says of which answer, and why.

use super::*;
use crate::units::PerMille;

fn text(text: &str) -> Said {
    Said { text: text.to_owned(), ended: Ended::Well, ..Said::default() }
}

fn call(arguments: &str) -> Said {
    let call = Call { name: "find".into(), arguments: arguments.to_owned() };
    Said { calls: vec![call], ended: Ended::Well, ..Said::default() }
}

fn spec(kind: Kind) -> CheckSpec {
    CheckSpec { kind, ..CheckSpec::default() }
}

fn told(spec: CheckSpec, said: &[Said], asked: Option<&str>) -> String {
    let checks = Checks::compile(None, &[spec]).unwrap().unwrap();
    let verdicts = checks.judge(said, asked);
    verdicts.iter().map(Verdict::describe).collect::<Vec<_>>().join("; ")
}

fn schema(text: &str) -> CheckSpec {
    CheckSpec { schema: Some(text.to_owned()), ..spec(Kind::Schema) }
}

const INVOICE: &str = r#"{"type":"object","required":["total"],"properties":{"total":{"type":"number","minimum":0}},
    "additionalProperties":false}"#;

#[test]
fn each_check_says_what_it_found_and_never_what_stood_there() {
    let cut = Said { ended: Ended::Truncated, ..text("Once") };
    let refused = Said { has_more: true, ended: Ended::Filtered, ..Said::default() };
    let long = Said { is_truncated: true, ..text("{}") };
    let matches = |pattern: &str| CheckSpec { matches: Some(pattern.into()), ..spec(Kind::Regex) };
    let sure = |least| CheckSpec { least: Some(least), ..spec(Kind::Logprobs) };
    let forbids = |pattern: &str| CheckSpec { forbids: Some(pattern.into()), ..spec(Kind::Regex) };
    for (check, said, golden) in [
        (spec(Kind::NonEmpty), text(" \n"), "non_empty failed: it is empty"),
        (spec(Kind::NonEmpty), call("{}"), "non_empty passed"),
        (spec(Kind::NonEmpty), refused.clone(), "non_empty passed"),
        (spec(Kind::Finish), text("a"), "finish passed"),
        (spec(Kind::Finish), cut, "finish failed: it was cut off by a limit of output"),
        (spec(Kind::Finish), refused, "finish failed: it was held back, or refused"),
        (spec(Kind::Finish), Said::default(), "finish abstained: nobody said why it ended"),
        (spec(Kind::ToolCalls), call(r#"{"q":1}"#), "tool_calls passed"),
        (spec(Kind::ToolCalls), call(""), "tool_calls passed"),
        (spec(Kind::ToolCalls), call("[1]"), "tool_calls failed: the arguments of a call are no JSON object"),
        (
            spec(Kind::ToolCalls),
            call(r#"{"q":"#),
            "tool_calls failed: the arguments of a call are no JSON object",
        ),
        (spec(Kind::ToolCalls), text("a"), "tool_calls abstained: it calls no tool"),
        (schema(INVOICE), text(r#" {"total": 3.10} "#), "schema passed"),
        (schema(INVOICE), text("The total is 3"), "schema failed: it is no JSON"),
        (schema(INVOICE), text("{}"), "schema failed: it lacks \"total\""),
        (
            schema(INVOICE),
            text(r#"{"total":"SECRET"}"#),
            "schema failed: it does not fit the schema at /properties/total/type",
        ),
        (
            schema(INVOICE),
            text(r#"{"total":1,"SECRET":1}"#),
            "schema failed: it does not fit the schema at /additionalProperties",
        ),
        (schema(INVOICE), call("{}"), "schema abstained: it calls tools"),
        (schema(INVOICE), long, "schema abstained: it is too long to be looked into"),
        (spec(Kind::Schema), text("{}"), "schema abstained: the request names no schema"),
        (sure(700), Said { sureness: PerMille::new(700), ..text("a") }, "logprobs passed (700‰)"),
        (
            sure(701),
            Said { sureness: PerMille::new(700), ..text("a") },
            "logprobs failed (700‰): 700‰ is below 701‰",
        ),
        (sure(0), text("a"), "logprobs abstained: nobody told how likely its words were"),
        (matches("^[0-9]+$"), text("42"), "regex passed"),
        (matches("^[0-9]+$"), text("forty-two"), "regex failed: it does not match"),
        (forbids("(?i)as an ai"), text("As an AI, I .."), "regex failed: it matches what is forbidden"),
        (forbids("(?i)as an ai"), text("Fine."), "regex passed"),
    ] {
        assert_eq!(told(check, &[said], None), golden);
    }
}

#[test]
fn every_one_of_several_answers_has_to_be_fit() {
    let check = || spec(Kind::NonEmpty);
    assert_eq!(told(check(), &[text("a"), text("")], None), "non_empty failed: it is empty");
    assert_eq!(told(check(), &[text("a"), text("b")], None), "non_empty passed");
    assert_eq!(told(check(), &[], None), "non_empty abstained: there is no answer");
    let finish = [Said::default(), text("a")];
    assert_eq!(told(spec(Kind::Finish), &finish, None), "finish abstained: nobody said why it ended");
}

#[test]
fn a_clients_schema_judges_but_cannot_make_work_without_end() {
    let asked = |schema: &str, answer: &str| told(spec(Kind::Schema), &[text(answer)], Some(schema));
    assert_eq!(asked(INVOICE, r#"{"total":1}"#), "schema passed");
    assert_eq!(
        asked(INVOICE, r#"{"total":-1}"#),
        "schema failed: it does not fit the schema at /properties/total/minimum"
    );
    let named = r##"{"$defs":{"row":{"type":"object","required":["n"]}},"type":"array","items":{"$ref":"#/$defs/row"}}"##;
    assert_eq!(asked(named, r#"[{"n":1},{}]"#), "schema failed: it lacks \"n\"");
    // Each level looks at the next twice: 2^40 looks.
    let level = |at: usize| {
        format!(r##""l{at}":{{"allOf":[{{"$ref":"#/$defs/l{0}"}},{{"$ref":"#/$defs/l{0}"}}]}}"##, at + 1)
    };
    let levels: Vec<String> = (0..31).map(level).collect();
    let doubled = format!(r##"{{"$defs":{{{},"l31":{{}}}},"$ref":"#/$defs/l0"}}"##, levels.join(","));
    let endless = r##"{"properties":{"a":{"$ref":"#"}}}"##;
    let elsewhere = r#"{"$ref":"http://127.0.0.1:1/s.json"}"#;
    for schema in
        [doubled.as_str(), endless, elsewhere, r##"{"$dynamicRef":"#a"}"##, r#"{"type":"nonsense"}"#, "{"]
    {
        assert_eq!(asked(schema, "{}"), "schema abstained: the request's schema cannot be used", "{schema}");
    }
    // A pattern that others are slow on takes no longer than its text is long.
    let slow = r#"{"pattern":"^(a+)+$"}"#;
    let answer = format!("\"{}b\"", "a".repeat(20_000));
    assert_eq!(asked(slow, &answer), "schema failed: it does not fit the schema at /pattern");
}

#[test]
fn what_follows_is_another_matter_than_what_was_found() {
    let check = |name: &str, on_fail| CheckSpec { name: Some(name.into()), on_fail, ..spec(Kind::NonEmpty) };
    let both = [check("strict", None), check("noted", Some(OnFail::Record))];
    let failed = |by: &str| Verdict::new(by, Says::Failed, "");
    for (when, strict) in [(CheckWhen::Before, true), (CheckWhen::After, false)] {
        let checks = Checks::compile(Some(when), &both).unwrap().unwrap();
        assert_eq!(checks.escalates(&failed("strict")), strict);
        assert_eq!(checks.escalates(&failed(Verdict::OWN)), strict);
        assert!(!checks.escalates(&failed("noted")));
        assert!(!checks.escalates(&Verdict::new("strict", Says::Abstained, "")));
    }
}

#[test]
fn a_check_that_cannot_work_is_refused_where_it_is_written() {
    let invalid = |spec: CheckSpec| {
        let (at, key, problem) = Checks::compile(None, &[spec]).unwrap_err();
        format!("{at} {key}: {problem}")
    };
    let command = |words: &[&str]| CheckSpec {
        command: words.iter().map(|&word| word.to_owned()).collect(),
        ..spec(Kind::Command)
    };
    assert_eq!(invalid(spec(Kind::Regex)), "0 matches: is missing; write `matches` or `forbids`");
    let regex = CheckSpec { matches: Some("(".into()), ..spec(Kind::Regex) };
    assert_eq!(invalid(regex), "0 matches: is no pattern: unclosed group");
    let large = CheckSpec { matches: Some("(a{1000}){1000}".into()), ..spec(Kind::Regex) };
    assert_eq!(invalid(large), "0 matches: is too large a pattern; make it smaller");
    assert!(invalid(schema("{")).starts_with("0 schema: is no JSON"));
    assert!(invalid(schema(r#"{"type":"nonsense"}"#)).starts_with("0 schema: is no JSON Schema"));
    assert!(invalid(schema(r#"{"$ref":"file:///etc/passwd"}"#)).starts_with("0 schema: is no JSON Schema"));
    assert!(invalid(command(&[])).starts_with("0 command: names no program"));
    let slow = CheckSpec { time_limit_ms: Some(60_001), ..command(&["a"]) };
    assert_eq!(invalid(slow), "0 time_limit: is outside 1ms to 60s");
    let least = CheckSpec { least: Some(1001), ..command(&["a"]) };
    assert_eq!(invalid(least), "0 least: 1001 is outside 0 to 1000 per mille");
    let stranger = CheckSpec { least: Some(1), ..spec(Kind::Finish) };
    assert_eq!(invalid(stranger), "0 least: is for `logprobs` and `command`; this check is a `finish`");
    let named = CheckSpec { name: Some(Verdict::OWN.into()), ..spec(Kind::Finish) };
    assert!(invalid(named).starts_with("0 name: `answer` is taken"));
    let (at, key, _) = Checks::compile(None, &[spec(Kind::Finish), spec(Kind::Finish)]).unwrap_err();
    assert_eq!((at, key), (1, "name"));
    assert!(Checks::compile(None, &vec![spec(Kind::Finish); 17]).is_err());
}
