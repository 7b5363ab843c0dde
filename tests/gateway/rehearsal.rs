//! The harness itself: an upstream that did not do what a test told it to would make every test behind it worthless.

use serde_json::json;

use crate::client::{Ask, Line};
use crate::upstream::upstream_script::{Report, RetryAfter};
use crate::upstream::{
    At, Dialect, End, Fault, Framing, PATIENCE, Pace, Refusing, Reply, Tokens, Told, Upstream,
};

fn chat(stream: bool) -> Ask {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream});
    if stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    Ask::post("/v1/chat/completions", &body)
}

#[test]
fn every_dialect_is_answered_whole_and_streamed() {
    let upstream = Upstream::start();
    let text = Reply::default().whole_text();
    let asks = [
        ("/v1/chat/completions", json!({"model": "m", "messages": []}), Dialect::Chat),
        ("/v1/responses", json!({"model": "m", "input": "hi"}), Dialect::Responses),
        ("/v1/messages", json!({"model": "m", "messages": []}), Dialect::Anthropic),
        ("/v1beta/models/m:generateContent", json!({"contents": []}), Dialect::Gemini),
        ("/v1beta/models/m:streamGenerateContent?alt=sse", json!({"contents": []}), Dialect::Gemini),
    ];
    for (path, mut body, dialect) in asks {
        for stream in [false, true] {
            if dialect != Dialect::Gemini {
                body["stream"] = json!(stream);
                body["stream_options"] = json!({"include_usage": true});
            }
            let answer = Ask::post(path, &body).send(upstream.address());
            assert_eq!((answer.status(), answer.sound), (200, true), "{path}");
            upstream.wait_idle();
            let served = upstream.served().pop().unwrap();
            assert_eq!((served.call.dialect, served.call.model.as_str()), (dialect, "m"));
            assert_eq!(served.text, text, "{path} {stream}");
            assert_eq!(served.told, Told::Counts(served.tokens), "{path} {stream}");
            assert_eq!(served.end, Some(End::Whole));
            if matches!(dialect, Dialect::Chat | Dialect::Anthropic) {
                assert_eq!(answer.said(), text, "{path} {stream}");
            }
        }
    }
}

#[test]
fn a_chat_stream_tells_no_usage_unless_asked() {
    let upstream = Upstream::start();
    let body = json!({"model": "m", "messages": [], "stream": true});
    Ask::post("/v1/chat/completions", &body).send(upstream.address());
    upstream.wait_idle();
    assert_eq!(upstream.served()[0].told, Told::Nothing);
}

#[test]
fn any_cut_of_the_bytes_says_the_same() {
    let upstream = Upstream::start();
    let whole = chat(true).send(upstream.address());
    for size in 1..8 {
        upstream.push(Reply { tokens: Some(Tokens::of(0)), ..Reply::default() }.paced(Pace::Bytes(size)));
        let cut = chat(true).send(upstream.address());
        assert_eq!(cut.said(), whole.said());
    }
}

#[test]
fn faults_strike_where_they_are_told_to() {
    let upstream = Upstream::start();
    let ask = |reply: Reply, stream: bool| {
        upstream.push(reply);
        let mut line = Line::open(upstream.address());
        line.write(&chat(stream).wire()).unwrap();
        let answer = line.answer();
        upstream.wait_idle();
        (answer, upstream.served().pop().unwrap())
    };
    for fault in [Fault::Reset, Fault::Close] {
        let (answer, served) = ask(Reply::fault(At::BeforeHeaders, fault.clone()), false);
        assert!(answer.is_err());
        assert_eq!((served.status, served.end), (None, Some(End::Broken)));
        let (answer, served) = ask(Reply::fault(At::AfterHeaders, fault.clone()), false);
        assert!(answer.is_ok_and(|answer| !answer.sound && answer.body.is_empty()));
        assert_eq!((served.status, served.told), (Some(200), Told::Nothing));
        let (answer, served) = ask(Reply::fault(At::Frame(3), fault.clone()), true);
        assert!(answer.is_ok_and(|answer| !answer.sound && answer.said() == served.text));
        assert_eq!(served.text, "Grüße aus ");
    }
    let (answer, served) = ask(Reply::fault(At::BeforeUsage, Fault::End), true);
    assert!(answer.is_ok_and(|answer| answer.sound && !answer.text().contains("DONE")));
    assert_eq!((served.told, served.end), (Told::Nothing, Some(End::Half)));
    let (answer, served) = ask(Reply::fault(At::BeforeEnd, Fault::End), true);
    assert!(answer.is_ok_and(|answer| answer.sound && !answer.text().contains("DONE")));
    assert_eq!((served.told, served.end), (Told::Counts(served.tokens), Some(End::Half)));
    let (answer, _) = ask(Reply::fault(At::Frame(1), Fault::Splice(b"data: {broken\n\n".to_vec())), true);
    assert!(answer.is_ok_and(|answer| answer.sound && answer.text().contains("{broken")));
    let (answer, _) = ask(Reply::fault(At::Frame(1), Fault::GiantLine(200_000)), false);
    assert!(answer.is_ok_and(|answer| answer.sound && answer.body.len() > 200_000));
    let (answer, _) = ask(Reply::default().framed(Framing::TooLong), false);
    assert!(answer.is_ok_and(|answer| !answer.sound));
    let (answer, _) = ask(Reply::default().framed(Framing::TooShort), false);
    assert!(answer.is_ok_and(
        |answer| answer.sound && serde_json::from_slice::<serde_json::Value>(&answer.body).is_err()
    ));
    let (answer, _) = ask(Reply::default().framed(Framing::UntilClose), true);
    assert!(answer.is_ok_and(|answer| answer.text().ends_with("data: [DONE]\n\n")));
    let (answer, _) =
        ask(Reply { interim: vec![100, 103], ..Reply::default() }.framed(Framing::Trailers), true);
    assert!(answer.is_ok_and(|answer| answer.sound && answer.status() == 200));
}

