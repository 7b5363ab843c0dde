//! Alerts and what their receivers are told, so that a restart knows both.
//!
//! Invariant: this is no account: it is neither chained nor exported,
//! and the oldest go.

use super::entry::Text;
use super::{Delivery, DeliveryState, LedgerError, LedgerFile, News};
use crate::alert::{Alert, Level, Pattern, Silence, Source};
use crate::units::Instant;

/// The version from which on there are alerts.
const SINCE: i64 = 4;
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
        let mut find = self.conn.prepare(
            "SELECT id, rule, source, level, scope, threshold, window, at, resolved, words, acked, silenced FROM alerts \
             WHERE resolved IS NULL OR id IN (SELECT alert FROM outbox WHERE state = 'waiting') OR id IN (SELECT id FROM \
             alerts ORDER BY at DESC LIMIT ?1) ORDER BY at, id",
        )?;
        let mut alerts = Vec::new();
        let mut rows = find.query([most])?;
        while let Some(row) = rows.next()? {
            // A source that this program does not know was written by a newer one.
            let Some(source) = Source::from_name(&row.get::<_, String>(2)?) else { continue };
            alerts.push(Alert {
                id: row.get(0)?,
                rule: text(row, 1)?,
                source,
                level: Level::from_name(&row.get::<_, String>(3)?).unwrap_or_default(),
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
    use rusqlite::Connection;

    use super::*;
    use crate::ledger::Alerting;

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
            Alerting::Hushed("a1".to_owned()),
        ] {
            entry.write(&conn).unwrap();
        }
        let file = LedgerFile { path: "alerts".into(), conn, version: SINCE, lost: Vec::new() };
        let found = file.alarms(Instant(50), 10).unwrap();
        assert_eq!(
            found.alerts,
            [Alert { resolved: Some(Instant(9)), acked: Some("mia".to_owned()), silenced: true, ..alert }]
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
