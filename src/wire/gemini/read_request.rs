//! A request in Gemini's form, read for a provider of another dialect.
//!
//! Calls of earlier turns often have no id; they get one each, and a result goes to the first call of its name that has none
//! yet.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use super::names::{camel, member, text_of};
use super::read_schema::Schemas;
use crate::wire::chat::write_request::audio_format;
use crate::wire::error::Result;
use crate::wire::json::Value;
use crate::wire::prompt::{
    Data, Format, PICTURES, Piece, Prompt, Reader, Text, Tool, ToolChoice, ToolResult, texts,
};
use crate::wire::table::{Fate, kinds};
use crate::wire::{Dialect, WireError};

/// Reads a request whose schemas were converted.
pub(in crate::wire) fn read<'a>(
    root: Value<'a>,
    schemas: &'a Schemas,
    reader: Reader<'_>,
) -> Result<Prompt<'a>> {
    let prompt = Prompt::default();
    let mut reading = Reading { reader, schemas, prompt, calls: Calls::default() };
    let mut count = 0;
    for (key, value) in root.members() {
        let key = camel(&key);
        // The settings have rows of their own.
        if key != "generationConfig" && reader.takes(&key, value)?.is_none() {
            continue;
        }
        match &*key {
            "systemInstruction" => reading.system(value)?,
            "contents" => {
                for (at, content) in value.each().enumerate() {
                    count = at + 1;
                    reading.turn(content, at)?;
                }
            }
            "tools" => reading.tools(value)?,
            "generationConfig" => reading.settings(value)?,
            "serviceTier" => reading.prompt.tier = value.text(),
            _ => {}
        }
    }
    let tool_config = member(root, "toolConfig");
    if let Some(config) = tool_config {
        reader.others(config, &["functionCallingConfig"], "toolConfig");
    }
    if let Some(config) = tool_config.and_then(|config| member(config, "functionCallingConfig")) {
        reading.prompt.choice = reading.choice(config)?;
    }
    reader.finish(reading.prompt, count)
}

/// The calls of earlier turns that wait for their results.
#[derive(Default)]
struct Calls<'a> {
    made: usize,
    open: HashMap<usize, String>,
    by_id: HashMap<String, VecDeque<usize>>,
    by_name: HashMap<Cow<'a, str>, VecDeque<usize>>,
}

impl<'a> Calls<'a> {
    fn begin(&mut self, name: Cow<'a, str>, id: String) {
        self.by_id.entry(id.clone()).or_default().push_back(self.made);
        self.by_name.entry(name).or_default().push_back(self.made);
        self.open.insert(self.made, id);
    }

    /// Ends the first open call of an id, or where there is none given, of a name.
    fn end(&mut self, id: Option<&str>, name: &str) -> Option<String> {
        let list = match id {
            Some(id) => self.by_id.get_mut(id)?,
            None => self.by_name.get_mut(name)?,
        };
        let open = &mut self.open;
        std::iter::from_fn(|| list.pop_front()).find_map(|at| open.remove(&at))
    }
}

/// A request that is being read.
struct Reading<'r, 'a> {
    reader: Reader<'r>,
    schemas: &'a Schemas,
    prompt: Prompt<'a>,
    calls: Calls<'a>,
}

