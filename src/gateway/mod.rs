//! The server that clients talk to: takes requests in, asks the live session where they go, has providers call, has the
//! ledger write it down.
//!
//! Invariants: every way in passes the same gate; an operation that was let in is settled once, whatever its client does;
//! nothing from a client or a model reaches a log or an error unclean.

mod account;
mod alerts;
mod arriving;
mod aside;
#[cfg(test)]
mod assembled;
mod audience;
mod automations;
mod automations_file;
mod awaited;
mod background;
mod bench;
mod billed;
mod body;
mod budget;
mod call;
mod checked;
mod checkers;
mod corrections;
mod cors;
mod count;
mod crowd;
mod deadline;
mod declined;
mod estimate;
mod feed;
mod feedback;
mod followed;
mod gate;
mod headers;
mod intake;
#[cfg(test)]
mod interleaved;
mod judge;
mod keeper;
mod lanes;
mod large;
mod marks;
mod metrics;
mod missed;
mod models;
mod operation;
mod pace;
mod paths;
mod posted;
mod prefix;
mod prices;
mod proposed;
mod purse;
mod question;
mod queued;
mod refusals;
mod remembered;
mod requests;
mod respond;
mod roll;
mod rollouts;
mod run;
mod runaways;
mod second;
mod server;
mod shadow;
mod signals;
mod single;
mod socket;
mod spending;
mod spent_before;
mod steering;
mod stored;
mod stream;
mod tagged;
mod taken;
mod taking;
mod tariff;
#[cfg(test)]
mod tests;
mod turned_away;
mod unquoted;
mod watch;

use std::hash::RandomState;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use self::billed::BillBeside;
use crate::access::Access;
use crate::budget::{Dimension, Limit};
use crate::config::gateway::GatewaySettings;
use crate::ledger::{Audit, Entry, Label, Ledger, LedgerError, LedgerFile, Note, PolicyVersion, Signal};
use crate::notify::Notifier;
use crate::prompt_cache::Rules;
use crate::providers::Providers;
use crate::record;
use crate::routing::{Policy, PolicyError, PolicySpec};
use crate::runaway::{Kind, Whom};
use crate::session::{Applied, Automations, Deed, Live, Rollouts, Uncounted};
use crate::units::{Instant, Names, PerMille, hex, members};
use crate::wire::{Dialect, PrefixKey};

/// The header in which a gateway says, at /healthz, that it is one of this program's, and of which version.
pub const IDENTITY: &str = "pointsman-version";

pub use crate::ledger::now;
pub use alerts::{AlertRow, DeliveryRow};
pub use bench::{Asked, Bench, Came, grades};
pub use headers::Tags;
pub use question::ask_over_http;
pub use rollouts::RolloutOrder;
pub use runaways::{StopRow, Switch, TripRow};
pub use server::{ServeError, Server, is_place};
pub use spending::{Limits, LimitsError};
pub use spent_before::draw_before;
pub use tariff::Tariff;
pub use watch::{live_status, tell_of_ledger};

/// Locks a mutex; what was changed by whoever panicked with it stands.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a gateway is made of.
pub struct Parts {
    /// The live session.
    pub live: Arc<Live>,
    /// The providers.
    pub providers: Arc<Providers>,
    /// The ledger.
    pub ledger: Ledger,
    /// The virtual keys.
    pub access: Access,
    /// How it serves.
    pub settings: GatewaySettings,
    /// Whether a ledger is wanted.
    pub keeps_ledger: bool,
    /// Hears of every policy that is applied.
    pub on_apply: Option<OnApply>,
    /// The file of budgets.
    pub limits: Limits,
    /// The ledger's file, beside which the latest bill is kept; none where there is none.
    pub bills_beside: Option<PathBuf>,
    /// The files of prices.
    pub tariff: Tariff,
    /// How providers' prompt caches work.
    pub caching: Rules,
}

/// Hears of a policy that was applied, and its version.
pub type OnApply = Box<dyn Fn(&PolicySpec, u32) + Send + Sync>;

/// Models by id.
type Models = Arc<[Arc<str>]>;

