//! An answer of Gemini read, in chunks (`alt=sse`) or whole. Every chunk carries running totals of usage, early ones not all
//! of them.

use std::borrow::Cow;

use crate::record::usage::{Counted, GeminiUsage, Grounding};
use crate::record::value::read;
use crate::units::Sha256;
use crate::wire::Dialect::Gemini;
use crate::wire::WireError;
use crate::wire::calls::call_id;
use crate::wire::cited::{Citation, MOST, Spoken};
use crate::wire::error::Result;
use crate::wire::faults::{read_event, reports_error};
use crate::wire::finish::{Finish, ended, ended_empty};
use crate::wire::json::Value;
use crate::wire::logprobs::Logprobs;
use crate::wire::reply::{Delta, Seen, Source, Tell, block, buckets, said};

/// The members of a part that stand beside what it holds.
const BESIDE: [&str; 5] = ["thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"];

/// The most candidates that Google gives, and of which the text is kept for what it rests on.
const CANDIDATES: u64 = 8;

/// Reads chunks.
#[derive(Default)]
pub(in crate::wire) struct Chunks {
    usage: GeminiUsage,
    calls: usize,
    /// The candidates so far.
    candidates: Vec<Candidate>,
    /// The candidate that was told of last.
    at: u64,
}

/// What came of a candidate.
#[derive(Default)]
struct Candidate {
    index: u64,
    /// Whether it said anything, or called a tool.
    has_said: bool,
    has_ended: bool,
    /// Its text, in which what it rests on is counted.
    spoken: Spoken,
}

