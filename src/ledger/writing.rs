//! One transaction under way: entries as rows, each of them once.
//!
//! Invariant: whatever is told again, in the same batch or a later one, changes nothing.

use rusqlite::{Connection, OptionalExtension as _, params};
use rustc_hash::FxHashMap;

use super::Price;
use super::batch::{Aside, AttemptDraft, Batch, Draft};
use super::chain::{Chain, Kind, OWN, base};
use super::entry::{AttemptEnded, Closed, Opened, PolicyVersion};
use super::row::{amount, buckets, check_word, count, kind, list, meters, whole, word};
use super::sqlite::policy_hash;
use super::store::Oddities;
use super::sums::Increments;
use crate::pricing::Cost;
use crate::routing::Effort;
use crate::units::{Instant, Span};

/// A step back of the clock that is worth a note.
const JUMP: Span = Span(2_000_000);

/// One transaction under way.
pub(super) struct Writing<'w> {
    pub(super) conn: &'w Connection,
    pub(super) run: i64,
    pub(super) prices: &'w mut FxHashMap<String, i64>,
    pub(super) sums: &'w mut Increments,
    pub(super) chain: &'w mut Chain,
    /// The gateway's highest operation.
    pub(super) newest: &'w mut u64,
    pub(super) last_at: &'w mut Option<Instant>,
    pub(super) odd: Oddities,
}

