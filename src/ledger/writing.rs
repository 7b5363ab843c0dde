//! One transaction under way: entries as rows, each of them once.
//!
//! Invariant: whatever is told again, in the same batch or a later one, changes nothing.

use rusqlite::{Connection, OptionalExtension as _, params};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Price;
use super::batch::{AttemptDraft, Batch, Draft};
use super::chain::{Chain, Kind, OWN, base, own};
use super::corrections;
use super::encoding::{Encoding, Field, text_hash};
use super::entry::{AttemptEnded, Closed, Entry, Opened, PolicyVersion};
use super::row::{amount, buckets, check_text, count, kind, list, meters, whole, word};
use super::sums::Increments;
use crate::pricing::Cost;
use crate::routing::Effort;
use crate::units::{Instant, Span, hex};

/// A step back of the clock that is worth a note.
const JUMP: Span = Span(2_000_000);

/// How many columns of an operation are written, and which of them is its state.
const OPERATION: usize = 32;
const STATE: usize = 24;

/// One transaction under way.
pub(super) struct Writing<'w> {
    pub(super) conn: &'w Connection,
    pub(super) run: i64,
    pub(super) prices: &'w mut FxHashMap<String, i64>,
    pub(super) sums: &'w mut Increments,
    pub(super) chain: &'w mut Chain,
    /// The canonical form of the operation that is written.
    pub(super) form: &'w mut Encoding,
    /// The gateway's highest operation.
    pub(super) newest: &'w mut u64,
    /// The highest operation of which any call was written before this batch.
    pub(super) called: &'w mut u64,
    pub(super) last_at: &'w mut Option<Instant>,
    /// Entries about something that was settled before, or never opened.
    pub(super) odd: u64,
}

