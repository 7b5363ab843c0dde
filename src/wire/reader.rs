//! What every reader of a request does alike: asks the table, notes what is left out, refuses by name, checks what is common.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use super::error::Result;
use super::gemini::names::camel;
use super::json::{Value, is_json};
use super::known::place;
use super::prompt::{Data, Format, Piece, Prompt, ToolChoice, Turn};
use super::reply::Call;
use super::table::{self, Fate, Row, Target};
use super::{Accent, Dialect, Sending, WireError};

/// The most names of left out members that are told.
const MOST: usize = 32;

/// What was left out.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) names: RefCell<Vec<String>>,
    /// Whether the service tier that policy asks for is.
    pub(super) lacks_tier: Cell<bool>,
}

impl Notes {
    /// Notes a name once; what a client made up is told in letters that fit a header.
    pub(super) fn add(&self, name: &str) {
        let mut names = self.names.borrow_mut();
        if names.len() >= MOST {
            return;
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.[]() ".contains(c);
        let name: String = name.chars().take(64).map(|c| if fits(c) { c } else { '?' }).collect();
        if !names.contains(&name) {
            names.push(name);
        }
    }

    /// Takes back names of what policy says itself.
    pub(super) fn forget(&self, names: &[&str]) {
        self.names.borrow_mut().retain(|name| !names.contains(&&**name));
    }
}

/// For whom a request is read, and what is left out of it.
#[derive(Clone, Copy)]
pub(super) struct Reader<'n> {
    /// The client's dialect.
    pub(super) from: Dialect,
    /// The dialect that the request is going to.
    pub(super) to: Dialect,
    /// The model by the name that tells what it is.
    pub(super) model: &'n str,
    /// The provider's name for it.
    pub(super) upstream: &'n str,
    /// How it is sent to it.
    pub(super) sending: &'n Sending<'n>,
    /// What is left out.
    pub(super) notes: &'n Notes,
}

fn is_address(url: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| url.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)))
}

/// Reads content: a text, or a list of parts, some of which may be left out.
pub(super) fn pieces<'a>(
    content: Value<'a>,
    place: &str,
    part: impl Fn(Value<'a>, &str) -> Result<Option<Piece<'a>>>,
) -> Result<Vec<Piece<'a>>> {
    if content.is_text() {
        let text = content.text().ok_or_else(|| WireError::invalid(place, "is no valid text"))?;
        return Ok(vec![Piece::text(text, None)]);
    }
    if !content.is_array() {
        return Err(WireError::invalid(place, "has to be a text or a list of parts"));
    }
    let parts = content.items().enumerate();
    parts.filter_map(|(at, item)| part(item, &format!("{place}[{at}]")).transpose()).collect()
}

/// So many stop sequences OpenAI takes.
const STOPS: usize = 4;
/// So many Google takes.
const GEMINI_STOPS: usize = 5;

