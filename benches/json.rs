//! Compares JSON readers on typed lines of our log format, and measures the whole path from bytes to records.
//!
//! All readers fill the same borrowed structure from the same lines in one run, so that only ratios matter.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement may stop at the first fault, and prints"
)]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;

use pointsman::record::{Entry, Input, ReadOptions, open};
use serde::Deserialize;

const LINES: usize = 200_000;
const ROUNDS: usize = 7;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    team: Cow<'a, str>,
    #[serde(borrow)]
    project: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    session: Cow<'a, str>,
    #[serde(borrow)]
    task: Cow<'a, str>,
    confidence: Option<u16>,
    turn: Option<u32>,
    tools: Option<u32>,
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    provider: Cow<'a, str>,
    r#in: Option<u64>,
    cache_read: Option<u64>,
    out: Option<u64>,
    reasoning: Option<u64>,
    latency_ms: Option<u32>,
    ttft_ms: Option<u32>,
}

impl Line<'_> {
    fn weight(&self) -> u64 {
        let texts = [&self.id, &self.at, &self.team, &self.project, &self.user, &self.session, &self.task];
        let text: usize =
            texts.iter().map(|text| text.len()).sum::<usize>() + self.model.len() + self.provider.len();
        let small = u64::from(self.confidence.unwrap_or(0)) + u64::from(self.turn.unwrap_or(0));
        let spans = u64::from(self.latency_ms.unwrap_or(0)) + u64::from(self.ttft_ms.unwrap_or(0));
        let counts = [self.r#in, self.cache_read, self.out, self.reasoning, self.tools.map(u64::from)];
        text as u64 + small + spans + counts.iter().flatten().sum::<u64>()
    }
}

fn log() -> String {
    let mut text = String::new();
    for n in 0..LINES as u64 {
        let h = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(
            text,
            "{{\"id\":\"req-{h:016x}\",\"at\":\"2026-05-23T10:{:02}:{:02}.{:03}Z\",\"team\":\"team-{}\",\"project\":\"checkout\",\
             \"user\":\"cust-{}\",\"session\":\"s-{}\",\"task\":\"extraction\",\"confidence\":{},\"turn\":{},\
             \"model\":\"gpt-4.1-nano\",\"provider\":\"openai\",\"in\":{},\"cache_read\":{},\"out\":{},\"reasoning\":0,\
             \"latency_ms\":{},\"ttft_ms\":{}}}",
            n / 60_000 % 60, n / 1000 % 60, n % 1000, h % 7, h % 9001, h % 701, h % 1001, h % 9, h % 12_000, h % 8192, h % 900,
            h % 20_000, h % 900,
        )
        .unwrap();
    }
    text
}

/// Returns the best of several rounds in lines a second.
fn rate(round: impl Fn() -> u64) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(round());
        best = best.min(start.elapsed().as_secs_f64());
    }
    LINES as f64 / best
}

fn main() {
    // `cargo bench --bench json -- records` measures one of them alone.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let text = log();
    println!("{LINES} lines of {} bytes on average, best of {ROUNDS} rounds, one thread", text.len() / LINES);
    let bytes: &'static [u8] = text.clone().leak().as_bytes();
    let mut base = None;
    for (name, round) in [
        ("serde_json", Box::new(|| with_serde(&text)) as Box<dyn Fn() -> u64>),
        ("sonic-rs", Box::new(|| with_sonic(&text))),
        ("records", Box::new(|| records(bytes))),
    ] {
        if !wanted.is_empty() && !wanted.iter().any(|word| word == name) {
            continue;
        }
        let rate = rate(round);
        let base = *base.get_or_insert(rate);
        println!("{name:>12}: {:>6.2} M lines/s, {:.2} times the first", rate / 1e6, rate / base);
    }
}

fn with_serde(text: &str) -> u64 {
    text.lines().map(|line| serde_json::from_str::<Line<'_>>(line).unwrap().weight()).sum()
}

fn with_sonic(text: &str) -> u64 {
    text.lines().map(|line| sonic_rs::from_str::<Line<'_>>(line).unwrap().weight()).sum()
}

/// The whole path: cut into blocks, parse, and hand out records.
fn records(bytes: &'static [u8]) -> u64 {
    let mut sum = 0;
    let mut source = open(&Input::bytes("bench", bytes), &ReadOptions::default()).unwrap();
    while let Some(block) = source.next_block() {
        let _end = block.unwrap().for_each(|_, entry| {
            if let Ok(Entry::Request(record)) = entry {
                let out: u64 = record.attempts.iter().map(|attempt| attempt.usage.output.or_zero()).sum();
                sum += out + record.id.len() as u64;
            }
            ControlFlow::Continue(())
        });
    }
    sum
}
