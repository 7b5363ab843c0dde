//! Consoles on live traffic: beside the gateway in one process, or attached to one over HTTP.
//!
//! Invariant: both read the same lines of log; only how they come and where changes go differs.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use super::console::run_live_console;
use super::remote::{Remote, text_of};
use super::told::Told as Read;
use super::{ConsoleOptions, Internal, Serving, Setup};
use crate::gateway::{self, Gateway, RolloutOrder};
use crate::notify::Told;
use crate::pricing::PriceBook;
use crate::record::{self, Entry, PolicyChange};
use crate::rollout::Order;
use crate::routing::Policy;
use crate::runaway::Whom;
use crate::session::{AlertDeed, Deed, Feed, Ingest, KEEP, LiveControl, LiveStart, Player, Question};
use crate::units::{Instant, Names, Span};

/// The window that a live console begins with.
const WINDOW: Span = Span::mins(15);
/// Parts of a remote feed that may wait for the console.
const WAITING: usize = 64;

pub(super) fn player(
    title: String,
    ingest: Ingest,
    policy: Arc<Policy>,
    book: PriceBook,
    window: Option<Span>,
) -> Player {
    Player::live(start(title, ingest, policy, book), window)
}

pub(super) fn start(title: String, ingest: Ingest, policy: Arc<Policy>, book: PriceBook) -> LiveStart {
    LiveStart { title, ingest, policy, book, now: gateway::now(), keep: KEEP, logs_time: false }
}

/// Opens the console beside a gateway; returns the gateway when the operator leaves.
///
/// # Errors
/// Where settings of the console cannot be used or the terminal fails.
pub fn watch(mut serving: Serving, options: &ConsoleOptions) -> (Serving, anyhow::Result<()>) {
    let (send, feed) = channel();
    let lines = send.clone();
    serving.gateway.live().follow(Box::new(move |line| lines.send(Feed::Lines(Arc::clone(line))).is_ok()));
    let handle = serving.handle();
    let (seen, status) = (Arc::clone(&serving.gateway), send.clone());
    handle.spawn(FutureExt::boxed(async move {
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        loop {
            clock.tick().await;
            if status.send(Feed::Status(Arc::new(gateway::live_status(&seen)))).is_err() {
                return;
            }
        }
    }));
    let telling =
        handle.spawn(FutureExt::boxed(gateway::tell_of_ledger(Arc::clone(&serving.gateway), |_| {})));
    let title = serving.gateway.address().to_owned();
    let Some(ingest) = serving.ingest.take() else { return (serving, Ok(())) };
    let player = player(title, ingest, Arc::clone(&serving.policy), serving.book.clone(), Some(WINDOW));
    let control = Beside {
        gateway: Arc::clone(&serving.gateway),
        handle,
        answers: send,
        read_only: options.read_only.then(|| "started with --read-only".into()),
    };
    let outcome = run_live_console(player, feed, Box::new(control), options);
    telling.abort();
    (serving, outcome)
}

/// Control over a gateway in the same process.
struct Beside {
    gateway: Arc<Gateway>,
    handle: Handle,
    answers: Sender<Feed>,
    read_only: Option<Arc<str>>,
}

impl Beside {
    fn order_rollout(&self, order: RolloutOrder) {
        let (gateway, answers) = (Arc::clone(&self.gateway), self.answers.clone());
        self.handle.spawn(FutureExt::boxed(async move {
            let said = gateway.order_rollout(order, &operator()).await;
            let said = said.unwrap_or_else(|error| format!("not done: {}", error.message));
            let _ = answers.send(Feed::Refused(said.into()));
        }));
    }
}

impl LiveControl for Beside {
    fn read_only(&self) -> Option<Arc<str>> {
        self.read_only.clone()
    }

    fn owns(&self) -> bool {
        true
    }

    fn switch(&mut self, whom: &Whom, lifts: bool) -> Result<(), String> {
        let (gateway, answers, whom) = (Arc::clone(&self.gateway), self.answers.clone(), whom.clone());
        self.handle.spawn(FutureExt::boxed(async move {
            let who = operator();
            let switch = gateway::Switch { whom: &whom, who: &who, why: "", lifts };
            let said = match gateway.switch(&switch).await {
                Ok(changed) => switched(&whom, lifts, changed),
                Err(error) => error.message,
            };
            let _ = answers.send(Feed::Refused(said.into()));
        }));
        Ok(())
    }

