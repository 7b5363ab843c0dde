//! What Pointsman costs in front of a model API that answers at once: `cargo bench --bench gateway`, or
//! `benches/gateway.sh` with everything it compares against.
//!
//! Targets alternate within one run, and each is compared with the mock of the same round: trust the ratios.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement prints what it finds and may stop at the first fault"
)]

mod load;
mod mock;
mod pairs;
mod process;
mod soak;
mod targets;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use process::Process;

const USAGE: &str = "\
usage: cargo bench --bench gateway -- [--quick] [--rounds N] [--memory N] [--litellm PATH] [--budgets] [--pairs N] [--only NAME] [--soak SECONDS]
  --quick           a short, bounded run
  --rounds N        how often the targets alternate (7)
  --memory N        requests before memory is read (200000; 1000000 for the figures in the documents)
  --litellm PATH    LiteLLM's proxy joins
  --budgets         Pointsman with four budgets in force joins
  --pairs N         measure that and Pointsman without budgets in pairs instead, nothing else
  --only NAME       measure this target and the mock alone
  --soak SECONDS    run mixed traffic for so long instead, and fail when memory or open files grow";

/// What to do.
struct Plan {
    rounds: usize,
    closed: u64,
    paced: u32,
    memory: u64,
    starts: usize,
    litellm: Option<PathBuf>,
    budgets: bool,
    pairs: Option<usize>,
    only: Option<String>,
    soak: Option<Duration>,
}

impl Plan {
    fn read(args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut plan = Self {
            rounds: 7,
            closed: 30_000,
            paced: 250,
            memory: 200_000,
            starts: 15,
            litellm: None,
            budgets: false,
            pairs: None,
            only: None,
            soak: None,
        };
        let mut args = args.filter(|arg| arg != "--bench");
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value\n{USAGE}"));
            match arg.as_str() {
                "--quick" => {
                    (plan.rounds, plan.closed, plan.paced) = (2, 3_000, 50);
                    (plan.memory, plan.starts) = (5_000, 3);
                }
                "--rounds" => plan.rounds = value()?.parse()?,
                "--memory" => plan.memory = value()?.parse()?,
                "--litellm" => plan.litellm = Some(value()?.into()),
                "--budgets" => plan.budgets = true,
                "--pairs" => plan.pairs = Some(value()?.parse()?),
                "--only" => plan.only = Some(value()?),
                "--soak" => plan.soak = Some(Duration::from_secs(value()?.parse()?)),
                _ => bail!("{arg} is unknown\n{USAGE}"),
            }
        }
        Ok(plan)
    }
}

/// A target and what was found.
struct Target {
    name: &'static str,
    process: Process,
    found: Vec<Round>,
    start: Duration,
    memory: u64,
}

/// One round's figures.
#[derive(Clone, Copy, Default)]
struct Round {
    rate: [f64; 2],
    cpu: f64,
    p50: f64,
    p99: f64,
    first: f64,
}

const CONNECTIONS: [usize; 2] = [16, 64];

fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).is_some_and(|arg| arg == "mock") {
        return mock::run();
    }
    // cargo asks every bench without a harness for its list of tests.
    if std::env::args().any(|arg| arg == "--list") {
        return Ok(());
    }
    let plan = Plan::read(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&plan))
}

async fn measure(plan: &Plan) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut mock = targets::mock()?;
    mock.wait(Duration::from_secs(10)).await?;
    let upstream = mock.address;
    if let Some(span) = plan.soak {
        let mut pointsman = targets::pointsman(folder.path(), upstream, false)?;
        pointsman.wait(Duration::from_secs(10)).await.with_context(|| log_of(folder.path()))?;
        return soak::run(&pointsman, span, |line| println!("{line}")).await;
    }
    if let Some(pairs) = plan.pairs {
        return pairs::run(folder.path(), &mock, (pairs, plan.closed)).await;
    }
    let mut all = vec![Target::new("direct", mock, Duration::ZERO)];
    let wanted = |name: &str| plan.only.as_deref().is_none_or(|only| only == name);
    if wanted("nginx") {
        match targets::nginx_binary() {
            Some(binary) => {
                let start = || targets::nginx(&binary, folder.path(), upstream);
                all.push(started("nginx", plan.starts, start).await?);
            }
            None => {
                eprintln!("nginx is not installed, so it is left out (Debian: apt-get install nginx-light)");
            }
        }
    }
    if wanted("pointsman") {
        let start = || targets::pointsman(folder.path(), upstream, false);
        all.push(started("pointsman", plan.starts, start).await.with_context(|| log_of(folder.path()))?);
    }
    if plan.budgets {
        let start = || targets::pointsman(folder.path(), upstream, true);
        all.push(started("four budgets", 1, start).await.with_context(|| log_of(folder.path()))?);
    }
    if let Some(binary) = &plan.litellm {
        let start = || targets::litellm(binary, folder.path(), upstream);
        all.push(started("litellm", 1, start).await?);
    }
    for round in 1..=plan.rounds {
        for target in &mut all {
            note(&format!("round {round} of {}: {}", plan.rounds, target.name));
            target.round(plan).await.with_context(|| target.name)?;
        }
    }
    for target in &mut all {
        if target.name != "direct" {
            note(&format!("memory: {}", target.name));
            let requests = if target.name == "litellm" { plan.memory.min(5_000) } else { plan.memory };
            load::closed(target.process.address, 16, requests).await.with_context(|| target.name)?;
            target.memory = target.process.memory();
        }
    }
    note("");
    table(plan, &all);
    Ok(())
}

