//! The file of budgets: read at the start and whenever it changes; and how the budgets stand, for whoever asks.
//!
//! Invariant: a file that cannot be read changes nothing: the limits that were read last stay in force, and it is said.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Response;

use super::body::Reply;
use super::respond::answer;
use super::{Gateway, lock, now};
use crate::budget::{Limit, StandingRow};
use crate::config::budgets::parse_all;
use crate::config::{FileError, Watched};
use crate::runaway::{Rule, built_in};

/// The limits' file, and what was read of it.
#[derive(Debug, Default)]
pub struct Limits {
    path: Option<PathBuf>,
    watched: Watched,
    text: Arc<str>,
    /// Whether it was found empty just now: it may be about to be written.
    is_bare: bool,
}

/// What a file says that was changed.
struct Changed {
    limits: Vec<Limit>,
    rules: Vec<Rule>,
    /// Whose file it is.
    who: String,
    before: String,
    after: String,
}

/// Why the file of budgets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// It cannot be read.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// It says what cannot be.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Limits {
    /// Reads the file. One that has to be there is an error where it is not.
    ///
    /// # Errors
    /// Where it cannot be read, or says what cannot be.
    pub fn open(path: Option<PathBuf>, is_named: bool) -> Result<(Self, Vec<Limit>, Vec<Rule>), LimitsError> {
        let mut limits = Self { path, ..Self::default() };
        let Some(path) = limits.path.clone() else { return Ok((limits, Vec::new(), built_in())) };
        // Watched also while it is not there: the first limit is often set while the gateway runs.
        limits.watched = Watched::new([path.clone()]);
        if !is_named && !path.exists() {
            return Ok((limits, Vec::new(), built_in()));
        }
        let name = path.display().to_string();
        limits.text =
            std::fs::read_to_string(&path).map_err(|error| LimitsError::Io(name.clone(), error))?.into();
        let (in_force, rules) = parse_all(&limits.text, &name)?;
        Ok((limits, in_force, rules))
    }

    /// Returns the file as it is in force.
    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Looks whether the file changed: returns the limits it has now, and the text before and after.
    fn look(&mut self) -> Option<Result<Changed, LimitsError>> {
        let path = self.path.as_deref()?;
        if !self.watched.changed() && !self.is_bare {
            return None;
        }
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            // A file that is gone may be on its way back; whoever wants no limits empties it.
            Err(error) => return Some(Err(LimitsError::Io(name, error))),
        };
        let is_bare = text.trim().is_empty() && !self.text.trim().is_empty();
        self.is_bare = is_bare && !self.is_bare;
        match parse_all(&text, &name) {
            // Whoever writes a file anew empties it first; it says what is meant when it is looked at again.
            _ if self.is_bare => None,
            Ok(_) if *text == *self.text => None,
            Ok((limits, rules)) => {
                let before = std::mem::replace(&mut self.text, text.as_str().into()).to_string();
                let who = who_of(path);
                Some(Ok(Changed { limits, rules, who, before, after: text }))
            }
            Err(error) => Some(Err(error.into())),
        }
    }
}

/// Who an edit is by, as far as its file tells.
const WHO: &str = "budgets file";

/// Says who an edit of a file is by.
fn who_of(path: &Path) -> String {
    owner(path).map_or_else(|| WHO.to_owned(), |owner| format!("{WHO} of {owner}"))
}

/// Names whose file it is; by number where the system's list of users has no name for it.
#[cfg(unix)]
fn owner(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let user = std::fs::metadata(path).ok()?.uid();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    });
    named.filter(|name| !name.is_empty()).or_else(|| Some(format!("user {user}")))
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Option<String> {
    None
}

impl Gateway {
    /// Has the ledger know which file is in force from the start on, where that is another than it knows of; so that whoever reads
    /// its traffic knows under which limits it was.
    pub fn tell_limits(&self, known: &str) {
        let limits = lock(&self.limits);
        if *limits.text != *known {
            let who = limits.path.as_deref().map_or_else(|| WHO.to_owned(), who_of);
            self.audit(now(), &who, "budgets", (known, &limits.text));
        }
    }

    /// Looks whether the file of budgets changed, and brings what it says into force. Returns what became of it in words.
    pub(super) async fn look_at_limits(&self) -> Option<String> {
        self.catch_up().await;
        let looked = lock(&self.limits).look()?;
        match looked {
            Ok(Changed { limits, rules, who, before, after }) => {
                let (count, watched) = (limits.len(), rules.len());
                self.learn_limits(limits.iter());
                let new = self.live.limit(limits);
                self.live.watch(rules);
                self.audit(now(), &who, "budgets", (&before, &after));
                if let Some(trouble) = self.count_before(new).await {
                    return Some(trouble);
                }
                let counted = |count: usize, what| crate::units::counted(count as u64, what);
                let rules = counted(watched, "rule");
                Some(format!("budgets: {} in force, {rules} against runaways", counted(count, "limit")))
            }
            Err(error) => Some(format!("budgets: {error}; the limits before stay in force")),
        }
    }
}

/// Answers how all budgets stand.
pub(super) fn standings(gateway: &Gateway) -> Response<Reply> {
    let rows: Vec<StandingRow> = gateway.live.budgets(now()).iter().map(StandingRow::from).collect();
    let open: u32 = rows.iter().map(|row| row.open).sum();
    answer(&serde_json::json!({ "at": now().rfc3339(), "open_holds": open, "budgets": rows }))
}
