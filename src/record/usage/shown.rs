//! What an answer shows of tools that its provider ran: items of a response, blocks of a message, sources of a Gemini answer.
//!
//! Invariants: what may be billed is a meter, though usage is silent on it; how often it was, and how long it took, an answer
//! tells but roughly, so that a cost of it is an estimate, and where no book prices it none at all.

use crate::pricing::Terms;
use crate::record::value::{FromValue, Object, Value};

/// The meter of sessions in a container: an answer does not tell whether its own was begun before, or will be used again.
pub(crate) const SESSIONS: &str = "code_interpreter";
/// The meter of calls of tools that nobody here knows.
const UNLISTED: &str = "unlisted_tool_calls";

/// An item of a response.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ShownItem<'t> {
    /// Its type.
    pub(crate) kind: &'t str,
    /// What a search did.
    pub(crate) action: &'t str,
    /// How it ended.
    pub(crate) status: &'t str,
    /// Where a command ran; empty where it does not say.
    pub(crate) place: &'t str,
}

/// The tools that a request offered, as far as the meters of their calls depend on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    search: &'static str,
    has_container: bool,
}

impl Default for Offered {
    fn default() -> Self {
        Self { search: "web_search", has_container: false }
    }
}

impl Offered {
    /// Takes in a tool: the preview of a search has a price of its own, and a shell may run in a container of the provider's.
    pub(crate) fn add(&mut self, tool: &str, place: &str) {
        if tool.starts_with("web_search_preview") {
            self.search = "web_search_preview";
        }
        self.has_container |= tool == "shell" && is_container(place);
    }

    /// Names the meter of an item that is a call of a tool which the provider ran and bills; what a search did besides
    /// searching is free, and so is one that failed.
    pub(crate) fn meter(self, item: ShownItem<'_>) -> Option<&'static str> {
        match item.kind {
            "web_search_call" | "file_search_call" if item.status == "failed" => None,
            "web_search_call" => matches!(item.action, "" | "search").then_some(self.search),
            "file_search_call" => Some("file_search"),
            "code_interpreter_call" => Some(SESSIONS),
            "shell_call" if is_container(item.place) => Some(SESSIONS),
            "shell_call" => (item.place.is_empty() && self.has_container).then_some(SESSIONS),
            "image_generation_call" => Some("image_generation"),
            "x_search_call" => Some("x_search"),
            kind if kind.ends_with("_call") && !BY_THE_CLIENT.contains(&kind) => Some(UNLISTED),
            _ => None,
        }
    }
}

/// Says whether commands run at the provider's, whose containers are billed by the time.
fn is_container(place: &str) -> bool {
    !matches!(place, "" | "local" | "null" | "none")
}

/// Calls that the client runs or that cost nothing besides their tokens; any other may be billed in ways nobody here knows.
const BY_THE_CLIENT: [&str; 7] = [
    "function_call",
    "custom_tool_call",
    "computer_call",
    "local_shell_call",
    "apply_patch_call",
    "mcp_call",
    "tool_search_call",
];

/// The blocks of a message that show tools which the provider ran.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServerBlocks {
    asked: u64,
    searched: u64,
    failed: u64,
    has_web: bool,
    has_code: bool,
    others: u64,
}

impl ServerBlocks {
    /// Takes in a block: its type, the tool that it calls, and whether it tells of an error.
    pub(crate) fn add(&mut self, kind: &str, tool: &str, is_error: bool) {
        match (kind, tool) {
            ("server_tool_use", "web_search") => self.asked += 1,
            ("web_search_tool_result", _) if is_error => self.failed += 1,
            ("web_search_tool_result", _) => self.searched += 1,
            ("server_tool_use", "web_fetch") | ("web_fetch_tool_result", _) => self.has_web = true,
            ("server_tool_use", name) if name.contains("code_execution") => self.has_code = true,
            ("server_tool_use", name) if name.starts_with("tool_search") || name == "advisor" => {}
            ("server_tool_use", _) => self.others += 1,
            ("mcp_tool_result" | "tool_search_tool_result" | "advisor_tool_result", _) => {}
            (result, _) if result.ends_with("code_execution_tool_result") => self.has_code = true,
            (result, _) if result.ends_with("_tool_result") => self.others += 1,
            _ => {}
        }
    }

    /// Takes in that the message names a container in which code ran.
    pub(crate) fn has_run(&mut self) {
        self.has_code = true;
    }

