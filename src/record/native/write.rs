//! Writes entries in our own format, leaving out whatever absence already says.

use std::collections::BTreeMap;

use super::event::{Header, VERSION};
use crate::pricing::{Charged, Cost, PriceRow, Rates, Tier, Usage, as_factor};
use crate::record::{
    Attempt, Check, Entry, Label, PolicyChange, PriceChange, Record, RecordedNeeds, Status, Under, WriteTtl,
};
use crate::routing::{CanarySpec, FactsSpec, Parameters, RouteSpec, StreamLimits, TAG};
use crate::units::Count;

/// Appends one line for the header.
pub(crate) fn write_header(out: &mut Vec<u8>, header: &Header) {
    let mut object = Object::open(out);
    object.text("pointsman", "log");
    object.number("v", VERSION);
    if !header.source.is_empty() {
        object.text("source", &header.source);
    }
    if !header.simulated.is_empty() {
        object.list("simulated", &header.simulated, |out, name| quoted(out, name));
    }
    object.word("budgets", &header.budgets.first);
    if !header.budgets.later.is_empty() {
        object.list("budget_changes", &header.budgets.later, |out, (at, text)| {
            let mut change = Object::open(out);
            change.text("at", &at.rfc3339());
            change.text("text", text);
            change.close();
        });
    }
    object.close();
    out.push(b'\n');
}

/// Appends one line for an entry.
pub fn write_entry(out: &mut Vec<u8>, entry: &Entry<'_>) {
    match entry {
        Entry::Request(record) => request(out, record),
        Entry::Price(change) => price(out, change),
        Entry::Policy(change) => policy(out, change),
        Entry::Label(late) => {
            let mut object = Object::open(out);
            object.text("event", "label");
            object.text("at", &late.at.rfc3339());
            object.text("id", &late.id);
            label_keys(&mut object, &late.label);
            object.close();
        }
        Entry::Correction(correction) => {
            let mut object = Object::open(out);
            object.text("event", "correction");
            object.text("at", &correction.at.rfc3339());
            object.text("id", &correction.id);
            object.maybe("call", correction.call.map(u64::from));
            charged(&mut object, correction.charged);
            object.word("source", &correction.source);
            object.close();
        }
        Entry::Signal(signal) => {
            let mut object = Object::open(out);
            object.text("event", "signal");
            object.text("at", &signal.at.rfc3339());
            object.text("model", &signal.model);
            match signal.until {
                Some(until) => object.text("down_until", &until.rfc3339()),
                None => object.raw("up", b"true"),
            }
            object.word("why", &signal.why);
            object.close();
        }
        Entry::Note { at, text, simulated } => {
            let mut object = Object::open(out);
            object.text("event", "note");
            object.text("at", &at.rfc3339());
            object.text("text", text);
            if *simulated {
                object.raw("simulated", b"true");
            }
            object.close();
        }
    }
    out.push(b'\n');
}

fn request(out: &mut Vec<u8>, record: &Record<'_>) {
    let mut object = Object::open(out);
    object.word("id", &record.id);
    object.text("at", &record.at.rfc3339());
    object.word("timing", record.timing.word());
    object.word("team", &record.team);
    object.word("project", &record.project);
    object.word("user", &record.user);
    object.word("key", &record.key);
    object.word("session", &record.session);
    object.word("asked", &record.asked);
    if record.pinned {
        object.raw("pinned", b"true");
    }
    if let Some(task) = record.task {
        object.text("task", task.name());
    }
    object.maybe("confidence", record.confidence.map(|confidence| u64::from(confidence.get())));
    if record.unsure {
        object.raw("unsure", b"true");
    }
    if !record.saw.is_empty() {
        object.text("saw", &record.saw.to_string());
    }
    object.maybe("turn", record.turn.map(u64::from));
    object.maybe("tools", record.tools.map(u64::from));
    object.maybe("history", record.history.map(u64::from));
    object.maybe("seq", record.seq);
    object.maybe("policy", record.policy.map(u64::from));
    object.maybe("propensity", record.propensity.map(|chance| u64::from(chance.get())));
    let RecordedNeeds { window, output, vision, require, down } = &record.needs;
    object.maybe("window", window.map(u64::from));
    object.maybe("max_output", output.map(u64::from));
    if *vision {
        object.raw("vision", b"true");
    }
    let (tags, down) = down.split_at(down.iter().take_while(|word| word.starts_with(TAG)).count());
    for (key, list) in [("tags", tags), ("require", require), ("down", down)] {
        if !list.is_empty() {
            object.list(key, list, |out, name| quoted(out, name.strip_prefix(TAG).unwrap_or(name)));
        }
    }
    if let Some(prompt) = &record.prompt {
        object.text("prompt", prompt);
    }
    if !record.prefix.is_empty() {
        object.list("prefix", &record.prefix, |out, hash| number(out, *hash));
    }
    match &*record.attempts {
        [] => {}
        [only] if *only != Attempt::default() => attempt(&mut object, only),
        several => object.list("attempts", several, |out, one| {
            let mut object = Object::open(out);
            attempt(&mut object, one);
            object.close();
        }),
    }
    if !record.labels.is_empty() {
        object.list("labels", &record.labels, label);
    }
    if let Some(claimed) = &record.claimed_usd {
        object.text("claimed_usd", claimed);
    }
    object.word("simulated", &record.simulated);
    object.close();
}

