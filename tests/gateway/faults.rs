//! Everything that can go wrong at a provider: what the client sees, what is charged, and that nothing stays open.

use std::time::Duration;

use serde_json::json;

use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::stage::{MODELS, Sees, Speaks, TROUBLE, all_lawful, chat, ends_well, hold, nothing_held, price};
use crate::upstream::upstream_script::{Report, RetryAfter};
use crate::upstream::{At, End, Fault, Framing, Pace, Refusing, Reply, Tokens, Told, Upstream};

/// A fault, and what clients see of it in a whole answer and in a stream.
struct Case {
    what: &'static str,
    reply: Reply,
    whole: Sees,
    stream: Sees,
}

fn case(what: &'static str, reply: Reply, whole: Sees, stream: Sees) -> Case {
    Case { what, reply, whole, stream }
}

const FAILS: Sees = Sees::Refusal(TROUBLE);

/// What goes wrong with connections and framing.
fn transport() -> Vec<Case> {
    use Sees::{Broken, Whole};
    vec![
        case("reset before headers", Reply::fault(At::BeforeHeaders, Fault::Reset), FAILS, FAILS),
        case("closed before headers", Reply::fault(At::BeforeHeaders, Fault::Close), FAILS, FAILS),
        case("reset after headers", Reply::fault(At::AfterHeaders, Fault::Reset), FAILS, FAILS),
        case("closed after headers", Reply::fault(At::AfterHeaders, Fault::Close), FAILS, FAILS),
        case("an empty body", Reply::fault(At::AfterHeaders, Fault::End), FAILS, FAILS),
        case("reset in the middle", Reply::fault(At::Frame(5), Fault::Reset), Whole, Broken),
        case("closed in the middle", Reply::fault(At::Frame(5), Fault::Close), Whole, Broken),
        case("reset within the body", Reply::fault(At::Frame(1), Fault::Reset), FAILS, FAILS),
        case("one byte at a time", Reply::default().paced(Pace::Bytes(1)), Whole, Whole),
        case("characters cut apart", Reply::default().paced(Pace::Bytes(3)), Whole, Whole),
        case("all at once", Reply::default().paced(Pace::Whole), Whole, Whole),
        case("trailers", Reply::default().framed(Framing::Trailers), Whole, Whole),
        case("no length at all", Reply::default().framed(Framing::UntilClose), Whole, Whole),
        case("interim answers", Reply { interim: vec![100, 103], ..Reply::default() }, Whole, Whole),
        case("a redirect", Reply::status(302).header("location", "/elsewhere"), FAILS, FAILS),
        case("a redirect without a place", Reply::status(308), FAILS, FAILS),
    ]
}

/// What goes wrong with contents.
fn contents() -> Vec<Case> {
    use Sees::{Broken, Whole};
    let splice = |at, text: &str| Reply::fault(at, Fault::Splice(text.as_bytes().to_vec()));
    let body = |text: &str| Reply { body: Some(text.as_bytes().to_vec()), ..Reply::default() };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    vec![
        case("JSON that is none", body("{\"choices\":[{"), FAILS, FAILS),
        case("words", body("Bad gateway"), FAILS, FAILS),
        case("JSON without an answer", body("{}"), FAILS, FAILS),
        case("JSON nested without end", body(&deep), FAILS, FAILS),
        case(
            "bytes that are no text",
            Reply { body: Some(vec![0xff; 64]), ..Reply::default() },
            FAILS,
            FAILS,
        ),
        case("an event that is no JSON", splice(At::Frame(5), "data: {broken\n\n"), Whole, Broken),
        case("comments between events", splice(At::Frame(5), ": still here\n\n"), Whole, Whole),
        case(
            "events that nobody knows",
            splice(At::Frame(5), "event: news\ndata: {\"type\":\"news\"}\n\n"),
            Whole,
            Whole,
        ),
    ]
}