/// Shows what is being done, to whoever watches.
fn note(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r{text:<40}\r");
    }
}

/// Returns what Pointsman wrote, for when it did not come up.
fn log_of(folder: &Path) -> String {
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let logs = folders.filter_map(|folder| std::fs::read_to_string(folder.path().join("log")).ok());
    format!("pointsman wrote: {}", logs.last().unwrap_or_default())
}

/// Starts a target several times from cold; keeps the last, and the median of the times to the first 200.
async fn started(
    name: &'static str,
    times: usize,
    start: impl Fn() -> anyhow::Result<Process>,
) -> anyhow::Result<Target> {
    let mut took = Vec::new();
    loop {
        let begin = Instant::now();
        let mut process = start()?;
        process.wait(Duration::from_secs(60)).await.with_context(|| format!("{name} did not start"))?;
        took.push(begin.elapsed());
        if took.len() >= times {
            return Ok(Target::new(name, process, load::quantile(&took, 500)));
        }
    }
}

impl Target {
    fn new(name: &'static str, process: Process, start: Duration) -> Self {
        Self { name, process, found: Vec::new(), start, memory: 0 }
    }

    async fn round(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let to = self.process.address;
        // LiteLLM is slower by orders of magnitude; the same number of requests would take all day.
        let requests = if self.name == "litellm" { (plan.closed / 100).max(100) } else { plan.closed };
        let mut round = Round::default();
        load::closed(to, 16, requests / 10).await?;
        let before = self.process.cpu();
        for (rate, connections) in round.rate.iter_mut().zip(CONNECTIONS) {
            let took = load::closed(to, connections, requests).await?;
            *rate = requests as f64 / took.as_secs_f64();
        }
        let cpu = self.process.cpu().saturating_sub(before);
        round.cpu = cpu.as_secs_f64() * 1e6 / (requests * CONNECTIONS.len() as u64) as f64;
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let times = load::open(to, 50, plan.paced, false).await?;
        (round.p50, round.p99) =
            (millis(load::quantile(&times.last, 500)), millis(load::quantile(&times.last, 990)));
        let times = load::open(to, 50, plan.paced, true).await?;
        round.first = millis(load::quantile(&times.first, 500));
        self.found.push(round);
        Ok(())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn table(plan: &Plan, all: &[Target]) {
    let Some(direct) = all.first() else { return };
    println!(
        "1 KB prompt, loopback, {} rounds of {} requests; medians over rounds",
        plan.rounds, plan.closed
    );
    println!(
        "direct to the mock: {:.0} requests/s at 16 connections, {:.0} at 64; {:.2} ms at 50/s (p99 {:.2}); stream {:.2} ms",
        median(direct.found.iter().map(|round| round.rate[0]).collect()),
        median(direct.found.iter().map(|round| round.rate[1]).collect()),
        median(direct.found.iter().map(|round| round.p50).collect()),
        median(direct.found.iter().map(|round| round.p99).collect()),
        median(direct.found.iter().map(|round| round.first).collect()),
    );
    println!();
    print!("{:<52}", "what");
    for target in &all[1..] {
        print!(" {:>12}", target.name);
    }
    println!("   goal");
    let row = |what: &str, goal: &str, decimals: usize, figure: &dyn Fn(&Target) -> f64| {
        print!("{what:<52}");
        for target in &all[1..] {
            print!(" {:>12.decimals$}", figure(target));
        }
        println!("   {goal}");
    };
    let beside = |target: &Target, of: &dyn Fn(&Round, &Round) -> f64| {
        median(target.found.iter().zip(&direct.found).map(|(round, direct)| of(round, direct)).collect())
    };
    let own = |target: &Target, of: fn(&Round) -> f64| median(target.found.iter().map(of).collect());
    row("requests/s at 16 connections, share of direct", ">= .25", 3, &|target| {
        beside(target, &|round, direct| round.rate[0] / direct.rate[0])
    });
    row("requests/s at 64 connections, share of direct", ">= .25", 3, &|target| {
        beside(target, &|round, direct| round.rate[1] / direct.rate[1])
    });
    row("requests/s at 16 connections", "", 0, &|target| own(target, |round| round.rate[0]));
    row("requests/s at 64 connections", "", 0, &|target| own(target, |round| round.rate[1]));
    row("added latency at 50 requests/s, p50, ms", "<= .35", 2, &|target| {
        beside(target, &|round, direct| round.p50 - direct.p50)
    });
    row("added latency at 50 requests/s, p99, ms", "<= 1", 2, &|target| {
        beside(target, &|round, direct| round.p99 - direct.p99)
    });
    row("added time to first byte of a stream, p50, ms", "<= .4", 2, &|target| {
        beside(target, &|round, direct| round.first - direct.first)
    });
    row("CPU per request, us", "<= 70", 0, &|target| own(target, |round| round.cpu));
    let memory = format!("memory after {} requests, MB", plan.memory);
    row(&memory, "<= 80", 1, &|target| target.memory as f64 * 1024.0 / 1e6);
    row("cold start to the first 200, ms", "<= 60", 0, &|target| target.start.as_secs_f64() * 1e3);
}
