//! A gateway put together: settings, keys, ledger, providers, policy; started, and brought to an orderly end.
//!
//! Invariant: what was applied while it ran is in force after a restart, until the policy file itself is changed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use futures::FutureExt;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::alerting;
use super::load::classifier;
use super::scheduled::Schedule;
use super::unbound::{unasked, unbound};
use super::{Internal, Setup, logs};
use crate::access::{self, Access};
use crate::budget::Limit;
use crate::config::gateway::{self as settings, GatewaySettings, WhenFailing};
use crate::config::providers::ProvidersSpec;
use crate::config::{self, parameters, policy, providers};
use crate::gateway::{
    Gateway, Limits, Parts, ServeError, Server, Tariff, draw_before, is_place, know_made_up, now,
};
use crate::ledger::{self, Ledger, LedgerError, LedgerFile, LedgerOptions, Run};
use crate::pricing::PriceBook;
use crate::providers::{Providers, from_system};
use crate::record::{self, ReadOptions};
use crate::routing::{Policy, PolicySpec};
use crate::runaway::Stop;
use crate::session::{Ingest, Live, LiveSetup, LoadError, Log};
use crate::units::{Instant, Names, Sha256, Span, hex};

/// The file beside the ledger that holds the policy as it was last applied.
const APPLIED: &str = "applied-policy.toml";

/// What the command line says of a gateway.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// Where to listen, over what gateway.toml says.
    pub listen: Option<String>,
    /// A classifier that judges besides and decides nothing.
    pub try_classifier: Option<PathBuf>,
    /// The ledger's file, over the usual place.
    pub ledger: Option<PathBuf>,
    /// Keep no ledger.
    pub no_ledger: bool,
    /// A providers file instead of one's own.
    pub providers: Option<PathBuf>,
    /// A budgets file instead of one's own.
    pub budgets: Option<PathBuf>,
    /// An alerts file instead of one's own.
    pub alerts: Option<PathBuf>,
}

/// A gateway that serves.
#[derive(Debug)]
pub struct Serving {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// What a person should know at the start: warnings, and what was settled.
    pub remarks: Vec<String>,
    /// The policy in force at the start.
    pub policy: Arc<Policy>,
    /// Names and classifier, for a console.
    pub ingest: Option<Ingest>,
    /// The prices.
    pub book: PriceBook,
    /// Whether a ledger is wanted.
    keeps: bool,
    watch: alerting::Watch,
    stop: watch::Sender<bool>,
    done: JoinHandle<usize>,
    runtime: Runtime,
}

/// How a gateway ended.
#[derive(Debug)]
pub struct Ended {
    /// Requests that did not finish within the drain time.
    pub unfinished: usize,
    /// What the ledger says at its end, where something is wrong.
    pub ledger: Option<String>,
}

