//! What Codex wrote last of the windows of its plan.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use super::AgentLogs;
use super::logs::within;
use crate::report::PlanState;
use crate::units::Instant;

/// How much of a session's end is looked at, and how many of the newest sessions.
const TAIL: u64 = 1 << 20;
const NEWEST: usize = 5;

#[derive(Debug, Deserialize)]
struct Line {
    timestamp: String,
    payload: Payload,
}

#[derive(Debug, Deserialize)]
struct Payload {
    rate_limits: Option<Limits>,
}

#[derive(Debug, Deserialize)]
struct Limits {
    primary: Option<Limit>,
    secondary: Option<Limit>,
}

#[derive(Debug, Deserialize)]
struct Limit {
    used_percent: serde_json::Number,
    window_minutes: Option<u64>,
    resets_at: Option<i64>,
    resets_in_seconds: Option<i64>,
}

/// Finds what Codex was told last of its plan; nothing where it was told nothing.
pub fn codex_plans(found: &[AgentLogs]) -> Vec<PlanState> {
    let mut sessions: Vec<_> =
        found.iter().filter(|logs| logs.agent == "Codex").flat_map(|logs| within(&logs.path)).collect();
    crate::units::sort_by(&mut sessions, |one, other| other.file_name().cmp(&one.file_name()));
    sessions.iter().take(NEWEST).find_map(|path| last_told(path)).unwrap_or_default()
}

fn last_told(path: &Path) -> Option<Vec<PlanState>> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    String::from_utf8_lossy(&tail)
        .lines()
        .rev()
        .filter(|line| line.contains("\"rate_limits\""))
        .find_map(told)
}

fn told(line: &str) -> Option<Vec<PlanState>> {
    let line: Line = serde_json::from_str(line).ok()?;
    let limits = line.payload.rate_limits?;
    let at = Instant::parse(&line.timestamp).ok()?;
    let state = |window: Limit| PlanState {
        agent: "Codex".to_owned(),
        window_minutes: window.window_minutes.unwrap_or_default(),
        used_percent: window.used_percent.to_string(),
        resets_at: window
            .resets_at
            .map(Instant::from_secs)
            .or_else(|| Some(Instant(at.0.checked_add(window.resets_in_seconds?.checked_mul(1_000_000)?)?)))
            .map_or_else(|| "not told".to_owned(), Instant::rfc3339),
        told_at: line.timestamp.clone(),
    };
    let states: Vec<PlanState> =
        [limits.primary, limits.secondary].into_iter().flatten().map(state).collect();
    (!states.is_empty()).then_some(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_the_plan_holds() {
        let told = told(r#"{"timestamp":"2026-05-23T10:00:00Z","type":"event_msg","payload":{"type":"token_count","info":null,"rate_limits":{"primary":{"used_percent":12.5,"window_minutes":300,"resets_at":1779537600},"secondary":{"used_percent":3,"window_minutes":10080,"resets_in_seconds":60}}}}"#).unwrap();
        let shown: Vec<_> = told
            .iter()
            .map(|plan| (plan.window_minutes, plan.used_percent.as_str(), plan.resets_at.as_str()))
            .collect();
        assert_eq!(
            shown,
            [(300, "12.5", "2026-05-23T12:00:00.000Z"), (10080, "3", "2026-05-23T10:01:00.000Z")]
        );
        assert!(super::told(r#"{"timestamp":"2026-05-23T10:00:00Z","payload":{"rate_limits":{"primary":null,"secondary":null}}}"#).is_none());
    }
}