members! {
    /// A gateway.
    pub struct Gateway;
    fn with(parts: Parts) {
        let Parts { live, providers, ledger, settings, keeps_ledger, .. } = parts;
        let mut seed = [0; 5];
        // Ids stay unique within a run without it.
        let _ = getrandom::fill(&mut seed);
        let run = format!("op-{}", hex(&seed));
        let (teams, projects) =
            (roll::Roll::new(settings.limits.names), roll::Roll::new(settings.limits.names));
        if keeps_ledger {
            // Where it cannot be read there is nothing to learn from it; that it is so is told elsewhere.
            let read = LedgerFile::open(&ledger.state().path).and_then(|file| file.busiest(roll::REMEMBERED));
            let (known, theirs) = read.unwrap_or_default();
            teams.learn(known);
            projects.learn(theirs);
        }
        let tagged = tagged::Tagged::new(&settings.tags, settings.limits.names);
        let shadows = purse::Shadows::new();
        if keeps_ledger && !(settings.shadow.is_empty() && settings.second.is_empty()) {
            let read = LedgerFile::open(&ledger.state().path).and_then(|file| shadows.learn(&file, &live.book()));
            if let Err(error) = read {
                tracing::warn!(%error, "what shadow runs and second stages spent today cannot be read from the ledger; they begin at nothing");
            }
        }
        let place = keeps_ledger.then(|| ledger.state().path);
        let prefix_key = prefix::key(place.as_deref().and_then(Path::parent));
        let budget = budget::Budget::new(settings.limits.memory);
        let alerts = Arc::new(Notifier::new(ledger.clone()));
    }
    live: Arc<Live> = live,
    providers: Arc<Providers> = providers,
    ledger: Ledger = ledger,
    access: Access = parts.access,
    settings: GatewaySettings = settings,
    keeps_ledger: bool = keeps_ledger,
    prices: prices::Prices = prices::Prices::default(),
    started: Instant = now(),
    /// Likewise, by a clock that never jumps.
    began: std::time::Instant = std::time::Instant::now(),
    address: std::sync::OnceLock<String> = std::sync::OnceLock::new(),
    run: String = run,
    ids: AtomicU64 = AtomicU64::new(0),
    in_flight: AtomicUsize = AtomicUsize::new(0),
    draining: AtomicBool = AtomicBool::new(false),
    /// What is still being noted of answers that clients have.
    noting: AtomicUsize = AtomicUsize::new(0),
    served: remembered::Remembered<remembered::Judged> = remembered::Remembered::default(),
    /// What a second stage said of turns; nothing where it said nothing clear.
    seconded: remembered::Remembered<Option<PerMille>> = remembered::Remembered::default(),
    stored: remembered::Remembered<crate::ledger::Kept> = remembered::Remembered::default(),
    /// What was made of an ask for responses, by the id of its operation and by that of its answer.
    judged: remembered::Remembered<taken::Taken> = remembered::Remembered::default(),
    /// What answers called from which a request may go on, by the ids of their operations.
    followed: remembered::Remembered<remembered::Followed> = remembered::Remembered::default(),
    /// Until when models cannot be called, as was said last.
    down: Mutex<FxHashMap<Arc<str>, std::time::Instant>> = Mutex::default(),
    /// Which models of the policy cannot be asked in which clients' form.
    unreached: Mutex<Vec<(Dialect, Models)>> = Mutex::default(),
    turned_away: turned_away::Counts = turned_away::Counts::default(),
    budget: Arc<budget::Budget> = budget,
    teams: roll::Roll = teams,
    projects: roll::Roll = projects,
    tagged: tagged::Tagged = tagged,
    on_apply: Option<OnApply> = parts.on_apply,
    limits: Mutex<Limits> = Mutex::new(parts.limits),
    /// Limits that came into force while requests were under way, whose calls before them are counted as they end.
    catch_up: Mutex<Vec<Uncounted>> = Mutex::default(),
    awaited: awaited::Awaited = awaited::Awaited::default(),
    billed: Mutex<BillBeside> = Mutex::new(BillBeside::new(parts.bills_beside)),
    tariff: Mutex<Tariff> = Mutex::new(parts.tariff),
    prefix_key: PrefixKey = prefix_key,
    alerts: Arc<Notifier> = alerts,
    /// What hashes the tool calls that requests follow, under a key that no other run knows.
    calls: RandomState = RandomState::new(),
    checkers: checkers::Checkers = checkers::Checkers::default(),
    shadows: purse::Shadows = shadows,
    marks: marks::Marks = marks::Marks::new(parts.caching),
    rollouts: Arc<Mutex<Rollouts>> = Arc::default(),
    steered: Mutex<proposed::Steered> = Mutex::default(),
    automations: Arc<Mutex<Automations>> = Arc::default(),
    automations_source: Mutex<automations_file::AutomationsFile> = Mutex::default(),
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// Tells a session whose answers are made up, so that what it counts of budgets is somebody's money.
pub fn know_made_up(live: &Live, providers: &Arc<Providers>) {
    let own = Arc::clone(providers);
    let is_made_up = move |model: &str| own.target(model).is_some_and(|target| target.simulated());
    live.simulates(!providers.has_real(), is_made_up);
}

impl Gateway {
    /// Puts a gateway together.
    pub fn new(parts: Parts) -> Self {
        let gateway = Self::with(parts);
        gateway.learn_names(&gateway.live.policy_spec().1);
        gateway.learn_limits(gateway.live.limits().iter().map(Arc::as_ref));
        gateway.live.runaways().1.iter().for_each(|stop| gateway.learn_whom(&stop.whom));
        gateway.look_up_models();
        know_made_up(&gateway.live, &gateway.providers);
        gateway
    }

    /// Learns the names by which a policy tells requests apart.
    fn learn_names(&self, spec: &PolicySpec) {
        for route in &spec.routes {
            self.teams.learn(route.teams.iter().map(String::as_str));
            self.projects.learn(route.projects.iter().map(String::as_str));
        }
    }

    /// Learns whom limits are about.
    fn learn_limits<'a>(&self, limits: impl Iterator<Item = &'a Limit> + Clone) {
        self.tagged.learn(limits.clone());
        for (dimension, name) in limits.flat_map(Limit::named) {
            match dimension {
                Dimension::Team => self.teams.learn([Arc::clone(name)]),
                Dimension::Project => self.projects.learn([Arc::clone(name)]),
                _ => {}
            }
        }
    }

    /// Learns the name of whoever is stopped: he stays stopped whoever else comes.
    fn learn_whom(&self, whom: &Whom) {
        match whom.kind {
            Kind::Team => self.teams.learn([Arc::clone(&whom.name)]),
            Kind::Project => self.projects.learn([Arc::clone(&whom.name)]),
            _ => {}
        }
    }

    /// Returns the live session.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Returns what fires and who is told.
    pub fn alerts(&self) -> &Arc<Notifier> {
        &self.alerts
    }

    /// Returns the ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns the address under which it is reached, once it listens.
    pub fn address(&self) -> &str {
        self.address.get().map_or("", String::as_str)
    }

    /// Counts the requests in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Says whether something is still being noted of answers that clients have.
    fn is_noting(&self) -> bool {
        self.noting.load(Ordering::Relaxed) > 0
    }

    /// Counts the bytes that wait for readers and for the ledger.
    fn held_beside(&self) -> usize {
        self.live.backlog_bytes().saturating_add(self.ledger.waiting_bytes())
    }

    /// Says whether new requests are turned away because it is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Looks the policy's models up, so that they keep a state of their own however many others clients name, and notes in which
    /// clients' form which of them cannot be asked.
    fn look_up_models(&self) {
        let (models, _) = self.live.offered();
        let targets: Vec<_> = models.iter().filter_map(|model| self.providers.target(model)).collect();
        let lacks = |dialect: Dialect| -> Arc<[Arc<str>]> {
            let lacking = targets.iter().filter(|target| target.dialect_for(dialect).is_none());
            lacking.map(|target| Arc::clone(target.model())).collect()
        };
        // Embeddings go to routes that are made for them.
        let is_asked =
            |dialect: &Dialect| !matches!(dialect, Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings);
        let all = Dialect::ALL.into_iter().filter(is_asked).map(|dialect| (dialect, lacks(dialect)));
        *lock(&self.unreached) = all.filter(|(_, models)| !models.is_empty()).collect();
    }

    /// Lists the policy's models that cannot be asked in a client's form.
    fn unreached(&self, dialect: Dialect) -> Models {
        let known = lock(&self.unreached);
        let found = known.iter().find(|(known, _)| *known == dialect);
        found.map(|(_, models)| Arc::clone(models)).unwrap_or_default()
    }

    /// Lists the policy's models whose answers are simulated.
    pub fn simulated_models(&self) -> Vec<String> {
        let (models, _) = self.live.offered();
        models.into_iter().filter(|model| self.is_simulated(model)).collect()
    }

    /// Says whether a model's answers are simulated.
    pub(super) fn is_simulated(&self, model: &str) -> bool {
        self.providers.target(model).is_some_and(|target| target.simulated())
    }

    /// Turns new requests away from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.live.ring_all();
    }

    fn next_id(&self) -> Arc<str> {
        format!("{}-{:x}", self.run, self.ids.fetch_add(1, Ordering::Relaxed) + 1).into()
    }

    /// Brings a policy into force and writes down who did.
    ///
    /// # Errors
    /// The first thing wrong with it, with its field.
    pub fn apply(&self, spec: &PolicySpec, who: &str, deed: Deed<'_>) -> Result<Applied, PolicyError> {
        let (before, _) = self.live.policy_spec();
        let applied = self.live.apply(spec, who, deed, now())?;
        let what = deed.words();
        self.learn_names(spec);
        self.look_up_models();
        self.record_policy(spec, applied.version, applied.at, applied.from_seq, (who, what, deed.is_undo()));
        if let Some(hear) = &self.on_apply {
            hear(spec, applied.version);
        }
        let (before, after) = (format!("policy {before}"), format!("policy {}", applied.version));
        self.audit(applied.at, who, what, (&before, &after));
        tracing::info!(who, what, version = applied.version, "policy applied");
        Ok(applied)
    }

    /// Has the ledger hold who did what, and what stood there before and after.
    fn audit(&self, at: Instant, who: &str, what: &str, (before, after): (&str, &str)) {
        let (who, what, before, after) = (who.into(), what.into(), before.into(), after.into());
        self.ledger.record(Entry::Audit(Box::new(Audit { at, who, what, before, after })));
    }

    /// Has the ledger hold a remark that readers of the log were told.
    fn note(&self, at: Instant, text: &str) {
        self.ledger.record(Entry::Note(Box::new(Note { at, text: text.into(), simulated: false })));
    }

    /// Tells readers of the log something that the ledger holds too.
    fn remark(&self, text: &str) {
        self.note(self.live.note(text, now()), text);
    }

    /// Tells the ledger, and readers of the log, how good an answer was.
    fn label(&self, id: &str, label: Label) {
        self.live.judge(&record::LateLabel {
            at: label.at,
            id: id.into(),
            label: record::Label {
                model: (&*label.model).into(),
                quality: label.quality,
                output: label.output,
                source: (&*label.source).into(),
            },
        });
        self.ledger.record(Entry::Label(Box::new(label)));
    }

    /// Looks for something in the ledger's file; nothing where it cannot be read, which is said.
    async fn look_up<T: Send + 'static>(
        &self,
        what: &'static str,
        read: impl FnOnce(LedgerFile) -> Result<T, LedgerError> + Send + 'static,
    ) -> Option<T> {
        let path = self.ledger.state().path;
        match tokio::task::spawn_blocking(move || read(LedgerFile::open(&path)?)).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the ledger could not be searched for {what}");
                None
            }
            Err(_) => None,
        }
    }

    /// Tells the engine, and whoever reads the log, now or from the ledger, what became of a model.
    pub(super) fn signal(&self, model: &str, until: Option<Instant>, why: &str) {
        let at = self.live.signal(model, until, why, now());
        let (model, why) = (model.into(), why.into());
        self.ledger.record(Entry::Signal(Box::new(Signal { at, model, until, why })));
    }

    /// Writes the policy of the start into the ledger.
    pub fn record_start(&self, spec: &PolicySpec, version: u32, at: Instant, from_seq: u64) {
        self.record_policy(spec, version, at, from_seq, ("start", "in force at the start", false));
    }

    fn record_policy(
        &self,
        spec: &PolicySpec,
        version: u32,
        at: Instant,
        from_seq: u64,
        (who, what, undo): (&str, &str, bool),
    ) {
        let mut names = Names::default();
        let Ok(policy) = Policy::compile(spec, version, &mut names) else { return };
        self.ledger.record(Entry::Policy(Box::new(PolicyVersion {
            version,
            at,
            from_seq,
            who: who.into(),
            what: what.into(),
            undo,
            text: crate::config::policy::to_toml(&policy, &names).into(),
        })));
    }
}