impl<'a> Reading<'_, 'a> {
    fn system(&mut self, value: Value<'a>) -> Result<()> {
        if let Some(text) = value.text() {
            self.prompt.system.push(Text { text, cache: None });
            return Ok(());
        }
        let parts = member(value, "parts");
        for part in parts.into_iter().flat_map(Value::each) {
            match text_of(part, "text") {
                Some(text) => self.prompt.system.push(Text { text, cache: None }),
                None => return self.reader.refuse("systemInstruction.parts"),
            }
        }
        Ok(())
    }

    fn turn(&mut self, content: Value<'a>, at: usize) -> Result<()> {
        let is_user = match text_of(content, "role").as_deref() {
            None | Some("user" | "function" | "tool" | "") => true,
            Some("model" | "assistant") => false,
            Some(_) => {
                return Err(WireError::invalid(format!("contents[{at}].role"), "has to be user or model"));
            }
        };
        let parts = member(content, "parts");
        let mut pieces = Vec::new();
        for (nth, part) in parts.into_iter().flat_map(Value::each).enumerate() {
            let place = format!("contents[{at}].parts[{nth}]");
            pieces.extend(self.piece(part, &place)?);
        }
        self.prompt.say(is_user, pieces);
        Ok(())
    }

    fn piece(&mut self, part: Value<'a>, place: &str) -> Result<Option<Piece<'a>>> {
        let reader = self.reader;
        // What the model thought is its own; another model is not told, and it itself where it wants that.
        if member(part, "thought").and_then(Value::flag) == Some(true) {
            return Ok(text_of(part, "text").filter(|_| reader.wants_thoughts()).map(Piece::Thought));
        }
        for (key, value) in part.members().filter(|(_, value)| !value.is_null()) {
            let key = camel(&key);
            return Ok(Some(match &*key {
                "text" => {
                    let text = value.text();
                    let text =
                        text.ok_or_else(|| WireError::invalid(format!("{place}.text"), "has to be a text"))?;
                    Piece::text(text, None)
                }
                "inlineData" => {
                    let kind = text_of(value, "mimeType").unwrap_or_default();
                    let bytes = text_of(value, "data").unwrap_or_default();
                    let name = text_of(value, "displayName");
                    self.bytes(Data::bytes(&kind, bytes), &kind, name, &format!("{place}.inlineData"))?
                }
                "fileData" => {
                    let kind = text_of(value, "mimeType").unwrap_or_default();
                    let url = text_of(value, "fileUri").unwrap_or_default();
                    // What was given to Google's file store can be had nowhere else.
                    let is_googles = url.starts_with("https://generativelanguage.googleapis.com/");
                    if !url.starts_with("https://") || is_googles {
                        return reader.refuse(format!("{place}.fileData.fileUri"));
                    }
                    // Film and sound are nowhere taken by their address, and a page of films has no type at all.
                    let is_taken = PICTURES.contains(&&*kind)
                        || matches!(&*kind, "image/jpg" | "application/pdf")
                        || (reader.to == Dialect::OpenAiChat && kind.starts_with("application/"));
                    if !is_taken {
                        return reader.refuse(format!("{place}.fileData.mimeType"));
                    }
                    self.bytes(Data::Url(url), &kind, None, &format!("{place}.fileData"))?
                }
                "functionCall" => {
                    let place = format!("{place}.functionCall");
                    let name = text_of(value, "name").filter(|name| !name.is_empty());
                    let name = name.ok_or_else(|| WireError::missing(&place, "name"))?;
                    let arguments = member(value, "args").map_or("{}", Value::raw);
                    self.calls.made += 1;
                    let given = text_of(value, "id").filter(|id| !id.is_empty());
                    let id = given.map_or_else(|| format!("call_{}", self.calls.made), Cow::into_owned);
                    self.calls.begin(name.clone(), id.clone());
                    let call = reader.call(id.into(), name, arguments.into(), &format!("{place}.args"));
                    Piece::Call { call, cache: None }
                }
                "functionResponse" => self.result(value, place)?,
                // What stands beside a part and says nothing of its own.
                "thoughtSignature" | "videoMetadata" | "mediaResolution" | "partMetadata" | "thought" => {
                    continue;
                }
                key => {
                    let (_, known) = kinds(reader.from);
                    if !reader.leaves_out(known, key, place)? {
                        return reader.refuse(format!("{place}.{key}"));
                    }
                    return Ok(None);
                }
            }));
        }
        Ok(None)
    }

    fn bytes(
        &self,
        data: Data<'a>,
        kind: &str,
        name: Option<Cow<'a, str>>,
        place: &str,
    ) -> Result<Piece<'a>> {
        let reader = self.reader;
        let kind = if let Data::Base64 { kind, .. } = &data { &**kind } else { kind };
        let is_image = kind.starts_with("image/");
        let is_heard = reader.to == Dialect::OpenAiChat && audio_format(kind).is_some();
        if kind.starts_with("video/") || (kind.starts_with("audio/") && !is_heard) {
            return reader.refuse(place);
        }
        if is_image {
            return Ok(Piece::Image { data: reader.data(data, false, place)?, detail: None, cache: None });
        }
        reader.file(data, name, None, place)
    }

    fn result(&mut self, value: Value<'a>, place: &str) -> Result<Piece<'a>> {
        let place = format!("{place}.functionResponse");
        let name = text_of(value, "name").unwrap_or_default();
        let given = text_of(value, "id").filter(|id| !id.is_empty());
        let call = match (self.calls.end(given.as_deref(), &name), given) {
            (Some(id), _) => Cow::Owned(id),
            (None, Some(given)) if self.prompt.tool_called(&given).is_some() => given,
            _ => return Err(WireError::invalid(place, "no earlier turn makes that call")),
        };
        let response = member(value, "response");
        let said = |key: &str| response.and_then(|response| sole(response, key));
        let is_error = said("error").is_some();
        let told = said("error").or_else(|| said("output")).or_else(|| said("result")).or(response);
        let text = told.map(Value::told).unwrap_or_default();
        let mut parts = vec![Piece::text(text, None)];
        for (nth, part) in member(value, "parts").into_iter().flat_map(Value::each).enumerate() {
            parts.extend(self.piece(part, &format!("{place}.parts[{nth}]"))?);
        }
        Ok(Piece::Result(Box::new(ToolResult { call, parts, is_error, cache: None })))
    }

    fn tools(&mut self, value: Value<'a>) -> Result<()> {
        let reader = self.reader;
        let (known, _) = kinds(reader.from);
        let mut converted = self.schemas.functions.iter();
        for (at, tool) in value.each().enumerate() {
            for (key, value) in tool.members().filter(|(_, value)| !value.is_null()) {
                let key = camel(&key);
                let place = format!("tools[{at}]");
                if key != "functionDeclarations" {
                    if known.iter().any(|kind| kind.is(&key) && kind.fate == Fate::Refused) {
                        return reader.refuse(format!("{place}.{key}"));
                    }
                    if !reader.leaves_out(known, &key, &place)? {
                        reader.leave_out(&format!("tools ({key})"));
                    }
                    continue;
                }
                for (nth, function) in value.each().enumerate() {
                    let name = text_of(function, "name").filter(|name| !name.is_empty());
                    let missing =
                        || WireError::missing(&format!("{place}.functionDeclarations[{nth}]"), "name");
                    reader.others(function, &READ, "tools");
                    let plain = member(function, "parametersJsonSchema");
                    let old = converted.next().and_then(|schema| schema.as_deref()).map(Value::of);
                    self.prompt.tools.push(Tool {
                        name: name.ok_or_else(missing)?,
                        description: text_of(function, "description"),
                        parameters: plain.or(old),
                        strict: None,
                        is_deferred: false,
                        cache: None,
                    });
                }
            }
        }
        Ok(())
    }

    fn choice(&mut self, config: Value<'a>) -> Result<Option<ToolChoice<'a>>> {
        let names: Vec<Cow<'a, str>> = member(config, "allowedFunctionNames").map(texts).unwrap_or_default();
        let is_forced = match text_of(config, "mode").as_deref().map(str::to_ascii_uppercase).as_deref() {
            None | Some("AUTO" | "VALIDATED" | "MODE_UNSPECIFIED" | "") => false,
            Some("NONE") => return Ok(Some(ToolChoice::None)),
            Some("ANY") => true,
            Some(_) => {
                let what = "has to be AUTO, ANY, NONE or VALIDATED";
                return Err(WireError::invalid("toolConfig.functionCallingConfig.mode", what));
            }
        };
        match names.as_slice() {
            [only] if is_forced => Ok(Some(ToolChoice::Named(only.clone()))),
            [] => Ok(Some(if is_forced { ToolChoice::Any } else { ToolChoice::Auto })),
            names => {
                let names: Vec<String> = names.iter().map(ToString::to_string).collect();
                self.reader.allow(&mut self.prompt, is_forced.then_some("required"), &names).map(Some)
            }
        }
    }

    fn settings(&mut self, value: Value<'a>) -> Result<()> {
        let (reader, schemas, prompt) = (self.reader, self.schemas, &mut self.prompt);
        let mut is_json = false;
        let mut schema = None;
        for (key, value) in value.members() {
            let key = camel(&key);
            let Some(row) = reader.takes(&format!("generationConfig.{key}"), value)? else { continue };
            match &*key {
                "maxOutputTokens" => prompt.max_output = value.number(),
                "stopSequences" => prompt.stop = texts(value),
                "responseMimeType" => match value.text().as_deref() {
                    Some("application/json") => is_json = true,
                    Some("text/plain" | "") => {}
                    _ => return reader.refuse("generationConfig.responseMimeType"),
                },
                "responseSchema" => schema = schema.or(schemas.answer.as_deref().map(Value::of)),
                "responseJsonSchema" => schema = Some(value),
                "thinkingConfig" => thinking(value, prompt),
                _ => prompt.set(row.name(), value),
            }
        }
        prompt.format = match schema {
            Some(schema) => Format::Schema { name: Cow::Borrowed("answer"), schema, strict: None },
            None if is_json => Format::Json,
            None => Format::Text,
        };
        Ok(())
    }
}

/// Returns the member of that name where it is the only one.
fn sole<'a>(value: Value<'a>, name: &str) -> Option<Value<'a>> {
    let mut members = value.members();
    let (key, only) = members.next()?;
    (key == name && members.next().is_none()).then_some(only)
}

/// The members of a function that are read.
const READ: [&str; 4] = ["name", "description", "parameters", "parametersJsonSchema"];

fn thinking(value: Value<'_>, prompt: &mut Prompt<'_>) {
    const MEMBER: &str = "generationConfig.thinkingConfig";
    prompt.wants_thoughts = member(value, "includeThoughts").and_then(Value::flag) == Some(true);
    let budget = member(value, "thinkingBudget");
    if let Some(budget) = budget.and_then(Value::number) {
        prompt.set_budget(MEMBER, budget);
    }
    if let Some(level) = text_of(value, "thinkingLevel") {
        prompt.set_effort(MEMBER, Some(&level.to_ascii_lowercase()));
    }
    // A budget of -1 leaves it to the model, and so does who asks for the thoughts alone.
    if prompt.effort.is_none() && (budget.is_some() || prompt.wants_thoughts) {
        prompt.set_effort(MEMBER, Some("medium"));
    }
}
