//! Alerts and what their receivers are told, so that a restart knows both.
//!
//! Invariants: an alert is written once, and with it what is to be told of it; this is no account: it is neither chained nor exported,
//! and the oldest go.

use rusqlite::{Connection, params};

use super::entry::Text;
use super::{LedgerError, LedgerFile};
use crate::alert::{Alert, Level, Pattern, Silence, Source};
use crate::units::{Instant, Span};

/// The version from which on there are alerts.
const SINCE: i64 = 4;
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

impl News {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

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

impl DeliveryState {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }
}

/// What one receiver is told of one alert, and how that went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The alert.
    pub alert: String,
    /// What is told.
    pub news: News,
    /// Who is told.
    pub receiver: Text,
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
    Fired(Alert, Vec<Text>),
    /// It is over, and these are told.
    Resolved(String, Instant, Vec<Text>),
    /// A delivery was tried.
    Tried(Delivery),
    /// Somebody took note of it.
    Acked(String, String),
    /// Somebody wishes not to be told.
    Silenced(Silence),
}

/// What a ledger knows of alerts.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    /// Alerts, in the order in which they fired.
    pub alerts: Vec<Alert>,
    /// Deliveries, in the order in which they changed last.
    pub deliveries: Vec<Delivery>,
    /// Silences that are not over.
    pub silences: Vec<Silence>,
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
            Self::Silenced(Silence { rule, scope, until, who }) => {
                let mut put = conn.prepare_cached(
                    "INSERT INTO silences (rule, scope, until, who) VALUES (?1, ?2, ?3, ?4)",
                )?;
                put.execute(params![&*rule.0, &*scope.0, until.0, who]).map(drop)
            }
        }
    }
}

fn queue(conn: &Connection, id: &str, news: News, at: Instant, to: &[Text]) -> rusqlite::Result<()> {
    let mut put = conn.prepare_cached(
        "INSERT OR IGNORE INTO outbox (alert, news, receiver, state, tries, at, answer) VALUES (?1, ?2, ?3, 'waiting', 0, \
         ?4, '')",
    )?;
    to.iter().try_for_each(|receiver| put.execute(params![id, news.name(), &**receiver, at.0]).map(drop))
}

