//! Writes a batch in one transaction. Whatever is written twice counts once, so a batch may be tried again.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, params};
use rustc_hash::FxHashMap;

use super::batch::{Aside, AttemptDraft, Batch, Draft};
use super::entry::{AttemptEnded, Closed, Entry, Opened, PolicyVersion};
use super::lock::WriteLock;
use super::price::hex;
use super::row::{buckets, check_word, cost, count, list, meters, whole, word};
use super::sums::Running;
use super::{Durability, LedgerError, Price, schema};
use crate::units::{Instant, Span};

/// A step back of the clock that is worth a note.
const JUMP: Span = Span(2_000_000);

/// The open file, and what has to be known to write on.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) conn: Connection,
    pub(super) run: i64,
    pub(super) running: Running,
    /// The highest operation written.
    pub(super) newest: u64,
    /// When the last operation arrived.
    pub(super) last_at: Option<Instant>,
    prices: FxHashMap<String, i64>,
    /// Whether what is remembered here may differ from the file, because a transaction failed.
    stale: bool,
}

/// What a batch brought that should not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Oddities {
    /// Entries about something that was settled before, or never opened.
    pub(super) strays: u64,
}

impl Store {
    /// Opens the file.
    pub(super) fn open(path: &Path, durability: Durability, lock: &WriteLock) -> Result<Self, LedgerError> {
        let conn = schema::open_to_write(path, durability, lock)?;
        if cfg!(unix) {
            // Only what was proved is written back, and the writer asks for it.
            let own = conn.pragma_update(None, "wal_autocheckpoint", 0);
            own.map_err(|source| LedgerError::from_sqlite(path, "setting up", source))?;
        }
        let mut store = Self {
            conn,
            run: 0,
            running: Running::default(),
            newest: 0,
            last_at: None,
            prices: FxHashMap::default(),
            stale: true,
        };
        store.refresh().map_err(|source| LedgerError::from_sqlite(path, "reading the last state", source))?;
        Ok(store)
    }

    /// Reads again what is remembered here.
    fn refresh(&mut self) -> rusqlite::Result<()> {
        self.running = Running::default();
        self.prices.clear();
        let run: Option<i64> = self.conn.query_row("SELECT max(run) FROM runs", [], |row| row.get(0))?;
        self.run = run.unwrap_or(0);
        let last = "SELECT seq, at FROM operations ORDER BY seq DESC LIMIT 1";
        let last: Option<(i64, i64)> =
            self.conn.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        self.newest = last.map_or(0, |(seq, _)| u64::try_from(seq).unwrap_or(0));
        self.last_at = last.map(|(_, at)| Instant(at));
        self.stale = false;
        Ok(())
    }

    /// Closes the file without writing its log back.
    pub(super) fn leave_log(self) {
        let _ = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Writes entries, all or none of them.
    pub(super) fn write(&mut self, entries: &[Entry]) -> rusqlite::Result<Oddities> {
        if self.stale {
            self.refresh()?;
        }
        self.stale = true;
        let Self { conn, run, running, newest, last_at, prices, .. } = self;
        let batch = Batch::gather(entries, *newest);
        let change = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut writing = Writing { conn: &change, run: *run, prices, running, odd: Oddities::default() };
        for draft in &batch.drafts {
            if let Some(opened) = draft.opened {
                writing.clock(opened, last_at)?;
                *newest = (*newest).max(opened.seq);
            }
            writing.draft(draft)?;
        }
        for aside in &batch.asides {
            writing.aside(aside)?;
        }
        let odd = writing.odd;
        running.store(&change)?;
        change.commit()?;
        self.stale = false;
        Ok(odd)
    }

    /// Deletes prompts that are past their time; says how many, and when the next is due.
    pub(super) fn forget_prompts(&self, now: Instant) -> rusqlite::Result<(usize, Option<Instant>)> {
        forget_prompts(&self.conn, now)
    }
}

/// Deletes prompts that are past their time; says how many, and when the next is due.
pub(super) fn forget_prompts(conn: &Connection, now: Instant) -> rusqlite::Result<(usize, Option<Instant>)> {
    let gone = conn.execute("DELETE FROM prompts WHERE expires_at <= ?1", [now.0])?;
    let next: Option<i64> = conn.query_row("SELECT min(expires_at) FROM prompts", [], |row| row.get(0))?;
    Ok((gone, next.map(Instant)))
}

/// One transaction under way.
struct Writing<'w> {
    conn: &'w Connection,
    run: i64,
    prices: &'w mut FxHashMap<String, i64>,
    running: &'w mut Running,
    odd: Oddities,
}

