//! Where coding agents keep their logs on this machine, and what is in them.
//!
//! Invariant: only the places that the agents themselves document or name in the environment are looked at, and looking for
//! them opens nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::logs::{input, within};
use super::{Cancel, Progress, Setup};
use crate::outcome::{Evidence, Outlook, Profiles, Settled, recorded};
use crate::pricing::PriceTable;
use crate::record::{self, Entry, ReadOptions, SkipKind};
use crate::report::{AgentCall, AgentPlace, MineReport};
use crate::routing::match_route;
use crate::session::LoadError;

/// Logs of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentLogs {
    /// The agent's name.
    pub agent: &'static str,
    /// A folder or a database.
    pub path: PathBuf,
}

/// Lists the places that hold logs, by what the environment of this process says. An agent that has not run yet, or has cleaned
/// up after itself, leaves a folder without any.
pub fn agent_logs() -> Vec<AgentLogs> {
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
    let mut found = places(home.as_deref(), |name| std::env::var_os(name).filter(|value| !value.is_empty()));
    found.retain(|logs| files(&logs.path) > 0);
    found
}

fn places(home: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Vec<AgentLogs> {
    let in_home = |path: &str| home.map(|home| home.join(path));
    let folder = |name: &str, path: &str| variable(name).map(PathBuf::from).or_else(|| in_home(path));
    let mut found: Vec<AgentLogs> = Vec::new();
    let mut add = |agent, path: Option<PathBuf>| {
        if let Some(path) = path.filter(|path| path.exists())
            && !found.iter().any(|known: &AgentLogs| known.path == path)
        {
            found.push(AgentLogs { agent, path });
        }
    };
    if let Some(told) = variable("CLAUDE_CONFIG_DIR") {
        for path in told.to_string_lossy().split(',').filter(|path| !path.trim().is_empty()) {
            add("Claude Code", Some(Path::new(path.trim()).join("projects")));
        }
    } else {
        add("Claude Code", folder("XDG_CONFIG_HOME", ".config").map(|path| path.join("claude/projects")));
        add("Claude Code", in_home(".claude/projects"));
    }
    let codex = folder("CODEX_HOME", ".codex");
    add("Codex", codex.as_ref().map(|path| path.join("sessions")));
    add("Codex", codex.map(|path| path.join("archived_sessions")));
    let data = folder("XDG_DATA_HOME", ".local/share").map(|path| path.join("opencode"));
    let opencode = variable("OPENCODE_DATA_DIR").map(PathBuf::from).or(data);
    add("opencode", variable("OPENCODE_DB").map(PathBuf::from));
    add("opencode", opencode.as_ref().map(|path| path.join("opencode.db")));
    add("opencode", opencode.map(|path| path.join("storage/message")));
    let gemini = variable("GEMINI_CLI_HOME").map(PathBuf::from).or_else(|| home.map(Path::to_owned));
    add("Gemini CLI", gemini.map(|path| path.join(".gemini/tmp")));
    found
}

/// Reads agents' logs and adds up what they cost.
///
/// # Errors
/// Where a log cannot be read, there is no call in them, or Ctrl-C cancels.
pub fn mine_report(found: &[AgentLogs], setup: Setup, read: &ReadOptions) -> anyhow::Result<MineReport> {
    let paths: Vec<PathBuf> = found.iter().map(|logs| logs.path.clone()).collect();
    let mut source = record::open(&input(&paths), read)?;
    let watch = source.progress();
    let mut progress = Progress::new("reading", watch.total);
    let cancel = Cancel::on_interrupt();
    let Setup { policy, book, mut ingest, .. } = setup;
    let mut prices = PriceTable::new(&book, &ingest.names).repricing(ingest.options.reprice);
    let (profiles, mut settled) = (Profiles::default(), Settled::default());
    let mut report = MineReport::new(
        format!("{} {}", book.name, book.dated),
        found
            .iter()
            .map(|logs| AgentPlace::new(logs.agent, &logs.path.display().to_string(), files(&logs.path)))
            .collect(),
    );
    let mut passed_over: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(block) = source.next_block() {
        let block = match block {
            Ok(block) => block,
            Err(error) => {
                report.skipped.push(error.to_string());
                continue;
            }
        };
        let mut stop = None;
        let flow = block.for_each_new(source.known(), |_, entry| {
            match entry {
                Ok(Entry::Request(record)) if !ingest.wants(record.at) => {}
                Ok(Entry::Request(record)) => {
                    let (operation, extra) = ingest.take(&record);
                    prices.extend(&book, &ingest.names);
                    let outlook = Outlook {
                        prices: &prices,
                        profiles: &profiles,
                        circumstances: &ingest.circumstances,
                        weather: None,
                    };
                    let evidence = Evidence { operation: &operation, extra: extra.as_ref() };
                    let route = match_route(&policy, &operation.signals());
                    recorded(&evidence, &policy, route, &outlook, &mut settled);
                    let served = record.attempts.last();
                    report.add(&AgentCall {
                        at: record.at,
                        agent: &record.team,
                        project: &record.project,
                        session: &record.session,
                        sub_agent: &record.user,
                        model: served.map_or("", |served| &served.model),
                        usage: operation.served.usage,
                        cost: settled.cost,
                        is_failed: !settled.status.is_ok(),
                    });
                }
                Ok(_) => {}
                Err(skip) if skip.kind == SkipKind::Bad => {
                    stop = block.strict_error(&skip);
                    report.skip(block.file(), skip.line, &skip.reason);
                }
                Err(skip) => *passed_over.entry(skip.reason).or_default() += 1,
            }
            if stop.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if let Some(error) = stop {
            return Err(error.into());
        }
        progress.update(watch.read(), report.calls);
        if flow.is_break() || cancel.is_raised() {
            return Err(LoadError::Cancelled.into());
        }
    }
    progress.finish();
    report.passed_over = passed_over;
    report.finish();
    Ok(report)
}

/// Counts the files of a place.
fn files(path: &Path) -> u64 {
    if path.is_dir() { within(path).len() as u64 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_is_looked_for_where_it_keeps_its_logs() {
        let home = tempfile::tempdir().unwrap();
        for path in [
            ".claude/projects",
            ".config/claude/projects",
            ".codex/sessions",
            ".codex/archived_sessions",
            ".local/share/opencode/storage/message",
            ".gemini/tmp",
            "elsewhere/projects",
            "codex/sessions",
        ] {
            std::fs::create_dir_all(home.path().join(path)).unwrap();
        }
        let shown = |variables: &[(&str, &str)]| -> Vec<String> {
            let variable = |name: &str| {
                let told = variables.iter().find(|(known, _)| *known == name);
                told.map(|(_, value)| OsString::from(value.replace('~', &home.path().display().to_string())))
            };
            let found = places(Some(home.path()), variable);
            let name = |logs: &AgentLogs| logs.path.strip_prefix(home.path()).unwrap().display().to_string();
            found.iter().map(name).collect()
        };
        assert_eq!(
            shown(&[]),
            [
                ".config/claude/projects",
                ".claude/projects",
                ".codex/sessions",
                ".codex/archived_sessions",
                ".local/share/opencode/storage/message",
                ".gemini/tmp"
            ]
        );
        let told = shown(&[
            ("CLAUDE_CONFIG_DIR", "~/elsewhere, ~/nowhere"),
            ("CODEX_HOME", "~/codex"),
            ("XDG_DATA_HOME", "~/none"),
            ("GEMINI_CLI_HOME", "~/none"),
        ]);
        assert_eq!(told, ["elsewhere/projects", "codex/sessions"]);
        assert_eq!(places(None, |_| None), []);
    }
}
