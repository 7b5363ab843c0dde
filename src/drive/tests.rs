//! Driving a scripted server on this machine.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};

use super::*;
use crate::record::{Input, ReadOptions};
use crate::units::{Instant, PerMille, Pico, Span};

/// A server that answers by a script, by the place of a request, and remembers what it was sent.
#[derive(Clone)]
struct Server {
    target: Target,
    seen: Arc<Mutex<Vec<String>>>,
    flying: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// Answers wait for this where the server was told to hold them back.
    gate: Option<Arc<Notify>>,
}

impl Server {
    async fn start(script: impl Fn(usize) -> String + Send + Sync + 'static, gated: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let server = Self {
            target,
            seen: Arc::default(),
            flying: Arc::default(),
            most: Arc::default(),
            gate: gated.then(Arc::default),
        };
        let (script, own) = (Arc::new(script), server.clone());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (script, own) = (Arc::clone(&script), own.clone());
                tokio::spawn(async move {
                    let request = whole_request(&mut socket).await;
                    own.most.fetch_max(own.flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let place = {
                        let mut seen = own.seen.lock().unwrap();
                        seen.push(request);
                        seen.len() - 1
                    };
                    if let Some(gate) = &own.gate {
                        gate.notified().await;
                    }
                    own.flying.fetch_sub(1, Ordering::SeqCst);
                    let _ = socket.write_all(script(place).as_bytes()).await;
                });
            }
        });
        server
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn whole_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match socket.read(&mut buffer).await.unwrap() {
            0 => return text,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn served(cost: &str) -> String {
    answer("200 OK", &format!("pointsman-model: m-1\r\npointsman-cost-usd: {cost}\r\n"), "{}")
}

fn log(requests: usize) -> Input {
    let line = |n: usize| {
        let at = Instant(1_779_530_400_000_000) + Span(1000 * i64::try_from(n).unwrap());
        format!(
            "{{\"id\":\"{n}\",\"at\":\"{at}\",\"team\":\"größe\",\"session\":\"s\",\"model\":\"m\",\"in\":20,\"out\":9}}\n"
        )
    };
    let text: String = (0..requests).map(line).collect();
    Input::bytes(
        "log",
        format!("{{\"pointsman\":\"log\",\"v\":1,\"source\":\"a test\"}}\n{text}").into_bytes(),
    )
}

struct Drive {
    requests: usize,
    concurrency: usize,
    max_spend: Pico,
    stream: PerMille,
    rate: Rate,
}

const EASY: Drive =
    Drive { requests: 12, concurrency: 4, max_spend: Pico::USD, stream: PerMille::ZERO, rate: Rate::Max };

impl Drive {
    async fn run(&self, target: &Target, control: watch::Receiver<Command>) -> (Tally, End) {
        let (give, jobs) = mpsc::channel(4);
        let (input, stream) = (log(self.requests), self.stream);
        let reader = tokio::task::spawn_blocking(move || {
            read_jobs(&input, &ReadOptions::default(), None, 1, stream, |job| {
                if give.blocking_send(job).is_ok() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
        });
        let key = SecretString::from("pm_secret".to_owned());
        let sender = Arc::new(Sender::new(target.clone(), "auto", Some(&key)).unwrap());
        assert!(!format!("{sender:?}").contains("pm_secret"));
        let settings = Settings {
            rate: self.rate,
            concurrency: self.concurrency,
            max_spend: self.max_spend,
            worst: Worst::Flat(Pico::from_usd("0.01").unwrap()),
            first: Instant(1_779_530_400_000_000),
        };
        let done = run(jobs, sender, settings, control, |_, _| {}).await;
        reader.await.unwrap().unwrap();
        done
    }
}

fn go() -> watch::Receiver<Command> {
    watch::channel(Command::Go).1
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
}

#[tokio::test]
async fn every_request_of_the_log_is_sent_once_with_its_tags() {
    let server = Server::start(|_| served("0.002"), false).await;
    let (tally, end) = EASY.run(&server.target, go()).await;
    assert_eq!((end, tally.sent, tally.ok, tally.in_flight()), (End::Done, 12, 12, 0));
    assert_eq!(tally.models, counts(&[("m-1", 12)]));
    assert_eq!(tally.cap.spent().usd(), "0.024");
    assert_eq!(tally.cap.held(), Pico::ZERO);
    assert_eq!((tally.filler, tally.late), (12, 0));
    let seen = server.seen();
    assert_eq!(seen.len(), 12);
    assert!(server.most.load(Ordering::SeqCst) <= 4, "no more in flight than allowed");
    for request in &seen {
        assert!(request.starts_with("POST /v1/chat/completions "), "{request}");
        for part in
            ["authorization: Bearer pm_secret", "pointsman-team: größe", "\"max_tokens\":9", "\"auto\""]
        {
            assert!(request.contains(part), "{part} is missing in {request}");
        }
        assert!(!request.contains("\"stream\""));
    }
}

#[tokio::test]
async fn the_cap_ends_the_run_before_it_could_be_broken() {
    let server = Server::start(|_| served("0.01"), false).await;
    let drive = Drive { requests: 50, concurrency: 8, max_spend: Pico::from_usd("0.075").unwrap(), ..EASY };
    let (tally, end) = drive.run(&server.target, go()).await;
    assert_eq!(
        (end, tally.sent, server.seen().len()),
        (End::Capped { next: Pico::from_usd("0.01").unwrap() }, 7, 7)
    );
    assert!(tally.cap.spent() <= tally.cap.limit());
}

#[tokio::test]
async fn cheap_answers_make_room_for_more() {
    // Eight in flight hold all of the cap; each costs a tenth of its worst.
    let server = Server::start(|_| served("0.001"), false).await;
    let drive = Drive { requests: 40, concurrency: 8, max_spend: Pico::from_usd("0.08").unwrap(), ..EASY };
    let (tally, end) = drive.run(&server.target, go()).await;
    assert_eq!((end, tally.sent, tally.cap.spent().usd().as_str()), (End::Done, 40, "0.04"));
}

#[tokio::test]
async fn failures_are_told_apart_and_cost_what_nobody_denies() {
    let script = |place: usize| match place {
        0 => answer("429 Too Many Requests", "", "{}"),
        1 => answer("401 Unauthorized", "", "{}"),
        2 => answer("502 Bad Gateway", "pointsman-cost-usd: 0.003\r\n", "{}"),
        3 => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_owned(),
        4 => answer("302 Found", "location: http://127.0.0.1:1/\r\npointsman-cost-usd: 0\r\n", ""),
        _ => answer(
            "200 OK",
            "pointsman-model: m-2\r\npointsman-cost-usd: 0\r\npointsman-simulated: 1\r\n",
            "{}",
        ),
    };
    let server = Server::start(script, false).await;
    let drive = Drive { requests: 7, concurrency: 1, ..EASY };
    let (tally, _) = drive.run(&server.target, go()).await;
    let endings = [("200", 2), ("302", 1), ("401", 1), ("429", 1), ("502", 1), ("answer broke off", 1)];
    assert_eq!(tally.endings, counts(&endings));
    assert_eq!((tally.ok, tally.failed, tally.simulated), (2, 5, 2));
    // The 429 and the broken answer tell no cost and count at their worst; the refusal at the door costs nothing.
    assert_eq!((tally.cap.unknown(), tally.cap.assumed().usd().as_str()), (2, "0.02"));
    assert_eq!(tally.cap.spent().usd(), "0.023");
}

#[tokio::test]
async fn a_stream_tells_its_cost_at_its_end() {
    let script = |place: usize| {
        let end = if place == 0 { "data: [DONE]\n\n: pointsman-cost-usd 0.000123\n\n" } else { "" };
        let body = format!("data: {{\"choices\":[]}}\n\n{end}");
        answer("200 OK", "content-type: text/event-stream; charset=utf-8\r\n", &body)
    };
    let server = Server::start(script, false).await;
    let drive = Drive { requests: 2, concurrency: 1, stream: PerMille::clamped(1000), ..EASY };
    let (tally, _) = drive.run(&server.target, go()).await;
    assert!(server.seen().iter().all(|request| request.contains("\"include_usage\":true")));
    assert_eq!(tally.endings, counts(&[("200", 1), ("answer broke off", 1)]));
    assert_eq!(tally.cap.spent().usd(), "0.010123", "a stream without an end counts at its worst");
}

#[tokio::test]
async fn a_target_where_nothing_listens_is_given_up_at_no_cost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let (tally, end) = Drive { requests: 100, ..EASY }.run(&target, go()).await;
    assert_eq!((end, tally.ok, tally.cap.spent()), (End::Unreachable, 0, Pico::ZERO));
    assert!(tally.sent < 20, "{} vain tries", tally.sent);
}

#[tokio::test]
async fn stopping_waits_for_what_is_in_flight() {
    let server = Server::start(|_| served("0.002"), true).await;
    let (set, control) = watch::channel(Command::Go);
    let gate = server.gate.clone().unwrap();
    let (seen, flying) = (server.seen.clone(), server.flying.clone());
    let steer = tokio::spawn(async move {
        while flying.load(Ordering::SeqCst) < 4 {
            tokio::task::yield_now().await;
        }
        set.send(Command::Stop).unwrap();
        // Until every receiver knows and the run is over, answers are let go one by one.
        while !set.is_closed() {
            gate.notify_one();
            tokio::task::yield_now().await;
        }
        seen.lock().unwrap().len()
    });
    let (tally, end) = EASY.run(&server.target, control).await;
    assert_eq!((end, tally.sent, tally.ok), (End::Stopped, 4, 4));
    assert_eq!(steer.await.unwrap(), 4, "nothing was sent after the stop");
}

#[tokio::test]
async fn a_pause_sends_nothing_and_is_not_made_up_for() {
    let server = Server::start(|_| served("0"), false).await;
    let (set, control) = watch::channel(Command::Pause);
    let drive = Drive { requests: 3, rate: Rate::PerSecond(1_000_000), ..EASY };
    let target = server.target.clone();
    let run = tokio::spawn(async move { drive.run(&target, control).await });
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(server.seen().is_empty());
    set.send(Command::Go).unwrap();
    let (tally, end) = run.await.unwrap();
    assert_eq!((end, tally.ok), (End::Done, 3));
}