    fn rollout(&mut self, name: &str, order: Order, why: &str) -> Result<(), String> {
        self.order_rollout(RolloutOrder::Turn { name: name.to_owned(), order, why: why.to_owned() });
        Ok(())
    }

    fn start_rollout(&mut self, name: &str, plan: &str) -> Result<(), String> {
        self.order_rollout(RolloutOrder::Start { name: name.to_owned(), plan: plan.to_owned() });
        Ok(())
    }

    fn accept_steering(&mut self, limit: &str) -> Result<(), String> {
        let said = self.gateway.accept_steering(limit, &operator())?;
        let _ = self.answers.send(Feed::Refused(said.into()));
        Ok(())
    }

    fn apply(&mut self, policy: &Policy, names: &Names, deed: Deed<'_>) -> Result<(), String> {
        self.gateway
            .apply(&policy.spec(names), &operator(), deed)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn send(&mut self, question: Question) -> Result<(), String> {
        let (gateway, answers) = (Arc::clone(&self.gateway), self.answers.clone());
        self.handle.spawn(FutureExt::boxed(async move {
            let answer = gateway.answer(question).await;
            // The console may have been left meanwhile.
            let _ = answers.send(Feed::Answer(answer));
        }));
        Ok(())
    }

    fn drain(&mut self) {
        self.gateway.drain();
    }

    fn alert(&mut self, deed: AlertDeed) -> Result<(), String> {
        let notifier = self.gateway.alerts();
        match deed {
            AlertDeed::Ack(id) => notifier.ack(&id, &operator()).map(drop),
            AlertDeed::Silence { rule, scope, span } => {
                notifier.silence(Told::silence(&rule, &scope, gateway::now() + span, &operator()));
                Ok(())
            }
        }
    }
}

/// Names whoever sits at this console.
fn operator() -> String {
    std::env::var("USER").map_or_else(|_| "console".to_owned(), |user| format!("{user} (console)"))
}

/// Says what became of a turn of the kill switch.
fn switched(whom: &Whom, lifts: bool, changed: bool) -> String {
    match (lifts, changed) {
        (false, true) => format!("{whom} is stopped; K and `lift {whom}` lets it go"),
        (false, false) => format!("{whom} was stopped already"),
        (true, true) => format!("{whom} may call again"),
        (true, false) => format!("{whom} is not stopped"),
    }
}

/// Where to attach to, and with which key.
#[derive(Clone, Debug, Default)]
pub struct AttachOptions {
    /// The gateway's address.
    pub url: String,
    /// The key, where the gateway has keys.
    pub key: Option<String>,
}

fn remote(wanted: &AttachOptions) -> anyhow::Result<Remote> {
    let url = wanted.url.trim_end_matches('/').to_owned();
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .build()
        .map_err(Internal::from_any)?;
    Ok(Remote { client, url, key: wanted.key.clone() })
}

/// Where a gateway says how its budgets stand.
pub const BUDGETS: &str = "/operator/v1/budgets";
/// Where it says how its automations stand.
pub const AUTOMATIONS: &str = "/operator/v1/automations";
/// Where it says how limits stand that are steered towards, and takes orders.
pub const STEERING: &str = "/operator/v1/steering";
/// Where it says how rollouts stand, and takes orders.
pub const ROLLOUTS: &str = "/operator/v1/rollouts";
/// Where it says who is stopped, and takes orders.
pub const RUNAWAYS: &str = "/operator/v1/runaways";
/// Where it tells of alerts, and takes orders.
pub const ALERTS: &str = "/operator/v1/alerts";

/// What a gateway says of several, whatever it calls them.
#[derive(serde::Deserialize)]
struct Rows<T> {
    #[serde(alias = "budgets", alias = "automations", alias = "steering", alias = "rollouts")]
    rows: Vec<T>,
}

/// Reads what a gateway answered.
fn understood<T: DeserializeOwned>(wanted: &AttachOptions, text: &str) -> anyhow::Result<T> {
    serde_json::from_str(text).with_context(|| no_gateway(&wanted.url))
}

fn no_gateway(url: &str) -> String {
    format!("{url} does not answer like a gateway of this program")
}

/// Asks a gateway elsewhere for something that its operator may see: as it is written, and read.
///
/// # Errors
/// Where it cannot be reached, refuses, or is no gateway of this program.
pub fn read_at<T: DeserializeOwned>(wanted: &AttachOptions, path: &str) -> anyhow::Result<(String, T)> {
    let text = operator_get(wanted, path)?;
    let read = understood(wanted, &text)?;
    Ok((text, read))
}

/// Asks a gateway elsewhere how its budgets, automations, steered limits or rollouts stand, likewise.
///
/// # Errors
/// As [`read_at`].
pub fn rows_at<T: DeserializeOwned>(wanted: &AttachOptions, path: &str) -> anyhow::Result<(String, Vec<T>)> {
    read_at(wanted, path).map(|(text, Rows { rows })| (text, rows))
}

/// Has a gateway elsewhere do something; returns what it answered.
///
/// # Errors
/// Where it cannot be reached, does not take the order, or is no gateway of this program.
pub fn order_at<T: DeserializeOwned>(
    wanted: &AttachOptions,
    path: &str,
    order: &serde_json::Value,
) -> anyhow::Result<T> {
    let (runtime, remote) = alone(wanted)?;
    understood(wanted, &runtime.block_on(post(&remote, path, order.to_string()))?)
}

/// Has a gateway elsewhere do something; returns what it said of it, in words.
///
/// # Errors
/// As [`order_at`].
pub fn said_at(wanted: &AttachOptions, path: &str, order: &serde_json::Value) -> anyhow::Result<String> {
    let answer = order_at(wanted, path, order)?;
    said_of(&answer).with_context(|| no_gateway(&wanted.url))
}

/// Asks a gateway elsewhere for something that its operator may see.
///
/// # Errors
/// Where the gateway cannot be reached or refuses.
pub fn operator_get(wanted: &AttachOptions, path: &str) -> anyhow::Result<String> {
    let (runtime, remote) = alone(wanted)?;
    runtime.block_on(remote.get(path))
}

async fn post(remote: &Remote, path: &str, body: String) -> anyhow::Result<String> {
    let request = remote.keyed(remote.client.post(format!("{}{path}", remote.url)));
    text_of(&remote.url, request.body(body).send().await).await
}

pub(super) fn alone(wanted: &AttachOptions) -> anyhow::Result<(tokio::runtime::Runtime, Remote)> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Internal::from_any)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok((runtime, remote(wanted)?))
}

