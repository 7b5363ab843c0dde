//! `pointsman why`: the reason trail of one request.

use std::fmt;
use std::path::PathBuf;

use clap::Args;

use super::args::{EngineArgs, input};
use super::output;
use crate::app::{find_request, load_log};
use crate::outcome::Settled;
use crate::session::{Answered, Log, cost_text, cost_text_of, tokens_text};
use crate::units::{counted, grouped, marked};

/// Shows how one request was served, how the policy would route it, and why.
#[derive(Args, Debug)]
pub struct WhyArgs {
    /// The log, plain, gzip or zstd, or a folder of logs; `-` is standard input.
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// The request's id, or its number in the log with a `#` in front: `#12`.
    #[arg(value_name = "REQUEST")]
    pub request: String,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log or policy cannot be used, or has no such request.
pub fn run(args: &WhyArgs) -> anyhow::Result<()> {
    let setup = args.engine.start()?;
    let logs = [args.log.clone()];
    let (input, read) = (input(&logs), args.engine.read());
    let found = find_request(&input, &logs, &setup, &read, &args.request)?;
    let Answered { log, policy, explained, at, requests } = match found {
        Some(found) => found,
        None => in_memory(load_log(&input, &logs, setup, &read, None)?, &args.request)?,
    };
    let mut out = String::new();
    line(
        &mut out,
        format_args!(
            "request {}  (#{} of {} in {})",
            explained.id,
            explained.index + 1,
            grouped(requests as u64),
            log.title
        ),
    );
    for (name, value) in &explained.facts {
        line(&mut out, format_args!("  {name:<11} {value}"));
    }
    if !explained.features.is_empty() {
        out.push_str("\nwhat the classifier saw\n");
        for (feature, weight) in &explained.features {
            line(&mut out, format_args!("  {:>+6.2}  {feature}", f64::from(*weight) / 100.0));
        }
    }
    out.push('\n');
    line(&mut out, format_args!("why (policy {} v{})", policy.name, policy.version));
    for (stage, text) in &explained.trail {
        line(&mut out, format_args!("  {stage:<9} {text}"));
    }
    if !explained.candidates.is_empty() {
        out.push_str("\neach rung by itself\n");
    }
    for rung in &explained.candidates {
        let model = log.names.model(rung.alone.model);
        let cost = cost_text(rung.alone.cost);
        let note = if rung.is_closed { "  [kept from it]" } else { "" };
        let mark = if rung.is_chosen { '*' } else { ' ' };
        let quality = rung.quality.map_or_else(String::new, |quality| format!("  quality {quality}‰"));
        let from = rung.threshold.map_or_else(|| "fallback".to_owned(), |from| format!("from {from}‰"));
        line(&mut out, format_args!("{mark} {:<9} {from}  {model}  {cost}{quality}{note}", rung.name));
    }
    let baseline = |settled: &Settled| {
        let model = policy.baseline;
        format!("{} {}", log.names.model(model), cost_text_of(settled.baseline, model, at, &log))
    };
    outcome(&mut out, "as recorded", &log, &baseline(&explained.recorded), &explained.recorded);
    outcome(&mut out, "as routed", &log, &baseline(&explained.routed), &explained.routed);
    output::text(&out)
}

/// Finds a request of a log that is held in memory.
fn in_memory(log: Log, request: &str) -> anyhow::Result<Answered> {
    let by_number =
        request.strip_prefix('#').and_then(|n| n.parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
    let index = log.history.find(request).or(by_number.filter(|&n| n < log.len()));
    let (title, requests, first) = (log.title.clone(), log.len(), log.history.id(0).to_owned());
    index.and_then(|index| Answered::loaded(log, index)).ok_or_else(|| {
        anyhow::anyhow!(
            "{title}: no request `{request}` among {}\nhint: ids are as in the log (first: {first}), or give a number like #1",
            counted(requests as u64, "request")
        )
    })
}

/// Adds a line. What a log says stays within its line: it could forge another.
fn line(out: &mut String, text: fmt::Arguments<'_>) {
    out.push_str(&marked(&text.to_string()));
    out.push('\n');
}

fn outcome(out: &mut String, title: &str, log: &Log, baseline: &str, settled: &Settled) {
    out.push('\n');
    line(out, format_args!("{title}"));
    for (at, attempt) in settled.attempts.iter().enumerate() {
        let latency = match attempt.latency.get() {
            _ if !attempt.status.is_call() => "not made".to_owned(),
            Some(ms) => format!("{ms} ms"),
            None => "latency unknown".to_owned(),
        };
        line(
            out,
            format_args!(
                "  {}. {}  {}  {latency}  {}  {}{}",
                at + 1,
                log.names.model(attempt.model),
                attempt.status.name(),
                tokens_text(attempt),
                cost_text(attempt.cost),
                if attempt.observed { "" } else { "  [not observed]" }
            ),
        );
    }
    line(out, format_args!("  cost {}; baseline {baseline}", cost_text(settled.cost)));
}
