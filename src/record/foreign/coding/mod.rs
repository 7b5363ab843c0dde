//! Session logs that coding agents keep on the machine of whoever uses them: Claude Code, Codex, opencode, Gemini CLI.
//!
//! Invariants: a call counts once, however many lines, files, resumed or forked sessions tell of it, in whatever order they
//! are read; two calls that only look alike stay two. What entries rest on (a session's model, its last prompt) is kept for
//! the file being read alone. The agent's name stands as `team`, a sub-agent's as `user`, the
//! tools whose results a call brings along as the tag `tool`.

mod call;
mod called;
mod claude_code;
mod codex;
mod gemini_cli;
mod opencode;

use std::ops::ControlFlow;

use crate::record::InputFormat;
use crate::record::known::Sink;

/// What was met so far in sessions of coding agents.
#[derive(Debug, Default)]
pub(crate) struct Coding {
    /// The file being read.
    pub(crate) open: Within,
    claude_code_answers: claude_code::Answers,
    codex_forks: codex::Forks,
}

/// What was met so far in one file.
#[derive(Debug, Default)]
pub(crate) struct Within {
    /// Its name.
    file: String,
    claude_code: claude_code::Session,
    codex: codex::Session,
    gemini_cli: gemini_cli::Session,
}

impl Within {
    /// Forgets what belonged to another file.
    fn at(&mut self, file: &str) {
        if self.file != file {
            *self = Self { file: file.to_owned(), ..Self::default() };
        }
    }
}

/// Reads an entry of a coding agent's session.
pub(super) fn entry(
    format: InputFormat,
    text: &str,
    (coding, file): (&mut Coding, &str),
    sink: &mut Sink<'_>,
) -> ControlFlow<()> {
    let Coding { open, claude_code_answers, codex_forks } = coding;
    open.at(file);
    match format {
        InputFormat::Codex => sink(codex::line(text, &mut open.codex, codex_forks)),
        InputFormat::GeminiCli => gemini_cli::entry(text, (&mut open.gemini_cli, file), sink),
        InputFormat::OpenCode => sink(opencode::message(text)),
        _ => sink(claude_code::line(text, &mut open.claude_code, claude_code_answers)),
    }
}
