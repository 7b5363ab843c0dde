//! Where clients knock: every kind of base URL, Azure's paths and headers, packed bodies, HTTP/2; and what they hear where
//! nothing is.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;

use crate::client::{Ask, Line};
use crate::front::{Sandbox, Setup};
use crate::stage::{Speaks, chat, messages, metrics, nothing_held};
use crate::upstream::{Reply, Upstream};

fn body(model: Option<&str>) -> serde_json::Value {
    let mut body = json!({"messages": [{"role": "user", "content": "What is due, and when?"}]});
    if let Some(model) = model {
        body["model"] = model.into();
    }
    body
}

#[test]
fn clients_arrive_with_every_base_url() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for path in [
        "/chat/completions",
        "//v1/chat/completions",
        "/v1/v1/chat/completions",
        "/openai/v1/chat/completions",
    ] {
        let answer = Ask::post(path, &body(Some("gpt-4.1"))).send(front.address());
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    }
    let mut ask = body(Some("claude-opus-4-6"));
    ask["max_tokens"] = 9.into();
    for path in ["/messages", "/v1/v1/messages", "/messages/count_tokens"] {
        assert_eq!(Ask::post(path, &ask).send(front.address()).status(), 200, "{path}");
    }
    let embed = json!({"model": "text-embedding-3-small", "input": "a"});
    for path in
        ["/embeddings", "/openai/deployments/text-embedding-3-small/embeddings?api-version=2024-10-21"]
    {
        assert_eq!(Ask::post(path, &embed).send(front.address()).status(), 200, "{path}");
    }
    front.settle();
}

#[test]
fn a_client_of_azures_names_its_deployment_and_sends_its_key_in_its_own_header() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let key = sandbox.key(&["azure"]);
    let front = sandbox.serve(&setup);
    let path = "/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21";
    let ask = Ask::post(path, &body(None)).header("api-key", &key).send(front.address());
    assert_eq!(ask.status(), 200, "{}", ask.text());
    let named = Ask::post(path, &body(Some("gpt-4.1-nano"))).header("api-key", &key).send(front.address());
    assert_eq!(named.status(), 200);
    let coded = path.replace("gpt-4.1", "auto%2Feverything");
    assert_eq!(Ask::post(&coded, &body(None)).header("api-key", &key).send(front.address()).status(), 200);
    let nobody = path.replace("gpt-4.1", "nobody");
    let refused = Ask::post(&nobody, &body(None)).header("api-key", &key).send(front.address());
    assert_eq!(refused.status(), 404);
    let empty = Ask::post(path, &json!({})).header("api-key", &key).send(front.address());
    assert_eq!(empty.status(), 400);
    assert!(empty.text().contains("messages"), "{}", empty.text());
    // A key in an address ends up in logs of all kinds; only where Gemini's clients have it so is it looked for.
    let in_path = Ask::post(&format!("{path}&key={key}"), &body(None)).send(front.address());
    assert_eq!(in_path.status(), 401);
    assert_eq!(Ask::get(&format!("/v1beta/models?key={key}")).send(front.address()).status(), 200);
    assert_eq!(Ask::get("/v1beta/models?key=pm_nothing").send(front.address()).status(), 401);
    let models: Vec<String> = upstream
        .served()
        .iter()
        .filter(|served| served.call.path.ends_with("/chat/completions"))
        .map(|served| served.call.model.clone())
        .collect();
    assert_eq!(models, ["gpt-4.1", "gpt-4.1-nano", "gpt-4.1-nano"]);
    assert!(!front.stop().contains(&key));
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let answer = Ask::post("/v1/audio/speech", &json!({})).send(front.address());
    assert_eq!(answer.status(), 404);
    let error = answer.json();
    assert_eq!(error["error"]["code"], "unknown_url");
    for served in ["/v1/chat/completions", "/v1/messages", "/v1/models", "/openai/deployments/"] {
        assert!(error["error"]["message"].as_str().unwrap().contains(served), "{error}");
    }
    let answer = Ask::get("/v1/messages").header("anthropic-version", "2023-06-01").send(front.address());
    assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")));
    Speaks::Messages.error(&answer.json());
    let answer = Ask::post("/v1/models", &json!({})).send(front.address());
    assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, HEAD")));
    for path in ["/v1/models", "/v1/models/gpt-4.1", "/healthz"] {
        let mut line = Line::open(front.address());
        line.write(&Ask::get(path).method("HEAD").header("connection", "close").wire()).unwrap();
        let head = line.head().unwrap();
        assert_eq!(head.status, 200, "{path}");
        assert!(line.rest().is_empty(), "{path}: an answer to HEAD has no body");
    }
    // Off by default: pages are told where that is set.
    let answer = chat("gpt-4.1", false)
        .method("OPTIONS")
        .header("origin", "http://localhost:3000")
        .header("access-control-request-method", "POST")
        .send(front.address());
    assert_eq!(answer.status(), 405);
    assert!(answer.text().contains("[cors]"), "{}", answer.text());
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn packed_bodies_are_read_within_the_limit_or_refused_in_the_clients_form() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nbody = 200000");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let text = "What is due, and when? ".repeat(2_000);
    let body = json!({"model": "gpt-4.1", "max_tokens": 9, "messages": [{"role": "user", "content": text}]})
        .to_string();
    let gzip = |bytes: &[u8]| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(body.as_bytes()).unwrap();
    let zlib = zlib.finish().unwrap();
    let zstd = zstd::encode_all(body.as_bytes(), 3).unwrap();
    let packed = gzip(body.as_bytes());
    for (speaks, path) in [(Speaks::Chat, "/v1/chat/completions"), (Speaks::Messages, "/v1/messages")] {
        let send = |coding: &str, bytes: &[u8]| {
            Ask::bytes(path, bytes).header("content-encoding", coding).send(front.address())
        };
        for (coding, bytes) in [("gzip", &packed), ("deflate", &zlib), ("zstd", &zstd)] {
            let answer = send(coding, bytes);
            assert_eq!(answer.status(), 200, "{coding}: {}", answer.text());
        }
        for coding in ["br", "gzip, gzip"] {
            let answer = send(coding, &packed);
            assert_eq!(answer.status(), 415, "{coding}");
            assert_eq!(answer.header("accept-encoding"), Some("gzip, deflate, zstd"));
            speaks.error(&answer.json());
        }
        let bomb = gzip(&vec![b' '; 20 << 20]);
        for (coding, bytes, status) in
            [("gzip", bomb.as_slice(), 413), ("gzip", &packed[..99], 400), ("zstd", b"{}", 400)]
        {
            let answer = send(coding, bytes);
            assert_eq!(answer.status(), status, "{}", answer.text());
            speaks.error(&answer.json());
        }
    }
    let served = upstream.served();
    assert_eq!(served.len(), 6);
    assert!(served.iter().all(|served| {
        served.call.body.pointer("/messages/0/content").is_some_and(|said| *said == text.as_str())
            && served.header("content-encoding").is_none()
    }));
    front.settle();
}

