//! What happens to alerts and their deliveries, and how it is written.
//!
//! Invariant: an alert is written once, and with it what is to be told of it.

use std::sync::Arc;

use rusqlite::{Connection, params};

use crate::alert::{Alert, Silence};
use crate::units::{Instant, Span, words};

/// How long alerts are known.
const FOR: Span = Span::days(400);

/// What there is to tell of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum News {
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

words!(News { Firing = "firing", Resolved = "resolved" });

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is tried, or will be.
    Waiting,
    /// The receiver has it.
    Delivered,
    /// It will not be tried again.
    GivenUp,
}

words!(DeliveryState { Waiting = "waiting", Delivered = "delivered", GivenUp = "given_up" });

/// What one receiver is told of one alert, and how that went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The alert.
    pub alert: String,
    /// What is told.
    pub news: News,
    /// Who is told.
    pub receiver: Arc<str>,
    /// Whether it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub tries: u32,
    /// When it changed last.
    pub at: Instant,
    /// What the receiver answered last; empty before the first try.
    pub answer: String,
}

/// Something that happened to an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alerting {
    /// It fires, and these are told.
    Fired(Alert, Vec<Arc<str>>),
    /// It is over, and these are told.
    Resolved(String, Instant, Vec<Arc<str>>),
    /// A delivery was tried.
    Tried(Delivery),
    /// Somebody took note of it.
    Acked(String, String),
    /// Somebody wishes not to be told.
    Silenced(Silence),
    /// Nobody is told any more of what fires.
    Hushed(String),
}

impl Alerting {
    pub(super) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        match self {
            Self::Fired(alert, to) => {
                let mut put = conn.prepare_cached(
                    "INSERT OR IGNORE INTO alerts (id, rule, source, level, scope, threshold, window, at, resolved, words, \
                     acked, silenced) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                )?;
                let is_new = put.execute(params![
                    alert.id,
                    &*alert.rule,
                    alert.source.name(),
                    alert.level.name(),
                    &*alert.scope,
                    &*alert.threshold,
                    alert.window.0,
                    alert.at.0,
                    alert.resolved.map(|at| at.0),
                    alert.words,
                    alert.acked,
                    alert.silenced
                ])?;
                if is_new > 0 {
                    let old = alert.at.0.saturating_sub(FOR.0);
                    conn.prepare_cached("DELETE FROM alerts WHERE at < ?1")?.execute([old])?;
                    conn.prepare_cached("DELETE FROM outbox WHERE at < ?1")?.execute([old])?;
                    queue(conn, &alert.id, News::Firing, alert.at, to)?;
                }
                Ok(())
            }
            Self::Resolved(id, at, to) => {
                let end = "UPDATE alerts SET resolved = ?2 WHERE id = ?1 AND resolved IS NULL";
                if conn.prepare_cached(end)?.execute(params![id, at.0])? > 0 {
                    queue(conn, id, News::Resolved, *at, to)?;
                }
                Ok(())
            }
            Self::Tried(Delivery { alert, news, receiver, state, tries, at, answer }) => {
                let mut put = conn.prepare_cached(
                    "UPDATE outbox SET state = ?4, tries = ?5, at = ?6, answer = ?7 WHERE alert = ?1 AND news = ?2 AND \
                     receiver = ?3",
                )?;
                put.execute(params![alert, news.name(), &**receiver, state.name(), tries, at.0, answer])
                    .map(drop)
            }
            Self::Acked(id, who) => {
                let mut put = conn.prepare_cached("UPDATE alerts SET acked = ?2 WHERE id = ?1")?;
                put.execute(params![id, who]).map(drop)
            }
            Self::Hushed(id) => {
                let mut put = conn.prepare_cached("UPDATE alerts SET silenced = 1 WHERE id = ?1")?;
                put.execute([id]).map(drop)
            }
            Self::Silenced(Silence { rule, scope, until, who }) => {
                let mut put = conn.prepare_cached(
                    "INSERT INTO silences (rule, scope, until, who) VALUES (?1, ?2, ?3, ?4)",
                )?;
                put.execute(params![&*rule.0, &*scope.0, until.0, who]).map(drop)
            }
        }
    }
}

fn queue(conn: &Connection, id: &str, news: News, at: Instant, to: &[Arc<str>]) -> rusqlite::Result<()> {
    let mut put = conn.prepare_cached(
        "INSERT OR IGNORE INTO outbox (alert, news, receiver, state, tries, at, answer) VALUES (?1, ?2, ?3, 'waiting', 0, \
         ?4, '')",
    )?;
    to.iter().try_for_each(|receiver| put.execute(params![id, news.name(), &**receiver, at.0]).map(drop))
}
