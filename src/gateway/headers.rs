//! Tags that come in with headers, and what every answer says of itself in headers.
//!
//! Invariant: what the key says goes before what a header says, so nobody spends in another team's name.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Gateway;
use crate::access::{Caller, Scope};
use crate::classifier::TaskClass;
use crate::config::gateway::ClientTeams;
use crate::units::{OTHERS, PerMille, is_safe};

/// The longest tag that is taken, in bytes.
const LONGEST: usize = 256;

/// The operation's id.
pub(super) const OPERATION: HeaderName = HeaderName::from_static("pointsman-operation");
/// The model that served.
pub(super) const MODEL: HeaderName = HeaderName::from_static("pointsman-model");
/// The rung that served.
pub(super) const RUNG: HeaderName = HeaderName::from_static("pointsman-rung");
/// The route that took it.
pub(super) const ROUTE: HeaderName = HeaderName::from_static("pointsman-route");
/// Why it went there.
pub(super) const WOULD: HeaderName = HeaderName::from_static("pointsman-would-be");
pub(super) const REASON: HeaderName = HeaderName::from_static("pointsman-reason");
/// What it cost.
pub(super) const COST: HeaderName = HeaderName::from_static("pointsman-cost-usd");
/// Whether that is known, an estimate, or unknown.
pub(super) const COST_KIND: HeaderName = HeaderName::from_static("pointsman-cost-kind");
/// The policy's version.
pub(super) const POLICY: HeaderName = HeaderName::from_static("pointsman-policy");
/// Calls made.
pub(super) const ATTEMPTS: HeaderName = HeaderName::from_static("pointsman-attempts");
/// That the ledger cannot be written.
pub(super) const LEDGER: HeaderName = HeaderName::from_static("pointsman-ledger");
/// What was left out of the request, as the model does not take it.
pub(super) const LEFT_OUT: HeaderName = HeaderName::from_static("pointsman-left-out");
/// That the answer is synthetic.
pub(super) const SIMULATED: HeaderName = HeaderName::from_static("pointsman-simulated");

/// How tokens were counted that nobody was to answer: by the provider, or as an estimate.
pub(super) const COUNT: HeaderName = HeaderName::from_static("pointsman-count");

/// The headers of an answer that a web page may read.
pub(super) const EXPOSED: &str = "pointsman-operation, pointsman-model, pointsman-rung, pointsman-route, \
     pointsman-reason, pointsman-cost-usd, pointsman-cost-kind, pointsman-policy, pointsman-attempts, pointsman-ledger, \
     pointsman-left-out, pointsman-simulated, pointsman-would-be, pointsman-count, request-id, x-request-id, retry-after, retry-after-ms";

/// Who pays for a request and what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    /// The team.
    pub team: Arc<str>,
    /// The project.
    pub project: Arc<str>,
    /// The session.
    pub session: Arc<str>,
    /// The user.
    pub user: Arc<str>,
    /// The kind of work, where the client says.
    pub task: Option<TaskClass>,
    /// The same in the client's own words; empty where it says nothing.
    pub task_words: Arc<str>,
    /// How likely the cheap answer will do, where the client brings its own score.
    pub confidence: Option<PerMille>,
}

fn tag(headers: &HeaderMap, names: [&str; 2]) -> Option<String> {
    let value = names.iter().find_map(|name| headers.get(*name))?;
    let text = String::from_utf8_lossy(value.as_bytes());
    let clean: String = text.trim().chars().filter(|c| is_safe(*c)).collect();
    let mut end = clean.len().min(LONGEST);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    Some(clean.get(..end).unwrap_or_default().to_owned())
        .filter(|text| !text.is_empty() && text.trim() != OTHERS)
}

