//! What a line of an export says of its link in the chain, and an entry's canonical form made from such a line alone.
//!
//! Invariant: the form made here is the one that [`super::chain::find`] makes from the tables; docs/ledger.md describes both.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::encoding::Encoding;
use super::row::{amount, buckets, check_text, kind, list, meters, whole, word};
use crate::pricing::Terms;
use crate::record::{Attempt, LateLabel, PolicyChange, Record, RecordedNeeds, Signal};
use crate::routing::chance_told;
use crate::units::{Instant, PerMille, Sha256, hex};

/// Where a log of the ledger comes from, as its header says it.
pub(super) const SOURCE: &str = "pointsman ledger";

/// The member that carries it.
pub(super) const MEMBER: &str = "ledger";

/// The member of a line: its cursor, its hash, and what the ledger keeps of the entry besides what a log says.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) cursor: String,
    pub(super) hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) operation: Option<Rest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) calls: Vec<CallRest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<PolicyRest>,
    /// The operation that a judgement or correction is about, or that follows a note or signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seq: Option<i64>,
}

/// Sequence, run, key, where the confidence comes from, the prompt's hash and bytes, route, rung, policy, reason, status and
/// end of an operation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Rest(
    pub(super) i64,
    pub(super) i64,
    pub(super) String,
    pub(super) String,
    pub(super) Option<String>,
    pub(super) i64,
    pub(super) String,
    pub(super) Option<i64>,
    pub(super) i64,
    pub(super) String,
    pub(super) Option<String>,
    pub(super) Option<i64>,
);

/// Rung, start, estimated prompt, tokens delivered, price and state of a call; the models asked and billed where the line
/// leaves that open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CallRest(
    pub(super) Option<i64>,
    pub(super) i64,
    pub(super) Option<i64>,
    pub(super) Option<i64>,
    pub(super) Option<i64>,
    pub(super) String,
    #[serde(default)] pub(super) Option<(String, String)>,
);

/// From which operation on a policy decides, and its text.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct PolicyRest(pub(super) i64, pub(super) String);

/// A header that tells which links an export has, and the digests of those that are no lines of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChainLine {
    pub(super) pointsman: String,
    pub(super) v: u64,
    pub(super) source: String,
    pub(super) chain: Stretch,
}

/// A stretch of a chain.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stretch {
    pub(super) gateway: String,
    /// The link before the first, and its hash.
    pub(super) after: i64,
    pub(super) follows: String,
    /// The last link, and its hash.
    pub(super) to: i64,
    pub(super) hash: String,
    /// Links that are no lines: number, kind, digest.
    pub(super) besides: Vec<(i64, String, String)>,
}

/// Makes the form of an operation; none where the line cannot hold what the ledger has.
pub(super) fn operation(form: &mut Encoding, record: &Record<'_>, rest: &Rest, calls: &[CallRest]) {
    let Rest(seq, run, key, classified, prompt_hash, prompt_bytes, route, rung, policy, reason, status, end) =
        rest;
    form.begin("operation");
    form.whole(*seq);
    form.text(&record.id);
    form.whole(*run);
    form.whole(record.at.0);
    for text in [&record.team, &record.project, &record.user, &record.session] {
        form.text(text);
    }
    form.text(key);
    form.text(&record.asked);
    form.whole(i64::from(record.pinned));
    form.maybe_text(record.task.map(crate::classifier::TaskClass::name));
    form.maybe_whole(record.confidence.map(|confidence| i64::from(confidence.get())));
    form.text(classified);
    for count in [record.turn, record.tools, record.history] {
        form.maybe_whole(count.map(i64::from));
    }
    form.maybe_text(prompt_hashes(prompt_hash.as_deref(), &record.prefix).as_deref());
    form.whole(*prompt_bytes);
    form.text(route);
    form.maybe_whole(*rung);
    form.whole(*policy);
    form.text(reason);
    form.text(&record.simulated);
    form.maybe_text(status.as_deref());
    form.maybe_whole(*end);
    let RecordedNeeds { window, output, vision, require, down } = &record.needs;
    form.maybe_whole(window.map(i64::from));
    form.maybe_whole(output.map(i64::from));
    form.whole(i64::from(*vision));
    form.maybe_text(list(require).as_deref());
    form.maybe_text(list(down).as_deref());
    for (n, (attempt, rest)) in (0..).zip(record.attempts.iter().zip(calls)) {
        call(form, n, attempt, rest);
    }
    form.whole(whole(record.attempts.len() as u64));
}

