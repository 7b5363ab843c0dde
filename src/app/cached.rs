//! Logs read for what prompt caches served and could have served, and for what switching models would cost.
//!
//! Invariant: figures go by time, whatever the order of lines: a log that is in order is held no further than what is warm.

use std::hash::{Hash as _, Hasher as _};
use std::ops::ControlFlow;

use rustc_hash::FxHasher;

use super::load::Setup;
use super::{Cancel, Progress};
use crate::pricing::{PriceTable, Usage};
use crate::prompt_cache::{Asked, Call, Ends, Offer, Rules, Study, Trial, Ttl, Warm};
use crate::record::{self, Entry, Input, InputFormat, ReadOptions, Record, Summary};
use crate::session::{LoadError, Stretch};
use crate::units::{Instant, ModelId, Names, PerMille};
use crate::wire::prefix_ends;

/// What is asked of a pass.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// How long the ideal cache holds what it was given.
    pub ttl: Ttl,
    /// How providers' caches work.
    pub rules: Rules,
    /// The cheaper model that sessions may switch to, where that is tried.
    pub switch: Option<String>,
    /// The share of turns that it may answer, where the log has no confidences.
    pub easy: PerMille,
    /// The stretch of the log to keep to.
    pub stretch: Stretch,
}

/// What a pass found.
#[derive(Debug)]
pub struct Cached {
    /// Hits by model.
    pub study: Study,
    /// Sessions routed three ways.
    pub trial: Option<Trial>,
    /// Of those turns, how many were drawn because the log has no confidence.
    pub drawn: u64,
    /// The names in it.
    pub names: Names,
    /// Requests read, and those that are synthetic.
    pub requests: u64,
    /// See there.
    pub simulated: u64,
    /// Whether what was read from the cache is what the log's own hashes allowed.
    pub has_ceiling: bool,
    /// Whether tokens were worked out from bytes.
    pub by_bytes: bool,
    /// What was passed over.
    pub summary: Summary,
    /// Files that broke off.
    pub damaged: Vec<String>,
}

/// The confidence from which on a turn may go to the cheaper model.
const SURE: u16 = 500;
/// Tokens of a block in the traces that have hashes.
const MOONCAKE: u32 = 512;
const AGENTS: u32 = 64;

/// What a file's calls tell of caches.
#[derive(Clone, Copy)]
struct Told {
    /// The tokens of a block; none where hashes are a gateway's.
    block: Option<u32>,
    tells: bool,
    is_ceiling: bool,
}

impl Told {
    /// Finds out by a file's format, or by the one that it was imported from.
    fn of(format: InputFormat, source: &str) -> Self {
        let is = |kind: InputFormat| {
            format == kind
                || (format == InputFormat::Native && source.split("; ").any(|name| name == kind.name()))
        };
        let block = if is(InputFormat::Mooncake) {
            Some(MOONCAKE)
        } else {
            is(InputFormat::AgentJson).then_some(AGENTS)
        };
        let silent = [InputFormat::Azure, InputFormat::BurstGpt, InputFormat::Mooncake].into_iter().any(is);
        let is_ceiling = is(InputFormat::AgentCsv) || is(InputFormat::AgentJson);
        Self { block, tells: !silent, is_ceiling }
    }
}

/// What a pass keeps of a request.
struct Turn {
    at: Instant,
    session: Option<u64>,
    nth: Option<u32>,
    confidence: Option<PerMille>,
    prefix: Vec<u64>,
    /// The model billed, the one called, and tokens.
    calls: Vec<(ModelId, ModelId, Usage)>,
    told: Told,
}

impl Turn {
    fn of(record: &Record<'_>, told: Told, names: &mut Names) -> Self {
        let session = (!record.session.is_empty()).then(|| {
            let mut hasher = FxHasher::default();
            // Sub-agents have a context of their own.
            (record.session.as_ref(), record.user.as_ref()).hash(&mut hasher);
            hasher.finish()
        });
        let calls = record.attempts.iter().map(|attempt| {
            let billed = if attempt.billed.is_empty() { &attempt.model } else { &attempt.billed };
            (names.intern_model(billed), names.intern_model(&attempt.model), attempt.usage)
        });
        Self {
            at: record.at,
            session,
            nth: record.turn,
            confidence: record.confidence,
            prefix: record.prefix.clone(),
            calls: calls.collect(),
            told,
        }
    }
}