async fn over_http2(
    to: SocketAddr,
    asks: &[(&str, Option<String>)],
) -> Vec<(u16, Vec<(String, String)>, Vec<u8>)> {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let all = asks.iter().map(|(url, body)| {
        let mut sender = sender.clone();
        let request = http::Request::builder().method(if body.is_some() { "POST" } else { "GET" }).uri(*url);
        let body = Full::new(Bytes::from(body.clone().unwrap_or_default()));
        async move {
            let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
            assert_eq!(response.version(), http::Version::HTTP_2);
            let (head, body) = response.into_parts();
            let headers = head.headers.iter();
            let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
            let headers = headers.collect();
            (head.status.as_u16(), headers, body.collect().await.unwrap().to_bytes().to_vec())
        }
    });
    let answers = futures::future::join_all(all).await;
    drop(sender);
    connection.await.unwrap().unwrap();
    answers
}

#[test]
fn http2_is_spoken_to_whoever_begins_with_it() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let here = |path: &str| format!("http://{}{path}", front.address());
    let chat_url = here("/v1/chat/completions");
    let ask = |stream: bool| {
        let mut body = body(Some("gpt-4.1"));
        body["stream"] = stream.into();
        Some(body.to_string())
    };
    let (health, large) = (here("/healthz"), "x".repeat(300_000));
    let mut asks: Vec<(&str, Option<String>)> =
        (0..20).map(|n| (chat_url.as_str(), ask(n % 2 == 0))).collect();
    asks.push((&health, None));
    // A page whose name was made to point here sends that name here, too.
    asks.push(("http://rebound.example/v1/chat/completions", ask(false)));
    let long = json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": large}]}).to_string();
    asks.push((&chat_url, Some(long)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = runtime.block_on(over_http2(front.address(), &asks));
    for (at, (status, headers, body)) in answers.iter().enumerate() {
        let text = String::from_utf8_lossy(body);
        assert_eq!(*status, if at == 21 { 403 } else { 200 }, "{at}: {text}");
        if at < 20 {
            assert!(headers.iter().any(|(name, _)| name == "pointsman-operation"), "{headers:?}");
            assert_eq!(text.contains("data: [DONE]"), at % 2 == 0, "{text}");
        }
    }
    nothing_held(&front);
    // A client that asks whether it may change over is served as it began.
    let upgrading = chat("gpt-4.1", false)
        .header("connection", "upgrade, http2-settings, close")
        .header("upgrade", "h2c")
        .header("http2-settings", "AAMAAABkAAQCAAAAAAIAAAAA");
    assert_eq!(upgrading.send(front.address()).status(), 200);
    let mut line = Line::open(front.address());
    line.write(b"PRI * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    assert!(line.answer().unwrap().status() >= 400);
    assert_eq!(messages("claude-opus-4-6", false).send(front.address()).status(), 200);
    front.settle();
}

#[test]
fn too_many_header_lines_are_refused_in_the_form_that_the_client_reads() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let with = |ask: Ask, lines: usize| (0..lines).fold(ask, |ask, at| ask.header(&format!("x-{at}"), "1"));
    assert_eq!(with(chat("gpt-4.1", false), 80).send(front.address()).status(), 200);
    for (ask, speaks) in
        [(chat("gpt-4.1", false), Speaks::Chat), (messages("claude-opus-4-6", false), Speaks::Messages)]
    {
        let answer = with(ask, 150).send(front.address());
        assert_eq!(answer.status(), 431);
        speaks.error(&answer.json());
        assert!(answer.text().contains("more than 100 header lines"), "{}", answer.text());
    }
    front.settle();
}

#[test]
fn headers_beyond_the_limit_are_refused_as_such_over_http2_too() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (size, status) in [(60_000, 200), (66_000, 431), (70_000, 431), (200_000, 431)] {
        let to = front.address();
        let answered = runtime.block_on(async move {
            let stream = tokio::net::TcpStream::connect(to).await.unwrap();
            let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .max_header_list_size(1 << 20)
                .handshake(TokioIo::new(stream))
                .await
                .unwrap();
            tokio::spawn(connection);
            let request = http::Request::get(format!("http://{to}/v1/models"));
            let request = (0..size / 1_000)
                .fold(request, |request, n| request.header(format!("x-large-{n}"), "x".repeat(1_000 - 43)));
            let response = sender.send_request(request.body(Full::new(Bytes::new())).unwrap()).await;
            response.unwrap().status().as_u16()
        });
        assert_eq!(answered, status, "{size}");
    }
    front.settle();
}