/// Returns what a gateway said of an order that it took.
fn said_of(answer: &serde_json::Value) -> Option<String> {
    Some(answer.get("said")?.as_str()?.to_owned())
}

/// Opens the console on a gateway elsewhere.
///
/// # Errors
/// Where the gateway cannot be reached or refuses, or the terminal fails.
pub fn attach(setup: Setup, wanted: &AttachOptions, options: &ConsoleOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // One may wait for the console.
        .worker_threads(2)
        .thread_name("attach")
        .enable_all()
        .build()
        .map_err(Internal::from_any)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let remote = remote(wanted)?;
    let url = remote.url.clone();
    let Setup { policy: _, book, mut ingest, .. } = setup;
    let line = runtime.block_on(remote.get("/operator/v1/policy"))?;
    let policy = policy_of(&line, &mut ingest.names).with_context(|| no_gateway(&url))?;
    let rights = runtime.block_on(remote.rights())?;
    // Where the console falls behind, the gateway is read no further, and says what it left out.
    let (send, feed) = sync_channel(WAITING);
    let (reader, lines) = (remote.clone(), send.clone());
    let mut told = Read::from(rights.cursor.clone());
    runtime.spawn(FutureExt::boxed(async move { reader.follow(&mut told, &lines).await }));
    let player = player(url, ingest, Arc::new(policy), book, Some(WINDOW));
    let read_only: Option<Arc<str>> = if options.read_only {
        Some("started with --read-only".into())
    } else if rights.may_operate() {
        None
    } else {
        Some("the key lacks the scope `operate`".into())
    };
    let control = Attached { remote, handle: runtime.handle().clone(), answers: send, read_only };
    run_live_console(player, feed, Box::new(control), options)
}

fn policy_of(line: &str, names: &mut Names) -> anyhow::Result<Policy> {
    let mut found = None;
    record::each_line(line, |_, entry| {
        if let Ok(Entry::Policy(change)) = entry {
            found = Some(change.compile(names));
        }
    });
    Ok(found.context("no policy came")??)
}

/// Control over a gateway elsewhere.
struct Attached {
    remote: Remote,
    handle: Handle,
    answers: SyncSender<Feed>,
    read_only: Option<Arc<str>>,
}