/// A pass under way.
struct Pass<'a> {
    found: Cached,
    setup: &'a Setup,
    options: &'a CacheOptions,
    stretch: Stretch,
    prices: PriceTable,
    cheap: Option<ModelId>,
    ends: Vec<u64>,
    /// The latest moment so far, and whether one came that is earlier.
    latest: Instant,
    is_in_order: bool,
    /// Requests that wait to be put in order; none where they are taken as they come.
    held: Option<Vec<Turn>>,
}

/// Reads logs once and holds no more than what is warm; those that are not in order of time, or may not be read again, are held.
///
/// # Errors
/// Where a log cannot be read or is empty, the cheaper model has no price or no rule, or Ctrl-C cancels.
pub fn cached(
    input: &Input,
    setup: &Setup,
    read: &ReadOptions,
    options: &CacheOptions,
) -> anyhow::Result<Cached> {
    let can_be_read_again = input.can_be_read_again();
    let (found, is_in_order) = pass(input, setup, read, options, !can_be_read_again)?;
    if is_in_order || !can_be_read_again {
        return Ok(found);
    }
    Ok(pass(input, setup, read, options, true)?.0)
}

/// Reads logs once; says whether they were in order of time.
fn pass(
    input: &Input,
    setup: &Setup,
    read: &ReadOptions,
    options: &CacheOptions,
    holds: bool,
) -> anyhow::Result<(Cached, bool)> {
    let mut names = Names::default().knowing(std::sync::Arc::new(setup.book.clone()));
    let mut prices = PriceTable::default();
    let cheap = match options.switch.as_deref() {
        Some(model) if setup.book.find(model).is_none() => anyhow::bail!(
            "--switch {model}: not in price book {}\nhint: {}",
            setup.book.name,
            super::known::similar_models(model, &setup.book)
        ),
        Some(model) if options.rules.find(model).is_none() => anyhow::bail!(
            "--switch {model}: nothing is known of its cache\nhint: add a [[rule]] for it to caching.toml in the configuration directory"
        ),
        Some(model) => Some(names.intern_model(model)),
        None => None,
    };
    prices.extend(&setup.book, &names);
    let found = Cached {
        study: Study::new(options.ttl, Warm::MOST),
        trial: cheap.map(|_| Trial::new(std::sync::Arc::new(options.rules.clone()), Warm::MOST)),
        drawn: 0,
        names,
        requests: 0,
        simulated: 0,
        has_ceiling: false,
        by_bytes: false,
        summary: Summary::default(),
        damaged: Vec::new(),
    };
    let mut pass = Pass {
        found,
        setup,
        options,
        stretch: options.stretch,
        prices,
        cheap,
        ends: prefix_ends(),
        latest: Instant(i64::MIN),
        is_in_order: true,
        held: holds.then(Vec::new),
    };
    let mut source = record::open(input, read)?;
    let watch = source.progress();
    let mut progress = Progress::new("reading", watch.total);
    let cancel = Cancel::on_interrupt();
    while let Some(block) = source.next_block() {
        if cancel.is_raised() {
            return Err(LoadError::Cancelled.into());
        }
        match block {
            Ok(block) => {
                let told = Told::of(block.format(), &source.header().source);
                let mut failed = None;
                let _ = block.for_each_new(source.known(), |_, entry| {
                    match entry {
                        Ok(Entry::Request(record)) => pass.request(&record, told),
                        Ok(Entry::Price(change)) => {
                            let model = pass.found.names.intern_model(&change.model);
                            pass.prices.extend(&setup.book, &pass.found.names);
                            pass.prices.change(model, change.row);
                        }
                        Ok(_) => {}
                        Err(skip) => {
                            failed = block.strict_error(&skip);
                            pass.found.summary.note(block.file(), &skip);
                        }
                    }
                    if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                if let Some(error) = failed {
                    return Err(error.into());
                }
            }
            Err(error) if read.strict => return Err(error.into()),
            Err(error) => pass.found.damaged.push(error.to_string()),
        }
        progress.update(watch.read(), pass.found.requests);
    }
    progress.finish();
    if let Some(mut held) = pass.held.take() {
        held.sort_by_key(|turn| turn.at);
        for turn in &held {
            pass.turn(turn);
        }
    }
    if pass.found.requests == 0 && pass.found.damaged.is_empty() {
        anyhow::bail!(
            "no requests in what was read{}",
            match pass.found.summary.first_bad.first() {
                Some(bad) => format!("; the first bad line is {bad}"),
                None => String::new(),
            }
        );
    }
    Ok((pass.found, pass.is_in_order))
}

impl Pass<'_> {
    fn request(&mut self, record: &Record<'_>, told: Told) {
        if !self.stretch.takes(record.at) {
            return;
        }
        self.found.requests += 1;
        self.found.simulated += u64::from(!record.simulated.is_empty());
        self.is_in_order &= self.latest <= record.at;
        self.latest = self.latest.max(record.at);
        let known = self.found.names.models().len();
        let turn = Turn::of(record, told, &mut self.found.names);
        if self.found.names.models().len() != known {
            self.prices.extend(&self.setup.book, &self.found.names);
        }
        match &mut self.held {
            Some(held) => held.push(turn),
            // What is not in order is read once more.
            None if self.is_in_order => self.turn(&turn),
            None => {}
        }
    }

    fn turn(&mut self, turn: &Turn) {
        let &Turn { at, session, told, .. } = turn;
        for (billed, _, usage) in &turn.calls {
            let model = self.prices.identity(*billed);
            let call = Call {
                model,
                at,
                usage,
                blocks: &turn.prefix,
                ends: told.block.map_or(Ends::Bytes(&self.ends), Ends::Tokens),
                session,
                tells: told.tells && usage.cache_read.is_known(),
                is_ceiling: told.is_ceiling,
                rates: self.prices.rates(model, at),
                rule: self.options.rules.find(self.found.names.model(*billed)),
            };
            self.found.has_ceiling |= told.is_ceiling;
            self.found.by_bytes |= told.block.is_none() && !turn.prefix.is_empty();
            self.found.study.call(&call);
        }
        if let (Some(session), Some((_, model, usage))) = (session, turn.calls.last()) {
            self.tried(turn, session, *model, usage);
        }
    }

    /// Routes a turn of a session three ways, where its own model costs more than the cheaper one.
    fn tried(&mut self, turn: &Turn, session: u64, model: ModelId, usage: &Usage) -> Option<()> {
        let (trial, cheap) = (self.found.trial.as_mut()?, self.cheap?);
        let own = self.prices.identity(model);
        let (prompt, output) = (usage.prompt()?, usage.output.get()?);
        let (own_rates, cheap_rates) = (self.prices.rates(own, turn.at)?, self.prices.rates(cheap, turn.at)?);
        let (rates, cheaper) = (own_rates.for_prompt(prompt), cheap_rates.for_prompt(prompt));
        let rule = self.options.rules.find(self.found.names.model(model))?;
        let cheap_rule = self.options.rules.find(self.options.switch.as_deref()?)?;
        if rates.input <= cheaper.input || prompt == 0 {
            return None;
        }
        let easy = if let Some(confidence) = turn.confidence {
            confidence.get() >= SURE
        } else {
            self.found.drawn += 1;
            drawn(session, turn.at, turn.nth) < self.options.easy.get()
        };
        let offer = |model, rates| Offer { model, known_as: model, rates: Some(rates) };
        let cheap = self.prices.identity(cheap);
        trial.know(&self.found.names);
        trial.turn(&Asked {
            session,
            at: turn.at,
            prompt,
            output,
            easy,
            own: (offer(own, own_rates), rule),
            cheap: (offer(cheap, cheap_rates), cheap_rule),
            prices: &self.prices,
        });
        Some(())
    }
}

/// Draws a number below 1000 for a turn, always the same.
fn drawn(session: u64, at: Instant, turn: Option<u32>) -> u16 {
    let mut hasher = FxHasher::default();
    (session, turn.map_or(at.0, i64::from), 0x5eed_u32).hash(&mut hasher);
    u16::try_from((hasher.finish() >> 20) % 1000).unwrap_or(0)
}
