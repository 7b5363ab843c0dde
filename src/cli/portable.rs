//! A stretch of a log as one file that a colleague can open: its policies, prices and budgets, and its requests without prompts.
//!
//! Invariants: no prompt leaves; what is written gives the figures that the log gives, whatever prices, policy and budgets there
//! are where it is opened; nothing that is there is overwritten.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::args::{EngineArgs, input};
use super::output;
use crate::app::load_log;
use crate::config::{self, budgets};
use crate::record::{
    self, BudgetFiles, Entry, Header, Packed, PolicyChange, PriceChange, Record, Under, Writer,
};
use crate::session::{Ingest, Log};
use crate::units::{Instant, ModelId, counted};

/// Writes a stretch of a log.
///
/// # Errors
/// Where the log, policy, prices or budgets cannot be used, or the file cannot be written.
pub(super) fn write(
    log: &Path,
    output: Option<&Path>,
    limits: Option<&Path>,
    engine: &EngineArgs,
) -> anyhow::Result<()> {
    let Some(path) = output else {
        bail!("a snapshot of {} needs a file to be written to: -o FILE.jsonl.zst", log.display())
    };
    if path.exists() {
        bail!("{} exists; choose another name", path.display());
    }
    let logs = [log.to_owned()];
    let setup = engine.start()?;
    let mut ingest = setup.ingest.clone();
    let loaded = load_log(&input(&logs), &logs, setup, &engine.read(), None)?;
    let (first, last) = loaded.bounds().unwrap_or_default();
    let mut source = record::open(&input(&logs), &engine.read())?;
    let header = Header {
        source: format!("snapshot of {}, {} to {}", source.header().source, first.rfc3339(), last.rfc3339()),
        simulated: source.whole_header().simulated,
        budgets: brought(limits, &loaded)?.between(first, last),
    };
    let mut out = Writer::new(Packed::create(path)?, &header);
    let fails = || format!("cannot write {}", path.display());
    for entry in grounds(&loaded, first, last) {
        out.write(&entry).with_context(fails)?;
    }
    let mut requests = 0;
    while let Some(block) = source.next_block() {
        let Ok(block) = block else { continue };
        let mut failed = None;
        let _ = block.for_each_new(source.known(), |_, entry| {
            let Ok(mut entry) = entry else { return ControlFlow::Continue(()) };
            let is_within = match &mut entry {
                Entry::Request(record) if !ingest.wants(record.at) => false,
                Entry::Request(record) => {
                    requests += 1;
                    bare(record, &mut ingest);
                    true
                }
                Entry::Label(_) | Entry::Correction(_) => true,
                Entry::Signal(_) | Entry::Note { .. } => entry.at() >= first && entry.at() <= last,
                // Those in force are written already.
                Entry::Price(_) | Entry::Policy(_) => false,
            };
            failed = if is_within { out.write(&entry).err() } else { None };
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Some(error) = failed {
            return Err(error).with_context(fails);
        }
    }
    out.finish().and_then(Packed::close).with_context(fails)?;
    output::say(&format!(
        "{} of {} to {} with policies and prices{}, without prompts: {}",
        counted(requests, "request"),
        first.rfc3339(),
        last.rfc3339(),
        if header.budgets.is_empty() { "" } else { " and budgets (each with nothing spent before)" },
        path.display()
    ));
    output::damage(&loaded.skipped.damaged)
}

/// Returns the file of budgets that a log is under: one that is named, its own, or the operator's; none where it says nothing.
fn brought(named: Option<&Path>, log: &Log) -> anyhow::Result<BudgetFiles> {
    if named.is_none() && !log.budgets.is_empty() {
        return Ok(log.budgets.clone());
    }
    let own = || config::own_file(budgets::FILE);
    let Some(path) = named.map(Path::to_path_buf).or_else(own) else { return Ok(BudgetFiles::default()) };
    let (name, text) = config::named_text(&path, "")?;
    budgets::parse(&text, &name)?;
    Ok(text.into())
}

/// Returns what the figures of a log rest on: the policies that decided it, and every price that may count in it.
fn grounds(log: &Log, first: Instant, last: Instant) -> Vec<Entry<'static>> {
    let policy = |span: &crate::session::PolicySpan| {
        let at = log.history.at(span.from).unwrap_or(first);
        let change = PolicyChange {
            version: span.policy.version,
            at,
            who: "".into(),
            what: "in force in the snapshot".into(),
            undo: false,
            under: Under::default(),
            spec: span.policy.spec(&log.names),
        };
        Entry::Policy(Box::new(change))
    };
    let spans = log.spans();
    let mut entries: Vec<_> = spans.iter().map(policy).collect();
    let mut models: BTreeSet<ModelId> = spans.iter().map(|span| span.policy.baseline).collect();
    let ladders = spans.iter().flat_map(|span| &span.policy.routes).flat_map(|route| &route.ladder);
    models.extend(ladders.map(|rung| rung.model));
    for (_, recalled) in log.history.range(log.history.start(), log.len()) {
        let evidence = recalled.evidence();
        models.extend(evidence.attempts().flat_map(|call| [call.model, call.billed]));
        models.insert(evidence.operation.asked);
    }
    for model in models.into_iter().filter(|model| model.is_some()) {
        let at_first = log.prices.dated(model, first).map(|row| row.clone().starting(Some(first)));
        let later = log.prices.rows(model).iter();
        let later = later.filter(|row| row.from.is_some_and(|from| from > first && from <= last)).cloned();
        let name = log.names.model(model).to_owned();
        entries.extend(at_first.into_iter().chain(later).map(|row| {
            Entry::Price(Box::new(PriceChange { model: name.clone().into(), row, simulated: false }))
        }));
    }
    entries
}

/// Takes the prompt off a request and leaves what the classifier made of it.
fn bare(record: &mut Record<'_>, ingest: &mut Ingest) {
    let (operation, _) = ingest.take(record);
    record.task = Some(operation.class);
    record.confidence = operation.confidence();
    record.unsure = record.confidence.is_none();
    record.saw = operation.saw;
    record.prompt = None;
}