impl LedgerFile {
    /// Returns the newest alerts, all deliveries that wait and the newest besides, and the silences of a moment.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn alarms(&self, now: Instant, most: u32) -> Result<Alarms, LedgerError> {
        if self.version < SINCE {
            return Ok(Alarms::default());
        }
        self.read_alarms(now, most).map_err(|source| self.failed(source))
    }

    fn read_alarms(&self, now: Instant, most: u32) -> rusqlite::Result<Alarms> {
        let text = |row: &rusqlite::Row<'_>, at| row.get::<_, String>(at).map(Text::from);
        let named =
            |word: &str| Source::ALL.iter().find(|(name, _)| *name == word).map(|(_, source)| *source);
        let level = |word: &str| Level::ALL.iter().find(|(name, _)| *name == word).map(|(_, level)| *level);
        let mut find = self.conn.prepare(
            "SELECT id, rule, source, level, scope, threshold, window, at, resolved, words, acked, silenced FROM alerts \
             WHERE resolved IS NULL OR id IN (SELECT alert FROM outbox WHERE state = 'waiting') OR id IN (SELECT id FROM \
             alerts ORDER BY at DESC LIMIT ?1) ORDER BY at, id",
        )?;
        let mut alerts = Vec::new();
        let mut rows = find.query([most])?;
        while let Some(row) = rows.next()? {
            // A source that this program does not know was written by a newer one.
            let Some(source) = named(&row.get::<_, String>(2)?) else { continue };
            alerts.push(Alert {
                id: row.get(0)?,
                rule: text(row, 1)?,
                source,
                level: level(&row.get::<_, String>(3)?).unwrap_or_default(),
                scope: text(row, 4)?,
                threshold: text(row, 5)?,
                window: Instant(row.get(6)?),
                at: Instant(row.get(7)?),
                resolved: row.get::<_, Option<i64>>(8)?.map(Instant),
                words: row.get(9)?,
                acked: row.get(10)?,
                silenced: row.get(11)?,
            });
        }
        let mut find = self.conn.prepare(
            "SELECT alert, news, receiver, state, tries, at, answer FROM outbox WHERE state = 'waiting' UNION SELECT * FROM \
             (SELECT alert, news, receiver, state, tries, at, answer FROM outbox ORDER BY at DESC LIMIT ?1) ORDER BY at, alert, news, receiver",
        )?;
        let mut deliveries = Vec::new();
        let mut rows = find.query([most])?;
        while let Some(row) = rows.next()? {
            deliveries.push(Delivery {
                alert: row.get(0)?,
                news: if row.get::<_, String>(1)? == "firing" { News::Firing } else { News::Resolved },
                receiver: text(row, 2)?,
                state: match row.get::<_, String>(3)?.as_str() {
                    "waiting" => DeliveryState::Waiting,
                    "delivered" => DeliveryState::Delivered,
                    _ => DeliveryState::GivenUp,
                },
                tries: row.get(4)?,
                at: Instant(row.get(5)?),
                answer: row.get(6)?,
            });
        }
        let mut find = self.conn.prepare("SELECT rule, scope, until, who FROM silences WHERE until > ?1")?;
        let silences = find.query_map([now.0], |row| {
            Ok(Silence {
                rule: Pattern(text(row, 0)?),
                scope: Pattern(text(row, 1)?),
                until: Instant(row.get(2)?),
                who: row.get(3)?,
            })
        })?;
        Ok(Alarms { alerts, deliveries, silences: silences.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_queued_once_and_what_was_delivered_is_not_queued_anew() {
        let conn = Connection::open_in_memory().unwrap();
        for step in [include_str!("schema_1.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")]
        {
            conn.execute_batch(step).unwrap();
        }
        conn.execute_batch(include_str!("schema_5.sql")).unwrap();
        let alert = Alert {
            id: "a1".to_owned(),
            rule: "budget".into(),
            source: Source::Budget,
            level: Level::Warning,
            scope: "all/day".into(),
            threshold: "90%".into(),
            window: Instant(0),
            at: Instant(5),
            resolved: None,
            words: "nearly".to_owned(),
            acked: None,
            silenced: false,
        };
        let to: Vec<Text> = vec!["chat".into(), "pager".into()];
        let fired = Alerting::Fired(alert.clone(), to.clone());
        let tried = |receiver: &str, state, tries| {
            Alerting::Tried(Delivery {
                alert: "a1".to_owned(),
                news: News::Firing,
                receiver: receiver.into(),
                state,
                tries,
                at: Instant(6),
                answer: "answered 200".to_owned(),
            })
        };
        let silence = Silence {
            rule: Pattern::any(),
            scope: Pattern("all/*".into()),
            until: Instant(100),
            who: "mia".to_owned(),
        };
        for entry in [
            fired.clone(),
            tried("chat", DeliveryState::Delivered, 1),
            tried("pager", DeliveryState::Waiting, 3),
            fired,
            Alerting::Resolved("a1".to_owned(), Instant(9), to.clone()),
            Alerting::Resolved("a1".to_owned(), Instant(12), to),
            Alerting::Acked("a1".to_owned(), "mia".to_owned()),
            Alerting::Silenced(silence.clone()),
        ] {
            entry.write(&conn).unwrap();
        }
        let file = LedgerFile { path: "alerts".into(), conn, version: SINCE };
        let found = file.alarms(Instant(50), 10).unwrap();
        assert_eq!(
            found.alerts,
            [Alert { resolved: Some(Instant(9)), acked: Some("mia".to_owned()), ..alert }]
        );
        let states: Vec<_> =
            found.deliveries.iter().map(|one| (&*one.receiver, one.news, one.state, one.tries)).collect();
        assert_eq!(
            states,
            [
                ("chat", News::Firing, DeliveryState::Delivered, 1),
                ("pager", News::Firing, DeliveryState::Waiting, 3),
                ("chat", News::Resolved, DeliveryState::Waiting, 0),
                ("pager", News::Resolved, DeliveryState::Waiting, 0),
            ]
        );
        assert_eq!(found.silences, [silence]);
        assert!(file.alarms(Instant(100), 10).unwrap().silences.is_empty());
    }
}
