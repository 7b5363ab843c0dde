//! The chain: every entry, when it has become final, gets a link whose hash covers it and the link before.
//!
//! Invariants: an entry that is told again gets no second link; one that is changed in good order gets a new one, and the old
//! one keeps its digest, so that the chain can be followed from its origin to its head whatever became of an entry.

use crate::units::hex;
use std::fmt;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::encoding::{Encoding, Hash, chained, origin, parse_hash};

/// The version from which on entries are chained, and amounts are integers.
pub(super) const CHAINED: i64 = 3;
/// The version from which on corrections and signals have tables of their own.
pub(super) const CORRECTED: i64 = 4;
/// Bits of an operation's or a link's number that are the gateway's own sequence; above them stands the gateway.
const OWN_BITS: u32 = 40;
/// The largest number of a gateway's own sequence.
pub(super) const OWN: i64 = (1 << OWN_BITS) - 1;

/// Returns the first number of a gateway, which is none of an entry.
pub(super) fn base(gateway: i64) -> i64 {
    gateway << OWN_BITS
}

/// Returns the gateway that a number belongs to.
pub(super) fn gateway_of(number: i64) -> i64 {
    number >> OWN_BITS
}

/// Returns a number within its gateway's own sequence.
pub(super) fn own(number: i64) -> i64 {
    number & OWN
}

/// A place in a gateway's chain: whoever has read up to it has had every entry before it and none after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The gateway's id.
    pub gateway: String,
    /// The link's number, from 1; 0 is before the first.
    pub link: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.gateway, self.link)
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = text.rsplit_once(':').and_then(|(gateway, link)| Some((gateway, link.parse().ok()?)));
        match read {
            Some((gateway, link)) if !gateway.is_empty() => Ok(Self { gateway: gateway.to_owned(), link }),
            _ => Err("write GATEWAY:LINK, as `pointsman ledger head` prints it".to_owned()),
        }
    }
}

/// The end of a gateway's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Where it ends.
    pub cursor: Cursor,
    /// The hash of the last link, in hexadecimal; it stands for everything before it.
    pub hash: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cursor, self.hash)
    }
}

/// Reads a hash as `pointsman ledger head` prints it, with or without its cursor.
pub(super) fn noted(text: &str) -> Option<Hash> {
    parse_hash(&text.split_ascii_whitespace().last()?.to_ascii_lowercase())
}

/// What is asked of the tables for a kind.
pub(super) struct Statements {
    /// The fields of the entry whose number is `?1`.
    pub(super) read: &'static str,
    /// Entries that no link speaks of, of which none is under way.
    pub(super) unlinked: &'static str,
}

/// Declares the kinds, those first that others speak of: each with its number, its word in the canonical form, its table, the
/// key of that, which of it are over, and its fields.
macro_rules! kinds {
    ($($kind:ident = $code:literal $name:literal in $table:literal by $key:literal $over:literal: $fields:literal;)*) => {
        /// What an entry is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind {
            $($kind = $code,)*
        }

        impl Kind {
            /// Every kind, those first that others speak of.
            pub(super) const ALL: [Self; 10] = [$(Self::$kind),*];

            /// Its word in the canonical form.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            pub(super) fn statements(self) -> Statements {
                match self {
                    $(Self::$kind => Statements {
                        read: concat!("SELECT ", $fields, " FROM ", $table, " WHERE ", $key, " = ?1"),
                        unlinked: concat!(
                            "SELECT t.", $key, " FROM ", $table, " t WHERE ", $over, "NOT EXISTS \
                             (SELECT 1 FROM chain c WHERE c.kind = ", $code, " AND c.ref = t.", $key, ") ORDER BY 1"
                        ),
                    },)*
                }
            }
        }
    };
}

