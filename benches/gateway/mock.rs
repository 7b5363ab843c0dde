//! The model API that the speed of everything in front of it is measured against: it answers at once, in a process of
//! its own, so that its work is counted for nobody else.
//!
//! A marker in the prompt makes it fail on purpose, for the soak: `[[429]]`, `[[500]]`, `[[cut]]`.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::Ipv4Addr;

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1750000000,"model":"gpt-4.1","choices":[{"index":0,"message":{"role":"assistant","content":"The invoice is due on the 14th of March."},"finish_reason":"stop"}],"usage":{"prompt_tokens":256,"completion_tokens":12,"total_tokens":268,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#;
const REFUSED: &str =
    r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
const FAILED: &str = r#"{"error":{"message":"it broke","type":"server_error","param":null,"code":null}}"#;
const HEAD: &str = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1750000000,"model":"gpt-4.1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

"#;
const PIECE: &str = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1750000000,"model":"gpt-4.1","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}

"#;
const STOP: &str = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1750000000,"model":"gpt-4.1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

"#;
const USAGE: &str = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1750000000,"model":"gpt-4.1","choices":[],"usage":{"prompt_tokens":256,"completion_tokens":12,"total_tokens":268}}

"#;
const DONE: &str = "data: [DONE]\n\n";

/// Serves until the process is ended; its port is the first line on stdout.
pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", listener.local_addr()?.port())?;
        out.flush()?;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                let mut server = hyper::server::conn::http1::Builder::new();
                let server = server.timer(TokioTimer::new());
                let _ = server.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    })
}

type Body = BoxBody<Bytes, std::io::Error>;

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let has = |what: &str| memchr::memmem::find(&body, what.as_bytes()).is_some();
    let whole = |status: u16, text: &'static str| {
        let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed();
        said(status, "application/json", body)
    };
    let stream = has("\"stream\":true") || has("\"stream\": true");
    Ok(match () {
        () if has("[[429]]") => {
            let mut refused = whole(429, REFUSED);
            // Without it the model would be left alone for a second, and so would everybody else.
            refused.headers_mut().insert("retry-after", http::HeaderValue::from_static("0"));
            refused
        }
        () if has("[[500]]") => whole(500, FAILED),
        () if stream => {
            let cut = has("[[cut]]");
            let events =
                [HEAD, PIECE, PIECE, PIECE, STOP, USAGE, DONE].into_iter().take(if cut { 3 } else { 7 });
            let events = events.map(|event| Ok(Frame::data(Bytes::from_static(event.as_bytes()))));
            let broken = cut.then(|| Err(std::io::Error::other("cut on purpose")));
            let body = StreamBody::new(stream::iter(events.chain(broken)));
            said(200, "text/event-stream", BodyExt::boxed(body))
        }
        () => whole(200, ANSWER),
    })
}

fn said(status: u16, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
    response
}
