//! How fast it is, printed as figures and as ratios within one run: `cargo bench --bench speed`.
//!
//! Absolute figures move with the machine; the reference beside each is measured in the same run where there is one.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints what it finds and may stop at the first fault"
)]

#[path = "speed/anomalies.rs"]
mod anomalies;
#[path = "speed/branches.rs"]
mod branches;
#[path = "speed/budgets.rs"]
mod budgets;
#[path = "speed/caches.rs"]
mod caches;
#[path = "speed/reports.rs"]
mod reports;

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pointsman::classifier::{Classifier, Measures};
use pointsman::config::{policy, prices};
use pointsman::console::app::{App, Settings};
use pointsman::console::glyphs::{GlyphSet, Glyphs};
use pointsman::console::keys::Keymap;
use pointsman::console::screen::ScreenId;
use pointsman::console::theme::{Catalogue, Depth};
use pointsman::console::ui::Ui;
use pointsman::outcome::Settled;
use pointsman::record::{self, Input, ReadOptions};
use pointsman::routing::{Circumstance, ConfidenceSource, Facts, RouteId, Signals, decide};
use pointsman::session::{
    Arriving, Called, Command, Ingest, IngestOptions, Live, LiveSetup, Log, Player, PolicySpan, Reading,
    RerunJob, StreamOptions, rerun, settle_one, stream,
};
use pointsman::units::{Names, PerMille, Span};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

fn row(what: &str, figure: &str, goal: &str, note: &str) {
    println!("{what:<58} {figure:>22}   goal {goal:<22} {note}");
}

/// A small generator (SplitMix64): the same log in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// Lines of about 300 bytes, like a gateway writes them.
fn log_text(lines: u64) -> Vec<u8> {
    let models = ["gemini-2.5-flash", "gpt-4.1", "gpt-4.1-nano", "claude-opus-4-6", "mistral-small-2503"];
    let teams = ["payments", "search", "support", "platform", "research"];
    let tasks = ["classification", "extraction", "summarisation", "code", "agent", "question"];
    let mut dice = Dice(1);
    let mut out = Vec::with_capacity(usize::try_from(lines).unwrap() * 310);
    for n in 0..lines {
        let second = n / 50;
        let _ = writeln!(
            out,
            r#"{{"id":"op-{n:09}-4f3c2b1a","at":"2026-05-{:02}T{:02}:{:02}:{:02}.{:03}Z","team":"{}","project":"{}-service","user":"user-{:05}","session":"session-{:06}","task":"{}","confidence":{},"model":"{}","provider":"openai","in":{},"cache_read":{},"out":{},"latency_ms":{},"ttft_ms":{},"status":"ok"}}"#,
            1 + second / 86_400 % 28,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60,
            n % 50 * 20,
            teams[usize::try_from(dice.next(5)).unwrap()],
            teams[usize::try_from(dice.next(5)).unwrap()],
            dice.next(20_000),
            n / 20,
            tasks[usize::try_from(dice.next(6)).unwrap()],
            dice.next(1001),
            models[usize::try_from(dice.next(5)).unwrap()],
            dice.next(20_000),
            dice.next(2) * dice.next(20_000),
            dice.next(2_000),
            200 + dice.next(20_000),
            100 + dice.next(900),
        );
    }
    out
}

fn ingest() -> (Ingest, Arc<pointsman::routing::Policy>) {
    let mut names = Names::default();
    let policy = policy::parse(policy::BUILTIN, "policy.toml", &mut names).unwrap();
    (Ingest::new(names, Classifier::builtin(), &IngestOptions::default()), Arc::new(policy))
}

fn best<T>(rounds: usize, mut run: impl FnMut() -> T) -> (Duration, T) {
    let mut best: Option<(Duration, T)> = None;
    for _ in 0..rounds {
        let started = Instant::now();
        let value = run();
        let took = started.elapsed();
        if best.as_ref().is_none_or(|(least, _)| took < *least) {
            best = Some((took, value));
        }
    }
    best.unwrap()
}

fn micros(duration: Duration) -> String {
    format!("{:.2} us", duration.as_secs_f64() * 1e6)
}