impl Writing<'_> {
    /// Notes a clock that went back: the order of arrival stands, the times stay as they were given.
    fn clock(&mut self, opened: &Opened, last_at: &mut Option<Instant>) -> rusqlite::Result<()> {
        if let Some(last) = *last_at
            && opened.at.0 < last.0 - JUMP.0
        {
            let back = Span(last.0 - opened.at.0).0 / 1_000;
            let text = format!("the clock went back by {back} ms; the order of requests is kept");
            tracing::warn!(text, "ledger");
            self.note(opened.at, &text, false, opened.seq)?;
        }
        *last_at = Some(opened.at);
        Ok(())
    }

    fn draft(&mut self, draft: &Draft<'_>) -> rusqlite::Result<()> {
        let mut written_whole = false;
        if let Some(opened) = draft.opened {
            written_whole = self.open(opened, draft)?;
        }
        if let Some(what) = draft.simulated.filter(|_| draft.opened.is_none()) {
            let mut put = self
                .conn
                .prepare_cached("UPDATE operations SET simulated = ?2 WHERE seq = ?1 AND simulated = ''")?;
            put.execute(params![whole(draft.seq), what])?;
        }
        for attempt in &draft.attempts {
            self.attempt(draft, attempt)?;
        }
        match draft.closed {
            Some(closed) if !written_whole => self.close(closed),
            _ => Ok(()),
        }
    }

    /// Writes an operation; says whether it is new, its end included.
    fn open(&mut self, opened: &Opened, draft: &Draft<'_>) -> rusqlite::Result<bool> {
        if self.insert(opened, &opened.id, draft)? {
            return Ok(true);
        }
        let there: Option<String> = self
            .conn
            .prepare_cached("SELECT id FROM operations WHERE seq = ?1")?
            .query_row([whole(opened.seq)], |row| row.get(0))
            .optional()?;
        if there.is_some() {
            self.odd.strays += 1;
            return Ok(false);
        }
        // The id is taken by another operation: both are kept, and this one says so in its id.
        let id = format!("{}~{}", opened.id, opened.seq);
        self.insert(opened, &id, draft)
    }

    fn insert(&self, opened: &Opened, id: &str, draft: &Draft<'_>) -> rusqlite::Result<bool> {
        let closed = draft.closed;
        let simulated = match &*opened.simulated {
            "" => draft.simulated.unwrap_or(""),
            named => named,
        };
        let mut put = self.conn.prepare_cached(
            "INSERT OR IGNORE INTO operations (seq, id, run, at, team, project, user, session, key_name, asked, pinned, \
             task, confidence, classified, turn, tools, history, prompt_hash, prompt_bytes, route, rung, policy, reason, \
             simulated, state, status, finished) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
             ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)",
        )?;
        let done = put.execute(params![
            whole(opened.seq),
            id,
            self.run,
            opened.at.0,
            &*opened.team,
            &*opened.project,
            &*opened.user,
            &*opened.session,
            &*opened.key,
            &*opened.asked,
            opened.pinned,
            opened.task.map(crate::classifier::TaskClass::name),
            opened.confidence.map(crate::units::PerMille::get),
            &*opened.classified,
            opened.turn,
            opened.tools,
            opened.history,
            opened.prompt_hash.as_ref().map(|hash| &hash[..]),
            whole(opened.prompt_bytes),
            &*opened.route,
            opened.rung,
            opened.policy_version,
            &*opened.reason,
            simulated,
            if closed.is_some() { "done" } else { "open" },
            closed.map(|closed| closed.status.name()),
            closed.map(|closed| closed.at.0),
        ])?;
        Ok(done > 0)
    }

    fn close(&mut self, closed: Closed) -> rusqlite::Result<()> {
        let mut put = self.conn.prepare_cached(
            "UPDATE operations SET state = 'done', status = ?2, finished = ?3 WHERE seq = ?1 AND state = 'open'",
        )?;
        if put.execute(params![whole(closed.seq), closed.status.name(), closed.at.0])? == 0 {
            self.odd.strays += 1;
        }
        Ok(())
    }

    fn attempt(&mut self, draft: &Draft<'_>, attempt: &AttemptDraft<'_>) -> rusqlite::Result<()> {
        let (seq, n) = (whole(draft.seq), attempt.n);
        if attempt.started.is_some() && self.start(seq, attempt)? {
            return match attempt.ended {
                Some(ended) => {
                    let model = match &*ended.model {
                        "" => attempt.started.map_or("", |started| &started.model),
                        named => named,
                    };
                    self.charge(seq, ended, model, draft.opened.map(|opened| &*opened.team))
                }
                None => Ok(()),
            };
        }
        if let Some(delivered) = attempt.delivered
            && attempt.ended.is_none()
        {
            let mut put = self.conn.prepare_cached(
                "UPDATE attempts SET delivered = max(coalesce(delivered, 0), ?3) WHERE seq = ?1 AND n = ?2 AND state = 'open'",
            )?;
            put.execute(params![seq, n, whole(delivered)])?;
        }
        let Some(ended) = attempt.ended else { return Ok(()) };
        let model: Option<String> = self.end(seq, ended)?;
        if let Some(model) = model {
            return self.charge(seq, ended, &model, draft.opened.map(|opened| &*opened.team));
        }
        let settled = self
            .conn
            .prepare_cached("SELECT 1 FROM attempts WHERE seq = ?1 AND n = ?2")?
            .exists(params![seq, n])?;
        self.odd.strays += 1;
        if settled {
            return Ok(());
        }
        // Money of a call whose beginning nobody recorded is money all the same.
        let mut put = self.conn.prepare_cached(
            "INSERT INTO attempts (seq, n, asked, model, provider, started, state) VALUES (?1, ?2, ?3, ?3, '', 0, 'open')",
        )?;
        put.execute(params![seq, n, &*ended.model])?;
        self.end(seq, ended)?;
        self.charge(seq, ended, &ended.model, draft.opened.map(|opened| &*opened.team))
    }

    /// Writes an attempt that began, with its end where that is known already; says whether it is new.
    fn start(&mut self, seq: i64, attempt: &AttemptDraft<'_>) -> rusqlite::Result<bool> {
        let Some(started) = attempt.started else { return Ok(false) };
        let ended = attempt.ended;
        let price = ended.map_or(started.price.as_ref(), |ended| ended.price.as_ref());
        let price = price.map(|price| self.price(price)).transpose()?;
        let model = match ended {
            Some(ended) if !ended.model.is_empty() => &ended.model,
            _ => &started.model,
        };
        let [input, cache_read, write_5m, write_1h, output, reasoning] =
            ended.map_or([None; 6], |ended| buckets(&ended.usage));
        let mut put = self.conn.prepare_cached(
            "INSERT OR IGNORE INTO attempts (seq, n, asked, model, provider, rung, started, prompt, delivered, price, \
             state, status, checked, error, latency_ms, ttft_ms, input, cache_read, write_5m, write_1h, output, \
             reasoning, estimated, tier, meters, left_out, gap_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
             ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)",
        )?;
        let done = put.execute(params![
            seq,
            started.n,
            &*started.asked,
            &**model,
            &*started.provider,
            started.rung,
            started.at.0,
            count(started.prompt_tokens),
            attempt.delivered.map(whole),
            price,
            if ended.is_some() { "settled" } else { "open" },
            ended.map(|ended| ended.status.name()),
            ended.and_then(|ended| check_word(ended.check)),
            ended.and_then(|ended| word(&ended.error)),
            ended.and_then(|ended| ended.latency_ms),
            ended.and_then(|ended| ended.ttft_ms),
            input,
            cache_read,
            write_5m,
            write_1h,
            output,
            reasoning,
            ended.is_some_and(|ended| ended.estimated),
            ended.and_then(|ended| word(ended.terms.tier())),
            ended.and_then(|ended| meters(&ended.terms)),
            ended.and_then(|ended| list(&ended.left_out)),
            ended.and_then(|ended| ended.gap_ms),
        ])?;
        Ok(done > 0)
    }

    /// Settles an attempt that is open in the file; gives the model billed, or none where no such attempt is open.
    fn end(&mut self, seq: i64, ended: &AttemptEnded) -> rusqlite::Result<Option<String>> {
        let price = ended.price.as_ref().map(|price| self.price(price)).transpose()?;
        let [input, cache_read, write_5m, write_1h, output, reasoning] = buckets(&ended.usage);
        let mut put = self.conn.prepare_cached(
            "UPDATE attempts SET state = 'settled', model = CASE ?3 WHEN '' THEN model ELSE ?3 END, price = ?4, \
             status = ?5, checked = ?6, error = ?7, latency_ms = ?8, ttft_ms = ?9, input = ?10, cache_read = ?11, \
             write_5m = ?12, write_1h = ?13, output = ?14, reasoning = ?15, estimated = ?16, tier = ?17, meters = ?18, \
             left_out = ?19, gap_ms = ?20 \
             WHERE seq = ?1 AND n = ?2 AND state = 'open' RETURNING model",
        )?;
        put.query_row(
            params![
                seq,
                ended.n,
                &*ended.model,
                price,
                ended.status.name(),
                check_word(ended.check),
                word(&ended.error),
                ended.latency_ms,
                ended.ttft_ms,
                input,
                cache_read,
                write_5m,
                write_1h,
                output,
                reasoning,
                ended.estimated,
                word(ended.terms.tier()),
                meters(&ended.terms),
                list(&ended.left_out),
                ended.gap_ms,
            ],
            |row| row.get(0),
        )
        .optional()
    }

    fn charge(
        &mut self,
        seq: i64,
        ended: &AttemptEnded,
        model: &str,
        team: Option<&str>,
    ) -> rusqlite::Result<()> {
        let price = ended.price.as_ref().map(|price| self.price(price)).transpose()?;
        let new = charge(self.conn, seq, ended.n, ended.cost, price)?;
        if !new {
            self.odd.strays += 1;
            return Ok(());
        }
        if let Some(team) = team {
            return self.running.add(self.conn, model, team, ended.cost);
        }
        let mut find = self.conn.prepare_cached("SELECT team FROM operations WHERE seq = ?1")?;
        let team: Option<String> = find.query_row([seq], |row| row.get(0)).optional()?;
        self.running.add(self.conn, model, team.as_deref().unwrap_or(""), ended.cost)
    }

    /// Gives a price's number, writing the price at first sight.
    fn price(&mut self, price: &Price) -> rusqlite::Result<i64> {
        if let Some(&number) = self.prices.get(&price.id) {
            return Ok(number);
        }
        let mut put = self.conn.prepare_cached(
            "INSERT OR IGNORE INTO price_rows (id, model, valid_from, rates, source, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let from = price.from.map(|from| from.0);
        put.execute(params![price.id, price.model, from, price.text, price.row.source, price.hash])?;
        let mut find = self.conn.prepare_cached("SELECT price FROM price_rows WHERE id = ?1")?;
        let number = find.query_row([&price.id], |row| row.get(0))?;
        self.prices.insert(price.id.clone(), number);
        Ok(number)
    }

    fn aside(&mut self, aside: &Aside<'_>) -> rusqlite::Result<()> {
        match aside {
            Aside::Policy(policy) => self.policy(policy),
            Aside::Audit(audit) => {
                let mut put = self.conn.prepare_cached(
                    "INSERT INTO audit (at, who, what, before, after) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?;
                put.execute(params![audit.at.0, &*audit.who, &*audit.what, &*audit.before, &*audit.after])
                    .map(drop)
            }
            Aside::Label(label) => {
                let mut put = self.conn.prepare_cached(
                    "INSERT INTO labels (seq, model, quality, output, source, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?;
                let quality = label.quality.map(crate::units::PerMille::get);
                let output = label.output.map(whole);
                put.execute(params![
                    whole(label.seq),
                    &*label.model,
                    quality,
                    output,
                    &*label.source,
                    label.at.0
                ])
                .map(drop)
            }
            Aside::Note(note, before) => self.note(note.at, &note.text, note.simulated, *before),
            Aside::Prompt(prompt) => {
                let mut put = self.conn.prepare_cached(
                    "INSERT INTO prompts (seq, kind, body, expires_at) VALUES (?1, ?2, ?3, ?4)",
                )?;
                put.execute(params![whole(prompt.seq), &*prompt.kind, &*prompt.body, prompt.expires_at.0])
                    .map(drop)
            }
        }
    }

    fn policy(&mut self, policy: &PolicyVersion) -> rusqlite::Result<()> {
        let hash = policy_hash(&policy.text);
        let mut put = self.conn.prepare_cached(
            "INSERT OR IGNORE INTO policies (version, at, from_seq, who, what, hash, text) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let new = put.execute(params![
            policy.version,
            policy.at.0,
            whole(policy.from_seq),
            &*policy.who,
            &*policy.what,
            hash,
            &*policy.text,
        ])?;
        if new == 0 {
            self.odd.strays += 1;
        }
        Ok(())
    }

    fn note(&self, at: Instant, text: &str, simulated: bool, before: u64) -> rusqlite::Result<()> {
        let mut put = self
            .conn
            .prepare_cached("INSERT INTO notes (before_seq, at, text, simulated) VALUES (?1, ?2, ?3, ?4)")?;
        put.execute(params![whole(before), at.0, text, simulated]).map(drop)
    }
}

/// Writes a charge; says whether it is new.
pub(super) fn charge(
    conn: &Connection,
    seq: i64,
    n: u32,
    amount: crate::pricing::Cost,
    price: Option<i64>,
) -> rusqlite::Result<bool> {
    let mut put = conn.prepare_cached(
        "INSERT OR IGNORE INTO charges (seq, n, kind, why, amount, price) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let (kind, why, amount) = cost(amount);
    Ok(put.execute(params![seq, n, kind, why, amount, price])? > 0)
}

/// Gives the hash under which a policy's text is stored.
pub(super) fn policy_hash(text: &str) -> String {
    use sha2::Digest as _;
    hex(&sha2::Sha256::digest(text.as_bytes()))
}
