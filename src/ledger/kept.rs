//! Which provider keeps which answer of OpenAI's responses, and whose it is, so that it is found again after a restart.
//!
//! Invariants: this is no account: it is neither chained nor exported, and the oldest go; an id says what was heard of it last.

use rusqlite::{Connection, params};

use super::entry::{Kept, Text};
use super::schema::CHAINED;
use super::{LedgerError, LedgerFile};
use crate::units::{Instant, Span};

/// The most answers that are known.
const MOST: i64 = 100_000;
/// How long they are known: as long as OpenAI keeps them.
const FOR: Span = Span(30 * 86_400 * 1_000_000);

impl Kept {
    pub(super) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut put = conn.prepare_cached(
            "INSERT INTO responses (id, provider, model, team, key_name, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (id) DO UPDATE SET provider = excluded.provider, model = excluded.model, team = excluded.team, \
             key_name = excluded.key_name, at = excluded.at",
        )?;
        let (id, provider) = (&*self.id, self.provider.as_deref());
        put.execute(params![id, provider, &*self.model, &*self.team, &*self.key, self.at.0])?;
        forget(conn, self.at)
    }
}

/// Deletes those that are too old, and the oldest where there are too many.
pub(super) fn forget(conn: &Connection, now: Instant) -> rusqlite::Result<()> {
    let mut old = conn.prepare_cached("DELETE FROM responses WHERE at < ?1")?;
    old.execute([now.0.saturating_sub(FOR.0)])?;
    let mut many = conn
        .prepare_cached("DELETE FROM responses WHERE number <= (SELECT max(number) FROM responses) - ?1")?;
    many.execute([MOST]).map(drop)
}

impl LedgerFile {
    /// Finds who keeps an answer, and whose it is.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn kept(&self, id: &str) -> Result<Option<Kept>, LedgerError> {
        if self.version < CHAINED {
            return Ok(None);
        }
        let text = |row: &rusqlite::Row<'_>, at| row.get::<_, String>(at).map(Text::from);
        let find = "SELECT provider, model, team, key_name, at FROM responses WHERE id = ?1";
        self.one(find, [id], |row| {
            Ok(Kept {
                id: id.into(),
                provider: row.get::<_, Option<String>>(0)?.map(Text::from),
                model: text(row, 1)?,
                team: text(row, 2)?,
                key: text(row, 3)?,
                at: Instant(row.get(4)?),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(id: &str, provider: Option<&str>, at: i64) -> Kept {
        let [model, team, key] = ["gpt-4.1", "ours", "mia"].map(Text::from);
        Kept { id: id.into(), provider: provider.map(Text::from), model, team, key, at: Instant(at) }
    }

    #[test]
    fn the_last_word_counts_and_the_oldest_go() {
        let conn = Connection::open_in_memory().unwrap();
        for step in [include_str!("schema_1.sql"), include_str!("schema_2.sql"), include_str!("schema_3.sql")]
        {
            conn.execute_batch(step).unwrap();
        }
        let count =
            || conn.query_row("SELECT count(*) FROM responses", [], |row| row.get::<_, i64>(0)).unwrap();
        kept("resp_old", Some("openai"), 0).write(&conn).unwrap();
        kept("resp_month", Some("openai"), FOR.0).write(&conn).unwrap();
        assert_eq!(count(), 2, "a month is not over");
        kept("resp_a", Some("openai"), FOR.0 + 1).write(&conn).unwrap();
        assert_eq!(count(), 2);
        conn.execute_batch(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MOST}) \
             INSERT INTO responses (id, provider, model, team, key_name, at) \
             SELECT 'resp_' || i, 'openai', '', '', '', {} FROM n",
            FOR.0 + 2
        ))
        .unwrap();
        kept("resp_b", Some("openai"), FOR.0 + 3).write(&conn).unwrap();
        kept("resp_b", None, FOR.0 + 3).write(&conn).unwrap();
        assert_eq!(count(), MOST);
        let file = LedgerFile { path: "responses".into(), conn, version: CHAINED, lost: Vec::new() };
        assert_eq!(file.kept("resp_a").unwrap(), None);
        assert_eq!(file.kept("resp_1").unwrap(), None);
        assert!(file.kept("resp_2").unwrap().is_some());
        assert_eq!(file.kept("resp_b").unwrap(), Some(kept("resp_b", None, FOR.0 + 3)));
    }
}