kinds! {
    Run = 3 "run" in "runs" by "run" "": "run, program, started, listen, classifier, prices";
    Price = 2 "price" in "price_rows" by "price" "": "price, id, model, valid_from, rates, source, hash";
    Policy = 4 "policy" in "policies" by "version" "":
        "version, at, from_seq & 0xffffffffff, who, what, undo, hash, text";
    Audit = 5 "audit" in "audit" by "id" "": "at, who, what, before, after";
    Note = 7 "note" in "notes" by "id" "": "before_seq & 0xffffffffff, at, text, simulated";
    Prompt = 8 "prompt" in "prompts" by "id" "": "seq & 0xffffffffff, kind, hash, expires_at";
    Operation = 1 "operation" in "operations" by "seq" "t.state <> 'open' AND ":
        "state, seq & 0xffffffffff, id, run, at, team, project, user, session, key_name, asked, pinned, task, \
         confidence, classified, turn, tools, history, prompt_hash, prompt_bytes, route, rung, policy, reason, simulated, \
         status, finished, window, max_output, vision, require, down";
    Label = 6 "label" in "labels" by "id" "":
        "seq & 0xffffffffff, coalesce((SELECT o.id FROM operations o WHERE o.seq = labels.seq), ''), model, quality, output, \
         source, at";
    Correction = 9 "correction" in "corrections" by "id" "":
        "seq & 0xffffffffff, coalesce((SELECT o.id FROM operations o WHERE o.seq = corrections.seq), ''), n, kind, why, micro, \
         pico, source, at";
    Signal = 10 "signal" in "signals" by "id" "": "before_seq & 0xffffffffff, at, model, until, why";
}

/// How many fields an operation has; its state stands before them.
const OPERATION_FIELDS: usize = 31;

const CALLS: &str = "SELECT a.n, a.asked, a.model, a.provider, a.rung, a.started, a.prompt, a.delivered, a.price, a.state, \
    a.status, a.checked, a.error, a.latency_ms, a.ttft_ms, a.input, a.cache_read, a.write_5m, a.write_1h, a.output, \
    a.reasoning, a.estimated, a.tier, a.meters, a.left_out, a.gap_ms, a.effort, c.kind, c.why, c.micro, c.pico \
    FROM attempts a LEFT JOIN charges c ON c.seq = a.seq AND c.n = a.n WHERE a.seq = ?1 ORDER BY a.n";
const CALL_FIELDS: usize = 31;

impl Kind {
    /// Those that a ledger of a version has tables for.
    pub(super) fn of_version(version: i64) -> impl Iterator<Item = Self> {
        let is_there =
            move |kind: &Self| version >= CORRECTED || !matches!(kind, Self::Correction | Self::Signal);
        Self::ALL.into_iter().filter(is_there)
    }

    /// Its number in the table.
    pub(super) fn code(self) -> i64 {
        self as i64
    }

    pub(super) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An entry as its tables have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// More of it is to come.
    Open,
    /// It is final, and this is its digest.
    Final(Hash),
}

/// Reads an entry and makes its digest.
pub(super) fn find(
    conn: &Connection,
    form: &mut Encoding,
    kind: Kind,
    number: i64,
) -> rusqlite::Result<Found> {
    let mut read = conn.prepare_cached(kind.statements().read)?;
    let mut rows = read.query([number])?;
    let Some(row) = rows.next()? else { return Ok(Found::Nothing) };
    form.begin(kind.name());
    if kind != Kind::Operation {
        let fields = row.as_ref().column_count();
        form.columns(row, 0, fields)?;
        return Ok(Found::Final(form.digest()));
    }
    if row.get_ref(0)?.as_str()? == "open" {
        return Ok(Found::Open);
    }
    form.columns(row, 1, OPERATION_FIELDS)?;
    let mut calls = conn.prepare_cached(CALLS)?;
    let mut calls = calls.query([number])?;
    let mut count = 0;
    while let Some(call) = calls.next()? {
        form.columns(call, 0, CALL_FIELDS)?;
        count += 1;
    }
    form.whole(count);
    Ok(Found::Final(form.digest()))
}