/// Puts the hash of the prompt and those of its beginnings together as the ledger has them.
fn prompt_hashes<'a>(hash: Option<&'a str>, prefix: &[u64]) -> Option<Cow<'a, str>> {
    if prefix.is_empty() {
        return hash.map(Cow::Borrowed);
    }
    let all = hash.into_iter().map(str::to_owned).chain(prefix.iter().map(|hash| hex(&hash.to_be_bytes())));
    Some(all.collect::<String>().into())
}

fn call(form: &mut Encoding, n: i64, attempt: &Attempt<'_>, rest: &CallRest) {
    let CallRest(rung, started, prompt, delivered, price, state, models) = rest;
    let billed = if attempt.billed.is_empty() { &attempt.model } else { &attempt.billed };
    let (asked, model) = match models {
        Some((asked, model)) => (asked.as_str(), model.as_str()),
        None => (&*attempt.model, &**billed),
    };
    form.whole(n);
    form.text(asked);
    form.text(model);
    form.text(&attempt.provider);
    form.maybe_whole(*rung);
    form.whole(*started);
    for count in [prompt, delivered, price] {
        form.maybe_whole(*count);
    }
    form.text(state);
    form.maybe_text((state != "open").then(|| attempt.status.name()));
    form.maybe_text(check_text(attempt.check, &attempt.verdicts).as_deref());
    form.maybe_text(word(&attempt.error));
    form.maybe_whole(attempt.latency_ms.map(i64::from));
    form.maybe_whole(attempt.ttft_ms.map(i64::from));
    for count in buckets(&attempt.usage) {
        form.maybe_whole(count);
    }
    form.whole(i64::from(attempt.estimated));
    let none = Terms::NONE;
    let terms = attempt.terms.as_deref().unwrap_or(&none);
    form.maybe_text(word(terms.tier()));
    form.maybe_text(meters(terms).as_deref());
    form.maybe_text(list(&attempt.left_out).as_deref());
    form.maybe_whole(attempt.gap_ms.map(i64::from));
    form.maybe_text(attempt.effort.map(crate::routing::Effort::name));
    let cost = attempt.charged.cost();
    let (name, why) = cost.map_or((None, None), |cost| {
        let (name, why) = kind(cost);
        (Some(name), why)
    });
    form.maybe_text(name);
    form.maybe_text(why);
    let charged = cost.and_then(|cost| amount(cost.amount()?).ok());
    form.maybe_whole(charged.map(|(micro, _)| micro));
    form.maybe_whole(charged.map(|(_, pico)| pico));
}

/// Makes the form of a policy.
pub(super) fn policy(form: &mut Encoding, change: &PolicyChange<'_>, rest: &PolicyRest) {
    form.begin("policy");
    form.whole(i64::from(change.version));
    form.whole(change.at.0);
    form.whole(rest.0);
    form.text(&change.who);
    form.text(&change.what);
    form.whole(i64::from(change.undo));
    form.text(&hex(&Sha256::digest(rest.1.as_bytes())));
    form.text(&rest.1);
}

/// Makes the form of a note.
pub(super) fn note(form: &mut Encoding, (at, text, simulated): (Instant, &str, bool), before: i64) {
    form.begin("note");
    form.whole(before);
    form.whole(at.0);
    form.text(text);
    form.whole(i64::from(simulated));
}

