//! What an operator does to keys: make one, take one back, give one a new secret.

use super::caller::Scopes;
use super::file::{AccessError, KeyFile};
use super::record::{KeyRecord, check_text, is_tag};
use super::secret::{self, Hash, Secret};
use crate::units::{Instant, SHADOW, Span};

/// What a new key shall be.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    /// What people call it; no other live key may be called so.
    pub name: String,
    /// The team that pays; may be empty.
    pub team: String,
    /// The project; may be empty.
    pub project: String,
    /// Labels that whoever serves its requests has to carry.
    pub require: Vec<String>,
    /// What its requests are tagged with, each `NAME=VALUE`.
    pub tags: Vec<String>,
    /// What it may do.
    pub scopes: Scopes,
    /// From when on it is refused.
    pub expires: Option<Instant>,
    /// A remark for people.
    pub note: String,
}

/// Makes a key and returns its secret, which is kept nowhere.
///
/// # Errors
/// Where the name is taken or unusable, or the file cannot be changed.
pub fn add(file: &KeyFile, new: NewKey, now: Instant) -> Result<(KeyRecord, Secret), AccessError> {
    let tags = [("name", &new.name), ("team", &new.team), ("project", &new.project), ("note", &new.note)];
    for (field, text) in tags.into_iter().chain(new.require.iter().map(|label| ("require", label))) {
        let why = match check_text(text) {
            Err(why) => why,
            Ok(()) if field == "name" && text.is_empty() => "must not be empty",
            Ok(()) if field == "require" && text.is_empty() => {
                "must not be empty: leave it out where nothing is required"
            }
            Ok(()) if field == "name" && text.starts_with("pmk_") => "looks like the id of a key",
            Ok(()) if field == "name" && text == SHADOW => "stands for calls beside the traffic",
            Ok(()) => continue,
        };
        return Err(AccessError::Text { field, text: super::redact(text).into_owned(), why });
    }
    if let Some(text) = new.tags.iter().find(|text| !is_tag(text)) {
        let text = super::redact(text).into_owned();
        return Err(AccessError::Text { field: "tag", text, why: "is no tag; write NAME=VALUE" });
    }
    file.change(|keys| {
        if keys.iter().any(|key| key.name == new.name && key.revoked.is_none()) {
            return Err(AccessError::Taken(new.name.clone()));
        }
        let NewKey { name, team, project, require, tags, scopes, expires, note } = new;
        make(keys, |id, hash| KeyRecord {
            id,
            name,
            team,
            project,
            require,
            tags,
            scopes,
            created: now,
            expires,
            revoked: None,
            note,
            hash,
        })
    })
}

/// Binds every live key of that name or id, and those that names no team alone, to a team and, where one is given, a project.
///
/// # Errors
/// Where no live key is called so, one belongs to another team already, a name is unusable, or the file cannot be changed.
pub fn limit(file: &KeyFile, who: &str, team: &str, project: &str) -> Result<Vec<KeyRecord>, AccessError> {
    for (field, text) in [("team", team), ("project", project)] {
        let why = match check_text(text) {
            Err(why) => why,
            Ok(()) if field == "team" && text.is_empty() => "must not be empty",
            Ok(()) => continue,
        };
        return Err(AccessError::Text { field, text: super::redact(text).into_owned(), why });
    }
    file.change(|keys| {
        let mut limited = Vec::new();
        for key in keys.iter_mut().filter(|key| key.revoked.is_none() && is_called(key, who)) {
            if !key.team.is_empty() && key.team != team {
                return Err(AccessError::Bound { name: key.name.clone(), team: key.team.clone() });
            }
            team.clone_into(&mut key.team);
            if !project.is_empty() {
                project.clone_into(&mut key.project);
            }
            limited.push(key.clone());
        }
        if limited.is_empty() { Err(AccessError::NotFound(who.to_owned())) } else { Ok(limited) }
    })
}

/// Takes back every live key of that name or id; they are refused from the next request on.
///
/// # Errors
/// Where no live key is called so, or the file cannot be changed.
pub fn revoke(file: &KeyFile, who: &str, now: Instant) -> Result<Vec<KeyRecord>, AccessError> {
    file.change(|keys| {
        let live = keys.iter_mut().filter(|key| key.revoked.is_none() && is_called(key, who));
        let revoked: Vec<KeyRecord> = live
            .map(|key| {
                key.revoked = Some(now);
                key.clone()
            })
            .collect();
        if revoked.is_empty() { Err(AccessError::NotFound(who.to_owned())) } else { Ok(revoked) }
    })
}

/// Returns a key a new secret and id. The old one is taken back at once, or expires after `keep`.
///
/// # Errors
/// Where no live key is called so, or the file cannot be changed.
pub fn rotate(
    file: &KeyFile,
    who: &str,
    keep: Option<Span>,
    expires: Option<Instant>,
    now: Instant,
) -> Result<(KeyRecord, Secret), AccessError> {
    file.change(|keys| {
        let live = |key: &&mut KeyRecord| key.revoked.is_none() && is_called(key, who);
        // The newest: an older one may still be running out from the last time.
        let Some(old) = keys.iter_mut().filter(live).max_by_key(|key| key.created) else {
            return Err(AccessError::NotFound(who.to_owned()));
        };
        // A key that has run out would give one that has run out.
        let expires = expires.or(old.expires.filter(|&end| end > now));
        let as_before = old.clone();
        match keep {
            None => old.revoked = Some(now),
            Some(keep) => old.expires = Some(old.expires.map_or(now + keep, |end| end.min(now + keep))),
        }
        make(keys, |id, hash| KeyRecord { id, hash, created: now, expires, revoked: None, ..as_before })
    })
}

fn make(
    keys: &mut Vec<KeyRecord>,
    of: impl FnOnce(String, Hash) -> KeyRecord,
) -> Result<(KeyRecord, Secret), AccessError> {
    let (secret, hash) = secret::draw().map_err(AccessError::Random)?;
    let mut id = secret::draw_id().map_err(AccessError::Random)?;
    while keys.iter().any(|key| key.id == id) {
        id = secret::draw_id().map_err(AccessError::Random)?;
    }
    let key = of(id, hash);
    keys.push(key.clone());
    Ok((key, secret))
}

fn is_called(key: &KeyRecord, who: &str) -> bool {
    key.name == who || key.id == who
}