fn run(cases: Vec<Case>) {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for case in cases {
        for stream in [false, true] {
            // A fault that strikes between a stream's events strikes nowhere in a whole answer.
            let aimed_at_stream =
                case.whole == Sees::Whole && matches!(case.reply.fault, Some((At::Frame(5), _)));
            if aimed_at_stream && !stream {
                continue;
            }
            for model in MODELS {
                for speaks in Speaks::ALL {
                    let early = matches!(case.reply.fault, Some((At::Frame(1), _)));
                    let sees = match (stream, model) {
                        (false, _) => case.whole,
                        // Gemini's streams begin with text at once.
                        (true, "gemini-2.5-flash") if early => Sees::Broken,
                        (true, _) => case.stream,
                    };
                    let what = format!("{}, {model}, {speaks:?}, stream {stream}", case.what);
                    upstream.push(case.reply.clone());
                    let answer = speaks.ask(model, stream).send(front.address());
                    hold(&what, speaks, stream, sees, &answer, &case.reply.whole_text());
                    upstream.wait_idle();
                }
            }
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    all_lawful(&rows, &upstream.served());
    upstream.wait("every connection is closed", |state| state.open == 0);
}

#[test]
fn connections_that_break_are_told_and_charged_for_what_they_brought() {
    run(transport());
}

#[test]
fn nonsense_from_a_provider_never_looks_like_an_answer() {
    run(contents());
}

#[test]
fn every_report_of_usage_is_charged_for_what_it_is() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for report in Report::ALL {
        for stream in [false, true] {
            for model in MODELS {
                upstream.push(Reply::report(report));
                let answer = chat(model, stream).send(front.address());
                assert_eq!(answer.status(), 200, "{report:?} {model} {stream}");
                assert_eq!(answer.said(), Reply::default().whole_text());
            }
        }
    }
    upstream.wait_idle();
    nothing_held(&front);
    let rows = front.settle();
    all_lawful(&rows, &upstream.served());
    assert!(!rows.iter().any(|row| row.amount == Some(0)), "words are never free");
}

#[test]
fn half_streams_are_no_answers_and_their_tokens_are_estimated() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    // A stream of Gemini's has no end but its last event, so there is nothing to leave out behind the usage.
    for model in ["gpt-4.1", "claude-opus-4-6"] {
        for at in [At::BeforeUsage, At::BeforeEnd] {
            upstream.push(Reply::fault(at, Fault::End));
            let answer = chat(model, true).send(front.address());
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.said(), Reply::default().whole_text());
        }
    }
    upstream.wait_idle();
    nothing_held(&front);
    let (rows, served) = (front.settle(), upstream.served());
    all_lawful(&rows, &served);
    assert!(served.iter().all(|served| served.end == Some(End::Half)));
    let told = served.iter().filter(|served| matches!(served.told, Told::Counts(_))).count();
    assert_eq!(rows.iter().filter(|row| row.kind == "known").count(), told);
}