/// Makes the form of a provider's signal.
pub(super) fn signal(form: &mut Encoding, signal: &Signal<'_>, before: i64) {
    form.begin("signal");
    form.whole(before);
    form.whole(signal.at.0);
    form.text(&signal.model);
    form.maybe_whole(signal.until.map(|until| until.0));
    form.text(&signal.why);
}

/// Makes the form of a judgement.
pub(super) fn label(form: &mut Encoding, late: &LateLabel<'_>, seq: i64) {
    form.begin("label");
    form.whole(seq);
    form.text(&late.id);
    form.text(&late.label.model);
    form.maybe_whole(late.label.quality.map(|quality| i64::from(quality.get())));
    form.maybe_whole(late.label.output.map(whole));
    form.text(&late.label.source);
    form.whole(late.at.0);
}

/// Says whether what a line tells twice is told alike: its place, its policy, and when its calls began.
pub(super) fn agrees(record: &Record<'_>, rest: &Rest, calls: &[CallRest]) -> bool {
    let began = |(attempt, rest): (&Attempt<'_>, &CallRest)| {
        attempt.began_us == u64::try_from(rest.1.saturating_sub(record.at.0)).ok()
    };
    record.seq.map(whole) == Some(rest.0)
        && record.policy.map(i64::from) == Some(rest.8)
        // Exports of earlier versions tell the key in the rest alone.
        && (record.key.is_empty() || *record.key == *rest.2)
        && record.attempts.iter().zip(calls).all(began)
}

/// Says whether a record holds anything that an export of a ledger never writes, and its form does not cover.
pub(super) fn says_more(record: &Record<'_>) -> bool {
    let claimed: Option<Vec<_>> =
        record.attempts.iter().map(|attempt| attempt.charged.cost()?.amount()).collect();
    let claimed =
        claimed.filter(|all| !all.is_empty()).map(|all| all.into_iter().sum::<crate::units::Pico>());
    let chance = chance_told(record.needs.down.iter().map(|word| &**word));
    let covered = Record {
        id: record.id.clone(),
        at: record.at,
        seq: record.seq,
        policy: record.policy,
        propensity: record.propensity.map(|_| chance.unwrap_or(PerMille::ONE)),
        team: record.team.clone(),
        project: record.project.clone(),
        user: record.user.clone(),
        key: record.key.clone(),
        session: record.session.clone(),
        asked: record.asked.clone(),
        pinned: record.pinned,
        task: record.task,
        confidence: record.confidence,
        unsure: record.confidence.is_none(),
        turn: record.turn,
        tools: record.tools,
        history: record.history,
        prefix: record.prefix.clone(),
        needs: record.needs.clone(),
        claimed_usd: claimed.map(|amount| amount.usd().into()),
        simulated: record.simulated.clone(),
        attempts: record.attempts.iter().map(covered).collect(),
        ..Record::default()
    };
    covered != *record
}

fn covered<'a>(attempt: &Attempt<'a>) -> Attempt<'a> {
    let Attempt { model, billed, provider, usage, error, check, verdicts, terms, left_out, .. } = attempt;
    Attempt {
        model: model.clone(),
        estimated: attempt.estimated,
        billed: billed.clone(),
        provider: provider.clone(),
        usage: *usage,
        began_us: attempt.began_us,
        latency_ms: attempt.latency_ms,
        ttft_ms: attempt.ttft_ms,
        status: attempt.status,
        error: error.clone(),
        check: *check,
        verdicts: verdicts.clone(),
        terms: terms.clone(),
        left_out: left_out.clone(),
        gap_ms: attempt.gap_ms,
        effort: attempt.effort,
        charged: attempt.charged,
        ..Attempt::default()
    }
}

/// Says whether a line leaves open which model was asked and which was billed.
pub(super) fn is_ambiguous(asked: &str, model: &str) -> bool {
    asked.is_empty() || model.is_empty()
}
