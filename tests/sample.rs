//! The bundled sample is what the generator writes, is marked as synthetic, and has in it what every screen needs.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what helpers of tests unwrap fails the test that calls them"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;

use pointsman::classifier::TaskClass;
use pointsman::config::prices;
use pointsman::pricing::{Cost, charge};
use pointsman::record::{Check, Entry, Input, PriceChange, ReadOptions, Record, Status, open};
use pointsman::sample::{self, GENERATED, Options, RUNAWAY, STORM};
use pointsman::units::{Instant, Pico};

fn at(clock: &str) -> Instant {
    Instant::parse(&format!("2026-05-23T{clock}Z")).unwrap()
}

#[derive(Default)]
struct Log {
    requests: Vec<Record<'static>>,
    prices: Vec<PriceChange<'static>>,
    notes: Vec<(Instant, String, bool)>,
}

/// The sample of seed 1, entry by entry; equal to the bundled file by the first test.
fn generated(seed: u64, options: &Options) -> Log {
    let mut log = Log::default();
    sample::generate(seed, options, |entry| match entry.clone() {
        Entry::Request(record) => log.requests.push(owned(record)),
        Entry::Price(change) => {
            log.prices.push(PriceChange { model: change.model.into_owned().into(), ..*change });
        }
        Entry::Policy(change) => {
            log.notes.push((change.at, "a policy, though the sample has one".to_owned(), false));
        }
        Entry::Label(late) => log.notes.push((late.at, "a label on its own".to_owned(), false)),
        Entry::Correction(late) => log.notes.push((late.at, "a correction".to_owned(), false)),
        Entry::Signal(signal) => {
            log.notes.push((signal.at, "a signal, though nobody was called".into(), false));
        }
        Entry::Note { at, text, simulated } => log.notes.push((at, text.into_owned(), simulated)),
    })
    .unwrap();
    log
}

/// Everything that these tests look at, owned.
fn owned(record: Record<'_>) -> Record<'static> {
    let attempts: Vec<_> = record
        .attempts
        .iter()
        .map(|attempt| pointsman::record::Attempt {
            model: attempt.model.to_string().into(),
            billed: attempt.billed.to_string().into(),
            provider: attempt.provider.to_string().into(),
            error: attempt.error.to_string().into(),
            assumed_model: attempt.assumed_model,
            estimated: attempt.estimated,
            usage: attempt.usage,
            write_ttl: attempt.write_ttl,
            latency_ms: attempt.latency_ms,
            ttft_ms: attempt.ttft_ms,
            status: attempt.status,
            check: attempt.check,
            terms: attempt.terms.clone(),
            left_out: Vec::new(),
            verdicts: Box::default(),
            gap_ms: attempt.gap_ms,
            effort: attempt.effort,
            began_us: attempt.began_us,
            charged: attempt.charged,
        })
        .collect();
    let labels = record.labels.iter().map(|label| pointsman::record::Label {
        model: label.model.to_string().into(),
        quality: label.quality,
        output: label.output,
        source: label.source.to_string().into(),
    });
    Record {
        id: record.id.to_string().into(),
        at: record.at,
        team: record.team.to_string().into(),
        project: record.project.to_string().into(),
        user: record.user.to_string().into(),
        session: record.session.to_string().into(),
        asked: record.asked.to_string().into(),
        task: record.task,
        confidence: record.confidence,
        turn: record.turn,
        tools: record.tools,
        history: record.history,
        prompt: record.prompt.map(|prompt| prompt.to_string().into()),
        attempts: attempts.into(),
        labels: labels.collect(),
        simulated: record.simulated.to_string().into(),
        ..Record::default()
    }
}

fn bundled() -> Log {
    generated(sample::SEED, &Options::default())
}

/// Costs by model at list prices; the unknown are left out.
fn spend<'r>(requests: impl Iterator<Item = &'r Record<'static>>) -> BTreeMap<String, Pico> {
    let book = prices::resolve("list", None).unwrap();
    let mut sums: BTreeMap<String, Pico> = BTreeMap::new();
    for record in requests {
        for attempt in &*record.attempts {
            let row = book.find(&attempt.model).unwrap().at(record.at).unwrap();
            if let Cost::Known(cost) = charge(&attempt.usage, Some(&row.standard)) {
                *sums.entry(attempt.model.to_string()).or_default() += cost;
            }
        }
    }
    sums
}

