//! An hour of traffic shrunk to minutes: answers, streams, refusals, failures, streams cut off by the model and by the
//! client. What the process holds must not grow once it is warm.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::load::{Line, request};
use crate::process::Process;

/// Memory may grow by so much after warm-up: room for the allocator, none for a leak per request.
const GROWTH_KIB: u64 = 16 << 10;
/// Open files may differ by so much: connections come and go while they are counted.
const GROWTH_FILES: usize = 24;
const CLIENTS: usize = 16;

/// A moment's reading.
#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Duration,
    requests: u64,
    memory: u64,
    files: usize,
}

/// Runs for so long; prints readings, and fails when memory or files grew after the first quarter.
pub(crate) async fn run(target: &Process, span: Duration, print: impl Fn(&str)) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(live(target.address, client, Arc::clone(&stop), Arc::clone(&done))))
        .collect();
    print("     time     requests    memory KiB    open files");
    let begin = Instant::now();
    let mut readings: Vec<Reading> = Vec::new();
    let steps = 24;
    for step in 1..=steps {
        tokio::time::sleep_until((begin + span * step / steps).into()).await;
        let reading = Reading {
            at: begin.elapsed(),
            requests: done.load(Ordering::Relaxed),
            memory: target.memory(),
            files: target.files(),
        };
        let Reading { at, requests, memory, files } = reading;
        print(&format!("{:>8.1}s {requests:>12} {memory:>13} {files:>13}", at.as_secs_f64()));
        readings.push(reading);
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await??;
    }
    let (warm, later) = readings.split_at(readings.len() / 4);
    if later.is_empty() || later.last().is_some_and(|last| last.requests == 0) {
        bail!("nothing was served");
    }
    let end = &later[later.len() * 2 / 3..];
    let before = warm.iter().map(|reading| reading.memory).max().unwrap_or(0);
    let after = end.iter().map(|reading| reading.memory).min().unwrap_or(0);
    if after > before + GROWTH_KIB {
        bail!("memory grew from {before} to {after} KiB after warm-up");
    }
    let before = warm.iter().map(|reading| reading.files).max().unwrap_or(0);
    let after = end.iter().map(|reading| reading.files).min().unwrap_or(0);
    if after > before + GROWTH_FILES {
        bail!("open files grew from {before} to {after} after warm-up");
    }
    print("neither memory nor open files grew after warm-up");
    Ok(())
}

/// One client: a new connection every so often, and every kind of request in turn.
async fn live(
    to: SocketAddr,
    client: usize,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let host = to.to_string();
    let plain = request(&host, false, "");
    let stream = request(&host, true, "");
    let faults = [("[[429]]", false), ("[[500]]", false), ("[[cut]]", true), ("[[500]]", true)];
    let faults: Vec<Vec<u8>> =
        faults.iter().map(|(marker, stream)| request(&host, *stream, marker)).collect();
    let mut turn = client;
    let mut line = Line::open(to).await?;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let kept = match turn % 16 {
            0 => {
                Line::open(to).await?.ask_and_leave(&stream).await?;
                true
            }
            3 | 11 => line.ask(&faults[(turn / 16) % faults.len()]).await.is_ok(),
            at if at % 2 == 0 => line.ask(&stream).await.is_ok(),
            _ => {
                line.ask(&plain).await?;
                true
            }
        };
        if !kept || turn.is_multiple_of(512) {
            line = Line::open(to).await?;
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