/// What trained weights take beside those set by hand.
fn classify() {
    let weights = [("by hand", Classifier::builtin()), ("trained", Classifier::shipped("public").unwrap())];
    let letter = "Compare what both plans cost in 2027, and say which one you would take. The first is paid by the month, has \
                  three seats, and may be ended at any time; the second is cheaper by a fifth but runs for two years. Somebody \
                  in the office thinks that five people at most will need a seat before March, while others would rather wait. ";
    for (size, bytes, goal) in [("1 kB", 1024, "<= 10 us"), ("16 kB", 16_384, "<= 60 us")] {
        let prompt: String = letter.chars().cycle().take(bytes).collect();
        for (name, classifier) in &weights {
            let time = || {
                let started = Instant::now();
                black_box(classifier.classify(Some(black_box(&prompt)), &Measures::default()));
                started.elapsed()
            };
            let mut times: Vec<Duration> = (0..20_000).map(|_| time()).collect();
            times.sort_unstable();
            row(&format!("classify {size}, weights {name}: p50"), &micros(times[10_000]), goal, "");
        }
    }
}

fn classify_and_decide() {
    let classifier = Classifier::builtin();
    let (_, policy) = ingest();
    let prompt: String =
        "Extract the invoice number, the due date and the total from the letter below and answer as JSON. "
            .chars()
            .cycle()
            .take(1024)
            .collect();
    let mut times: Vec<Duration> = (0..200_000u32)
        .map(|n| {
            let measures = Measures { prompt_tokens: Some(256 + u64::from(n % 64)), ..Measures::default() };
            let started = Instant::now();
            let opinion = classifier.classify(Some(black_box(&prompt)), &measures);
            let signals = Signals {
                class: opinion.class,
                confidence: opinion.confidence,
                source: ConfidenceSource::Text,
                ..Signals::default()
            };
            black_box(decide(&policy, &signals, Circumstance::PLAIN));
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 1000];
    row(
        "classify + decide, 1 kB prompt, trail included: p50",
        &micros(at(500)),
        "<= 10 us",
        "LiteLLM's router: 3,374 us",
    );
    row("  p99", &micros(at(990)), "<= 30 us", "");
}

/// Parsing, deciding and accounting on one thread.
fn single(path: &std::path::Path, reading: Reading) -> u64 {
    let (mut ingest, policy) = ingest();
    let book = prices::builtin("list").unwrap();
    let mut source = record::open(&Input::paths([path]), &ReadOptions::default()).unwrap();
    let mut table = pointsman::pricing::PriceTable::default();
    let profiles = pointsman::outcome::Profiles::default();
    let mut totals = pointsman::telemetry::Totals::default();
    let mut settled = Settled::default();
    while let Some(block) = source.next_block() {
        let block = block.unwrap();
        let _ = block.for_each(|_, entry| {
            if let Ok(record::Entry::Request(record)) = entry {
                let (operation, extra) = ingest.take(&record);
                table.extend(&book, &ingest.names);
                let circumstances = &ingest.circumstances;
                let outlook = pointsman::outcome::Outlook {
                    prices: &table,
                    profiles: &profiles,
                    circumstances,
                    weather: None,
                };
                let evidence = pointsman::outcome::Evidence { operation: &operation, extra: extra.as_ref() };
                settle_one(&evidence, reading, &policy, &outlook, &mut settled);
                totals.apply(&evidence, &settled, pointsman::telemetry::Sign::Plus);
            }
            std::ops::ControlFlow::Continue(())
        });
    }
    totals.all.requests
}

fn streamed(path: &std::path::Path, reading: Reading) -> u64 {
    let (ingest, policy) = ingest();
    let book = prices::builtin("list").unwrap();
    let source = record::open(&Input::paths([path]), &ReadOptions::default()).unwrap();
    let options = StreamOptions::from(reading);
    stream(source, ingest, &policy, &book, &options, |_| true).unwrap().totals.all.requests
}

fn replay(text: &[u8], path: &std::path::Path) {
    let lines = memchr::memchr_iter(b'\n', text).count() as f64;
    let megabytes = text.len() as f64 / 1e6;
    let (parse, _) = best(3, || {
        text.split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_slice::<serde_json::Value>(line)
                    .map_or(0, |value| usize::from(value.is_object()))
            })
            .sum::<usize>()
    });
    row(
        "reference: serde_json to values alone, one core",
        &format!("{:.2} M lines/s", lines / parse.as_secs_f64() / 1e6),
        "",
        "",
    );
    for (name, reading) in [("recorded", Reading::Recorded), ("routed", Reading::Routed)] {
        let (one, _) = best(3, || single(path, reading));
        row(
            &format!("replay {name}, {:.0} B lines, one core", text.len() as f64 / lines),
            &format!("{:.2} M requests/s", lines / one.as_secs_f64() / 1e6),
            ">= 1.0 M/s",
            &format!(
                "{:.0} MB/s, {:.2} x reference",
                megabytes / one.as_secs_f64(),
                parse.as_secs_f64() / one.as_secs_f64()
            ),
        );
        let (two, _) = best(3, || streamed(path, reading));
        row(
            &format!("replay {name}, as the program does it (two threads)"),
            &format!("{:.0} MB/s", megabytes / two.as_secs_f64()),
            ">= 674 to 710 MB/s",
            &format!(
                "{:.2} M requests/s; DuckDB's group-by on one thread is the goal",
                lines / two.as_secs_f64() / 1e6
            ),
        );
    }
}