/// Returns an entry's newest link, with its digest.
pub(super) fn newest_link(
    conn: &Connection,
    kind: Kind,
    number: i64,
) -> rusqlite::Result<Option<(i64, Hash)>> {
    let mut find = conn.prepare_cached(
        "SELECT link, digest FROM chain WHERE kind = ?1 AND ref = ?2 ORDER BY kind, ref, link DESC LIMIT 1",
    )?;
    find.query_row([kind.code(), number], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// The chain of the gateway that writes.
#[derive(Debug)]
pub(super) struct Chain {
    /// The gateway's number in this store.
    pub(super) gateway: i64,
    pub(super) id: String,
    head: i64,
    hash: Hash,
    form: Encoding,
}

impl Chain {
    /// Takes up the chain of a gateway where it ends.
    pub(super) fn take_up(conn: &Connection, gateway: i64) -> rusqlite::Result<Option<Self>> {
        let found =
            conn.query_row("SELECT id, head, hash FROM gateways WHERE gateway = ?1", [gateway], |row| {
                let form = Encoding::of("");
                Ok(Self { gateway, id: row.get(0)?, head: row.get(1)?, hash: row.get(2)?, form })
            });
        found.optional()
    }

    /// Begins the chain of a gateway.
    pub(super) fn begin(conn: &Connection, gateway: i64, id: &str) -> rusqlite::Result<()> {
        let put = "INSERT INTO gateways (gateway, id, head, hash) VALUES (?1, ?2, 0, ?3)";
        conn.execute(put, params![gateway, id, origin(id)]).map(drop)
    }

    /// Returns an entry that is final its link, unless it has one and is what that says; `new` has none for sure.
    pub(super) fn link(
        &mut self,
        conn: &Connection,
        kind: Kind,
        number: i64,
        new: bool,
    ) -> rusqlite::Result<()> {
        let Found::Final(digest) = find(conn, &mut self.form, kind, number)? else { return Ok(()) };
        if !new && newest_link(conn, kind, number)?.is_some_and(|(_, known)| known == digest) {
            return Ok(());
        }
        self.put(conn, kind, number, digest)
    }

    /// Links an entry of that digest.
    pub(super) fn put(
        &mut self,
        conn: &Connection,
        kind: Kind,
        number: i64,
        digest: Hash,
    ) -> rusqlite::Result<()> {
        self.head += 1;
        self.hash = chained(&self.hash, &digest, kind.code());
        let mut put = conn.prepare_cached(
            "INSERT INTO chain (link, kind, ref, digest, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        put.execute(params![base(self.gateway) | self.head, kind.code(), number, digest, self.hash]).map(drop)
    }

    /// Writes down where the chain ends.
    pub(super) fn store(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut put = conn
            .prepare_cached("UPDATE gateways SET head = ?2, hash = ?3 WHERE gateway = ?1 AND head <> ?2")?;
        put.execute(params![self.gateway, self.head, self.hash]).map(drop)
    }

    /// Returns its end.
    pub(super) fn head(&self) -> Head {
        let link = u64::try_from(self.head).unwrap_or(0);
        Head { cursor: Cursor { gateway: self.id.clone(), link }, hash: hex(&self.hash) }
    }
}

/// Makes a name for a gateway that no other has.
pub(super) fn new_id() -> String {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        // Without chance the moment has to do.
        bytes = super::options::now().0.to_be_bytes();
    }
    format!("gw-{}", hex(&bytes))
}

/// Links what an older program wrote, in the order in which others speak of it. `tick` hears how many of how many
/// operations are done.
pub(super) fn link_all(conn: &Connection, mut tick: impl FnMut(u64, u64)) -> rusqlite::Result<()> {
    let Some(mut chain) = Chain::take_up(conn, 0)? else { return Ok(()) };
    let count = "SELECT count(*) FROM operations";
    let total = conn.query_row(count, [], |row| super::row::count_at(row, 0))?;
    for kind in Kind::of_version(CHAINED) {
        let mut all = conn.prepare(kind.statements().unlinked)?;
        let numbers: Vec<i64> = all.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for (done, number) in (0..).zip(numbers) {
            if kind == Kind::Operation && done % super::row::STRIDE == 0 {
                tick(done, total);
            }
            chain.link(conn, kind, number, true)?;
        }
    }
    chain.store(conn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_numbers_keep_gateways_apart() {
        let cursor = Cursor { gateway: "gw-1".to_owned(), link: 7 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert!("gw-1".parse::<Cursor>().is_err() && ":7".parse::<Cursor>().is_err());
        assert_eq!((gateway_of(base(3) | 5), own(base(3) | 5), gateway_of(OWN)), (3, 5, 0));
        assert_ne!(new_id(), new_id());
    }
}