fn attempt(object: &mut Object<'_>, attempt: &Attempt<'_>) {
    object.word("model", &attempt.model);
    if attempt.assumed_model {
        object.raw("assumed_model", b"true");
    }
    if attempt.estimated {
        object.raw("estimated", b"true");
    }
    object.word("billed", &attempt.billed);
    object.word("provider", &attempt.provider);
    let Usage { input, cache_read, write_5m, write_1h, output, reasoning } = attempt.usage;
    let cached = if input.is_known() && output.is_known() { Count::ZERO } else { Count::UNKNOWN };
    object.count("in", input, Count::UNKNOWN);
    object.count("cache_read", cache_read, cached);
    object.count("write_5m", write_5m, cached);
    object.count("write_1h", write_1h, cached);
    object.count("out", output, Count::UNKNOWN);
    object.count("reasoning", reasoning, Count::UNKNOWN);
    object.maybe("began_us", attempt.began_us);
    object.maybe("latency_ms", attempt.latency_ms.map(u64::from));
    object.maybe("ttft_ms", attempt.ttft_ms.map(u64::from));
    if attempt.status != Status::Ok {
        object.text("status", attempt.status.name());
    }
    object.word("error", &attempt.error);
    if let Some(effort) = attempt.effort {
        object.text("effort", effort.name());
    }
    match attempt.check {
        Check::None => {}
        Check::Passed => object.text("check", "passed"),
        Check::Failed => object.text("check", "failed"),
    }
    if attempt.write_ttl == WriteTtl::Assumed {
        object.text("write_ttl", "assumed");
    }
    if let Some(terms) = &attempt.terms {
        object.word("tier", terms.tier());
        if terms.meters().next().is_some() {
            object.key("meters");
            let mut meters = Object::open(object.out);
            terms.meters().for_each(|(name, count)| meters.number(name, count));
            meters.close();
        }
    }
    if !attempt.left_out.is_empty() {
        object.list("left_out", &attempt.left_out, |out, name| quoted(out, name));
    }
    object.maybe("gap_ms", attempt.gap_ms.map(u64::from));
    if !attempt.verdicts.is_empty() {
        object.list("verdicts", &attempt.verdicts, json);
    }
    charged(object, attempt.charged);
}

/// Writes what knows itself how it is written.
fn json<T: serde::Serialize>(out: &mut Vec<u8>, value: &T) {
    // Into memory, texts and numbers under names that are texts: nothing of that can fail.
    let _ = serde_json::to_writer(out, value);
}

fn charged(object: &mut Object<'_>, charged: Charged) {
    match charged.cost() {
        None => {}
        Some(Cost::Known(amount)) => object.text("charged", &amount.usd()),
        Some(Cost::Estimated(amount)) => {
            object.text("charged", &amount.usd());
            object.text("charged_as", "estimated");
        }
        Some(Cost::Unknown(why)) => object.text("charged_as", why.name()),
    }
}

fn label(out: &mut Vec<u8>, label: &Label<'_>) {
    let mut object = Object::open(out);
    label_keys(&mut object, label);
    object.close();
}

fn label_keys(object: &mut Object<'_>, label: &Label<'_>) {
    object.word("source", &label.source);
    object.text("model", &label.model);
    object.maybe("quality", label.quality.map(|quality| u64::from(quality.get())));
    object.maybe("output", label.output);
}