impl Writing<'_> {
    /// Writes a batch and gives each entry that has become final its link.
    pub(super) fn batch(&mut self, batch: &Batch<'_>) -> rusqlite::Result<()> {
        // What others speak of comes first, then operations as they ended, then what speaks of them.
        for aside in batch.asides.iter().filter(|aside| matches!(aside, Aside::Policy(_))) {
            self.aside(aside)?;
        }
        for draft in batch.drafts.iter().filter(|draft| draft.closed.is_none()) {
            self.draft(draft)?;
            if draft.is_late() {
                self.chain.link(self.conn, Kind::Operation, self.number(draft.seq), false)?;
            }
        }
        for draft in batch.ended() {
            let over = self.draft(draft)?;
            // At once, as long as its pages are at hand.
            self.chain.link(self.conn, Kind::Operation, self.number(draft.seq), over)?;
        }
        for aside in batch.asides.iter().filter(|aside| !matches!(aside, Aside::Policy(_))) {
            self.aside(aside)?;
        }
        self.sums.store(self.conn)?;
        self.chain.store(self.conn)
    }

    /// Returns an operation's number in the store.
    fn number(&self, seq: u64) -> i64 {
        base(self.chain.gateway) | whole(seq).min(OWN)
    }

    /// Returns a row that has come its link.
    fn came(&mut self, kind: Kind) -> rusqlite::Result<()> {
        let number = self.conn.last_insert_rowid();
        self.chain.link(self.conn, kind, number, true)
    }

    /// Takes note of when an operation arrived, and of a clock that went back: the order of arrival stands, the times stay
    /// as they were given.
    fn clock(&mut self, opened: &Opened) -> rusqlite::Result<()> {
        if opened.seq <= *self.newest {
            return Ok(());
        }
        *self.newest = opened.seq;
        if let Some(last) = *self.last_at
            && opened.at.0 < last.0 - JUMP.0
        {
            let back = Span(last.0 - opened.at.0).0 / 1_000;
            let text = format!("the clock went back by {back} ms; the order of requests is kept");
            tracing::warn!(text, "ledger");
            self.note(opened.at, &text, false, opened.seq)?;
        }
        *self.last_at = Some(opened.at);
        Ok(())
    }

    /// Writes what a batch says of an operation; says whether that has ended now.
    fn draft(&mut self, draft: &Draft<'_>) -> rusqlite::Result<bool> {
        let mut written_whole = false;
        if let Some(opened) = draft.opened {
            written_whole = self.open(opened, draft)?;
            if written_whole {
                self.clock(opened)?;
            }
        }
        if let Some(what) = draft.simulated.filter(|_| draft.opened.is_none()) {
            let mut put = self
                .conn
                .prepare_cached("UPDATE operations SET simulated = ?2 WHERE seq = ?1 AND simulated = ''")?;
            put.execute(params![self.number(draft.seq), what])?;
        }
        for attempt in &draft.attempts {
            self.attempt(draft, attempt)?;
        }
        match draft.closed {
            Some(closed) if !written_whole => self.close(closed),
            closed => Ok(closed.is_some()),
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
            .query_row([self.number(opened.seq)], |row| row.get(0))
            .optional()?;
        if there.is_some() {
            self.odd.unexpected += 1;
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
             simulated, state, status, finished, window, max_output, vision, require, down) VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
             ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, \
             ?29, ?30, ?31, ?32)",
        )?;
        let done = put.execute(params![
            self.number(opened.seq),
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
            opened.window,
            opened.max_output,
            opened.vision,
            list(&opened.require),
            list(&opened.down),
        ])?;
        Ok(done > 0)
    }

    /// Closes an operation; says whether it was open.
    fn close(&mut self, closed: Closed) -> rusqlite::Result<bool> {
        let mut put = self.conn.prepare_cached(
            "UPDATE operations SET state = 'done', status = ?2, finished = ?3 WHERE seq = ?1 AND state = 'open'",
        )?;
        let done = put.execute(params![self.number(closed.seq), closed.status.name(), closed.at.0])?;
        if done == 0 {
            self.odd.unexpected += 1;
        }
        Ok(done > 0)
    }

    fn attempt(&mut self, draft: &Draft<'_>, attempt: &AttemptDraft<'_>) -> rusqlite::Result<()> {
        let (seq, n) = (self.number(draft.seq), attempt.n);
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
        self.odd.unexpected += 1;
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
             reasoning, estimated, tier, meters, left_out, gap_ms, effort) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
             ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)",
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
            ended.map_or(started.effort, |ended| ended.effort).map(Effort::name),
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
             left_out = ?19, gap_ms = ?20, effort = ?21 \
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
                ended.effort.map(Effort::name),
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
            self.odd.unexpected += 1;
            return Ok(());
        }
        if let Some(team) = team {
            self.sums.add(model, team, ended.cost);
            return Ok(());
        }
        let mut find = self.conn.prepare_cached("SELECT team FROM operations WHERE seq = ?1")?;
        let team: Option<String> = find.query_row([seq], |row| row.get(0)).optional()?;
        self.sums.add(model, team.as_deref().unwrap_or(""), ended.cost);
        Ok(())
    }

    /// Returns a price's number, writing the price at first sight.
    fn price(&mut self, price: &Price) -> rusqlite::Result<i64> {
        if let Some(&number) = self.prices.get(&price.id) {
            return Ok(number);
        }
        let mut put = self.conn.prepare_cached(
            "INSERT OR IGNORE INTO price_rows (id, model, valid_from, rates, source, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let from = price.from.map(|from| from.0);
        let new =
            put.execute(params![price.id, price.model, from, price.text, price.row.source, price.hash])?;
        if new > 0 {
            self.came(Kind::Price)?;
        }
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
                    "INSERT INTO audit (at, who, what, before, after) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 \
                     FROM audit WHERE at = ?1 AND who = ?2 AND what = ?3 AND before = ?4 AND after = ?5)",
                )?;
                let said = params![audit.at.0, &*audit.who, &*audit.what, &*audit.before, &*audit.after];
                let new = put.execute(said)?;
                self.told(Kind::Audit, new)
            }
            Aside::Label(label) => {
                let mut put = self.conn.prepare_cached(
                    "INSERT INTO labels (seq, model, quality, output, source, at) SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT \
                     EXISTS (SELECT 1 FROM labels WHERE seq = ?1 AND model = ?2 AND quality IS ?3 AND output IS ?4 \
                     AND source = ?5 AND at = ?6)",
                )?;
                let quality = label.quality.map(crate::units::PerMille::get);
                let (seq, output) = (self.number(label.seq), label.output.map(whole));
                let new =
                    put.execute(params![seq, &*label.model, quality, output, &*label.source, label.at.0])?;
                self.told(Kind::Label, new)
            }
            Aside::Kept(kept) => kept.write(self.conn),
            Aside::Note(note, before) => self.note(note.at, &note.text, note.simulated, *before),
            Aside::Prompt(prompt) => {
                let mut put = self.conn.prepare_cached(
                    "INSERT INTO prompts (seq, kind, body, hash, expires_at) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS \
                     (SELECT 1 FROM prompts WHERE seq = ?1 AND kind = ?2 AND hash = ?4 AND expires_at = ?5)",
                )?;
                let hash = body_hash(&prompt.body);
                let (seq, until) = (self.number(prompt.seq), prompt.expires_at.0);
                let new = put.execute(params![seq, &*prompt.kind, &*prompt.body, hash, until])?;
                self.told(Kind::Prompt, new)
            }
        }
    }

    /// Takes note of a row, or that there was one already.
    fn told(&mut self, kind: Kind, new: usize) -> rusqlite::Result<()> {
        if new > 0 {
            return self.came(kind);
        }
        self.odd.unexpected += 1;
        Ok(())
    }

    fn policy(&mut self, policy: &PolicyVersion) -> rusqlite::Result<()> {
        let hash = policy_hash(&policy.text);
        let mut put = self.conn.prepare_cached(
            "INSERT OR IGNORE INTO policies (version, at, from_seq, who, what, hash, text, undo) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let new = put.execute(params![
            policy.version,
            policy.at.0,
            self.number(policy.from_seq),
            &*policy.who,
            &*policy.what,
            hash,
            &*policy.text,
            policy.undo,
        ])?;
        if new == 0 {
            self.odd.unexpected += 1;
            return Ok(());
        }
        self.chain.link(self.conn, Kind::Policy, i64::from(policy.version), true)
    }

    pub(super) fn note(
        &mut self,
        at: Instant,
        text: &str,
        simulated: bool,
        before: u64,
    ) -> rusqlite::Result<()> {
        let mut put = self.conn.prepare_cached(
            "INSERT INTO notes (before_seq, at, text, simulated) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS \
             (SELECT 1 FROM notes WHERE at = ?2 AND text = ?3 AND simulated = ?4 AND before_seq >> 40 = ?1 >> 40)",
        )?;
        let new = put.execute(params![self.number(before), at.0, text, simulated])?;
        self.told(Kind::Note, new)
    }
}

/// Returns the hash of a stored text, which outlasts it.
pub(super) fn body_hash(body: &str) -> super::encoding::Hash {
    use sha2::Digest as _;
    sha2::Sha256::digest(body.as_bytes()).into()
}

/// Writes a charge; says whether it is new.
pub(super) fn charge(
    conn: &Connection,
    seq: i64,
    n: u32,
    cost: Cost,
    price: Option<i64>,
) -> rusqlite::Result<bool> {
    let mut put = conn.prepare_cached(
        "INSERT OR IGNORE INTO charges (seq, n, kind, why, micro, pico, price) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let (micro, pico) = cost.amount().map(amount).transpose()?.unzip();
    let (kind, why) = kind(cost);
    Ok(put.execute(params![seq, n, kind, why, micro, pico, price])? > 0)
}
