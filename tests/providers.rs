//! Calls to providers over real connections: what a gateway sees when a provider is slow, broken, strict or malicious,
//! and that neither keys nor places leak.

#![expect(clippy::unwrap_used, reason = "a test's own scaffolding may fail the test")]

#[path = "support/acts.rs"]
mod upstream;

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use pointsman::config::providers::{KeySource, ProvidersSpec, parse};
use pointsman::providers::{
    Call, CallError, Cause, Failure, FoundKey, KeyError, Outcome, Providers, Reply, Target,
};
use pointsman::routing::Status;
use pointsman::telemetry::{Breaker, ModelHealth};
use pointsman::units;
use pointsman::wire::Dialect;
use secrecy::SecretString;
use upstream::{Act, Upstream, answer, chunked};

const SECRET: &str = "sk-never-to-be-seen";

/// The date at which tests look.
const START: units::Instant = units::Instant(0);

fn health(providers: &Providers, now: Instant) -> Vec<ModelHealth> {
    providers.health(now, START)
}

fn spec(text: &str) -> ProvidersSpec {
    parse(&[("providers.toml", text)]).unwrap()
}

/// A provider at that address that serves `m*`.
fn at(url: &str, more: &str) -> ProvidersSpec {
    spec(&format!(
        "[[provider]]\nname = \"up\"\ndialect = \"openai\"\nbase_url = \"{url}/v1\"\nmodels = [\"m*\"]\n\
         key = {{ env = \"UP\" }}\n{more}\n[simulated]\nspeed = 0\n"
    ))
}

fn build(spec: &ProvidersSpec) -> Providers {
    let keys = |source: &KeySource| match source {
        KeySource::Env(name) if name == "UP" => {
            Ok(FoundKey { key: SecretString::from(SECRET), warning: None })
        }
        other => Err(KeyError::Unset(other.to_string())),
    };
    Providers::build(spec, &keys, Instant::now()).unwrap().with_seed(7)
}

fn call(stream: bool) -> Call {
    let body = Bytes::from_static(b"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
    Call { dialect: Dialect::OpenAiChat, body, stream, headers: HeaderMap::new(), attempt: 0 }
}

/// Makes one call and reports it as a gateway does.
async fn once(providers: &Providers, target: &Target, call: Call) -> Result<(u16, Bytes), CallError> {
    let mut permit = providers.permit(target, 10, false, Instant::now()).unwrap();
    let done = async {
        let reply = providers.send(&mut permit, call).await?;
        let status = reply.status;
        Ok((status, reply.whole(1_000_000, |_| true).await?))
    };
    let done: Result<_, CallError> = done.await;
    let status = match &done {
        Ok((status, _)) => Status::from_http(*status),
        Err(error) => error.status(),
    };
    let error = done.as_ref().err().map(ToString::to_string);
    providers.report(permit, &Outcome { status, tokens: Some(5), error }, Instant::now());
    done
}

async fn fails(act: Act, more: &str, stream: bool) -> CallError {
    let upstream = Upstream::start(vec![act]).await;
    let providers = build(&at(&upstream.url, more));
    let target = providers.target("m").unwrap();
    let error = once(&providers, &target, call(stream)).await.unwrap_err();
    assert!(error.to_string().contains("up (127.0.0.1)"), "{error}");
    assert_eq!(health(&providers, Instant::now())[0].in_flight, 0);
    error
}

const QUICK: &str = "timeouts = { first_byte = \"50ms\", idle = \"50ms\", total = \"10s\" }";

#[tokio::test]
async fn a_provider_that_is_down_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let providers = build(&at(&url, ""));
    let target = providers.target("m").unwrap();
    let error = once(&providers, &target, call(true)).await.unwrap_err();
    assert!(matches!(&error, CallError::Connect { .. }), "{error:?}");
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
    assert!(error.status().is_retryable());
    assert_eq!(health(&providers, Instant::now())[0].last_error, error.to_string());
}

