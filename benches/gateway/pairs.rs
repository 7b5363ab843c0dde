//! What four budgets in force cost a gateway: two gateways, one with and one without, measured in pairs.
//!
//! Each pair is of one moment, and which of the two comes first alternates: what else the machine does falls on both, so trust the
//! ratios, and the spread of them.

use anyhow::Context as _;

use crate::process::Process;
use crate::{CONNECTIONS, load, log_of, note, started, targets};

/// What one gateway came to in a pair.
#[derive(Clone, Copy)]
struct Half {
    rate: [f64; 2],
    cpu: f64,
}

/// Measures so many pairs of so many requests, and prints them.
pub(crate) async fn run(
    folder: &std::path::Path,
    mock: &Process,
    (pairs, requests): (usize, u64),
) -> anyhow::Result<()> {
    let upstream = mock.address;
    let start = |budgets| move || targets::pointsman(folder, upstream, budgets);
    let without = started("pointsman", 1, start(false)).await.with_context(|| log_of(folder))?.process;
    let with = started("four budgets", 1, start(true)).await.with_context(|| log_of(folder))?.process;
    for process in [&without, &with] {
        load::closed(process.address, CONNECTIONS[0], requests / 2).await?;
    }
    let mut found = Vec::with_capacity(pairs);
    for pair in 1..=pairs {
        note(&format!("pair {pair} of {pairs}"));
        found.push(if pair % 2 == 0 {
            let first = half(&without, requests).await?;
            [first, half(&with, requests).await?]
        } else {
            let first = half(&with, requests).await?;
            [half(&without, requests).await?, first]
        });
    }
    note("");
    let busy = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "{pairs} pairs of {requests} requests at {} and at {} connections; load of the machine {}",
        CONNECTIONS[0],
        CONNECTIONS[1],
        busy.split(' ').next().unwrap_or("unknown")
    );
    println!(
        "{:<34} {:>10} {:>10} {:>8} {:>17}   goal",
        "what", "without", "with", "ratio", "half of ratios"
    );
    row("CPU per request, us", &found, "<= 1.05", |half| half.cpu);
    row("requests/s at 16 connections", &found, ">= .95", |half| half.rate[0]);
    row("requests/s at 64 connections", &found, ">= .95", |half| half.rate[1]);
    Ok(())
}

async fn half(process: &Process, requests: u64) -> anyhow::Result<Half> {
    let (before, mut rate) = (process.cpu(), [0.0; 2]);
    for (rate, connections) in rate.iter_mut().zip(CONNECTIONS) {
        let took = load::closed(process.address, connections, requests).await?;
        *rate = requests as f64 / took.as_secs_f64();
    }
    let cpu = process.cpu().saturating_sub(before);
    Ok(Half { rate, cpu: cpu.as_secs_f64() * 1e6 / (requests * CONNECTIONS.len() as u64) as f64 })
}

fn row(what: &str, found: &[[Half; 2]], goal: &str, of: fn(&Half) -> f64) {
    let sorted = |figure: &dyn Fn(&[Half; 2]) -> f64| {
        let mut values: Vec<f64> = found.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let at =
        |values: &[f64], quarter: usize| values.get(values.len() * quarter / 4).copied().unwrap_or(f64::NAN);
    let ratios = sorted(&|[without, with]| of(with) / of(without));
    println!(
        "{what:<34} {:>10.1} {:>10.1} {:>8.3} {:>8.3} to {:>5.3}   {goal}",
        at(&sorted(&|[without, _]| of(without)), 2),
        at(&sorted(&|[_, with]| of(with)), 2),
        at(&ratios, 2),
        at(&ratios, 1),
        at(&ratios, 3),
    );
}
