//! `pointsman drive`: sends a log's requests to a gateway, under a spending cap that is never exceeded.
//!
//! Progress and remarks go to stderr, the report to stdout. Invariant: nothing is sent beyond this machine unless `--yes`
//! was given, and no key appears in any output.

mod report;
mod steer;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use anyhow::bail;
use clap::Args;
use futures::FutureExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::{args, output};
use crate::app::Internal;
use crate::config::{self, policy};
use crate::drive::{
    Command, End, Ending, Rate, Sender, Settings, Survey, Tally, Target, Worst, read_jobs, run as drive,
    survey,
};
use crate::record::{self, Input, InputFormat, Mapping, ReadOptions, Summary};
use crate::session::LoadError;
use crate::units::{Instant, Names, PerMille, Pico, Span, counted};

/// The environment variable that holds the gateway's key.
const KEY_VARIABLE: &str = "POINTSMAN_KEY";
/// Jobs read ahead.
const AHEAD: usize = 16;

/// Sends the requests of a log to a gateway.
#[derive(Args, Debug)]
pub struct DriveArgs {
    /// The log, in any format that `replay` reads; `-` is standard input.
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// Where to send: `live` is the gateway on this machine at 127.0.0.1:4141, or an address.
    #[arg(long, value_name = "live|URL")]
    to: String,
    /// As recorded (1x, 10x), evenly (50/s, 30/m), or as fast as answers come (max).
    #[arg(long, value_name = "RATE")]
    rate: Rate,
    /// Never spend more than so many dollars, counting what is in flight at its worst.
    #[arg(long, value_name = "USD")]
    max_spend: Pico,
    /// The gateway's key; better kept off the command line, in `POINTSMAN_KEY`.
    #[arg(long, value_name = "KEY", value_parser = secret)]
    key: Option<SecretString>,
    /// What to ask for: auto, auto/ROUTE, or a model.
    #[arg(long, value_name = "MODEL", default_value = "auto")]
    model: String,
    /// The most requests in flight.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
    /// Send only the first so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// For filler words and for which requests are streams.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The share of requests to ask for as streams, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    stream: u8,
    /// The gateway's policy file, for the worst case of `auto`; your own or the built-in one where absent.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Price book for the worst case (`pointsman prices list`).
    #[arg(long, value_name = "BOOK|FILE", default_value = "list")]
    prices: String,
    /// Take this as the most that one request can cost, instead of working it out.
    #[arg(long, value_name = "USD")]
    worst: Option<Pico>,
    /// Name the log format instead of recognising it.
    #[arg(long, value_name = "FORMAT", value_parser = args::formats(), hide_possible_values = true)]
    input_format: Option<InputFormat>,
    /// Read a log of your own shape: where its fields stand (at=ts,prompt=req.text), or a file that says so.
    #[arg(long, value_name = "FIELD=PATH,..|FILE", value_parser = args::mapping)]
    map: Option<Arc<Mapping>>,
    /// Send also to a gateway that is not on this machine.
    #[arg(long)]
    yes: bool,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = args::Shape::Table)]
    format: args::Shape,
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for a result")]
fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text.to_owned()))
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log, the target, the prices or the key cannot be used, or the run was stopped.
pub fn run(args: &DriveArgs) -> anyhow::Result<()> {
    let target = Target::parse(&args.to)?;
    if !target.is_loopback && !args.yes {
        bail!(
            "{target} is not this machine: prompts of the log and money would go there\nhint: add --yes if that is meant"
        );
    }
    let key = args.key.clone().or_else(|| {
        std::env::var(KEY_VARIABLE).ok().filter(|key| !key.trim().is_empty()).map(SecretString::from)
    });
    let sender = Arc::new(Sender::new(target, &args.model, key.as_ref())?);
    let address = sender.target().to_string();
    let worst = worst(args)?;
    let input = crate::app::input(std::slice::from_ref(&args.log));
    let read = ReadOptions { format: args.input_format, mapping: args.map.clone(), ..ReadOptions::default() };
    // Standard input can be read only once; its length stays unknown.
    let is_stdin = args.log.as_os_str() == "-";
    let surveyed = if is_stdin { None } else { Some(survey(&input, &read, args.limit)?) };
    if let Some(survey) = &surveyed {
        if survey.requests == 0 {
            bail!("{} holds no requests", args.log.display());
        }
        output::say(&announce(survey, args, &sender));
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Internal::from_any)?;
    let Driven { tally, end, took, read } =
        runtime.block_on(go(args, input, read, surveyed, sender, worst))?;
    // A reader that waits for more of standard input must not keep the program.
    runtime.shutdown_background();
    let bad = read.as_ref().map_or(0, |summary| summary.bad);
    output::text(&report::render(args.format, &tally, end, took, bad)?)?;
    // What was sent is reported also where the log broke off.
    read?;
    let unreachable = Ending::UNREACHABLE.name();
    match end {
        End::Stopped => Err(LoadError::Cancelled.into()),
        End::Capped { next } if tally.sent == 0 => Err(Unserved(format!(
            "--max-spend ${} is not enough for the first request, which could cost up to ${next}; nothing was sent",
            tally.cap.limit()
        ))
        .into()),
        End::Done | End::Capped { .. } if tally.sent == 0 || tally.ok > 0 => Ok(()),
        _ if tally.endings.keys().all(|ending| *ending == unreachable) => Err(Unserved(format!(
            "nothing listens at {address}\nhint: start `pointsman serve`, or name its address with --to"
        ))
        .into()),
        End::Unreachable => Err(Unserved(format!(
            "{address} no longer answers; {} of {} were served until then\nhint: see its log or console",
            tally.ok, tally.sent
        ))
        .into()),
        End::Done | End::Capped { .. } => {
            let endings: Vec<String> =
                tally.endings.iter().map(|(ending, count)| format!("{ending} ({count})")).collect();
            Err(Unserved(format!(
                "not one of {} was served by {address}: {}\nhint: see its log or console",
                counted(tally.sent, "request"),
                endings.join(", ")
            ))
            .into())
        }
    }
}