#[tokio::test]
async fn a_stream_that_never_begins_ends_by_itself() {
    let error = fails(Act::Stall(vec![]), QUICK, true).await;
    assert!(matches!(error, CallError::FirstByteTimeout { .. }), "{error:?}");
    assert_eq!(error.status(), Status::Timeout);
    // The head alone is no answer either.
    let error = fails(Act::Stall(chunked(&[])), QUICK, true).await;
    assert!(matches!(error, CallError::FirstByteTimeout { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_in_one_piece_has_the_total_time() {
    let times = "timeouts = { first_byte = \"1ms\", idle = \"10s\", total = \"60ms\" }";
    let error = fails(Act::Stall(vec![]), times, false).await;
    assert!(matches!(error, CallError::TotalTimeout { .. }), "{error:?}");
}

#[tokio::test]
async fn a_stream_that_stops_in_the_middle_gives_what_came() {
    let upstream = Upstream::start(vec![Act::Stall(chunked(&["one", "two"]))]).await;
    let providers = build(&at(&upstream.url, "timeouts = { first_byte = \"1m\", idle = \"50ms\" }"));
    let target = providers.target("m").unwrap();
    let mut permit = providers.permit(&target, 1, false, Instant::now()).unwrap();
    let mut reply = providers.send(&mut permit, call(true)).await.unwrap();
    let mut text = Vec::new();
    let error = loop {
        match reply.chunk().await {
            Ok(piece) => text.extend_from_slice(&piece.unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(text, b"onetwo");
    assert!(matches!(error, CallError::IdleTimeout { .. }), "{error:?}");
    assert_eq!(reply.chunk().await.unwrap(), None, "after that it is over");
}

#[tokio::test]
async fn a_broken_connection_is_no_complete_answer() {
    let cut_short = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    for act in [
        Act::Reset(chunked(&["one"])),
        Act::SendAndClose(chunked(&["one"])),
        Act::SendAndClose(cut_short),
        Act::SendAndClose(vec![]),
        Act::Reset(vec![]),
        Act::SendAndClose(b"this is not HTTP\r\n\r\n".to_vec()),
        Act::SendAndClose(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec()),
    ] {
        let error = fails(act.clone(), "", true).await;
        assert!(matches!(error, CallError::Transport { .. }), "{act:?}: {error:?}");
        assert!(error.status().is_retryable());
    }
}

#[tokio::test]
async fn a_stream_that_never_ends_ends_in_total() {
    let times = "timeouts = { first_byte = \"10s\", idle = \"10s\", total = \"100ms\" }";
    let error = fails(Act::Trickle(chunked(&[]), b"1\r\nx\r\n".to_vec()), times, true).await;
    assert!(matches!(error, CallError::TotalTimeout { .. }), "{error:?}");
}

#[tokio::test]
async fn a_giant_answer_is_not_taken_in() {
    let giant = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";
    let error = fails(Act::Stall(giant.into()), "", false).await;
    assert!(matches!(error, CallError::TooLarge { limit: 1_000_000, .. }), "announced: {error:?}");
    let piece = format!("{:x}\r\n{}\r\n", 100_000, "x".repeat(100_000));
    let error = fails(Act::Trickle(chunked(&[]), piece.into_bytes()), "", false).await;
    assert!(matches!(error, CallError::TooLarge { .. }), "not announced: {error:?}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_apart() {
    let upstream = Upstream::start(vec![Act::SendAndClose(answer("200 OK", "", "plain"))]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(stream.write_all(b"220 mail.example.com ESMTP\r\n").await);
        }
    });
    let providers = build(&at(&url, ""));
    let target = providers.target("m").unwrap();
    let error = once(&providers, &target, call(false)).await.unwrap_err();
    // A machine without any certificates cannot set up secure calls at all.
    assert!(matches!(error, CallError::Tls { .. } | CallError::Setup { .. }), "{error:?}");
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_key_along() {
    let elsewhere = Upstream::start(vec![Act::Send(answer("200 OK", "", "{}"))]).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let to = format!("location: {}/v1/chat/completions\r\n", elsewhere.url);
        let upstream = Upstream::start(vec![Act::Send(answer(status, &to, ""))]).await;
        let providers = build(&at(&upstream.url, ""));
        let target = providers.target("m").unwrap();
        let (code, _) = once(&providers, &target, call(false)).await.unwrap();
        assert_eq!(code.to_string(), status[..3]);
    }
    assert_eq!(elsewhere.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn connections_are_used_again() {
    let upstream = Upstream::start(vec![Act::Send(answer("200 OK", "", "{}"))]).await;
    let providers = build(&at(&upstream.url, ""));
    let target = providers.target("m").unwrap();
    for _ in 0..50 {
        assert_eq!(once(&providers, &target, call(false)).await.unwrap().0, 200);
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
    assert_eq!(upstream.requests().len(), 50, "each call is made once");
}

#[tokio::test]
async fn each_provider_is_called_where_and_how_it_expects() {
    let upstream = Upstream::start(vec![Act::Send(answer("200 OK", "", "{}"))]).await;
    let url = &upstream.url;
    let text = format!(
        "[[provider]]\nname = \"o\"\ndialect = \"openai\"\nbase_url = \"{url}/v1/\"\nmodels = [\"o\"]\n\
         key = {{ env = \"UP\" }}\nresponses = true\nheaders = {{ \"X-Team\" = \"a\" }}\n\
         [[provider]]\nname = \"az\"\ndialect = \"openai\"\nbase_url = \"{url}/openai/v1\"\nkey = {{ env = \"UP\" }}\n\
         key_header = \"api-key\"\nrename = {{ \"az\" = \"my-deployment\" }}\n\
         [[provider]]\nname = \"a\"\ndialect = \"anthropic\"\nbase_url = \"{url}\"\nmodels = [\"a\"]\n\
         key = {{ env = \"UP\" }}\nheaders = {{ \"anthropic-version\" = \"2023-06-01\" }}\n\
         [[provider]]\nname = \"g\"\ndialect = \"gemini\"\nbase_url = \"{url}\"\nmodels = [\"g*\"]\nkey = {{ env = \"UP\" }}\n\
         [[provider]]\nname = \"free\"\ndialect = \"openai\"\nbase_url = \"{url}/v1\"\nmodels = [\"free\"]\n"
    );
    let providers = build(&spec(&text));
    let mut from_client = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer client-key"),
        ("x-api-key", "client-key"),
        ("cookie", "client-key"),
        ("anthropic-beta", "tools-1"),
        ("openai-beta", "assistants=v2"),
    ] {
        from_client.insert(name, HeaderValue::from_static(value));
    }
    let bearer = format!("authorization: bearer {SECRET}");
    let cases = [
        (
            "o",
            Dialect::OpenAiChat,
            true,
            "POST /v1/chat/completions ",
            vec![bearer.as_str(), "x-team: a", "openai-beta: a"],
        ),
        ("o", Dialect::OpenAiResponses, false, "POST /v1/responses ", vec![&bearer]),
        ("o", Dialect::OpenAiEmbeddings, false, "POST /v1/embeddings ", vec![&bearer]),
        ("az", Dialect::OpenAiChat, false, "POST /openai/v1/chat/completions ", vec!["api-key: sk-never"]),
        (
            "a",
            Dialect::AnthropicMessages,
            true,
            "POST /v1/messages ",
            vec!["x-api-key: sk-never", "anthropic-beta: tools-1", "anthropic-version: 2023"],
        ),
        (
            "g",
            Dialect::Gemini,
            false,
            "POST /v1beta/models/g:generateContent ",
            vec!["x-goog-api-key: sk-never"],
        ),
        (
            "g",
            Dialect::Gemini,
            true,
            "POST /v1beta/models/g:streamGenerateContent?alt=sse ",
            vec!["x-goog-api-key: sk-never"],
        ),
        (
            "g/../../x?y",
            Dialect::Gemini,
            false,
            "POST /v1beta/models/g%2F..%2F..%2Fx%3Fy:generateContent ",
            vec![],
        ),
        (
            "g",
            Dialect::GeminiEmbeddings,
            false,
            "POST /v1beta/models/g:batchEmbedContents ",
            vec!["x-goog-api-key: sk-never"],
        ),
        ("g", Dialect::OpenAiEmbeddings, false, "POST /v1beta/openai/embeddings ", vec![&bearer]),
        (
            "free",
            Dialect::OpenAiChat,
            false,
            "POST /v1/chat/completions ",
            vec!["content-type: application/json"],
        ),
    ];
    for (model, dialect, stream, line, headers) in cases {
        let target = providers.target(model).unwrap();
        assert!(!target.simulated());
        assert_eq!(target.dialect_for(dialect), Some(dialect), "{model}");
        let asked = Call { dialect, headers: from_client.clone(), ..call(stream) };
        once(&providers, &target, asked).await.unwrap();
        let request = upstream.requests().pop().unwrap();
        assert!(request.starts_with(line), "{request}");
        let request = request.to_lowercase();
        for header in headers {
            assert!(request.contains(header), "{header} in {request}");
        }
        assert!(!request.contains("client-key"), "a client's key goes nowhere: {request}");
        assert_eq!(request.contains(SECRET), model != "free", "{request}");
    }
    assert_eq!(&**providers.target("az").unwrap().upstream(), "my-deployment");
    let dialect = |model: &str, asked| providers.target(model).unwrap().dialect_for(asked);
    assert_eq!(dialect("a", Dialect::OpenAiEmbeddings), None);
    assert_eq!(dialect("a", Dialect::GeminiEmbeddings), None);
    assert_eq!(dialect("free", Dialect::GeminiEmbeddings), Some(Dialect::OpenAiEmbeddings));
    assert_eq!(dialect("a", Dialect::OpenAiResponses), Some(Dialect::AnthropicMessages));
    assert_eq!(dialect("free", Dialect::OpenAiResponses), Some(Dialect::OpenAiChat));
    let target = providers.target("a").unwrap();
    let error = once(&providers, &target, call(false)).await.unwrap_err();
    assert!(
        matches!(error, CallError::Unsupported { .. }),
        "a body in the wrong dialect is not sent: {error:?}"
    );
}

#[tokio::test]
async fn a_refusal_for_quota_is_obeyed_and_told() {
    let limited = answer("429 Too Many Requests", "retry-after: 3\r\n", "{}");
    let upstream = Upstream::start(vec![Act::Send(limited), Act::Send(answer("200 OK", "", "{}"))]).await;
    let providers = build(&at(&upstream.url, "retries = { attempts = 3, max_wait = \"5s\" }"));
    let target = providers.target("m").unwrap();
    let now = Instant::now();
    let mut permit = providers.permit(&target, 1, false, now).unwrap();
    let reply = providers.send(&mut permit, call(true)).await.unwrap();
    assert_eq!((reply.status, reply.retry_after), (429, Some(Duration::from_secs(3))));
    let failure = Failure {
        status: Status::RateLimited,
        begun: false,
        retry_after: reply.retry_after,
        should_retry: reply.should_retry,
    };
    drop(reply);
    providers.report(permit, &Outcome { status: Status::RateLimited, tokens: Some(0), error: None }, now);
    let refused = providers.permit(&target, 1, true, now).unwrap_err();
    assert_eq!(refused.cause, Cause::Quota);
    assert!(refused.retry_after.is_some_and(|wait| wait >= Duration::from_secs(3)), "{refused:?}");
    assert!(
        providers.permit(&providers.target("m2").unwrap(), 1, false, now).is_ok(),
        "another model goes on"
    );
    let wait = providers.retry(&target, 1, &failure, now).unwrap();
    assert!(providers.permit(&target, 1, false, now + wait).is_ok(), "after the wait there is leave");
    let longer = Failure { retry_after: Some(Duration::from_secs(6)), ..failure };
    assert_eq!(providers.retry(&target, 1, &longer, now), None, "too long: up the ladder");
    assert_eq!(providers.retry(&target, 3, &failure, now), None, "often enough");
    assert_eq!(providers.retry(&target, 1, &Failure { begun: true, ..failure }, now), None);
    assert_eq!(providers.retry(&target, 1, &Failure { should_retry: Some(false), ..failure }, now), None);
    assert_eq!(providers.retry(&target, 1, &Failure { status: Status::Rejected, ..failure }, now), None);
}

#[tokio::test]
async fn a_failing_model_is_left_alone_and_found_well_again() {
    let bad = Act::Send(answer("500 Oops", "", "{}"));
    let script = vec![bad.clone(), bad.clone(), bad, Act::Stall(chunked(&["data: x\n\n"]))];
    let upstream = Upstream::start(script).await;
    let providers = build(&at(&upstream.url, "breaker = { failures = 3, cool_down = \"1m\" }"));
    let target = providers.target("m").unwrap();
    for _ in 0..3 {
        once(&providers, &target, call(false)).await.unwrap();
    }
    let now = Instant::now();
    let refused = providers.permit(&target, 1, false, now).unwrap_err();
    assert_eq!(refused.cause, Cause::Breaker);
    assert!(refused.retry_after.unwrap() <= Duration::from_secs(60));
    let [found] = &health(&providers, now)[..] else { panic!("one model was asked for") };
    assert!(matches!(found.breaker, Breaker::Open { until: units::Instant(1..=60_000_000) }), "{found:?}");

    let mut probe = providers.permit(&target, 1, true, now).unwrap();
    assert!(providers.permit(&target, 1, true, now).is_err(), "one at a time");
    let reply: Reply = providers.send(&mut probe, call(true)).await.unwrap();
    assert!(
        providers.permit(&target, 1, false, now).is_ok(),
        "a head is answer enough; the stream may be long"
    );
    drop((reply, probe));
    assert_eq!(health(&providers, now)[0].breaker, Breaker::Closed);
    assert_eq!(health(&providers, now)[0].in_flight, 0);
}

#[tokio::test]
async fn headers_say_what_is_left_of_the_quota() {
    let said = "x-ratelimit-limit-requests: 100\r\nx-ratelimit-remaining-requests: 50\r\n\
                x-ratelimit-reset-requests: 30s\r\nx-ratelimit-limit-tokens: 1000\r\n\
                x-ratelimit-remaining-tokens: 10\r\nx-ratelimit-reset-tokens: 5m0s\r\n";
    let upstream = Upstream::start(vec![Act::Send(answer("200 OK", said, "{}"))]).await;
    let providers = build(&at(&upstream.url, ""));
    let target = providers.target("m").unwrap();
    once(&providers, &target, call(false)).await.unwrap();
    let now = Instant::now();
    let health = health(&providers, now).remove(0);
    assert_eq!((health.requests.unwrap().limit, health.tokens.unwrap().limit), (Some(100), Some(1000)));
    assert!(health.resets.unwrap() > units::Instant::from_secs(200), "{health:?}");
    let refused = providers.permit(&target, 900, false, now).unwrap_err();
    assert_eq!(refused.cause, Cause::Quota);
    assert!(providers.permit(&target, 1, false, now).is_ok(), "a small one fits");
}

#[tokio::test]
async fn no_outcome_leaks_a_place() {
    let text = "[[provider]]\nname = \"sim\"\ndialect = \"simulated\"\nmodels = [\"m*\"]\n\
                limits = { concurrent = 3 }\nbreaker = { failures = 4, window = \"1h\", cool_down = \"1ms\" }\n\
                [simulated]\nspeed = 0\nrate_limited = 0\nserver_error = 200\ncut = 200\n";
    let providers = build(&spec(text));
    let mut random = 42u64;
    let mut draw = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut held = Vec::new();
    let mut refused = 0;
    for n in 0..1000u32 {
        let target = providers.target(["m1", "m2"][usize::try_from(draw(2)).unwrap()]).unwrap();
        let Ok(mut permit) = providers.permit(&target, draw(100), draw(2) == 0, Instant::now()) else {
            refused += 1;
            held.clear();
            continue;
        };
        if draw(4) == 0 {
            held.push(permit);
            continue;
        }
        let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"{n}\"}}],\"stream\":true}}");
        let asked = Call { body: body.into(), ..call(true) };
        let mut reply = providers.send(&mut permit, asked).await.unwrap();
        let mut status = Status::from_http(reply.status);
        let most = draw(200);
        for _ in 0..most {
            match reply.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    status = error.status();
                    break;
                }
            }
        }
        if draw(3) > 0 {
            let outcome = Outcome { status, tokens: Some(draw(100)), error: Some("x".into()) };
            providers.report(permit, &outcome, Instant::now());
        }
    }
    assert!(refused > 0, "the limits were felt");
    held.clear();
    let later = Instant::now() + Duration::from_secs(1200);
    for health in health(&providers, later) {
        assert_eq!(health.in_flight, 0, "{health:?}");
        assert_ne!(health.breaker, Breaker::Open { until: START });
    }
    let all: Vec<_> = ["m1", "m2", "m3"]
        .map(|model| providers.permit(&providers.target(model).unwrap(), 1, false, later))
        .into_iter()
        .collect();
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let fourth = providers.permit(&providers.target("m4").unwrap(), 1, false, later).unwrap_err();
    assert_eq!(fourth.cause, Cause::Limit);
}

#[tokio::test]
async fn without_a_key_answers_are_made_up_and_say_so() {
    let providers = build(&spec("[simulated]\nspeed = 0\n"));
    for model in ["gpt-4.1", "claude-opus-4-6", "gemini-2.5-flash", "mistral-small-2503", "simulated"] {
        let target = providers.target(model).unwrap();
        assert!(target.simulated(), "{model}");
        assert_eq!(target.dialect_for(Dialect::AnthropicMessages), Some(Dialect::OpenAiChat));
        let (status, body) = once(&providers, &target, call(false)).await.unwrap();
        assert_eq!(status, 200);
        assert!(String::from_utf8_lossy(&body).contains("SIMULATED"));
    }
    assert!(health(&providers, Instant::now()).iter().all(|health| health.simulated));
    assert!(providers.offered(std::iter::empty()).await.iter().any(|entry| entry.id == "simulated"));
    let strict = build(&spec("[simulated]\nwithout_key = false\n"));
    let target = strict.target("gpt-4.1").unwrap();
    assert!(!target.simulated());
    let refused = strict.permit(&target, 1, true, Instant::now()).unwrap_err();
    assert_eq!(refused.cause, Cause::NoKey);
    assert!(refused.why.contains("OPENAI_API_KEY"), "{refused}");
}

#[tokio::test]
async fn a_key_appears_nowhere_but_in_its_header() {
    let upstream =
        Upstream::start(vec![Act::SendAndClose(answer("500 Oops", "", "{}")), Act::Reset(vec![])]).await;
    let spec = at(&upstream.url, "headers = { \"X-Other\" = \"sk-never-to-be-seen-2\" }");
    let providers = build(&spec);
    let target = providers.target("m").unwrap();
    let mut permit = providers.permit(&target, 1, false, Instant::now()).unwrap();
    drop(providers.send(&mut permit, call(false)).await.unwrap());
    let mut shown = format!("{spec:?} {providers:?} {target:?} {permit:?}");
    let echoed = format!("Incorrect API key provided: {SECRET}");
    assert_eq!(target.redact(&echoed), "Incorrect API key provided: (key)");
    let outcome = Outcome { status: Status::ServerError, tokens: None, error: Some(echoed) };
    providers.report(permit, &outcome, Instant::now());
    write!(shown, "{:?}", health(&providers, Instant::now())).unwrap();
    let error = once(&providers, &target, call(false)).await.unwrap_err();
    let (health, listed) = (health(&providers, Instant::now()), providers.offered(std::iter::empty()).await);
    let found = FoundKey { key: SecretString::from(SECRET), warning: None };
    let warnings = providers.warnings();
    write!(shown, "{error:?} {error} {health:?} {listed:?} {warnings:?} {found:?}").unwrap();
    assert!(!shown.contains("sk-never"), "{shown}");
    assert!(upstream.requests()[0].contains(SECRET), "the provider itself gets it");
}