fn policy(out: &mut Vec<u8>, change: &PolicyChange<'_>) {
    let mut object = Object::open(out);
    object.text("event", "policy");
    object.text("at", &change.at.rfc3339());
    object.number("version", u64::from(change.version));
    object.word("who", &change.who);
    object.word("what", &change.what);
    if change.undo {
        object.raw("undo", b"true");
    }
    let Under { gateway, classifier, prices } = &change.under;
    let under = [("gateway", gateway), ("classifier", classifier), ("prices", prices)];
    if under.iter().any(|(_, text)| !text.is_empty()) {
        object.key("under");
        let mut inner = Object::open(object.out);
        for (key, text) in under {
            inner.word(key, text);
        }
        inner.close();
    }
    object.word("name", &change.spec.name);
    if let Some(baseline) = &change.spec.baseline {
        object.text("baseline", baseline);
    }
    if let Some(classifier) = &change.spec.classifier {
        object.text("classifier", classifier);
    }
    if let Some(mode) = change.spec.mode {
        object.text("mode", mode.name());
    }
    if !change.spec.models.is_empty() {
        object.list("models", &change.spec.models, |out, (model, known)| {
            let mut object = Object::open(out);
            object.text("model", model);
            facts(&mut object, known);
            object.close();
        });
    }
    object.list("routes", &change.spec.routes, route);
    object.close();
}

fn route(out: &mut Vec<u8>, route: &RouteSpec) {
    let mut object = Object::open(out);
    object.text("route", &route.name);
    for (key, list) in [
        ("team", &route.teams),
        ("project", &route.projects),
        ("task", &route.tasks),
        ("asked", &route.asked),
    ] {
        if !list.is_empty() {
            object.list(key, list, |out, name| quoted(out, name));
        }
    }
    if let Some(rung) = &route.no_signal {
        object.text("no_signal", rung);
    }
    object.maybe("holdout", route.holdout.and_then(|share| u64::try_from(share).ok()));
    if let Some(explore) = &route.explore {
        object.key("explore");
        json(object.out, explore);
    }
    if let Some(adapt) = &route.adapt {
        object.key("adapt");
        json(object.out, adapt);
    }
    if let Some(CanarySpec { of, share }) = &route.canary {
        object.key("canary");
        let mut inner = Object::open(object.out);
        inner.text("of", of);
        inner.maybe("share", u64::try_from(*share).ok());
        inner.close();
    }
    if let Some(mode) = route.mode {
        object.text("mode", mode.name());
    }
    if !route.require.is_empty() {
        object.list("require", &route.require, |out, name| quoted(out, name));
    }
    if let Some(way) = route.when_full {
        object.text("when_full", way.name());
    }
    if let Some(way) = route.when_failed {
        object.text("when_failed", way.name());
    }
    if let Some(cache) = route.cache {
        object.text("cache", cache.name());
    }
    object.maybe("switch_cap", route.switch_cap.and_then(|cap| u64::try_from(cap).ok()));
    limits(&mut object, route.stream);
    if let Some(when) = route.check {
        object.text("check", when.name());
    }
    if !route.checks.is_empty() {
        object.list("checks", &route.checks, json);
    }
    object.list("ladder", &route.ladder, |out, rung| {
        let mut object = Object::open(out);
        object.word("rung", rung.name.as_deref().unwrap_or_default());
        object.text("model", &rung.model);
        object.maybe("threshold", rung.threshold.and_then(|threshold| u64::try_from(threshold).ok()));
        if rung.fallback {
            object.raw("fallback", b"true");
        }
        limits(&mut object, rung.stream);
        facts(&mut object, &rung.facts);
        parameters(&mut object, &rung.with);
        object.close();
    });
    object.close();
}

fn facts(object: &mut Object<'_>, facts: &FactsSpec) {
    let FactsSpec { labels, context, max_output, max_in_flight, vision, tools } = facts;
    if !labels.is_empty() {
        object.list("labels", labels, |out, name| quoted(out, name));
    }
    object.maybe("context", context.map(u64::from));
    object.maybe("max_output", max_output.map(u64::from));
    object.maybe("max_in_flight", max_in_flight.map(u64::from));
    for (key, told) in [("vision", vision), ("tools", tools)] {
        if let Some(told) = told {
            object.raw(key, if *told { b"true" } else { b"false" });
        }
    }
}