    /// Takes over what another part of the same message shows.
    pub(super) fn absorb(&mut self, then: Self) {
        self.asked = self.asked.max(then.asked);
        self.searched = self.searched.max(then.searched);
        self.failed = self.failed.max(then.failed);
        self.others = self.others.max(then.others);
        self.has_web |= then.has_web;
        self.has_code |= then.has_code;
    }

    /// Tells what the terms do not tell yet, and says whether that makes a cost an estimate.
    pub(crate) fn tell(&self, terms: &mut Terms) -> bool {
        let is_told = |terms: &Terms, word: &str| terms.meters().any(|(meter, _)| meter.contains(word));
        let searches = self.searched.max(self.asked.saturating_sub(self.failed));
        let mut is_guess = false;
        if searches > 0 && !is_told(terms, "web_search") {
            terms.meter("web_search", searches);
            is_guess = true;
        }
        if self.has_code && !is_told(terms, "code_execution") {
            // Beside a search or a fetch it is free where those are of the newer kind, which an answer does not tell.
            if searches == 0 && !self.has_web {
                terms.meter("code_execution", 1);
            }
            is_guess = true;
        }
        terms.meter(UNLISTED, self.others);
        is_guess
    }
}

impl ServerBlocks {
    /// Takes in a block by its text.
    pub(crate) fn read_block(&mut self, text: &str) {
        if let Ok(block) = Object::read(text) {
            self.take(&block);
        }
    }

    fn take(&mut self, block: &Object<'_>) {
        let kind = block.word("type").unwrap_or_default();
        if kind == "server_tool_use" || kind.ends_with("_tool_result") {
            // An error is an object that says so; what a search found is a list.
            let content = block.get("content").map_or("", Value::raw);
            let is_error = content.starts_with('{') && content.contains("_error\"");
            self.add(&kind, &block.word("name").unwrap_or_default(), is_error);
        }
    }

    /// Reads a whole message: its blocks, and the container in which its code ran.
    pub(crate) fn of_message(text: &str) -> Self {
        let mut all = Self::default();
        let Ok(message) = Object::read(text) else { return all };
        message.objects("content").unwrap_or_default().iter().for_each(|block| all.take(block));
        if message.says("container").unwrap_or(false) {
            all.has_run();
        }
        all
    }
}

/// Sources that an answer of Gemini rests on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grounding {
    searches: u64,
    is_of_web: bool,
    is_of_maps: bool,
    is_of_files: bool,
}

impl FromValue for Grounding {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let sources = value.object()?;
        let searches = sources.items("webSearchQueries|web_search_queries")?.len()
            + sources.items("imageSearchQueries|image_search_queries")?.len();
        let mut found = Self { searches: searches as u64, ..Self::default() };
        let token = sources.word("googleMapsWidgetContextToken|google_maps_widget_context_token")?;
        found.is_of_maps = !token.is_empty();
        for chunk in sources.objects("groundingChunks|grounding_chunks")? {
            found.is_of_web |= chunk.says("web")? || chunk.says("image")?;
            found.is_of_maps |= chunk.says("maps")?;
            found.is_of_files |= chunk.says("retrievedContext|retrieved_context")?;
        }
        Ok(found)
    }
}

impl Grounding {
    /// Adds what another candidate of the same answer rests on.
    pub(crate) fn add(&mut self, other: Self) {
        let searches = self.searches.saturating_add(other.searches);
        *self = Self { searches, ..self.or(other) };
    }

    /// Takes over what a later part of the same answer says.
    pub(super) fn absorb(&mut self, then: Self) {
        *self = self.or(then);
    }

    fn or(self, other: Self) -> Self {
        Self {
            searches: self.searches.max(other.searches),
            is_of_web: self.is_of_web || other.is_of_web,
            is_of_maps: self.is_of_maps || other.is_of_maps,
            is_of_files: self.is_of_files || other.is_of_files,
        }
    }