#[test]
fn what_stalls_is_seen_when_the_peer_leaves_and_goes_on_when_released() {
    let upstream = Upstream::start();
    upstream.push(Reply::fault(At::Frame(2), Fault::Stall));
    let mut line = Line::open(upstream.address());
    line.write(&chat(true).wire()).unwrap();
    assert_eq!(line.head().unwrap().status, 200);
    line.chunk().unwrap();
    assert_eq!((upstream.open(), upstream.served()[0].end), (1, None));
    drop(line);
    upstream.wait("the peer is gone", |state| state.open == 0 && state.served[0].end == Some(End::PeerLeft));

    upstream.push(Reply::fault(At::BeforeHeaders, Fault::Stall));
    let mut line = Line::open(upstream.address());
    line.write(&chat(true).wire()).unwrap();
    upstream.wait("the request has come", |state| state.served.len() == 2);
    // A release before the stall has begun would be lost: ask until it has been heard.
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| line.answer());
        let until = std::time::Instant::now() + PATIENCE;
        while !waiting.is_finished() && std::time::Instant::now() < until {
            upstream.release();
            std::thread::yield_now();
        }
        waiting.join().unwrap()
    });
    assert!(answer.is_ok_and(|answer| answer.sound));
}

#[test]
fn refusals_carry_every_form_of_retry_after_and_every_report_is_what_it_says() {
    let upstream = Upstream::start();
    let forms = [
        (RetryAfter::Millis(5), "retry-after-ms", "5"),
        (RetryAfter::Seconds("0.5".to_owned()), "retry-after", "0.5"),
        (
            RetryAfter::Date("Fri, 31 Dec 1999 23:59:59 GMT".to_owned()),
            "retry-after",
            "Fri, 31 Dec 1999 23:59:59 GMT",
        ),
    ];
    for (form, name, value) in forms {
        upstream.push(Reply::status(429).retry_after(&form));
        let answer = chat(false).send(upstream.address());
        assert_eq!((answer.status(), answer.header(name)), (429, Some(value)));
        assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");
    }
    for report in Report::ALL {
        upstream.push(Reply::report(report));
        let usage = chat(false).send(upstream.address()).json().get("usage").cloned();
        upstream.wait_idle();
        let served = upstream.served().pop().unwrap();
        match report {
            Report::Exact => assert_eq!(served.told, Told::Counts(served.tokens)),
            Report::Zeros => assert_eq!(served.told, Told::Counts(Tokens::default())),
            Report::Missing => assert_eq!((served.told, usage), (Told::Nothing, None)),
            Report::Null => assert_eq!((served.told, usage), (Told::Nothing, Some(json!(null)))),
            Report::HalfMissing => assert_eq!(served.told, Told::Part),
            _ => assert_eq!(served.told, Told::Nonsense),
        }
    }
}

#[test]
fn an_address_can_refuse() {
    let refusing = Refusing::take();
    let address: std::net::SocketAddr = refusing.url().trim_start_matches("http://").parse().unwrap();
    let refused = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}
