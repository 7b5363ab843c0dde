//! One key as the file keeps it: everything but the secret.

use serde::{Deserialize, Serialize};

use super::caller::{Scope, Scopes};
use super::secret::Hash;
use crate::units::{Instant, is_safe, tag, tag_set};

/// The longest name or tag.
const LONGEST: usize = 128;

/// A virtual key without its secret.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// Its public id: `pmk_1a2b3c4d`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The team that pays for what it sends; may be empty.
    pub team: String,
    /// The project; may be empty.
    pub project: String,
    /// Labels that whoever serves its requests has to carry.
    pub require: Vec<String>,
    /// What its requests are tagged with, each `NAME=VALUE`.
    pub tags: Vec<String>,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Instant,
    /// From when on it is refused.
    pub expires: Option<Instant>,
    /// When it was taken back.
    pub revoked: Option<Instant>,
    /// A remark for people.
    pub note: String,
    pub(super) hash: Hash,
}

impl KeyRecord {
    /// Says in one word how the key stands: `active`, `expired` or `revoked`.
    pub fn state(&self, now: Instant) -> &'static str {
        if self.revoked.is_some() {
            "revoked"
        } else if self.has_expired(now) {
            "expired"
        } else {
            "active"
        }
    }

    /// Says whether the key's time is over.
    pub fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

/// A key as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    id: String,
    name: String,
    hash: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    team: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    project: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    require: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    scopes: Vec<String>,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    note: String,
}

impl From<&KeyRecord> for Stored {
    fn from(key: &KeyRecord) -> Self {
        Self {
            id: key.id.clone(),
            name: key.name.clone(),
            hash: key.hash.text(),
            team: key.team.clone(),
            project: key.project.clone(),
            require: key.require.clone(),
            tags: key.tags.clone(),
            scopes: key.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
            created: key.created.rfc3339(),
            expires: key.expires.map(Instant::rfc3339),
            revoked: key.revoked.map(Instant::rfc3339),
            note: key.note.clone(),
        }
    }
}

impl Stored {
    /// Checks what was read; an error says which field of which key is wrong.
    pub(super) fn check(self) -> Result<KeyRecord, String> {
        let who = if is_plain(&self.id) { self.id.clone() } else { "a key".to_owned() };
        let invalid = |field: &str, why: &str| format!("{who}: {field}: {why}");
        let time = |field: &str, text: &str| Instant::parse(text).map_err(|_| invalid(field, "not a time"));
        let tags = [("name", &self.name), ("team", &self.team), ("project", &self.project)];
        for (field, text) in tags.into_iter().chain(self.require.iter().map(|label| ("require", label))) {
            check_text(text).map_err(|why| invalid(field, why))?;
        }
        if let Some(text) = self.tags.iter().find(|text| !is_tag(text)) {
            return Err(invalid("tags", &format!("{text:?} is none; want NAME=VALUE")));
        }
        if self.id.is_empty() || !is_plain(&self.id) {
            return Err(invalid("id", "want pmk_ and hexadecimal digits"));
        }
        let scopes = self.scopes.iter().map(|text| text.parse::<Scope>()).collect::<Result<Scopes, _>>();
        Ok(KeyRecord {
            require: self.require,
            tags: self.tags,
            hash: Hash::read(&self.hash).ok_or_else(|| invalid("hash", "want sha256: and 64 digits"))?,
            scopes: scopes.map_err(|error| invalid("scopes", &error.to_string()))?,
            created: time("created", &self.created)?,
            expires: self.expires.as_deref().map(|text| time("expires", text)).transpose()?,
            revoked: self.revoked.as_deref().map(|text| time("revoked", text)).transpose()?,
            id: self.id,
            name: self.name,
            team: self.team,
            project: self.project,
            note: self.note,
        })
    }
}

/// Says why a text cannot be a name or tag: those travel through headers, tables and terminals.
pub(super) fn check_text(text: &str) -> Result<(), &'static str> {
    if text.len() > LONGEST {
        return Err("longer than 128 bytes");
    }
    if !text.chars().all(is_safe) || text.trim() != text {
        return Err("control or invisible characters, or spaces at its ends");
    }
    Ok(())
}

/// Says whether a text is a tag.
pub(super) fn is_tag(text: &str) -> bool {
    tag(text).is_some_and(|pair| !tag_set([pair]).is_empty())
}

fn is_plain(id: &str) -> bool {
    id.len() <= LONGEST && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