impl Writing<'_> {
    /// Writes a batch and links each entry that has become final.
    pub(super) fn batch(&mut self, batch: &Batch<'_>) -> rusqlite::Result<()> {
        // What others speak of comes first, then operations as they ended, then what speaks of them.
        for (aside, _) in &batch.asides {
            if let Entry::Policy(policy) = aside {
                self.policy(policy)?;
            }
        }
        for draft in batch.drafts.iter().filter(|draft| draft.closed.is_none()) {
            self.draft(draft)?;
            if draft.is_late() {
                self.chain.link(self.conn, Kind::Operation, self.number(draft.seq), false)?;
            }
        }
        for draft in batch.ended() {
            let number = self.number(draft.seq);
            // At once, as long as its pages are in memory.
            match self.draft(draft)? {
                Written::Whole => self.chain.put(self.conn, Kind::Operation, number, self.form.digest())?,
                written => self.chain.link(self.conn, Kind::Operation, number, written == Written::Ended)?,
            }
        }
        let called = batch.drafts.iter().filter(|draft| !draft.attempts.is_empty()).map(|draft| draft.seq);
        *self.called = called.max().unwrap_or(0).max(*self.called);
        for (aside, before) in &batch.asides {
            self.aside(aside, *before)?;
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

    /// Writes what a batch says of an operation.
    fn draft(&mut self, draft: &Draft<'_>) -> rusqlite::Result<Written> {
        let mut is_new = false;
        if let Some(opened) = draft.opened {
            is_new = self.open(opened, draft)?;
            if is_new {
                self.clock(opened)?;
            }
        }
        if let Some(what) = draft.simulated.filter(|_| draft.opened.is_none()) {
            let mut put = self.conn.prepare_cached("UPDATE operations SET simulated = ?2 WHERE seq = ?1")?;
            put.execute(params![self.number(draft.seq), what])?;
        }
        // Whatever calls its rows have besides are of an earlier batch; the canonical form has them by number.
        let mut is_whole =
            is_new && draft.seq > *self.called && draft.attempts.is_sorted_by_key(|call| call.n);
        for attempt in &draft.attempts {
            is_whole &= self.attempt(draft, attempt)?;
        }
        match draft.closed {
            None => Ok(Written::Open),
            Some(closed) if !is_new && !self.close(closed)? => Ok(Written::Open),
            Some(_) if is_whole => {
                self.form.whole(i64::try_from(draft.attempts.len()).unwrap_or(i64::MAX));
                Ok(Written::Whole)
            }
            Some(_) => Ok(Written::Ended),
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
            self.odd += 1;
            return Ok(false);
        }
        // The id is taken by another operation: both are kept, and this one says so in its id.
        let id = format!("{}~{}", opened.id, opened.seq);
        self.insert(opened, &id, draft)
    }

    fn insert(&mut self, opened: &Opened, id: &str, draft: &Draft<'_>) -> rusqlite::Result<bool> {
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
        let down = closed.and_then(|closed| closed.down.as_deref()).unwrap_or(&opened.down);
        let (require, down, prompt) = (list(&opened.require), list(down), prompt_hashes(opened));
        let fields: [Field<'_>; OPERATION] = [
            self.number(opened.seq).into(),
            id.into(),
            self.run.into(),
            opened.at.0.into(),
            (&*opened.team).into(),
            (&*opened.project).into(),
            (&*opened.user).into(),
            (&*opened.session).into(),
            (&*opened.key).into(),
            (&*opened.asked).into(),
            opened.pinned.into(),
            opened.task.map(crate::classifier::TaskClass::name).into(),
            opened.confidence.map(crate::units::PerMille::get).into(),
            (&*opened.classified).into(),
            opened.turn.into(),
            opened.tools.into(),
            opened.history.into(),
            prompt.as_deref().into(),
            whole(opened.prompt_bytes).into(),
            (&*opened.route).into(),
            opened.rung.into(),
            opened.policy_version.into(),
            (&*opened.reason).into(),
            simulated.into(),
            (if closed.is_some() { "done" } else { "open" }).into(),
            closed.map(|closed| closed.status.name()).into(),
            closed.map(|closed| closed.at.0).into(),
            opened.window.into(),
            opened.max_output.into(),
            opened.vision.into(),
            require.as_deref().into(),
            down.as_deref().into(),
        ];
        let is_new = put.execute(rusqlite::params_from_iter(fields))? > 0;
        if is_new {
            self.form.begin(Kind::Operation.name());
            self.form.fields(&[own(self.number(opened.seq)).into()]);
            // Without the number of the store, and the state that stands among them.
            self.form.fields(fields.get(1..STATE).unwrap_or_default());
            self.form.fields(fields.get(STATE + 1..).unwrap_or_default());
        }
        Ok(is_new)
    }

    /// Closes an operation; says whether it was open.
    fn close(&mut self, closed: &Closed) -> rusqlite::Result<bool> {
        let mut put = self.conn.prepare_cached(
            "UPDATE operations SET state = 'done', status = ?2, finished = ?3, down = coalesce(?4, down) \
             WHERE seq = ?1 AND state = 'open'",
        )?;
        let down = closed.down.as_ref().and_then(|down| list(down));
        let done = put.execute(params![self.number(closed.seq), closed.status.name(), closed.at.0, down])?;
        if done == 0 {
            self.odd += 1;
        }
        Ok(done > 0)
    }

    /// Writes what a batch says of a call; says whether all of it was new, and is in the canonical form now.
    fn attempt(&mut self, draft: &Draft<'_>, attempt: &AttemptDraft<'_>) -> rusqlite::Result<bool> {
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
                None => Ok(false),
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
        let Some(ended) = attempt.ended else { return Ok(false) };
        let model: Option<String> = self.end(seq, ended)?;
        if let Some(model) = model {
            self.charge(seq, ended, &model, draft.opened.map(|opened| &*opened.team))?;
            return Ok(false);
        }
        let settled = self
            .conn
            .prepare_cached("SELECT 1 FROM attempts WHERE seq = ?1 AND n = ?2")?
            .exists(params![seq, n])?;
        self.odd += 1;
        if settled {
            return Ok(false);
        }
        // Money of a call whose beginning nobody recorded is money all the same.
        let mut put = self.conn.prepare_cached(
            "INSERT INTO attempts (seq, n, asked, model, provider, started, state) VALUES (?1, ?2, ?3, ?3, '', 0, 'open')",
        )?;
        put.execute(params![seq, n, &*ended.model])?;
        self.end(seq, ended)?;
        self.charge(seq, ended, &ended.model, draft.opened.map(|opened| &*opened.team))?;
        Ok(false)
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
        let terms = ended.map_or(&started.terms, |ended| &ended.terms);
        let meters = meters(terms);
        let left_out = ended.and_then(|ended| list(&ended.left_out));
        let checked = ended.and_then(|ended| check_text(ended.check, &ended.verdicts));
        let fields: [Field<'_>; 28] = [
            seq.into(),
            started.n.into(),
            (&*started.asked).into(),
            (&**model).into(),
            (&*started.provider).into(),
            started.rung.into(),
            started.at.0.into(),
            count(started.prompt_tokens).into(),
            attempt.delivered.map(whole).into(),
            price.into(),
            (if ended.is_some() { "settled" } else { "open" }).into(),
            ended.map(|ended| ended.status.name()).into(),
            checked.as_deref().into(),
            ended.and_then(|ended| word(&ended.error)).into(),
            ended.and_then(|ended| ended.latency_ms).into(),
            ended.and_then(|ended| ended.ttft_ms).into(),
            input.into(),
            cache_read.into(),
            write_5m.into(),
            write_1h.into(),
            output.into(),
            reasoning.into(),
            ended.is_some_and(|ended| ended.estimated).into(),
            word(terms.tier()).into(),
            meters.as_deref().into(),
            left_out.as_deref().into(),
            ended.and_then(|ended| ended.gap_ms).into(),
            ended.map_or(started.effort, |ended| ended.effort).map(Effort::name).into(),
        ];
        let is_new = put.execute(rusqlite::params_from_iter(fields))? > 0;
        if is_new {
            self.form.fields(fields.get(1..).unwrap_or_default());
        }
        Ok(is_new)
    }

    /// Settles an attempt that is open in the file; returns the model billed, or none where no such attempt is open.
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
                check_text(ended.check, &ended.verdicts),
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

    /// Charges a call; says whether that is new.
    fn charge(
        &mut self,
        seq: i64,
        ended: &AttemptEnded,
        model: &str,
        team: Option<&str>,
    ) -> rusqlite::Result<bool> {
        let price = ended.price.as_ref().map(|price| self.price(price)).transpose()?;
        let fields = charged(ended.cost)?;
        if !put_charge(self.conn, seq, ended.n, &fields, price)? {
            self.odd += 1;
            return Ok(false);
        }
        self.form.fields(&fields);
        if let Some(team) = team {
            self.sums.add(model, team, ended.cost);
            return Ok(true);
        }
        let mut find = self.conn.prepare_cached("SELECT team FROM operations WHERE seq = ?1")?;
        let team: Option<String> = find.query_row([seq], |row| row.get(0)).optional()?;
        self.sums.add(model, team.as_deref().unwrap_or(""), ended.cost);
        Ok(true)
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

    /// Writes what belongs to no operation's account and comes before the operation of a number; policies are written by then.
    fn aside(&mut self, aside: &Entry, before: u64) -> rusqlite::Result<()> {
        match aside {
            Entry::Audit(audit) => {
                let mut put = self.conn.prepare_cached(
                    "INSERT INTO audit (at, who, what, before, after) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 \
                     FROM audit WHERE at = ?1 AND who = ?2 AND what = ?3 AND before = ?4 AND after = ?5)",
                )?;
                let said = params![audit.at.0, &*audit.who, &*audit.what, &*audit.before, &*audit.after];
                let new = put.execute(said)?;
                self.told(Kind::Audit, new)
            }
            Entry::Label(label) => {
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
            Entry::Correction(correction) => {
                let new = corrections::write(self.conn, self.number(correction.seq), correction)?;
                self.told(Kind::Correction, new)
            }
            Entry::Signal(signal) => {
                let mut put = self.conn.prepare_cached(
                    "INSERT INTO signals (before_seq, at, model, until, why) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS \
                     (SELECT 1 FROM signals WHERE at = ?2 AND model = ?3 AND until IS ?4 AND before_seq >> 40 = ?1 >> 40)",
                )?;
                let until = signal.until.map(|until| until.0);
                let said = params![self.number(before), signal.at.0, &*signal.model, until, &*signal.why];
                let new = put.execute(said)?;
                self.told(Kind::Signal, new)
            }
            Entry::Kept(kept) => kept.write(self.conn),
            Entry::Alerting(alerting) => alerting.write(self.conn),
            Entry::Note(note) => self.note(note.at, &note.text, note.simulated, before),
            Entry::Prompt(prompt) => {
                let mut put = self.conn.prepare_cached(
                    "INSERT INTO prompts (seq, kind, body, hash, expires_at) SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS \
                     (SELECT 1 FROM prompts WHERE seq = ?1 AND kind = ?2 AND hash = ?4 AND expires_at = ?5)",
                )?;
                let hash = text_hash(&prompt.body);
                let (seq, until) = (self.number(prompt.seq), prompt.expires_at.0);
                let new = put.execute(params![seq, &*prompt.kind, &*prompt.body, hash, until])?;
                self.told(Kind::Prompt, new)
            }
            _ => Ok(()),
        }
    }

    /// Takes note of a row, or that there was one already.
    fn told(&mut self, kind: Kind, new: usize) -> rusqlite::Result<()> {
        if new > 0 {
            return self.came(kind);
        }
        self.odd += 1;
        Ok(())
    }

    fn policy(&mut self, policy: &PolicyVersion) -> rusqlite::Result<()> {
        let hash = hex(&text_hash(&policy.text));
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
            self.odd += 1;
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

/// Returns the hash of the prompt, and behind it those of its beginnings, eight bytes each.
fn prompt_hashes(opened: &Opened) -> Option<SmallVec<[u8; 128]>> {
    let mut all: SmallVec<[u8; 128]> = opened.prompt_hash?.as_slice().into();
    all.extend(opened.prefix.iter().flat_map(|hash| hash.to_be_bytes()));
    Some(all)
}

/// How much of an operation a batch wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// It goes on, or was over before.
    Open,
    /// It has ended.
    Ended,
    /// All of it, from its beginning to its end, and its canonical form is made.
    Whole,
}

/// Returns a cost as the fields of a charge: kind, why, micro and pico.
fn charged(cost: Cost) -> rusqlite::Result<[Field<'static>; 4]> {
    let (micro, pico) = cost.amount().map(amount).transpose()?.unzip();
    let (kind, why) = kind(cost);
    Ok([kind.into(), why.into(), micro.into(), pico.into()])
}

fn put_charge(
    conn: &Connection,
    seq: i64,
    n: u32,
    [kind, why, micro, pico]: &[Field<'_>; 4],
    price: Option<i64>,
) -> rusqlite::Result<bool> {
    let mut put = conn.prepare_cached(
        "INSERT OR IGNORE INTO charges (seq, n, kind, why, micro, pico, price) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    Ok(put.execute(params![seq, n, kind, why, micro, pico, price])? > 0)
}

/// Writes a charge; says whether it is new.
pub(super) fn charge(
    conn: &Connection,
    seq: i64,
    n: u32,
    cost: Cost,
    price: Option<i64>,
) -> rusqlite::Result<bool> {
    put_charge(conn, seq, n, &charged(cost)?, price)
}