    /// Tells what the terms do not tell yet, and says whether there was anything: searches are free up to a number a day or
    /// a month, which no answer tells, and what a search of one's own files costs depends on where they lie.
    pub(crate) fn tell(self, terms: &mut Terms) -> bool {
        let searches = self.searches.max(u64::from(self.is_of_web));
        for (meter, count) in [("web_search", searches), ("maps_grounding", u64::from(self.is_of_maps))] {
            if terms.meters().all(|(known, _)| known != meter) {
                terms.meter(meter, count);
            }
        }
        searches > 0 || self.is_of_maps || self.is_of_files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_nobody_here_knows_is_a_meter_and_one_of_the_clients_is_not() {
        let meter = |kind| Offered::default().meter(ShownItem { kind, ..ShownItem::default() });
        assert_eq!(meter("x_search_call"), Some("x_search"));
        assert_eq!(meter("teleport_call"), Some("unlisted_tool_calls"));
        for kind in
            BY_THE_CLIENT.iter().chain(&["shell_call", "message", "reasoning", "function_call_output"])
        {
            assert_eq!(meter(kind), None, "{kind}");
        }
    }

    #[test]
    fn a_command_in_a_container_of_the_providers_is_billed_by_the_session() {
        let meter = |offered: Offered, place| {
            offered.meter(ShownItem { kind: "shell_call", place, ..ShownItem::default() })
        };
        let (own, mut hosted) = (Offered::default(), Offered::default());
        hosted.add("shell", "container_auto");
        assert_eq!([meter(own, ""), meter(own, "local"), meter(hosted, "local")], [None; 3]);
        let billed = [meter(own, "container_reference"), meter(hosted, ""), meter(own, "some_new_place")];
        assert_eq!(billed, [Some(SESSIONS); 3]);
    }

    fn meters(terms: &Terms) -> String {
        terms.meters().map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
    }

    fn told(message: &str) -> (String, bool) {
        let mut terms = Terms::NONE;
        let is_guess = ServerBlocks::of_message(message).tell(&mut terms);
        (meters(&terms), is_guess)
    }

    #[test]
    fn blocks_of_tools_that_the_provider_ran_are_billed_though_usage_is_silent() {
        let result = r#"{"type":"web_search_tool_result","content":[]}"#;
        let failed = r#"{"type":"web_search_tool_result","content":{"type":"web_search_tool_result_error"}}"#;
        for (blocks, more, meters, is_guess) in [
            (r#"{"type":"server_tool_use","name":"web_search"}"#, "", "web_search=1", true),
            (&*format!("{result},{result}"), "", "web_search=2", true),
            (failed, "", "", false),
            (&*format!(r#"{{"type":"server_tool_use","name":"web_search"}},{failed}"#), "", "", false),
            (r#"{"type":"bash_code_execution_tool_result"}"#, "", "code_execution=1", true),
            (r#"{"type":"server_tool_use","name":"code_execution"}"#, "", "code_execution=1", true),
            (r#"{"type":"text"}"#, r#","container":{"id":"c"}"#, "code_execution=1", true),
            (r#"{"type":"text"}"#, r#","container":null"#, "", false),
            (r#"{"type":"web_fetch_tool_result"}"#, "", "", false),
            (r#"{"type":"web_fetch_tool_result"},{"type":"bash_code_execution_tool_result"}"#, "", "", true),
            (r#"{"type":"server_tool_use","name":"teleport"}"#, "", "unlisted_tool_calls=1", false),
            (r#"{"type":"tool_use","name":"web_search"},{"type":"mcp_tool_result"}"#, "", "", false),
        ] {
            let message = format!(r#"{{"content":[{blocks}]{more}}}"#);
            assert_eq!(told(&message), (meters.to_owned(), is_guess), "{message}");
        }
        assert_eq!(told(r#"{"content":"server_tool_use"}"#), (String::new(), false));
    }

    #[test]
    fn every_kind_of_source_that_is_billed_is_told() {
        for (text, meters, is_any) in [
            (r#"{"webSearchQueries":["a","b"]}"#, "web_search=2", true),
            (r#"{"groundingChunks":[{"web":{"uri":"u"}},{"web":{}}]}"#, "web_search=1", true),
            (r#"{"groundingChunks":[{"maps":{"placeId":"p"}}]}"#, "maps_grounding=1", true),
            (r#"{"google_maps_widget_context_token":"t"}"#, "maps_grounding=1", true),
            (r#"{"groundingChunks":[{"retrievedContext":{}}]}"#, "", true),
            (r#"{"webSearchQueries":[],"groundingChunks":null}"#, "", false),
            ("null", "", false),
        ] {
            let mut terms = Terms::NONE;
            let found = crate::record::value::read::<Grounding>(text).unwrap().tell(&mut terms);
            assert_eq!((self::meters(&terms).as_str(), found), (meters, is_any), "{text}");
        }
    }
}