fn load(path: &std::path::Path) -> Arc<Log> {
    let (ingest, policy) = ingest();
    let book = prices::builtin("list").unwrap();
    let source = record::open(&Input::paths([path]), &ReadOptions::default()).unwrap();
    Arc::new(Log::load("bench".into(), source, ingest, policy, &book, |_| true).unwrap())
}

fn thresholds(log: &Arc<Log>) {
    let mut player = Player::new(Arc::clone(log), Reading::Routed, None);
    player.handle(Command::Follow);
    player.snapshot();
    let rounds = 2000u32;
    let started = Instant::now();
    let view_policy = Arc::clone(&log.policy);
    for n in 0..rounds {
        player.handle(Command::SetThreshold(RouteId(1), 0, PerMille::clamped(i64::from(300 + n % 500))));
        black_box(player.what_if());
    }
    row(
        &format!("one threshold step, all consequences, {} requests", log.len()),
        &micros(started.elapsed() / rounds),
        "<= 50 us",
        &format!("{} routes, latency percentiles included", view_policy.routes.len()),
    );
    let (curve, points) = best(20, || player.curve(RouteId(1), 0).len());
    row(&format!("whole curve of {points} points"), &micros(curve), "<= 1 ms", "");
    let (full, found) = best(3, || {
        let policies = [PolicySpan { from: 0, policy: Arc::clone(&log.policy) }];
        let job = RerunJob { policies: policies.into(), limits: [].into(), first: 0, end: log.len() };
        rerun(log, &job, &AtomicUsize::new(0), &AtomicBool::new(false)).unwrap().requests
    });
    row(
        &format!("full re-run of {found} requests in the background"),
        &format!("{:.0} ms", full.as_secs_f64() * 1e3),
        "<= 1 s per million",
        "",
    );
    let mut capped = (*log.policy).clone();
    capped.models.extend(
        capped
            .routes
            .iter()
            .map(|route| (route.strongest().model, Facts { max_in_flight: Some(40), ..Facts::default() })),
    );
    let capped = Arc::new(capped);
    let (in_order, found) = best(3, || {
        let policies = [PolicySpan { from: 0, policy: Arc::clone(&capped) }];
        let job = RerunJob { policies: policies.into(), limits: [].into(), first: 0, end: log.len() };
        rerun(log, &job, &AtomicUsize::new(0), &AtomicBool::new(false)).unwrap().requests
    });
    row(
        &format!("in order, calls capped, {found} requests, one core"),
        &format!("{:.0} ms", in_order.as_secs_f64() * 1e3),
        "<= 1 s per million",
        "",
    );
    let (back, _) = best(3, || {
        player.handle(Command::SeekShare(PerMille::clamped(500)));
        player.handle(Command::Follow);
        let started = Instant::now();
        player.handle(Command::SeekShare(PerMille::clamped(250)));
        started.elapsed()
    });
    let started = Instant::now();
    player.handle(Command::SeekShare(PerMille::clamped(100)));
    let seek = started.elapsed();
    row(
        "seek back in it, window \"all so far\"",
        &format!("{:.0} ms", seek.as_secs_f64() * 1e3),
        "< 1 s",
        &format!("three seeks {:.0} ms", back.as_secs_f64() * 1e3),
    );
}

