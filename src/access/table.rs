//! The keys in memory, and the check that every request passes.
//!
//! Before each check the file is looked at (one `stat`), so that what `pointsman keys` did holds from the next request
//! on. Invariant: a file that cannot be read leaves the last good keys in force and adds none.

use std::cmp::Ordering;
use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use rustc_hash::FxHashSet;

use super::caller::{Caller, Denied};
use super::file::{AccessError, KeyFile};
use super::record::KeyRecord;
use super::secret::{self, Hash};
use crate::units::Instant;

/// A file this young may change again within one tick of the file system's clock and look the same: it is read again
/// until it is older.
const YOUNG: Duration = Duration::from_millis(50);

/// The keys of one file, followed as it changes.
#[derive(Debug)]
pub struct Access {
    file: KeyFile,
    state: RwLock<Arc<State>>,
    loading: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Ordered by the hash's first bytes.
    keys: Vec<Entry>,
    teams: FxHashSet<Arc<str>>,
    projects: FxHashSet<Arc<str>>,
    seen: Stamp,
    /// Whether the file is old enough that its stamp can be trusted.
    settled: bool,
    /// Whether there ever was a key: a file that vanishes must not open the door.
    guarded: bool,
    trouble: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
struct Entry {
    hash: Hash,
    caller: Caller,
    expires: Option<Instant>,
    revoked: bool,
}

/// What tells one version of the file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Stamp {
    #[default]
    Missing,
    Unreadable,
    File {
        place: (u64, u64),
        size: u64,
        /// Who may do what with it.
        mode: u32,
        modified: Option<SystemTime>,
    },
}

impl Stamp {
    fn of(facts: &Metadata) -> Self {
        #[cfg(unix)]
        let (place, mode) = {
            use std::os::unix::fs::MetadataExt as _;
            ((facts.dev(), facts.ino()), facts.mode())
        };
        #[cfg(not(unix))]
        let (place, mode) = ((0, 0), 0);
        Self::File { place, mode, size: facts.len(), modified: facts.modified().ok() }
    }

    fn look(path: &std::path::Path) -> Self {
        match fs::metadata(path) {
            Ok(facts) => Self::of(&facts),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Missing,
            Err(_) => Self::Unreadable,
        }
    }

    fn is_settled(self) -> bool {
        match self {
            Self::Missing => true,
            // A time in the future comes from a clock that was set back, and will not get older soon.
            Self::File { modified: Some(at), .. } => at.elapsed().map_or(true, |age| age > YOUNG),
            Self::Unreadable | Self::File { modified: None, .. } => false,
        }
    }
}