impl Source for Chunks {
    fn event(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<Seen> {
        if reports_error(root) {
            return Err(WireError::Upstream(read_event(Gemini, root.raw())));
        }
        self.read(root, false, tell).map(|()| Seen::Some)
    }

    fn whole(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<()> {
        self.read(root, true, tell)
    }

    fn usage(&self) -> Option<Counted> {
        buckets(self.usage.counted())
    }
}

impl Chunks {
    fn read(&mut self, root: Value<'_>, is_whole: bool, tell: Tell<'_>) -> Result<()> {
        let candidates = || root.list("candidates");
        if let Some(said) = root.get("usageMetadata").and_then(block::<GeminiUsage>) {
            self.usage.absorb(&said);
        }
        // What the answer rests on and the tier that served may stand in other chunks than the counts.
        let mut all = Grounding::default();
        let grounds = |one: Value<'_>| read(one.get("groundingMetadata")?.raw()).ok();
        candidates().filter_map(grounds).for_each(|one| all.add(one));
        self.usage.rest_on(all);
        self.usage.serve(&root.text_of("serviceTier").unwrap_or_default());
        let id = root.text_of("responseId").unwrap_or_default();
        tell(Delta::Start { id: &id, model: &root.text_of("modelVersion").unwrap_or_default() });
        let mut outcome = Ok(());
        for (place, candidate) in (0..).zip(candidates()) {
            outcome = outcome.and(self.candidate(candidate, is_whole.then_some(place), &id, tell));
        }
        // A prompt that was blocked has no candidates.
        let is_blocked = || root.get("promptFeedback").and_then(|said| said.get("blockReason")).is_some();
        if candidates().next().is_none() && is_blocked() {
            if is_whole {
                tell(Delta::Choice(0));
            }
            tell(Delta::Finish { finish: Finish::Filtered, stop: None });
        }
        outcome
    }

    /// Reads what is added to a candidate, or all of it where its place in a whole answer is given.
    fn candidate(
        &mut self,
        candidate: Value<'_>,
        place: Option<u64>,
        id: &str,
        tell: Tell<'_>,
    ) -> Result<()> {
        let index = place.or_else(|| candidate.get("index").and_then(Value::number)).unwrap_or(0);
        if std::mem::replace(&mut self.at, index) != index || place.is_some() {
            tell(Delta::Choice(index));
        }
        let mut has_said = false;
        let mut grounds = Some(candidate);
        let content = candidate.get("content").and_then(|content| content.get("parts"));
        for part in content.into_iter().flat_map(Value::items) {
            if part.get("functionCall").is_some()
                && let Some(grounds) = grounds.take()
            {
                self.cite(index, grounds, tell);
            }
            has_said |= self.part(part, id, tell);
        }
        if let Some(grounds) = grounds {
            self.cite(index, grounds, tell);
        }
        if let Some(told) = Logprobs::of_gemini(candidate) {
            tell(Delta::Logprobs(told));
        }
        let Some(seen) = self.seen(index) else { return Ok(()) };
        seen.has_said |= has_said;
        let Some(word) = candidate.text_of("finishReason") else { return Ok(()) };
        match Finish::read(Gemini, &word) {
            Finish::Failed => return Err(ended(Gemini, &word)),
            Finish::Other if place.is_some() => return Err(ended(Gemini, &word)),
            Finish::Other => {}
            Finish::Stop if !seen.has_said => return Err(ended_empty()),
            finish if !std::mem::replace(&mut seen.has_ended, true) => {
                tell(Delta::Finish { finish, stop: None });
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns what came of a candidate so far.
    fn seen(&mut self, index: u64) -> Option<&mut Candidate> {
        let known = self.candidates.iter().position(|seen| seen.index == index);
        let known = known.unwrap_or_else(|| {
            self.candidates.push(Candidate { index, ..Candidate::default() });
            self.candidates.len() - 1
        });
        self.candidates.get_mut(known)
    }

    /// Tells what the text rests on, by all of it that has come.
    fn cite(&mut self, index: u64, candidate: Value<'_>, tell: Tell<'_>) {
        let [grounds, recited, fetched] =
            candidate.pick(["groundingMetadata", "citationMetadata", "urlContextMetadata"]);
        if let (Some(grounds), Some(seen)) = (grounds, self.seen(index)) {
            ground(grounds, &seen.spoken, tell);
        }
        let told = recited.map(|told| told.pick(["citationSources", "citations"])).into_iter().flatten();
        for one in told.flatten().flat_map(Value::items) {
            let [start, end] = one.pick(["startIndex", "endIndex"]).map(|at| at.and_then(Value::number));
            let span = self.seen(index).and_then(|seen| seen.spoken.find(start, end, ""));
            tell(Delta::Cited(&Citation::of_recited(one).of_span(span)));
        }
        if fetched.is_some_and(|fetched| fetched.list("urlMetadata").next().is_some()) {
            tell(Delta::Cited(&Citation::of_kind("urlContextMetadata")));
        }
    }

    /// Reads a part, and says whether it is for the one who asked.
    fn part(&mut self, part: Value<'_>, answer: &str, tell: Tell<'_>) -> bool {
        if let Some(function) = part.get("functionCall") {
            let Some(name) = function.text_of("name") else { return false };
            let arguments = function.get("args").map_or("{}", Value::raw);
            let call = self.calls;
            self.calls += 1;
            let given = function.text_of("id").filter(|id| !id.is_empty());
            // Gemini often gives no id: one is made, the same for the same answer, and different within a conversation.
            let made = || call_id(&Sha256::digest(format!("{answer}\n{call}\n{name}\n{arguments}")));
            let id = given.unwrap_or_else(|| Cow::Owned(made()));
            tell(Delta::CallStart { call, id: &id, name: &name });
            tell(Delta::CallArguments { call, text: arguments });
            return true;
        }
        let is_thought = part.get("thought").and_then(Value::flag) == Some(true);
        let text = part.text_of("text");
        if text.is_none() {
            // Pictures that it drew while it thought are none of the answer.
            let held = part.members().find(|(key, _)| !BESIDE.contains(&&**key));
            let Some((kind, held)) = held.filter(|_| !is_thought) else { return false };
            let picture =
                held.text_of("mimeType").filter(|mime| kind == "inlineData" && mime.starts_with("image/"));
            match (picture, held.text_of("data")) {
                (Some(mime), Some(data)) => tell(Delta::Picture { mime: &mime, data: &data }),
                _ => tell(Delta::Other(&kind)),
            }
            return true;
        }
        let mut has_said = false;
        said(text, |text| {
            has_said = !is_thought && !text.trim().is_empty();
            tell(if is_thought { Delta::Thought(text) } else { Delta::Text(text) });
            if !is_thought
                && self.at < CANDIDATES
                && let Some(seen) = self.seen(self.at)
            {
                seen.spoken.push(text);
            }
        });
        has_said
    }
}

/// Tells the sources of a grounded answer: each with every stretch that rests on it, or by itself where there is none.
fn ground(grounds: Value<'_>, spoken: &Spoken, tell: Tell<'_>) {
    let [chunks, supports, shown] =
        grounds.pick(["groundingChunks", "groundingSupports", "searchEntryPoint"]);
    let sources: Vec<Citation> =
        chunks.into_iter().flat_map(Value::items).take(MOST).map(Citation::of_chunk).collect();
    let mut is_used = vec![false; sources.len()];
    let mut told = 0;
    for support in supports.into_iter().flat_map(Value::items).take(MOST) {
        let segment = support.get("segment");
        let [start, end] = segment
            .map(|segment| segment.pick(["startIndex", "endIndex"]))
            .unwrap_or_default()
            .map(|at| at.and_then(Value::number));
        let text = segment.and_then(|segment| segment.text_of("text")).unwrap_or_default();
        let span = spoken.find(start, end, &text);
        for nth in support.list("groundingChunkIndices").take(sources.len()).filter_map(Value::number) {
            let nth = usize::try_from(nth).unwrap_or(usize::MAX);
            if let (Some(source), Some(is_used)) = (sources.get(nth), is_used.get_mut(nth)) {
                (*is_used, told) = (true, told + 1);
                if told > MOST + 1 {
                    return;
                }
                tell(Delta::Cited(&source.clone().of_span(span)));
            }
        }
    }
    for (source, _) in sources.iter().zip(is_used).filter(|(_, is_used)| !is_used) {
        tell(Delta::Cited(source));
    }
    if shown.is_some() {
        tell(Delta::Cited(&Citation::of_kind("searchEntryPoint")));
    }
}