fn text_of(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// Reads who serves which model: from a file, or as the operator's own settings say.
pub(super) fn read_providers(path: Option<&Path>) -> anyhow::Result<ProvidersSpec> {
    let Some(path) = path else { return Ok(providers::load(config::user_dir().as_deref())?) };
    Ok(ProvidersSpec {
        parameters: parameters::load(config::user_dir().as_deref())?,
        ..providers::parse(&[(&path.display().to_string(), &text_of(path)?)])?
    })
}

/// Reads gateway.toml.
pub fn read_settings() -> anyhow::Result<GatewaySettings> {
    let own = config::own_file(settings::FILE);
    match own {
        Some(path) => Ok(settings::read(&path.display().to_string(), &text_of(&path)?)?),
        None => Ok(GatewaySettings::default()),
    }
}

/// Returns the policy to start with: the one applied last, where the policy file is still the one it was applied over.
fn policy_to_start(
    file: Arc<Policy>,
    names: &mut Names,
    data_dir: Option<&Path>,
    remarks: &mut Vec<String>,
) -> Arc<Policy> {
    let Some(path) = data_dir.map(|data_dir| data_dir.join(APPLIED)).filter(|path| path.is_file()) else {
        return file;
    };
    let Ok(text) = std::fs::read_to_string(&path) else { return file };
    let base = text.lines().next().and_then(|line| line.strip_prefix("# over "));
    if base != Some(fingerprint(&file.spec(names)).as_str()) {
        return file;
    }
    match policy::parse(&text, &path.display().to_string(), names) {
        Ok(applied) => {
            remarks.push(format!(
                "policy as last applied ({}); it holds until the policy file changes",
                path.display()
            ));
            Arc::new(applied)
        }
        Err(error) => {
            remarks.push(format!(
                "the policy as last applied cannot be used, the policy file is in force: {error}"
            ));
            file
        }
    }
}

/// Returns what tells policies apart: the start of the hash of their canonical text.
pub fn fingerprint(spec: &PolicySpec) -> String {
    let digest = Sha256::digest(policy::spec_toml(spec).as_bytes());
    hex(digest.get(..12).unwrap_or(&digest))
}

/// Writes a policy as applied, so that a restart finds it.
fn keep_applied(data_dir: &Path, base: &str, spec: &PolicySpec, version: u32) -> std::io::Result<()> {
    let mut names = Names::default();
    let Ok(policy) = Policy::compile(spec, version, &mut names) else { return Ok(()) };
    let text = format!("# over {base}\n{}", policy::to_toml(&policy, &names));
    config::write_whole(&data_dir.join(APPLIED), |file| file.write_all(text.as_bytes()))
}

/// Starts a gateway on threads of its own.
///
/// # Errors
/// Where settings, keys, ledger or address cannot be used; the message says how to mend it.
pub fn serve(setup: Setup, options: &ServeOptions) -> anyhow::Result<Serving> {
    let mut gateway_settings = read_settings()?;
    let mut remarks = Vec::new();
    let spec = read_providers(options.providers.as_deref())?;
    let keys = config::data_dir()
        .map(|dir| dir.join(access::FILE_NAME))
        .context("no folder for data is known on this system\nhint: name one with POINTSMAN_DATA_DIR")?;
    let access = Access::open(keys)?;
    let beside = setup.clone();
    let Setup { policy: from_file, book, prices, mut ingest, .. } = setup;
    let listen = options.listen.clone().unwrap_or_else(|| gateway_settings.listen.clone());
    if !is_place(&listen) {
        // Before a ledger is made that nobody needs.
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no address with a port");
        return Err(ServeError::Listen { address: listen, source }.into());
    }
    let ledger_options = ledger_options(options, &gateway_settings, &ingest, &book, &listen)?;
    let wanted = Some(&gateway_settings.reports).filter(|_| !options.no_ledger);
    let reports = wanted.and_then(|wanted| {
        // The terminal may be a console's, and Ctrl-C is not for this.
        Schedule::new(wanted, &ledger_options.path, Setup { quiet: true, ..beside })
    });
    let data_dir = ledger_options.path.parent().map(Path::to_owned);
    let Opened { ledger, next_seq, stored } =
        open_ledger(&ledger_options, options.no_ledger, &mut gateway_settings, &mut remarks)?;
    let base = fingerprint(&from_file.spec(&ingest.names));
    let data_dir = data_dir.filter(|_| !options.no_ledger);
    let chosen = policy_to_start(from_file, &mut ingest.names, data_dir.as_deref(), &mut remarks);
    let (policy, is_new) = numbered(&chosen, &ingest.names, stored);
    let providers = Arc::new(Providers::build(&spec, &from_system, std::time::Instant::now())?);
    remarks.extend(providers.warnings().iter().cloned());
    let at = now();
    let tried = options.try_classifier.as_deref().map(|path| classifier(Some(path))).transpose()?;
    let live = Live::new(LiveSetup {
        policy: policy.clone(),
        names: ingest.names.clone(),
        classifier: ingest.classifier(),
        book: book.clone(),
        next_seq,
        at,
        who: "start".to_owned(),
        gateway: ledger.newest().map(|place| place.gateway).unwrap_or_default(),
    });
    let live = Arc::new(live.trying(tried.map(Arc::new)));
    live.know_caches(ingest.caching.as_ref().clone());
    know_made_up(&live, &providers);
    let routes: Vec<&str> = policy.routes.iter().map(|route| &*route.name).collect();
    let of_policy = |name: &str| ingest.names.models().iter().any(|known| **known == *name);
    let has_model = |name: &str| book.find(name).is_some() || of_policy(name);
    remarks.extend(unasked(&gateway_settings, &routes, has_model, &book)?);
    let limits = spending(&live, options, &ledger_options.path, |limits| {
        remarks.extend(unbound(limits, &routes, has_model, "neither policy nor price book"));
    })?;
    if !options.no_ledger {
        restore_stops(&live, &ledger_options.path, gateway_settings.ledger.when_failing, &mut remarks)?;
    }
    let keeps: Option<crate::gateway::OnApply> = data_dir.map(|data_dir| {
        let keep: crate::gateway::OnApply = Box::new(move |spec: &PolicySpec, version: u32| {
            if let Err(error) = keep_applied(&data_dir, &base, spec, version) {
                tracing::error!(%error, "the applied policy could not be kept for the next start");
            }
        });
        keep
    });
    let gateway = Arc::new(Gateway::new(Parts {
        live: Arc::clone(&live),
        providers,
        ledger,
        access,
        settings: gateway_settings,
        keeps_ledger: !options.no_ledger,
        on_apply: keeps,
        limits,
        bills_beside: (!options.no_ledger).then(|| ledger_options.path.clone()),
        tariff: Tariff::new(&prices, config::user_dir().as_deref()),
        caching: config::caching::layered(config::user_dir().as_deref())?,
    }));
    // Before the policy of the start is told, so that a slip ends it here.
    let automations = config::user_dir().map(|dir| dir.join(config::automations::FILE));
    gateway.open_automations(automations).map_err(anyhow::Error::msg)?;
    if !options.no_ledger {
        recall_prompts(&gateway, &ledger_options.path, at);
        recall_lessons(&gateway, &ledger_options.path, (&ingest, &policy, &book), at);
        recall_loops(&gateway, &ledger_options.path, (&ingest, &policy, &book), at);
    }
    if is_new {
        gateway.record_start(&policy.spec(&ingest.names), policy.version, at, next_seq);
    }
    if !options.no_ledger {
        remarks.extend(restore_rollouts(&gateway, &ledger_options.path));
        tell_limits(&gateway, &ledger_options.path);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("gateway")
        .enable_all()
        .build()
        .map_err(Internal::from_any)?;
    let server = runtime.block_on(Server::bind(Arc::clone(&gateway), &listen))?;
    let basis = alerting::Basis {
        ingest: ingest.clone(),
        policy: Arc::new(policy.clone()),
        book: book.clone(),
        ledger: (!options.no_ledger).then_some(ledger_options.path),
    };
    let watch = alerting::start(&gateway, runtime.handle(), options.alerts.clone(), basis)?;
    let (stop, stopped) = watch::channel(false);
    let done = runtime.spawn(FutureExt::boxed(server.run(stopped)));
    if let Some(reports) = reports {
        runtime.spawn(FutureExt::boxed(reports.run()));
    }
    tracing::info!(address = gateway.address(), policy = policy.version, "serving");
    Ok(Serving {
        gateway,
        remarks,
        policy: Arc::new(policy),
        ingest: Some(ingest),
        book,
        watch,
        keeps: !options.no_ledger,
        stop,
        done,
        runtime,
    })
}

/// Brings the budgets of a file into force, and books what the ledger says was spent of them.
fn spending(
    live: &Live,
    options: &ServeOptions,
    ledger: &Path,
    look: impl FnOnce(&[Limit]),
) -> anyhow::Result<Limits> {
    let usual = config::user_dir().map(|dir| dir.join(config::budgets::FILE));
    let path = options.budgets.clone().or(usual);
    let is_named = options.budgets.is_some();
    let (limits, in_force, rules) = Limits::open(path, is_named)?;
    look(&in_force);
    live.limit(in_force);
    live.watch(rules);
    if !options.no_ledger {
        // Whoever has budgets would rather not serve than spend what is spent already.
        draw_before(live, ledger).context("what was spent of the budgets cannot be read from the ledger")?;
    }
    Ok(limits)
}

/// Reads something of a ledger; nothing of one that is not there yet.
fn told<T: Default>(
    ledger: &Path,
    read: impl FnOnce(&LedgerFile) -> Result<T, LedgerError>,
) -> Result<T, LedgerError> {
    if ledger.is_file() { read(&LedgerFile::open(ledger)?) } else { Ok(T::default()) }
}

/// Puts back into force who was stopped when the last run ended.
fn restore_stops(
    live: &Live,
    ledger: &Path,
    when: WhenFailing,
    remarks: &mut Vec<String>,
) -> anyhow::Result<()> {
    match told(ledger, LedgerFile::stops) {
        Ok(stops) => {
            remarks.extend(stops.iter().map(Stop::words));
            live.restore_stops(stops);
        }
        Err(error) if when == WhenFailing::Serve => {
            remarks.push(format!("who was stopped cannot be read from the ledger, so nobody is: {error}"));
        }
        Err(error) => {
            return Err(anyhow::Error::from(error).context("who was stopped cannot be read from the ledger"));
        }
    }
    Ok(())
}

/// Goes on with the rollouts that were under way when the last run ended; returns what a person should know.
fn restore_rollouts(gateway: &Gateway, ledger: &Path) -> Vec<String> {
    match told(ledger, LedgerFile::rollouts) {
        Ok(saved) => gateway.restore_rollouts(&saved),
        Err(error) => {
            vec![format!("rollouts cannot be read from the ledger; their canaries stay as they are: {error}")]
        }
    }
}

/// Writes down which budgets are in force, where they are others than the ledger knows of.
fn tell_limits(gateway: &Gateway, ledger: &Path) {
    match told(ledger, LedgerFile::last_budgets) {
        Ok(known) => gateway.tell_limits(&known),
        Err(error) => {
            tracing::warn!(%error, "the ledger is not told which budgets are in force: it cannot be read");
        }
    }
}

/// The longest that any provider holds what it is not asked for again.
const RECALLED: Span = Span::hours(1);

/// Lets caches be known again that were warm when the last run ended; without that they are learnt anew, so nothing fails.
fn recall_prompts(gateway: &Gateway, ledger: &Path, now: Instant) {
    match told(ledger, |file| file.prompted(now + Span(-RECALLED.0))) {
        Ok(prompts) => gateway.recall(&prompts),
        Err(error) => tracing::warn!(%error, "what caches hold is learnt anew: the ledger cannot be read"),
    }
}

/// The past whose verdicts count again after a start.
const LEARNT: Span = Span::days(30);

/// Has routes that learn go on with what they had learnt when the last run ended: requests and verdicts of a month are read again.
fn recall_lessons(
    gateway: &Gateway,
    ledger: &Path,
    (ingest, policy, book): (&Ingest, &Policy, &PriceBook),
    now: Instant,
) {
    if !policy.adapts() || !ledger.is_file() {
        return;
    }
    let from = now + Span(-LEARNT.0);
    let read = || -> anyhow::Result<Option<Log>> {
        let Some(log) = past(ledger, (ingest, policy, book), from)? else { return Ok(None) };
        let range = ledger::Range { from: Some(from), ..ledger::Range::default() };
        let told = LedgerFile::open(ledger)?.verdicts(&range)?;
        let told = told.iter().map(|one| (one.at, one.id.as_str(), one.model.as_str(), one.quality));
        Ok(Some(log.with_verdicts(told)))
    };
    match read() {
        Ok(log) => log.iter().for_each(|log| gateway.live().go_on_learning(log)),
        Err(error) => tracing::warn!(%error, "routes learn anew: the ledger cannot be read"),
    }
}

/// The past whose tool loops are known again after a start: an agent may have waited for its user's leave.
const LOOPED: Span = Span::hours(6);

/// Lets tool loops go on where they were served when the last run ended.
fn recall_loops(gateway: &Gateway, ledger: &Path, by: (&Ingest, &Policy, &PriceBook), now: Instant) {
    if !ledger.is_file() {
        return;
    }
    match past(ledger, by, now + Span(-LOOPED.0)) {
        Ok(log) => log.iter().for_each(|log| gateway.live().go_on_in_loops(log)),
        Err(error) => {
            tracing::warn!(%error, "turns of tool loops are decided anew: the ledger cannot be read");
        }
    }
}

/// Reads what a ledger has since a moment, as a log with its policies; none where that is nothing.
fn past(
    ledger: &Path,
    (ingest, policy, book): (&Ingest, &Policy, &PriceBook),
    from: Instant,
) -> anyhow::Result<Option<Log>> {
    let input = logs::input_within(&[ledger.to_owned()], Some(from), None);
    let source = record::open(&input, &ReadOptions::default())?;
    let (mut ingest, policy) = (ingest.clone(), Arc::new(policy.clone()));
    ingest.options.own_policy = false;
    match Log::load(String::new(), source, ingest, policy, book, |_| true) {
        Ok(log) => Ok(Some(log)),
        Err(LoadError::Empty(..)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A ledger, and where it stands.
struct Opened {
    ledger: Ledger,
    next_seq: u64,
    stored: Option<ledger::PolicyInForce>,
}

/// Opens the ledger. One that cannot be used keeps traffic from flowing only where policy says so, or where another
/// process writes it: two that spend on one account would be told nowhere.
fn open_ledger(
    wanted: &LedgerOptions,
    unwanted: bool,
    settings: &mut GatewaySettings,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Opened> {
    let absent =
        |reason: &str| Opened { ledger: Ledger::absent(wanted.clone(), reason), next_seq: 1, stored: None };
    if unwanted {
        remarks.push("no ledger is kept (--no-ledger): what is spent is forgotten at the end".to_owned());
        // Whoever wants none is not waiting for it.
        settings.ledger.when_failing = WhenFailing::Serve;
        settings.ledger.durability = settings::Durability::Normal;
        return Ok(absent("switched off with --no-ledger"));
    }
    match Ledger::open(wanted.clone()) {
        Ok((ledger, found)) => {
            if found.settled_attempts > 0 {
                let unknown = match found.unknown {
                    0 => String::new(),
                    calls => format!("; of {calls} more nobody knows the cost"),
                };
                remarks.push(format!(
                    "the last run ended abruptly: {} open calls were settled as estimates, ${}{unknown}",
                    found.settled_attempts - found.unknown,
                    found.estimated.usd()
                ));
            }
            Ok(Opened { ledger, next_seq: found.next_seq, stored: found.policy })
        }
        Err(error @ LedgerError::InUse { .. }) => Err(error.into()),
        Err(error) if settings.ledger.when_failing == WhenFailing::Serve || error.may_pass() => {
            tracing::error!(%error, "starting without a ledger");
            let meanwhile = match settings.ledger.when_failing {
                WhenFailing::Serve => "what is spent waits in memory",
                WhenFailing::Refuse => "requests are refused (when-failing = \"refuse\" in gateway.toml)",
            };
            remarks.push(format!(
                "NO LEDGER YET: it is tried again every second, and until then {meanwhile}\n{error}"
            ));
            // Numbers are given from 1 on; the ledger moves them behind what it holds.
            Ok(Opened { ledger: Ledger::open_later(wanted.clone(), &error)?, next_seq: 1, stored: None })
        }
        Err(error) => Err(anyhow::Error::from(error)
            .context("the ledger cannot be used, and when-failing = \"refuse\" in gateway.toml")),
    }
}

fn ledger_options(
    options: &ServeOptions,
    settings: &GatewaySettings,
    ingest: &Ingest,
    book: &PriceBook,
    listen: &str,
) -> anyhow::Result<LedgerOptions> {
    let path = match &options.ledger {
        Some(path) => path.clone(),
        None => ledger::usual_path()?,
    };
    let mut wanted = LedgerOptions::new(path);
    wanted.durability = settings.ledger.durability;
    wanted.progress = super::progress::ledger_brought_on;
    wanted.run = Run {
        listen: listen.to_owned(),
        classifier: ingest.classifier_tag(),
        prices: format!("{} {}", book.name, book.dated),
        ..wanted.run
    };
    Ok(wanted)
}

/// Returns the policy its version: the ledger's where it is the same policy, else the next one. Says whether it is new.
fn numbered(policy: &Policy, names: &Names, stored: Option<ledger::PolicyInForce>) -> (Policy, bool) {
    let Some(stored) = stored else {
        return (Policy { version: policy.version.max(1), ..policy.clone() }, true);
    };
    let mut theirs = Names::default();
    let before = policy::parse(&stored.text, "ledger", &mut theirs).map(|policy| policy.spec(&theirs));
    if before.is_ok_and(|before| before == policy.spec(names)) {
        return (Policy { version: stored.version, ..policy.clone() }, false);
    }
    (Policy { version: stored.version.saturating_add(1), ..policy.clone() }, true)
}

impl Serving {
    /// Returns the runtime's handle.
    pub fn handle(&self) -> tokio::runtime::Handle {
        self.runtime.handle().clone()
    }

    /// Turns new requests away, lets those in flight finish, and closes the ledger.
    pub fn end(self) -> Ended {
        let Self { gateway, watch, stop, done, runtime, keeps, .. } = self;
        gateway.drain();
        let _ = stop.send(true);
        let unfinished = runtime.block_on(done).unwrap_or(0);
        watch.stop();
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        let ledger = gateway.ledger().clone();
        drop(gateway);
        // What was never to be kept is not missed.
        let ledger = ledger.close().err().filter(|_| keeps).map(|error| error.to_string());
        Ended { unfinished, ledger }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, when: WhenFailing) -> (anyhow::Result<Opened>, Vec<String>) {
        let mut settings = GatewaySettings::default();
        settings.ledger.when_failing = when;
        let mut remarks = Vec::new();
        let opened = open_ledger(&LedgerOptions::new(path), false, &mut settings, &mut remarks);
        (opened, remarks)
    }

    #[test]
    fn a_ledger_that_cannot_be_used_stops_traffic_only_by_policy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        std::fs::write(&path, "no ledger at all").unwrap();
        let (opened, remarks) = open(&path, WhenFailing::Serve);
        let opened = opened.unwrap();
        assert!(opened.ledger.is_failing());
        assert!(remarks.iter().any(|remark| remark.starts_with("NO LEDGER")), "{remarks:?}");
        let (refused, _) = open(&path, WhenFailing::Refuse);
        assert!(format!("{:#}", refused.err().unwrap()).contains("when-failing"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "no ledger at all", "it is left as it is");
    }

    #[test]
    fn two_gateways_never_share_a_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let (first, _) = open(&path, WhenFailing::Serve);
        let first = first.unwrap();
        assert!(!first.ledger.is_failing());
        let (second, _) = open(&path, WhenFailing::Serve);
        assert!(format!("{:#}", second.err().unwrap()).contains("another process writes this ledger"));
        first.ledger.close().unwrap();
    }
}