fn parameters(object: &mut Object<'_>, with: &Parameters) {
    if with.is_none() {
        return;
    }
    object.key("with");
    let mut inner = Object::open(object.out);
    if let Some(effort) = with.effort {
        inner.text("effort", effort.name());
    }
    inner.word("service_tier", with.service_tier.as_deref().unwrap_or_default());
    inner.maybe("max_output", with.max_output.map(u64::from));
    inner.maybe("temperature_thousandths", with.temperature.map(u64::from));
    inner.close();
}

fn limits(object: &mut Object<'_>, limits: StreamLimits) {
    if limits.is_none() {
        return;
    }
    object.key("stream");
    let mut inner = Object::open(object.out);
    inner.maybe("first_byte_ms", limits.first_byte_ms.map(u64::from));
    inner.maybe("gap_ms", limits.gap_ms.map(u64::from));
    inner.maybe("tokens_per_second", limits.tokens_per_second.map(u64::from));
    if let Some(hold) = limits.hold {
        inner.key("hold");
        inner.out.extend_from_slice(if hold { b"true" } else { b"false" });
    }
    inner.close();
}

fn price(out: &mut Vec<u8>, change: &PriceChange<'_>) {
    let mut object = Object::open(out);
    object.text("event", "price");
    if let Some(at) = change.row.from {
        object.text("at", &at.rfc3339());
    }
    object.text("model", &change.model);
    rates(&mut object, &change.row.standard);
    if let Some(batch) = &change.row.batch {
        object.key("batch");
        let mut inner = Object::open(object.out);
        rates(&mut inner, batch);
        inner.close();
    }
    let PriceRow { tiers, meters, factors, scheduled, .. } = &change.row;
    object.table("tiers", tiers, |out, prices| {
        let mut inner = Object::open(out);
        rates(&mut inner, prices);
        inner.close();
    });
    object.table("meters", meters, |out, price| quoted(out, &price.usd_per_token()));
    object.table("factors", factors, |out, factor| quoted(out, &as_factor(*factor)));
    if !scheduled.is_empty() {
        object.list("hours", scheduled, |out, one| {
            let mut inner = Object::open(out);
            inner.text("utc", &one.hours.utc());
            if let Some(days) = one.hours.days() {
                inner.text("days", &days);
            }
            inner.text("times", &as_factor(one.times));
            inner.close();
        });
    }
    if let Some(source) = &change.row.source {
        object.text("source", source);
    }
    if change.simulated {
        object.raw("simulated", b"true");
    }
    object.close();
}

fn rates(object: &mut Object<'_>, rates: &Rates) {
    tier(object, &rates.base);
    if !rates.above.is_empty() {
        object.list("above", &rates.above, |out, (prompt, prices)| {
            let mut object = Object::open(out);
            object.number("prompt", *prompt);
            tier(&mut object, prices);
            object.close();
        });
    }
}

fn tier(object: &mut Object<'_>, tier: &Tier) {
    for (key, price) in tier.prices() {
        object.text(key, &price.usd_per_million());
    }
}

/// An object under construction; keys are our own and need no escaping.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Object<'o> {
    fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn raw(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(value);
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        quoted(self.out, value);
    }

    /// Writes text that may be empty; empty is left out.
    fn word(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        number(self.out, value);
    }

    fn maybe(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// Writes a count unless leaving it out says the same.
    fn count(&mut self, key: &str, count: Count, absent: Count) {
        match count.get() {
            _ if count == absent => {}
            Some(tokens) => self.number(key, tokens),
            None => self.raw(key, b"null"),
        }
    }

    /// Writes an object of named things; an empty one is left out.
    fn table<T>(&mut self, key: &str, table: &BTreeMap<String, T>, mut write: impl FnMut(&mut Vec<u8>, &T)) {
        if table.is_empty() {
            return;
        }
        self.key(key);
        self.out.push(b'{');
        for (place, (name, item)) in table.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            quoted(self.out, name);
            self.out.push(b':');
            write(self.out, item);
        }
        self.out.push(b'}');
    }

    fn list<T>(&mut self, key: &str, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
        self.key(key);
        self.out.push(b'[');
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            write(self.out, item);
        }
        self.out.push(b']');
    }
}

fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    while let Some(slot) = at.checked_sub(1).and_then(|before| digits.get_mut(before)) {
        let digit = (rest % 10) as u8;
        *slot = b'0' + digit;
        at -= 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Writes text in quotes, escaping what JSON must.
fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => &[],
            _ => continue,
        };
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        from = at + 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    out.push(b'"');
}