impl Reader<'_> {
    /// Refuses a field that the target has no counterpart for.
    pub(super) fn refuse<T>(self, field: impl Into<String>) -> Result<T> {
        if self.to == Dialect::OpenAiChat && self.sending.accent == Accent::Mistral {
            let what =
                "Mistral has no counterpart for it; leave it out, or ask for a model that understands it";
            return Err(WireError::invalid(field, what));
        }
        Err(WireError::Untranslatable { field: field.into(), to: self.to })
    }

    /// Notes that something is left out.
    pub(super) fn leave_out(self, name: &str) {
        self.notes.add(name);
    }

    /// Notes that the service tier that policy asks for is left out.
    pub(super) fn leave_out_tier(self) {
        self.notes.lacks_tier.set(true);
        self.leave_out(place(self.from, "service_tier"));
    }

    /// Notes that how closely a picture is to be looked at cannot be said.
    pub(super) fn detail(self, detail: Option<&str>) {
        if detail.is_some_and(|detail| detail != "auto") {
            self.leave_out("detail");
        }
    }

    /// Notes what an object within the request says besides what is read of it.
    pub(super) fn others(self, value: Value<'_>, read: &[&str], place: &str) {
        for (key, value) in value.members() {
            let key = if self.from == Dialect::Gemini { camel(&key) } else { key };
            let is_said = !matches!(value.raw(), "null" | "false" | "\"\"" | "[]" | "{}");
            if is_said && !read.contains(&&*key) {
                self.leave_out(&format!("{place}.{key}"));
            }
        }
    }

    /// Says whether a member is to be read: returns its row where it is, notes or refuses it where it is not.
    pub(super) fn takes(self, field: &str, value: Value<'_>) -> Result<Option<&'static Row>> {
        if value.is_null() || table::is_zero(field, value) {
            return Ok(None);
        }
        let row = table::find(self.from, field);
        let fate = row.zip(Target::of(self.to, self.sending.accent)).map(|(row, to)| row.fate(to));
        match fate {
            Some(Fate::Passed | Fate::As(_)) => return Ok(row),
            Some(Fate::Elsewhere) => {}
            _ if table::says_nothing(field, value) => {}
            Some(Fate::Refused) if field == "thread" => return Err(WireError::Threads { to: self.to }),
            Some(Fate::Refused) => return self.refuse(field),
            Some(Fate::LeftOut) | None => self.leave_out(field),
        }
        Ok(None)
    }

    /// Says what becomes of a kind of tool or content: whether it is left out (which is noted), or refused.
    pub(super) fn leaves_out(self, kinds: &[table::Kind], kind: &str, place: &str) -> Result<bool> {
        match kinds.iter().find(|known| known.is(kind)).map(|known| known.fate) {
            Some(Fate::LeftOut) => {
                let at = place.find('[').and_then(|at| place.get(..at)).unwrap_or(place);
                self.leave_out(&format!("{at} ({kind})"));
                Ok(true)
            }
            Some(Fate::Refused) => self.refuse(format!("{place}.type ({kind})")),
            _ => Ok(false),
        }
    }

    /// Says whether the target wants back what it thought.
    pub(super) fn wants_thoughts(self) -> bool {
        let known = self.sending.known;
        self.to == Dialect::OpenAiChat
            && self.sending.accent == Accent::OpenAi
            && !known.refuses_thoughts
            && (known.wants_thoughts || known.keeps_thoughts)
    }

    /// Says whether it refuses a call without what it thought before, so that an empty text has to stand there.
    pub(super) fn wants_empty_thoughts(self) -> bool {
        self.wants_thoughts() && self.sending.known.wants_thoughts
    }

    /// Refuses bytes that the target does not take in this form.
    pub(super) fn data<'a>(self, data: Data<'a>, is_file: bool, place: &str) -> Result<Data<'a>> {
        let is_taken = match (&data, self.to) {
            (Data::Url(_), Dialect::Gemini) => false,
            (Data::Url(url), _) if !is_address(url) => false,
            // It takes no bytes that it is not told what they are.
            (Data::Base64 { kind, .. }, Dialect::Gemini) => {
                !matches!(&**kind, "" | "application/octet-stream")
            }
            (Data::Url(_), Dialect::OpenAiChat) => !is_file || self.sending.accent == Accent::Mistral,
            (Data::Base64 { kind, .. }, Dialect::AnthropicMessages) => !is_file || kind == "application/pdf",
            _ => true,
        };
        if is_taken { Ok(data) } else { self.refuse(place) }
    }

    /// Makes the piece of a document. One that holds nothing but text is text, where only documents of other kinds are taken.
    pub(super) fn file<'a>(
        self,
        data: Data<'a>,
        name: Option<Cow<'a, str>>,
        cache: Option<Value<'a>>,
        place: &str,
    ) -> Result<Piece<'a>> {
        if let Some(text) = data.text().filter(|_| self.to != Dialect::Gemini) {
            let texts: Vec<_> = name.into_iter().chain([text.into()]).collect();
            return Ok(Piece::text(texts.join("\n\n"), cache));
        }
        Ok(Piece::File { data: self.data(data, true, place)?, name, cache })
    }

    /// Makes a call of an earlier turn; where the target takes objects alone, other
    /// arguments (a model's own mistake) become one that holds their text, which is noted.
    pub(super) fn call<'a>(
        self,
        id: Cow<'a, str>,
        name: Cow<'a, str>,
        arguments: Cow<'a, str>,
        place: &str,
    ) -> Call<'a> {
        let text = arguments.trim();
        let is_object = || text.starts_with('{') && is_json(text);
        if self.to != Dialect::OpenAiChat && !text.is_empty() && !is_object() {
            self.leave_out(place);
            let arguments = super::tools::custom_arguments(text).into();
            return Call { id, name, arguments };
        }
        Call { id, name, arguments }
    }

    /// Reads what form the answer has to have; a schema stands in `holder`.
    pub(super) fn format<'a>(
        self,
        value: Value<'a>,
        (holder, at): (Option<Value<'a>>, &str),
        place: &str,
    ) -> Result<Format<'a>> {
        match value.text_of("type").as_deref() {
            Some("text") => Ok(Format::Text),
            Some("json_object") => Ok(Format::Json),
            Some("json_schema") => {
                let schema = holder.and_then(|said| said.get("schema"));
                Ok(Format::Schema {
                    name: holder.and_then(|said| said.text_of("name")).unwrap_or("answer".into()),
                    schema: schema.ok_or_else(|| WireError::missing(at, "schema"))?,
                    strict: holder.and_then(|said| said.get("strict")).and_then(Value::flag),
                })
            }
            _ => self.refuse(format!("{place}.type")),
        }
    }

    /// Refuses a result whose call does not stand before it, where the target wants the name of what was called.
    pub(super) fn answered(self, prompt: &Prompt<'_>, call: &str, place: &str) -> Result<()> {
        if self.to == Dialect::Gemini && prompt.tool_called(call).is_none() {
            return Err(WireError::invalid(place, "no earlier turn makes that call"));
        }
        Ok(())
    }

    /// Offers only the tools that are allowed, where a choice names some.
    pub(super) fn allow<'a>(
        self,
        prompt: &mut Prompt<'a>,
        mode: Option<&str>,
        names: &[String],
    ) -> Result<ToolChoice<'a>> {
        let names: HashSet<&str> = names.iter().map(String::as_str).collect();
        prompt.tools.retain(|tool| names.contains(&*tool.name));
        if mode != Some("required") {
            return Ok(if prompt.tools.is_empty() { ToolChoice::None } else { ToolChoice::Auto });
        }
        if prompt.tools.is_empty() { Err(WireError::Forced { to: self.to }) } else { Ok(ToolChoice::Any) }
    }

    /// Ends the reading: a tool that is forced is offered, somebody has the last word, and there is one.
    pub(super) fn finish(self, mut prompt: Prompt<'_>, count: usize) -> Result<Prompt<'_>> {
        match &prompt.choice {
            Some(ToolChoice::Named(name)) if !prompt.tools.iter().any(|tool| tool.name == *name) => {
                return Err(WireError::Forced { to: self.to });
            }
            Some(ToolChoice::Any) if prompt.tools.is_empty() => {
                return Err(WireError::Forced { to: self.to });
            }
            Some(ToolChoice::Auto | ToolChoice::None) if prompt.tools.is_empty() => prompt.choice = None,
            _ => {}
        }
        prompt.settle_ids();
        prompt.settle_names();
        prompt.settle_tools(self);
        // OpenAI takes a turn that says nothing; what the assistant is said to have begun is looked at by itself.
        let is_said = |text: &str| match self.to {
            Dialect::AnthropicMessages => !text.trim().is_empty(),
            Dialect::Gemini => !text.is_empty(),
            _ => true,
        };
        prompt.turns.retain(|turn| !turn.is_user || turn.says(is_said));
        // What tools gave back stands first in a turn: whoever asked for it takes no word before it.
        let is_result = |part: &Piece<'_>| matches!(part, Piece::Result(_));
        for turn in prompt.turns.iter_mut().filter(|turn| turn.is_user) {
            if !turn.parts.is_sorted_by_key(|part| !is_result(part)) {
                turn.parts.sort_by_key(|part| !is_result(part));
            }
        }
        if self.to == Dialect::Gemini {
            prompt.answer_in_order();
        }
        // Nobody but OpenAI and Mistral lets the assistant begin.
        if self.to != Dialect::OpenAiChat && prompt.turns.first().is_some_and(|turn| !turn.is_user) {
            prompt.turns.insert(0, Turn { is_user: true, parts: vec![Piece::text("...", None)] });
        }
        let stops = prompt.stop.len();
        if self.to == Dialect::AnthropicMessages {
            prompt.stop.retain(|stop| !stop.trim().is_empty());
        }
        if prompt.stop.len() < stops {
            self.leave_out(&format!("{} (blank)", place(self.from, "stop")));
        }
        let most = match self.to {
            Dialect::OpenAiChat if self.sending.accent == Accent::OpenAi => STOPS,
            Dialect::Gemini => GEMINI_STOPS,
            _ => usize::MAX,
        };
        if prompt.stop.len() > most {
            prompt.stop.truncate(most);
            self.leave_out(&format!("{} (more than {most})", place(self.from, "stop")));
        }
        match prompt.turns.last() {
            Some(turn) if !turn.is_user && matches!(turn.parts.last(), Some(Piece::Call { .. })) => {
                let place = format!("{}[{}]", self.turns(), count.saturating_sub(1));
                return Err(WireError::invalid(place, "calls a tool, and no result follows"));
            }
            Some(_) => {}
            None if prompt.system.iter().all(|said| said.text.trim().is_empty()) => {
                return Err(WireError::invalid(self.turns(), "is empty: there is nothing to answer"));
            }
            // Many servers want a turn, and all take one.
            None => {
                let parts = std::mem::take(&mut prompt.system).into_iter().map(Piece::Text).collect();
                prompt.turns.push(Turn { is_user: true, parts });
            }
        }
        Ok(prompt)
    }

    /// Returns the member in which the client's dialect has the turns.
    pub(super) fn turns(self) -> &'static str {
        match self.from {
            Dialect::OpenAiResponses => "input",
            Dialect::Gemini => "contents",
            Dialect::OpenAiCompletions => "prompt",
            _ => "messages",
        }
    }
}