impl Access {
    /// Opens a key file; where there is none there are no keys, until one appears.
    ///
    /// # Errors
    /// Where the file is there and cannot be read or understood.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, AccessError> {
        let file = KeyFile::at(path);
        let state = load(&file, false)?;
        Ok(Self { file, state: RwLock::new(Arc::new(state)), loading: Mutex::new(()) })
    }

    /// Says whether no key was ever there since this was opened. Once there was one, it stays `false`: deleting the
    /// file takes all keys back, it does not open the door.
    pub fn is_empty(&self) -> bool {
        !self.current().guarded
    }

    /// Counts the keys that let somebody in at a moment.
    pub fn usable(&self, now: Instant) -> usize {
        let state = self.current();
        let valid = |entry: &&Entry| !entry.revoked && entry.expires.is_none_or(|expires| now < expires);
        state.keys.iter().filter(valid).count()
    }

    /// Says whether any key belongs to a team.
    pub fn has_teams(&self) -> bool {
        self.current().teams.iter().any(|team| !team.is_empty())
    }

    /// Says whether a key belongs to a team of that name.
    pub fn names_team(&self, name: &str) -> bool {
        self.current().teams.contains(name)
    }

    /// Says whether a key belongs to a project of that name.
    pub fn names_project(&self, name: &str) -> bool {
        self.current().projects.contains(name)
    }

    /// Says what is wrong with the file where the keys in force are older than it, or where it is gone with all keys.
    pub fn trouble(&self) -> Option<Arc<str>> {
        self.current().trouble.clone()
    }

    /// Finds who presents a key.
    ///
    /// # Errors
    /// Why the request is to be turned away.
    pub fn check(&self, presented: &str, now: Instant) -> Result<Caller, Denied> {
        self.current().check(presented, now)
    }

    /// Lets a request in by its headers: where there never was a key, whoever comes and is no web page of another site,
    /// unless the operator named that page's origin (`named`); otherwise whoever presents a key. For a gateway on loopback; beyond it a gateway does not start without keys.
    ///
    /// # Errors
    /// Why the request is to be turned away.
    pub fn admit(&self, headers: &HeaderMap, named: bool, now: Instant) -> Result<Caller, Denied> {
        let state = self.current();
        if !state.guarded {
            let elsewhere = super::is_from_elsewhere(headers, named);
            return if elsewhere { Err(Denied::Elsewhere) } else { Ok(Caller::local()) };
        }
        state.check(super::presented(headers).unwrap_or_default(), now)
    }

    fn current(&self) -> Arc<State> {
        let held = self.held();
        if held.settled && held.seen == Stamp::look(self.file.path()) {
            return held;
        }
        drop(held);
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.held();
        if held.settled && held.seen == Stamp::look(self.file.path()) {
            return held;
        }
        let next =
            Arc::new(load(&self.file, held.guarded).unwrap_or_else(|error| held.keep(&error, &self.file)));
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
        next
    }

    fn held(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn check(&self, presented: &str, now: Instant) -> Result<Caller, Denied> {
        if presented.is_empty() {
            return Err(Denied::Missing);
        }
        let hash = secret::read(presented).ok_or(Denied::Malformed)?;
        let entry = self.find(&hash).ok_or(Denied::Unknown)?;
        if entry.revoked {
            return Err(Denied::Revoked);
        }
        if entry.expires.is_some_and(|end| end <= now) {
            return Err(Denied::Expired);
        }
        Ok(entry.caller.clone())
    }

    fn find(&self, hash: &Hash) -> Option<&Entry> {
        let index = hash.index();
        let first = self.keys.partition_point(|entry| entry.hash.index() < index);
        let same_index = self.keys.iter().skip(first).take_while(|entry| entry.hash.index() == index);
        same_index.filter(|entry| bool::from(entry.hash.same(hash))).last()
    }

    /// Goes on with the keys there are, where the file cannot be read.
    fn keep(&self, error: &AccessError, file: &KeyFile) -> Self {
        let text = format!("{error}\nthe keys read before stay in force");
        if self.trouble.as_deref() != Some(text.as_str()) {
            tracing::warn!(target: "access", "{text}");
        }
        let seen = Stamp::look(file.path());
        // What the system refused a moment ago it may give now; what the file says stays wrong until it changes.
        let passing = matches!(error, AccessError::Io { .. });
        Self {
            keys: self.keys.clone(),
            teams: self.teams.clone(),
            projects: self.projects.clone(),
            seen,
            settled: seen.is_settled() && !passing,
            guarded: true,
            trouble: Some(text.into()),
        }
    }
}

fn load(file: &KeyFile, guarded: bool) -> Result<State, AccessError> {
    let (keys, facts) = file.read_stamped()?;
    let seen = facts.as_ref().map_or(Stamp::Missing, Stamp::of);
    let guarded = guarded || !keys.is_empty();
    let mut keys: Vec<Entry> = keys.into_iter().map(Entry::from).collect();
    crate::units::sort_by(&mut keys, |a, b| match a.hash.index().cmp(&b.hash.index()) {
        // Of one secret written twice, the stricter line counts: it is looked for from the end.
        Ordering::Equal => a.revoked.cmp(&b.revoked),
        other => other,
    });
    let teams = keys.iter().map(|key| Arc::clone(&key.caller.team)).collect();
    let projects = keys.iter().map(|key| Arc::clone(&key.caller.project)).collect();
    let gone =
        || format!("{} is gone, and with it every key: nobody is let in", file.path().display()).into();
    let trouble = (seen == Stamp::Missing && guarded).then(gone);
    Ok(State { keys, teams, projects, seen, settled: seen.is_settled(), guarded, trouble })
}

impl From<KeyRecord> for Entry {
    fn from(key: KeyRecord) -> Self {
        let caller = Caller {
            id: key.id.into(),
            name: key.name.into(),
            team: key.team.into(),
            project: key.project.into(),
            require: key.require.into_iter().map(Arc::from).collect(),
            tags: key.tags.into_iter().map(Arc::from).collect(),
            scopes: key.scopes,
        };
        Self { hash: key.hash, caller, expires: key.expires, revoked: key.revoked.is_some() }
    }
}
