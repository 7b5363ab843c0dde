//! Session logs that coding agents keep on the machine of whoever uses them: Claude Code, Codex, opencode, Gemini CLI.
//!
//! Invariants: a call counts once, however many lines, files, resumed or forked sessions tell of it, in whatever order they
//! are read; two calls that only look alike stay two. What entries rest on (a session's model, its last prompt) is kept for
//! the file being read alone. The agent's name stands as `team`, a sub-agent's as `user`.

mod claude_code;
mod codex;
mod gemini_cli;
mod opencode;

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::Sink;
use crate::classifier::TaskClass;
use crate::record::skip::Refusal;
use crate::record::{Attempt, Attempts, InputFormat, Record};
use crate::units::Instant;

/// A line that is no answer of a model.
const NO_ANSWER: Refusal = Refusal::NotACall("a line of a session that is no answer of a model");
/// How much of a prompt is kept, in bytes; the classifier reads no more.
const PROMPT: usize = 16 << 10;
/// Whoever is no sub-agent.
const MAIN: &str = "main";

/// What was met so far in sessions of coding agents.
#[derive(Debug, Default)]
pub(crate) struct Coding {
    /// The file being read, by its name.
    file: String,
    claude_code: claude_code::Session,
    claude_code_answers: claude_code::Answers,
    codex: codex::Session,
    codex_forks: codex::Forks,
    gemini_cli: gemini_cli::Session,
}

impl Coding {
    /// Forgets what belonged to another file.
    fn at(&mut self, file: &str) {
        if self.file == file {
            return;
        }
        file.clone_into(&mut self.file);
        self.claude_code = claude_code::Session::default();
        self.codex = codex::Session::default();
        self.gemini_cli = gemini_cli::Session::default();
    }
}

/// Reads an entry of a coding agent's session.
pub(super) fn entry(
    format: InputFormat,
    text: &str,
    (coding, file): (&mut Coding, &str),
    sink: &mut Sink<'_>,
) -> ControlFlow<()> {
    coding.at(file);
    match format {
        InputFormat::Codex => sink(codex::line(text, &mut coding.codex, &mut coding.codex_forks)),
        InputFormat::GeminiCli => gemini_cli::entry(text, (&mut coding.gemini_cli, file), sink),
        InputFormat::OpenCode => sink(opencode::message(text)),
        _ => sink(claude_code::line(text, &mut coding.claude_code, &mut coding.claude_code_answers)),
    }
}

/// Who called, in which session and project.
struct Caller<'c> {
    agent: &'static str,
    session: &'c str,
    folder: &'c str,
    /// The sub-agent; empty for the main one.
    sub_agent: &'c str,
    prompt: &'c str,
    turn: Option<u32>,
}

/// Makes a record of one call.
fn record(id: String, at: Instant, caller: &Caller<'_>, only: Attempt<'static>) -> Record<'static> {
    let sub_agent = if caller.sub_agent.is_empty() { MAIN } else { caller.sub_agent };
    Record {
        id: Cow::Owned(id),
        at,
        team: Cow::Borrowed(caller.agent),
        project: Cow::Owned(last_part(caller.folder).to_owned()),
        user: Cow::Owned(sub_agent.to_owned()),
        session: Cow::Owned(caller.session.to_owned()),
        task: Some(TaskClass::Agent),
        turn: caller.turn,
        prompt: (!caller.prompt.is_empty()).then(|| Cow::Owned(caller.prompt.to_owned())),
        attempts: Attempts::one(only),
        ..Record::default()
    }
}

/// Returns the last part of a path, of either kind.
fn last_part(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default()
}

/// Cuts a prompt to what is kept of it.
fn kept(text: &str) -> String {
    let mut end = text.len().min(PROMPT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