#[test]
fn refusals_reach_the_client_in_its_own_shape() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let statuses: [(u16, &[u16]); 8] = [
        (400, &[400]),
        // The provider refuses the gateway's key; the client's own was sound.
        (401, &[401, 403, 500, 502, 503]),
        // Which model the provider does not know is none of the client's doing, either.
        (404, TROUBLE),
        (413, &[400, 413]),
        (500, &[500, 502]),
        (503, &[502, 503]),
        (529, &[502, 503, 529]),
        // The last, for the models are then left alone for a while.
        (429, &[429]),
    ];
    for (said, seen) in statuses {
        for speaks in Speaks::ALL {
            for model in MODELS {
                for stream in [false, true] {
                    upstream.push(Reply::status(said));
                    let answer = speaks.ask(model, stream).send(front.address());
                    let what = format!("{said} {model} {speaks:?}");
                    assert!(seen.contains(&answer.status()), "{what}: {} {}", answer.status(), answer.text());
                    speaks.error(&answer.json());
                }
            }
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    all_lawful(&rows, &upstream.served());
    assert!(rows.iter().all(|row| row.amount == Some(0) && row.kind == "known"), "a refusal costs nothing");
}

#[test]
fn a_refusal_is_obeyed_and_tried_once_more_whatever_form_its_wait_has() {
    let upstream = Upstream::start();
    let setup = Setup::with(&upstream.url(), r#"retries = { attempts = 2, base = "1ms", max_wait = "5s" }"#);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let past = "Fri, 31 Dec 1999 23:59:59 GMT".to_owned();
    let forms = [
        RetryAfter::Millis(1),
        RetryAfter::Seconds("0".to_owned()),
        RetryAfter::Seconds("0.002".to_owned()),
        RetryAfter::Date(past),
        RetryAfter::Seconds("soon".to_owned()),
    ];
    for form in &forms {
        upstream.push(Reply::status(429).retry_after(form));
        let answer = chat("gpt-4.1", false).send(front.address());
        assert_eq!(answer.status(), 200, "{form:?}: {}", answer.text());
    }
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!(rows.len(), 2 * forms.len(), "each was refused once and served once");
    all_lawful(&rows, &upstream.served());
}

#[test]
fn a_wait_that_is_too_long_is_not_waited_for() {
    let upstream = Upstream::start();
    let setup =
        Setup::with(&upstream.url(), r#"retries = { attempts = 3, base = "1ms", max_wait = "50ms" }"#);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    upstream.push(Reply::status(429).retry_after(&RetryAfter::Seconds("3600".to_owned())));
    let answer = chat("gpt-4.1", false).send(front.address());
    assert_eq!(answer.status(), 429);
    assert!(answer.header("retry-after").is_some() || answer.header("retry-after-ms").is_some());
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!(upstream.served().len(), 1);
    all_lawful(&rows, &upstream.served());
}

#[test]
fn what_fails_escalates_and_every_attempt_is_charged_at_its_own_model() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let faults = [
        Reply::status(500),
        Reply::status(429).retry_after(&RetryAfter::Seconds("0".to_owned())),
        Reply::fault(At::AfterHeaders, Fault::Close),
    ];
    for stream in [false, true] {
        for fault in &faults {
            upstream.push(fault.clone());
            let answer = chat("auto", stream).send(front.address());
            assert_eq!(answer.status(), 200, "{:?} stream {stream}: {}", fault.fault, answer.text());
            assert_eq!(answer.said(), Reply::default().whole_text());
            assert_eq!(answer.header("pointsman-model"), Some("gpt-4.1"));
        }
    }
    upstream.wait_idle();
    nothing_held(&front);
    let rows = front.settle();
    all_lawful(&rows, &upstream.served());
    for pair in rows.chunks(2) {
        let models: Vec<&str> = pair.iter().map(|row| row.model.as_str()).collect();
        assert_eq!(models, ["gpt-4.1-nano", "gpt-4.1"]);
    }
}

#[test]
fn a_provider_that_is_not_there_costs_nothing() {
    let refusing = Refusing::take();
    let setup = Setup::of(&refusing.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for speaks in Speaks::ALL {
        let answer = speaks.ask("gpt-4.1", false).send(front.address());
        assert!(TROUBLE.contains(&answer.status()), "{}", answer.status());
        speaks.error(&answer.json());
    }
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.kind == "known" && row.amount == Some(0)), "{rows:#?}");
}

#[test]
fn nothing_is_waited_for_for_ever() {
    let upstream = Upstream::start();
    let limits = r#"timeouts = { connect = "5s", first_byte = "150ms", idle = "150ms", total = "600ms" }"#;
    let setup = Setup::with(&upstream.url(), limits);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let pause = Duration::from_millis(20);
    let stalls = [
        (Reply::fault(At::BeforeHeaders, Fault::Stall), false, Sees::Refusal(TROUBLE)),
        (Reply::fault(At::BeforeHeaders, Fault::Stall), true, Sees::Refusal(TROUBLE)),
        (Reply::fault(At::AfterHeaders, Fault::Stall), false, Sees::Refusal(TROUBLE)),
        (Reply::fault(At::AfterHeaders, Fault::Stall), true, Sees::Refusal(TROUBLE)),
        (Reply::fault(At::Frame(5), Fault::Stall), true, Sees::Broken),
        (Reply::fault(At::BeforeHeaders, Fault::Loris(pause)), false, Sees::Refusal(TROUBLE)),
        (Reply::fault(At::AfterHeaders, Fault::Loris(pause)), false, Sees::Refusal(TROUBLE)),
        (Reply::fault(At::Frame(5), Fault::Loris(pause)), true, Sees::Broken),
    ];
    for (reply, stream, sees) in stalls {
        let what = format!("{:?} stream {stream}", reply.fault);
        upstream.push(reply.clone());
        let answer = chat("gpt-4.1", stream).send(front.address());
        hold(&what, Speaks::Chat, stream, sees, &answer, &reply.whole_text());
    }
    upstream.wait("the gateway hung up", |state| state.busy() == 0);
    nothing_held(&front);
    let rows = front.settle();
    all_lawful(&rows, &upstream.served());
    assert!(rows.iter().all(|row| matches!(row.status.as_str(), "timeout" | "cut")), "{rows:#?}");
}

#[test]
fn an_answer_without_end_is_cut_off_and_memory_stays_small() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    chat("gpt-4.1", false).send(front.address());
    let before = front.memory();
    for stream in [false, true] {
        upstream.push(Reply::fault(At::Frame(1), Fault::Flood).framed(Framing::UntilClose));
        let answer = chat("gpt-4.1", stream).send(front.address());
        // Where the flood lasts long enough, the client of a stream was kept waiting with signs of life first.
        let is_broken = stream && answer.status() == 200 && !ends_well(&answer);
        assert!(TROUBLE.contains(&answer.status()) || is_broken, "{} {}", answer.status(), answer.body.len());
    }
    upstream.wait("the gateway hung up", |state| state.busy() == 0);
    assert!(front.memory() < before + (160 << 10), "{before} KiB became {} KiB", front.memory());
    nothing_held(&front);
    let rows = front.settle();
    all_lawful(&rows, &upstream.served());
    // Who leaves the length open is billed for what such answers are cut at, never for millions.
    let most = price("gpt-4.1", Tokens { input: 1_000, output: 8_192, ..Tokens::default() });
    assert!(rows.iter().all(|row| row.amount.is_none_or(|amount| amount < most)), "{rows:#?}");
}