/// Nothing that was sent was served.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unserved(String);

impl Unserved {
    /// Says so.
    pub const fn new(what: String) -> Self {
        Self(what)
    }
}

fn worst(args: &DriveArgs) -> anyhow::Result<Worst> {
    if args.max_spend <= Pico::ZERO || args.worst.is_some_and(|worst| worst <= Pico::ZERO) {
        bail!("--max-spend and --worst are amounts of dollars, above zero");
    }
    if let Some(worst) = args.worst {
        return Ok(Worst::Flat(worst));
    }
    let mut names = Names::default();
    let policy = match args.policy.clone().or_else(|| config::own_file("policy.toml")) {
        Some(path) => policy::load(&path, &mut names)?,
        None => policy::parse(policy::BUILTIN, "built-in policy", &mut names)?,
    };
    let book = config::prices::layered(&args.prices, config::user_dir().as_deref())?;
    Ok(Worst::by_price(&args.model, &policy, &names, &book, now())?)
}

fn now() -> Instant {
    Instant(chrono::Utc::now().timestamp_micros())
}

/// Says before the first request what will be sent.
fn announce(survey: &Survey, args: &DriveArgs, sender: &Sender) -> String {
    let mut text = format!(
        "{} to {} at {}, at most ${}",
        counted(survey.requests, "request"),
        sender.target(),
        args.rate,
        args.max_spend
    );
    let filler = survey.requests - survey.with_text;
    if filler > 0 {
        let _ = write!(
            text,
            "\n{filler} of them with filler: words made up to the logged length, no real prompt"
        );
    }
    if survey.without_length > 0 {
        let _ =
            write!(text, "\n{} of these have no logged length either and are short", survey.without_length);
    }
    if survey.bad > 0 {
        let _ = write!(text, "\nleft out: {} that could not be read", counted(survey.bad, "line"));
    }
    text
}

/// What a run came to, and how reading the log ended.
struct Driven {
    tally: Tally,
    end: End,
    took: Duration,
    read: Result<Summary, record::Error>,
}