fn total(sums: &BTreeMap<String, Pico>) -> f64 {
    sums.values().map(|cost| cost.to_f64()).sum()
}

#[test]
fn the_bundled_file_is_exactly_what_seed_1_writes() {
    assert!(sample::BUNDLED.len() <= 1_500_000, "{} bytes", sample::BUNDLED.len());
    let mut bundled = Vec::new();
    zstd::stream::read::Decoder::new(sample::BUNDLED).unwrap().read_to_end(&mut bundled).unwrap();
    let written = sample::write(sample::SEED, &Options::default(), Vec::new()).unwrap();
    let differs =
        bundled.split(|&b| b == b'\n').zip(written.split(|&b| b == b'\n')).position(|(a, b)| a != b);
    assert!(
        bundled == written,
        "differs from line {differs:?}; write it anew: pointsman sample --seed 1 -o assets/sample.jsonl.zst --replace"
    );
}

#[test]
fn the_bundled_file_reads_back_without_a_complaint_and_says_that_it_is_simulated() {
    let mut source = open(&Input::bytes(sample::NAME, sample::BUNDLED), &ReadOptions::default()).unwrap();
    let mut found = (0u64, 0u64, Vec::new());
    let mut last = Instant(i64::MIN);
    source
        .for_each(|_, line, entry| {
            match entry {
                Ok(Entry::Request(record)) => {
                    assert!(!record.simulated.is_empty(), "line {line} is not marked");
                    assert!(record.at >= last, "line {line} is out of order");
                    last = record.at;
                    found.0 += 1;
                }
                Ok(Entry::Signal(_) | Entry::Label(_) | Entry::Correction(_)) => {
                    panic!("line {line} is a signal")
                }
                Ok(Entry::Price(change)) => assert!(change.simulated, "line {line} is not marked"),
                Ok(Entry::Policy(_)) => found.2.push(format!("{line}: a policy")),
                Ok(Entry::Note { simulated, .. }) => {
                    assert!(simulated, "line {line} is not marked");
                    found.1 += 1;
                }
                Err(skip) => found.2.push(format!("{line}: {skip:?}")),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(found.0 >= 20_000, "{} requests", found.0);
    assert_eq!((found.1, found.2), (6, Vec::<String>::new()));
    assert!(source.header().simulated.iter().any(|name| name == GENERATED));
}

#[test]
fn every_screen_has_something_to_show() {
    let log = bundled();
    let count = log.requests.len();
    let distinct =
        |pick: fn(&Record<'static>) -> String| log.requests.iter().map(pick).collect::<BTreeSet<_>>();
    assert_eq!(
        distinct(|r| r.team.to_string()).into_iter().collect::<Vec<_>>(),
        ["payments", "platform", "research", "search", "support"]
    );
    assert_eq!(distinct(|r| r.project.to_string()).len(), 10);
    assert!(distinct(|r| r.user.to_string()).len() > 200);
    assert!((200..2_000).contains(&distinct(|r| r.prompt.as_deref().unwrap_or_default().to_owned()).len()));
    assert_eq!(distinct(|r| r.task.unwrap().to_string()).len(), 9);
    let share = |hits: usize| hits * 1000 / count;
    let of = |pick: fn(&&Record<'static>) -> bool| share(log.requests.iter().filter(pick).count());
    assert!(
        (25..35).contains(&of(|r| r.confidence.is_none())),
        "no confidence {}",
        of(|r| r.confidence.is_none())
    );
    assert!((35..60).contains(&of(|r| !r.labels.is_empty())), "labels {}", of(|r| !r.labels.is_empty()));
    assert!((200..400).contains(&of(|r| r.prompt.is_some())), "prompts {}", of(|r| r.prompt.is_some()));
    assert!(of(|r| !r.session.is_empty()) > 300);
    let checked = |r: &&Record<'static>| {
        r.attempts.len() > 1
            && r.attempts[0].check == Check::Failed
            && r.attempts[1].model != r.attempts[0].model
    };
    assert!(log.requests.iter().filter(checked).count() > 300, "escalations after a failed check");
    // A log shows a what-if only where each kind of work was seen on more than one model.
    for class in TaskClass::ALL.into_iter().take(9) {
        let mut served: BTreeMap<&str, usize> = BTreeMap::new();
        for record in log.requests.iter().filter(|record| record.task == Some(class)) {
            *served.entry(record.attempts.last().map_or("", |attempt| &*attempt.model)).or_default() += 1;
        }
        assert!(served.values().filter(|&&n| n >= 40).count() >= 2, "{class}: {served:?}");
    }
}

#[test]
fn conversations_grow_and_are_read_from_cache() {
    let log = bundled();
    let mut last: BTreeMap<&str, (u32, u64)> = BTreeMap::new();
    let (mut read, mut prompts) = (0, 0);
    for record in log.requests.iter().filter(|record| !record.session.is_empty()) {
        let Some(usage) =
            record.attempts.iter().map(|a| a.usage).find(|usage| usage.prompt().is_some_and(|p| p > 0))
        else {
            continue;
        };
        let (turn, prompt) = (record.turn.unwrap(), usage.prompt().unwrap());
        if let Some(&(before, shorter)) = last.get(&*record.session)
            && record.project == "deploy-agent"
        {
            assert!(turn > before && prompt > shorter, "{} turn {turn}", record.session);
        }
        last.insert(&record.session, (turn, prompt));
        prompts += prompt;
        read += usage.cache_read.or_zero();
        let model = &record.attempts[0].model;
        if model.starts_with("gpt") && record.attempts.len() == 1 {
            assert!(usage.cache_read.or_zero().is_multiple_of(128), "OpenAI caches in steps of 128");
        }
    }
    assert!(read * 100 / prompts > 40, "{read} of {prompts} tokens");
    let written = |r: &&Record<'static>| r.attempts.iter().any(|a| a.usage.write_5m.or_zero() > 0);
    assert!(
        log.requests.iter().filter(written).all(|r| r.attempts.iter().any(|a| a.provider == "anthropic"))
    );
}

#[test]
fn the_storm_hits_google_alone_and_only_in_its_twenty_minutes() {
    let log = bundled();
    let limited = |record: &&Record<'static>| record.attempts.iter().any(|a| a.status == Status::RateLimited);
    let stormy: Vec<_> = log.requests.iter().filter(limited).collect();
    assert!(stormy.len() > 150, "{}", stormy.len());
    for record in &stormy {
        assert!((at("15:05:00")..at("15:25:00")).contains(&record.at), "{}", record.id);
        assert_eq!(record.simulated, STORM);
        assert!(
            record
                .attempts
                .iter()
                .filter(|a| a.status == Status::RateLimited)
                .all(|a| a.provider == "google")
        );
    }
    let fled = stormy.iter().filter(|r| r.attempts.last().unwrap().model == "gpt-4.1").count();
    let failed = stormy.iter().filter(|r| r.attempts.last().unwrap().status == Status::RateLimited).count();
    assert!(fled > 60 && failed > 20, "{fled} fell back, {failed} failed");
}

#[test]
fn the_runaway_stands_out_in_spend_and_names_its_project() {
    let log = bundled();
    let runaway = || log.requests.iter().filter(|record| record.simulated == RUNAWAY);
    assert!(runaway().count() > 800);
    for record in runaway() {
        assert_eq!((&*record.team, &*record.project), ("research", "crawler"));
        assert!((at("16:10:00")..at("16:50:00")).contains(&record.at), "{}", record.id);
    }
    let crawler = |from: &str, to: &str| {
        let (from, to) = (at(from), at(to));
        total(&spend(log.requests.iter().filter(|r| r.project == "crawler" && (from..to).contains(&r.at))))
    };
    let (before, within) = (crawler("15:30:00", "16:10:00"), crawler("16:10:00", "16:50:00"));
    assert!(within > 10.0 * before, "${before} before, ${within} within");
}

#[test]
fn the_price_change_takes_effect_at_half_past_five() {
    let log = bundled();
    let [change] = log.prices.as_slice() else { panic!("{:?}", log.prices) };
    assert_eq!((&*change.model, change.row.from), ("gpt-4.1", Some(at("17:30:00"))));
    let book = prices::resolve("list", None).unwrap();
    let old = book.find("gpt-4.1").unwrap().at(at("17:30:00")).unwrap().standard.base;
    let new = change.row.standard.base;
    assert_eq!((new.input, new.cache_read), (old.input, old.cache_read), "the output price alone changes");
    assert!(new.output > old.output);
}

#[test]
fn a_few_hundred_dollars_spread_over_all_five_models() {
    let sums = spend(bundled().requests.iter());
    let all = total(&sums);
    assert!((200.0..600.0).contains(&all), "${all}");
    assert_eq!(sums.len(), 5, "{sums:?}");
    assert!(sums.values().all(|cost| cost.0 > 0), "{sums:?}");
}

#[test]
fn labels_agree_with_confidence_and_the_strong_model_is_better() {
    let log = bundled();
    let mean = |low: u16, high: u16, strongest: bool| {
        let qualities: Vec<u64> = log
            .requests
            .iter()
            .filter(|r| r.confidence.is_some_and(|c| (low..high).contains(&c.get())))
            .filter_map(|r| if strongest { r.labels.last() } else { r.labels.first() })
            .filter_map(|label| label.quality.map(|quality| u64::from(quality.get())))
            .collect();
        qualities.iter().sum::<u64>() / qualities.len() as u64
    };
    let (unsure, middling, sure) = (mean(0, 350, false), mean(350, 700, false), mean(700, 1001, false));
    assert!(unsure + 80 < middling && middling + 80 < sure, "{unsure} {middling} {sure}");
    assert!(mean(0, 700, true) > middling + 100);
}

#[test]
fn any_size_and_seed_gives_what_was_asked_for() {
    for (requests, hours) in [(1, 1), (7, 1), (500, 2), (3_000, 30)] {
        let options = Options { requests, hours, ..Options::default() };
        let log = generated(42, &options);
        assert_eq!(log.requests.len(), requests as usize);
        assert!(log.requests.iter().all(|r| (options.start..options.end()).contains(&r.at)));
        assert_eq!(log.notes.len(), 6);
    }
    let options = Options { requests: 300, ..Options::default() };
    let write = |seed| sample::write(seed, &options, Vec::new()).unwrap();
    assert!(write(5) == write(5) && write(5) != write(6));
}

/// Reads a trace from the shared data; `None` (and a word why) where it is not there.
fn trace(name: &str) -> Option<Vec<u8>> {
    let shared = std::env::var_os("POINTSMAN_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = shared.join("data/traces").join(name);
    let found = std::fs::read(&path).ok();
    if found.is_none() {
        println!("skipped: {} is not here", path.display());
    }
    found
}

#[test]
fn lengths_in_the_sample_follow_the_trace_they_are_drawn_from() {
    let Some(trace) = trace("azure_llm_2023_code.csv") else { return };
    let text = String::from_utf8(trace).unwrap();
    let median = |mut list: Vec<u64>| {
        list.sort_unstable();
        list[list.len() / 2]
    };
    let real =
        median(text.lines().skip(1).filter_map(|line| line.split(',').nth(1)?.trim().parse().ok()).collect());
    let log = bundled();
    let ours = log.requests.iter().filter(|r| r.project == "ide" && r.task == Some(TaskClass::Code));
    // Before every prompt stand the project's 900 tokens of instructions.
    let ours = median(ours.filter_map(|r| r.attempts[0].usage.prompt()?.checked_sub(900)).collect());
    assert!(ours.abs_diff(real) * 100 < real * 15, "{ours} against {real}");
}