impl Tags {
    /// Reads the tags of a request.
    pub fn read(headers: &HeaderMap, caller: &Caller, user: Option<&str>) -> Self {
        let or_key = |key: &Arc<str>, names| {
            if key.is_empty() {
                tag(headers, names).map_or_else(|| Arc::clone(key), Into::into)
            } else {
                Arc::clone(key)
            }
        };
        let plain = |names| tag(headers, names).map_or_else(|| Arc::from(""), Into::into);
        let user = user.map(|user| user.chars().filter(|c| is_safe(*c)).take(LONGEST).collect::<String>());
        let task_words = plain(["pointsman-task", "x-pointsman-task"]);
        Self {
            team: or_key(&caller.team, ["pointsman-team", "x-pointsman-team"]),
            project: or_key(&caller.project, ["pointsman-project", "x-pointsman-project"]),
            session: plain(["pointsman-session", "x-pointsman-session"]),
            user: tag(headers, ["pointsman-user", "x-pointsman-user"])
                .or(user)
                .map_or_else(|| Arc::from(""), Into::into),
            task: (!task_words.is_empty()).then(|| task_words.parse().unwrap_or(TaskClass::Other)),
            task_words,
            confidence: tag(headers, ["pointsman-confidence", "x-pointsman-confidence"])
                .and_then(|score| PerMille::new(score.trim().parse().ok()?)),
        }
    }
}

impl Gateway {
    /// Reads the tags of a request as they go on: only names that may be said, and no more of them than can be told apart.
    pub(super) fn tags(&self, headers: &HeaderMap, caller: &Caller, user: Option<&str>) -> Tags {
        let mut tags = Tags::read(headers, caller, user);
        if caller.team.is_empty() && !tags.team.is_empty() {
            let is_known = |name: &str| self.access.names_team(name);
            let may = match self.settings.client_teams {
                _ if caller.scopes.has(Scope::Operate) => true,
                ClientTeams::Any => true,
                ClientTeams::Auto => self.access.is_empty(),
                ClientTeams::Known => self.teams.knows(&tags.team) || is_known(&tags.team),
                ClientTeams::Never => false,
            };
            tags.team = if may { self.teams.place(&tags.team, is_known) } else { "".into() };
        }
        if caller.project.is_empty() && !tags.project.is_empty() {
            tags.project = self.projects.place(&tags.project, |name| self.access.names_project(name));
        }
        tags
    }
}

/// Makes a header value of text; what does not fit becomes `?`.
pub(super) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| {
        let plain: String =
            text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
        HeaderValue::from_str(&plain).unwrap_or(HeaderValue::from_static("?"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scopes;

    fn caller(team: &str) -> Caller {
        Caller { team: team.into(), scopes: Scopes::default().with(Scope::Route), ..Caller::local() }
    }

    #[test]
    fn nobody_spends_in_another_teams_name() {
        let mut headers = HeaderMap::new();
        headers.insert("pointsman-team", HeaderValue::from_static("payments"));
        headers.insert("x-pointsman-task", HeaderValue::from_static("code"));
        headers.insert("x-pointsman-confidence", HeaderValue::from_static("640"));
        assert_eq!(&*Tags::read(&headers, &caller("search"), None).team, "search");
        let tags = Tags::read(&headers, &caller(""), Some("u\u{1b}[2J1"));
        assert_eq!((&*tags.team, &*tags.user), ("payments", "u[2J1"));
        assert_eq!(tags.task, Some(TaskClass::Code));
        assert_eq!((&*tags.task_words, tags.confidence), ("code", PerMille::new(640)));
        for none in ["1001", "-1", ".5", "sure"] {
            headers.insert("x-pointsman-confidence", HeaderValue::from_static(none));
            assert_eq!(Tags::read(&headers, &caller(""), None).confidence, None, "{none}");
        }
    }

    #[test]
    fn a_page_may_read_every_header_of_ours() {
        for name in [
            OPERATION, MODEL, RUNG, ROUTE, REASON, COST, COST_KIND, POLICY, ATTEMPTS, LEDGER, LEFT_OUT,
            SIMULATED, COUNT, WOULD,
        ] {
            assert!(EXPOSED.split(", ").any(|exposed| exposed == name), "{name}");
        }
    }

    #[test]
    fn tags_are_short_and_clean() {
        let mut headers = HeaderMap::new();
        let long = format!("é{}", "x".repeat(400));
        headers.insert("pointsman-session", HeaderValue::from_bytes(long.as_bytes()).unwrap());
        assert_eq!(Tags::read(&headers, &caller(""), None).session.len(), LONGEST);
        assert_eq!(value("caf\u{e9} \u{7}"), "caf? ?");
    }
}