async fn go(
    args: &DriveArgs,
    input: Input,
    read: ReadOptions,
    surveyed: Option<Survey>,
    sender: Arc<Sender>,
    worst: Worst,
) -> anyhow::Result<Driven> {
    let (give, mut read_ahead) = mpsc::channel(AHEAD);
    let (limit, seed) = (args.limit, args.seed);
    let stream = PerMille::clamped(i64::from(args.stream) * 10);
    let reader = tokio::task::spawn_blocking(move || {
        read_jobs(&input, &read, limit, seed, stream, |job| match give.blocking_send(job) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    });
    // Where the log could not be counted, its first request says when it began.
    let (first, jobs) = match surveyed.and_then(|survey| survey.first) {
        Some(first) => (first, read_ahead),
        None => match read_ahead.recv().await {
            Some(job) => (job.at, replayed(job, read_ahead)),
            None => (Instant::default(), read_ahead),
        },
    };
    let control = steer::listen();
    let settings = Settings {
        rate: args.rate,
        concurrency: usize::from(args.concurrency),
        max_spend: args.max_spend,
        worst,
        first,
    };
    let started = Clock::now();
    let last = surveyed.and_then(|survey| Some((survey.requests, survey.last?)));
    let planned = last.map(|(count, last)| (count, args.rate.due(count.saturating_sub(1), last, first)));
    let bar = bar(surveyed.map(|survey| survey.requests));
    let told = |tally: &Tally, command: Command| {
        bar.set_position(tally.sent);
        bar.set_message(progress(tally, command, started.elapsed(), planned));
    };
    let (tally, end) = drive(jobs, sender, settings, control, told).await;
    let took = started.elapsed();
    bar.finish_and_clear();
    // Whoever stopped waits for no more of standard input.
    let read =
        if end == End::Done { reader.await.map_err(Internal::from_any)? } else { Ok(Summary::default()) };
    Ok(Driven { tally, end, took, read })
}

/// Puts a job back before those that follow it.
fn replayed(
    first: crate::drive::Job,
    mut rest: mpsc::Receiver<crate::drive::Job>,
) -> mpsc::Receiver<crate::drive::Job> {
    let (give, jobs) = mpsc::channel(AHEAD);
    tokio::spawn(FutureExt::boxed(async move {
        let mut next = Some(first);
        while let Some(job) = next {
            if give.send(job).await.is_err() {
                break;
            }
            next = rest.recv().await;
        }
    }));
    jobs
}

fn bar(total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template =
        if total.is_some() { "[{bar:12}] {pos}/{len}  {wide_msg}" } else { "{pos} sent  {wide_msg}" };
    bar.with_style(
        ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    )
}

fn progress(tally: &Tally, command: Command, elapsed: Duration, planned: Option<(u64, Span)>) -> String {
    let state = match command {
        Command::Go => "",
        Command::Pause => "PAUSED (p goes on)  ",
        Command::Stop => "draining  ",
    };
    let left = planned.and_then(|plan| left(tally, elapsed, plan));
    let left = left.map_or_else(String::new, |left| format!("  {left} left"));
    format!(
        "{state}ok {}  failed {}  late {}  in flight {}  ${} of ${}{left}",
        tally.ok,
        tally.failed,
        tally.late,
        tally.in_flight(),
        tally.cap.spent().usd_rounded(4),
        tally.cap.limit().usd_rounded(2),
    )
}

/// Returns the time left: what the schedule has yet to come, or, without one, by the pace so far.
fn left(tally: &Tally, elapsed: Duration, (total, planned): (u64, Span)) -> Option<Span> {
    let micros = if planned > Span::ZERO {
        planned.0.saturating_sub(tally.reached.0)
    } else {
        let elapsed = i128::try_from(elapsed.as_micros()).ok()?;
        let rest = elapsed * i128::from(total.saturating_sub(tally.sent));
        i64::try_from(rest.checked_div(i128::from(tally.sent))?).ok()?
    };
    Some(Span(micros - micros % 1_000_000).max(Span::secs(1)))
}