fn frames() {
    let (ingest, policy) = ingest();
    let book = prices::builtin("list").unwrap();
    let source =
        record::open(&Input::bytes("sample", pointsman::sample::BUNDLED), &ReadOptions::default()).unwrap();
    let log = Arc::new(Log::load("sample".into(), source, ingest, policy, &book, |_| true).unwrap());
    let catalogue = Catalogue::new(pointsman::config::themes::built_in());
    let settings = || Settings {
        theme: catalogue.load("dark", Depth::True).unwrap().0,
        glyphs: Glyphs::of(GlyphSet::Braille),
        keymap: Keymap::build(&[]).unwrap(),
        mouse: false,
        message: Duration::from_secs(4),
    };
    for screen in ScreenId::ALL {
        let mut player = Player::new(Arc::clone(&log), Reading::Routed, Some(Span::hours(1)));
        player.handle(Command::SeekShare(PerMille::clamped(300)));
        player.handle(Command::SetThreshold(RouteId(1), 0, PerMille::clamped(588)));
        // A minute of traffic a second: most figures move from frame to frame.
        player.handle(Command::SetSpeed(pointsman::session::Speed::Tenths(600)));
        player.handle(Command::Play);
        let ui = Ui::on(screen);
        let mut app = App::new(ui, settings(), Arc::new(player.snapshot()));
        let area = Rect::new(0, 0, 200, 60);
        let mut buffers = [Buffer::empty(area), Buffer::empty(area)];
        let mut times = Vec::new();
        let mut bytes = 0;
        for n in 0..400 {
            // Between two frames traffic goes on, so that every figure moves.
            player.advance(Duration::from_millis(100), 200);
            app.update(Arc::new(player.snapshot()));
            while app.work() {}
            let started = Instant::now();
            let [now, before] = &mut buffers;
            now.reset();
            app.draw(area, now);
            let changes = before.diff(now);
            let mut out = Vec::with_capacity(1 << 16);
            let mut backend = ratatui::backend::CrosstermBackend::new(&mut out);
            ratatui::backend::Backend::draw(&mut backend, changes.into_iter()).unwrap();
            times.push(started.elapsed());
            bytes += out.len();
            buffers.swap(0, 1);
            black_box(n);
        }
        times.sort_unstable();
        row(
            &format!("frame 200x60, {} while traffic runs: p50", screen.name()),
            &micros(times[times.len() / 2]),
            "<= 800 us",
            &format!("p99 {}, {} bytes a frame", micros(times[times.len() * 99 / 100]), bytes / 400),
        );
    }
}

/// The program itself in a pseudo-terminal.
struct Running {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    written: Arc<AtomicUsize>,
    first_frame: Duration,
    _pair: portable_pty::PtyPair,
}

fn start(args: &[&str]) -> Running {
    let pair = portable_pty::native_pty_system()
        .openpty(portable_pty::PtySize { rows: 60, cols: 200, pixel_width: 0, pixel_height: 0 })
        .unwrap();
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_pointsman"));
    command.args(args);
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    command.env("POINTSMAN_CONFIG_DIR", std::env::temp_dir().join("pointsman-bench-none"));
    let mut reader = pair.master.try_clone_reader().unwrap();
    let started = Instant::now();
    let child = pair.slave.spawn_command(command).unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let (tell, told) = std::sync::mpsc::channel();
    let counter = Arc::clone(&written);
    std::thread::spawn(move || {
        let mut buffer = vec![0u8; 65_536];
        let mut seen = Vec::new();
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            counter.fetch_add(n, Ordering::Relaxed);
            if seen.len() < 1 << 20 {
                seen.extend_from_slice(&buffer[..n]);
                // The end of the first synchronized update.
                if seen.windows(8).any(|w| w == b"\x1b[?2026l") {
                    let _ = tell.send(());
                    seen = vec![0; 1 << 20];
                }
            }
        }
    });
    let _ = told.recv_timeout(Duration::from_secs(60));
    Running { child, written, first_frame: started.elapsed(), _pair: pair }
}

#[cfg(target_os = "linux")]
fn of_process(pid: u32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

#[cfg(target_os = "linux")]
fn cpu_ticks(pid: u32) -> u64 {
    let stat = of_process(pid, "stat");
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(target_os = "linux")]
fn process(path: &std::path::Path, lines: usize) {
    let mut firsts: Vec<Duration> = (0..5)
        .map(|_| {
            let mut running = start(&[]);
            let _ = running.child.kill();
            let _ = running.child.wait();
            running.first_frame
        })
        .collect();
    firsts.sort_unstable();
    row(
        "start to first frame, bundled sample (median of 5)",
        &format!("{:.0} ms", firsts[2].as_secs_f64() * 1e3),
        "<= 100 ms",
        "",
    );
    let log = path.display().to_string();
    let mut running = start(&[&log]);
    let pid = running.child.process_id().unwrap();
    // What the first frame left to do is done within a second; then nothing may move.
    std::thread::sleep(Duration::from_secs(2));
    let (bytes, ticks) = (running.written.load(Ordering::Relaxed), cpu_ticks(pid));
    let idle = Duration::from_secs(10);
    std::thread::sleep(idle);
    let (bytes, ticks) = (running.written.load(Ordering::Relaxed) - bytes, cpu_ticks(pid) - ticks);
    row(
        "idle, paused, 10 s",
        &format!("{bytes} bytes, {:.2} % CPU", ticks as f64 / 100.0 / idle.as_secs_f64() * 100.0),
        "0 bytes, <= 0.1 %",
        "htop .23 %, btop .67 %, bottom .80 %",
    );
    let status = of_process(pid, "status");
    let memory = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or("");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    };
    row(
        &format!("memory with {lines} requests loaded"),
        &format!("{:.0} MB", memory("VmRSS:")),
        "<= 150 MB",
        &format!(
            "peak while loading {:.0} MB; first frame after {:.2} s",
            memory("VmHWM:"),
            running.first_frame.as_secs_f64()
        ),
    );
    let _ = running.child.kill();
    let _ = running.child.wait();
}