/// Four such connections would fill the memory that all share, for as long as they like.
#[test]
fn an_answer_over_http2_of_which_nothing_is_taken_is_given_back_and_its_connection_goes_on() {
    let upstream = Upstream::with(|_| Reply::text(&"word ".repeat(200_000)));
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nwrite-seconds = 1");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let to = front.address();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let stream = tokio::net::TcpStream::connect(to).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(0)
            .handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        for stream in [false, true] {
            let mut asked = body(Some("gpt-4.1"));
            asked["stream"] = stream.into();
            let request = http::Request::post(format!("http://{to}/v1/chat/completions"));
            let answer = sender
                .send_request(request.body(Full::new(Bytes::from(asked.to_string()))).unwrap())
                .await
                .unwrap();
            assert_eq!(answer.status(), 200);
            let taken = tokio::time::timeout(Duration::from_secs(20), answer.into_body().collect()).await;
            assert!(taken.expect("it is reset").is_err(), "streamed: {stream}");
        }
        let request =
            http::Request::get(format!("http://{to}/healthz")).body(Full::new(Bytes::new())).unwrap();
        assert_eq!(
            sender.send_request(request).await.unwrap().status(),
            200,
            "others of the connection are served"
        );
    });
    front.settle();
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
// The beginning of a head that never ends.
const HEADERS: &[u8] = &[0, 0, 1, 1, 1, 0, 0, 0, 1, 0x82];

#[test]
fn http2_that_asks_for_nothing_is_closed() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[limits]\nheader-seconds = 1");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let beginnings: [&[&[u8]]; 3] = [&[&PREFACE[..18]], &[PREFACE, SETTINGS], &[PREFACE, SETTINGS, HEADERS]];
    std::thread::scope(|scope| {
        for beginning in beginnings {
            let to = front.address();
            scope.spawn(move || {
                let mut line = Line::open(to);
                line.write(&beginning.concat()).unwrap();
                // Panics where it is never closed.
                line.rest();
            });
        }
    });
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    front.settle();
}

#[test]
fn what_the_gate_refuses_is_counted_by_its_reason_and_is_no_request_of_the_traffic() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for (path, body, status) in [
        ("/v1/nothing", body(Some("gpt-4.1")), 404),
        ("/v1/chat/completions", body(Some("no-such-model")), 404),
        ("/v1/chat/completions", json!({"model": "gpt-4.1"}), 400),
    ] {
        assert_eq!(Ask::post(path, &body).send(front.address()).status(), status, "{path}");
    }
    assert_eq!(Ask::post("/v1/chat/completions", &body(Some("gpt-4.1"))).send(front.address()).status(), 200);
    // An older console finds out in this way what it may do; that refuses nobody.
    assert_eq!(Ask::post("/operator/v1/policy", &json!("")).send(front.address()).status(), 400);
    let refused: Vec<(String, String)> =
        metrics(&front, "pointsman_refused_total").into_iter().filter(|(_, count)| count != "0").collect();
    let has =
        |reason: &str, count: &str| refused.iter().any(|(labels, of)| labels.contains(reason) && of == count);
    assert!(has("not found", "2") && has("malformed", "1") && refused.len() == 2, "{refused:?}");
    assert_eq!(metrics(&front, "pointsman_requests_total")[0].1, "1");
    front.settle();
}