impl Attached {
    /// Posts something; what is to be said of the answer, where that is anything, comes back in the feed.
    fn post(
        &self,
        path: &'static str,
        body: String,
        say: impl FnOnce(anyhow::Result<String>) -> Option<String> + Send + 'static,
    ) {
        let (remote, answers) = (self.remote.clone(), self.answers.clone());
        self.handle.spawn(FutureExt::boxed(async move {
            if let Some(said) = say(post(&remote, path, body).await) {
                let _ = answers.send(Feed::Refused(said.into()));
            }
        }));
    }

    /// Sends an order; what was said of it comes back in the feed.
    fn order(&self, path: &'static str, order: &serde_json::Value) {
        self.post(path, order.to_string(), |answer| {
            Some(match answer.map(|answer| serde_json::from_str(&answer)) {
                Ok(answer) => answer.ok().as_ref().and_then(said_of).unwrap_or_else(|| "done".to_owned()),
                Err(error) => not_done(&error),
            })
        });
    }
}

fn not_done(error: &anyhow::Error) -> String {
    format!("not done: {error:#}")
}

impl LiveControl for Attached {
    fn read_only(&self) -> Option<Arc<str>> {
        self.read_only.clone()
    }

    fn owns(&self) -> bool {
        false
    }

    fn switch(&mut self, whom: &Whom, lifts: bool) -> Result<(), String> {
        let order = serde_json::json!({ (if lifts { "lift" } else { "stop" }): whom.to_string() });
        let whom = whom.clone();
        self.post(RUNAWAYS, order.to_string(), move |answer| {
            Some(match answer.map(|answer| serde_json::from_str::<serde_json::Value>(&answer)) {
                Ok(answer) => {
                    let changed = answer.ok().and_then(|answer| answer.get("changed")?.as_bool());
                    switched(&whom, lifts, changed.unwrap_or(true))
                }
                Err(error) => not_done(&error),
            })
        });
        Ok(())
    }

    fn rollout(&mut self, name: &str, order: Order, why: &str) -> Result<(), String> {
        let word = order.name();
        self.order(ROLLOUTS, &serde_json::json!({ word: name, "why": why }));
        Ok(())
    }

    fn start_rollout(&mut self, name: &str, plan: &str) -> Result<(), String> {
        self.order(ROLLOUTS, &serde_json::json!({ "start": name, "plan": plan }));
        Ok(())
    }

    fn accept_steering(&mut self, limit: &str) -> Result<(), String> {
        self.order(STEERING, &serde_json::json!({ "accept": limit }));
        Ok(())
    }

    fn apply(&mut self, policy: &Policy, names: &Names, deed: Deed<'_>) -> Result<(), String> {
        let change = PolicyChange {
            version: policy.version.saturating_add(1),
            at: Instant(0),
            who: "".into(),
            what: deed.words().into(),
            undo: deed.is_undo(),
            under: record::Under::default(),
            spec: policy.spec(names),
        };
        let mut body = Vec::new();
        record::append_line(&mut body, &Entry::Policy(Box::new(change)));
        let body = String::from_utf8_lossy(&body).into_owned();
        self.post("/operator/v1/policy", body, |answer| match answer {
            Ok(answer) => doubts(&answer).map(|doubts| format!("applied, but {doubts}")),
            Err(error) => Some(format!("not applied: {error:#}")),
        });
        Ok(())
    }

    fn send(&mut self, question: Question) -> Result<(), String> {
        let (remote, answers) = (self.remote.clone(), self.answers.clone());
        self.handle.spawn(FutureExt::boxed(async move {
            let outcome =
                gateway::ask_over_http(&remote.client, &remote.url, remote.key.as_deref(), &question).await;
            let _ = answers.send(Feed::Answer(crate::session::Answer { ticket: question.ticket, outcome }));
        }));
        Ok(())
    }

    fn drain(&mut self) {}

    fn alert(&mut self, deed: AlertDeed) -> Result<(), String> {
        let body = match deed {
            AlertDeed::Ack(id) => serde_json::json!({ "do": "ack", "id": id }),
            AlertDeed::Silence { rule, scope, span } => {
                let until = (gateway::now() + span).rfc3339();
                serde_json::json!({ "do": "silence", "rule": &*rule, "scope": &*scope, "until": until })
            }
        };
        self.post(ALERTS, body.to_string(), |answer| answer.err().map(|error| not_done(&error)));
        Ok(())
    }
}

/// Returns what a gateway says against a policy that it has brought into force all the same.
fn doubts(answer: &str) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    let said: Vec<&str> = answer.get("warnings")?.as_array()?.iter().filter_map(|one| one.as_str()).collect();
    (!said.is_empty()).then(|| said.join("; "))
}