#[cfg(not(target_os = "linux"))]
fn process(_path: &std::path::Path, _lines: usize) {
    println!("start, idle and memory are read from /proc: skipped on this system");
}

/// A live session that knows 4,096 teams: what a request's arrival and its call's end take, all of it (classification by
/// measures, the engine under its lock, sums, the line for readers), alone and while somebody copies all sums without pause.
fn live_session() {
    let (ingest, policy) = ingest();
    let setup = LiveSetup {
        policy: (*policy).clone(),
        names: ingest.names.clone(),
        classifier: Arc::new(Classifier::builtin()),
        book: prices::builtin("list").unwrap(),
        next_seq: 1,
        at: pointsman::units::Instant(0),
        who: "bench".to_owned(),
        gateway: String::new(),
    };
    let live = Arc::new(Live::new(setup));
    live.follow(Box::new(|_| true));
    let teams: Vec<Arc<str>> = (0..4096).map(|n| format!("team-{n:04}").into()).collect();
    let model: Arc<str> = "gpt-4.1".into();
    let one = |n: i64| {
        let team = Arc::clone(&teams[usize::try_from(n % 4096).unwrap()]);
        let id: Arc<str> = format!("op-{n}").into();
        let measures = Measures { prompt_tokens: Some(500), ..Measures::default() };
        let arriving = Arriving { id, team, asked: "auto".into(), measures, ..Arriving::default() };
        let started = Instant::now();
        let mut placed = live.arrive(black_box(arriving), pointsman::units::Instant(n));
        let arrived = started.elapsed();
        let called = Called { model: Arc::clone(&model), latency_ms: Some(300), ..Called::default() };
        let started = Instant::now();
        let _ = black_box(live.ended(&mut placed.ticket, called, false));
        (arrived, started.elapsed())
    };
    for n in 0..8192 {
        one(n);
    }
    let measured = |name: &str, from: i64| {
        let (mut arrivals, mut ends): (Vec<_>, Vec<_>) = (from..from + 100_000).map(one).unzip();
        arrivals.sort_unstable();
        ends.sort_unstable();
        for (what, times) in [("arrival", arrivals), ("end", ends)] {
            let at = |share: usize| micros(times[times.len() * share / 1000]);
            row(&format!("live, {what}, {name}: p50"), &at(500), "", "");
            row("  p99", &at(990), "", "");
        }
    };
    measured("4,096 teams", 10_000);
    let (copier, stop) = (Arc::clone(&live), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let copying = std::thread::spawn(move || {
        let mut copies = 0u64;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            black_box(copier.snapshot());
            copies += 1;
        }
        copies
    });
    measured("sums copied without pause", 200_000);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    row("  copies meanwhile", &copying.join().unwrap().to_string(), "", "");
}

fn main() {
    // What takes long is left out where only this is asked for.
    match std::env::var("POINTSMAN_BENCH").as_deref() {
        Ok("budgets") => return budgets::budgets(),
        Ok("classify") => return classify(),
        Ok("live") => return live_session(),
        Ok("caches") => return caches::caches(),
        Ok("branches") => return branches::branches(),
        _ => {}
    }
    let lines =
        std::env::var("POINTSMAN_BENCH_LINES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000u64);
    if std::env::var("POINTSMAN_BENCH").is_ok_and(|what| what == "ledger") {
        return reports::ledger(lines);
    }
    let text = log_text(lines);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bench.jsonl");
    std::fs::write(&path, &text).unwrap();
    println!(
        "{lines} lines, {:.0} MB, {} cores\n",
        text.len() as f64 / 1e6,
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    classify();
    classify_and_decide();
    live_session();
    budgets::budgets();
    caches::caches();
    replay(&text, &path);
    reports::reports(&path);
    reports::ledger(lines);
    drop(text);
    let log = load(&path);
    thresholds(&log);
    anomalies::anomalies(&log);
    drop(log);
    frames();
    process(&path, usize::try_from(lines).unwrap());
}