#[test]
fn a_length_that_lies_makes_no_answer() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for framing in [Framing::TooLong, Framing::TooShort] {
        for model in MODELS {
            upstream.push(Reply::default().framed(framing));
            let answer = chat(model, false).send(front.address());
            hold(&format!("{framing:?} {model}"), Speaks::Chat, false, FAILS, &answer, "");
        }
    }
    upstream.wait_idle();
    nothing_held(&front);
    all_lawful(&front.settle(), &upstream.served());
}

#[test]
fn long_lines_are_no_fault() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let long = "long words ".repeat(30_000);
    for stream in [false, true] {
        upstream.push(Reply::text(&long));
        assert_eq!(chat("gpt-4.1", stream).send(front.address()).said(), long);
    }
    upstream.wait_idle();
    nothing_held(&front);
    all_lawful(&front.settle(), &upstream.served());
}

#[test]
fn other_endpoints_pass_and_are_charged() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let answer =
        Ask::post("/v1/embeddings", &json!({"model": "text-embedding-3-small", "input": ["a", "b"]}))
            .send(front.address());
    assert_eq!((answer.status(), answer.json()["data"].as_array().map(Vec::len)), (200, Some(2)));
    let answer =
        Ask::post("/v1/responses", &json!({"model": "gpt-4.1", "input": "hi"})).send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    nothing_held(&front);
    let rows = front.settle();
    let served = upstream.served();
    assert_eq!((rows.len(), served.len()), (2, 2));
    assert_eq!(rows[0].input, Some(served[0].tokens.input));
    assert_eq!((rows[0].kind.as_str(), rows[0].estimated), ("known", false));
    // $0.02 a million tokens.
    assert_eq!(rows[0].amount, Some(i128::from(served[0].tokens.input) * 20_000));
    all_lawful(&rows[1..], &served[1..]);
}
