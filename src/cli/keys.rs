//! `pointsman keys`: makes, lists, revokes and rotates the keys that clients of the gateway present.
//!
//! Invariant: a secret is written once, alone on a line of stdout; everything said about it goes to stderr.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::args::or_dash;
use super::output;
use crate::access::{self, FILE_NAME, KeyFile, KeyRecord, NewKey, Scope, Scopes};
use crate::config;
use crate::report::{Format, Sheet, render, to_json};
use crate::units::{Instant, Span, members};

/// Makes, lists, revokes and rotates keys.
#[derive(Args, Debug)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a key and print it; it is shown this once and kept as a hash
    Add {
        /// What the key is called.
        name: String,
        /// The team that pays for what it sends; what a client says of its team is then ignored.
        #[arg(long, value_name = "TEAM", default_value = "", hide_default_value = true)]
        team: String,
        /// The project, likewise.
        #[arg(long, value_name = "PROJECT", default_value = "", hide_default_value = true)]
        project: String,
        /// Labels that whoever serves its requests has to carry, as the policy gives them to models: zdr, region=eu.
        #[arg(long, value_name = "LABELS", value_delimiter = ',')]
        require: Vec<String>,
        /// What its requests are tagged with, whatever a client says: env=prod,feature=search.
        #[arg(long, value_name = "TAGS", value_delimiter = ',')]
        tag: Vec<String>,
        /// What it may do: route sends requests, read sees traffic and spend, operate changes the policy (and reads).
        #[arg(long, value_name = "SCOPES", value_delimiter = ',', default_value = "route")]
        scope: Vec<Scope>,
        /// From when on it is refused: in 30d or 12h, or at 2026-12-31 (UTC) or a full time.
        #[arg(long, value_name = "SPAN|DATE")]
        expires: Option<String>,
        /// A remark for people.
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        note: String,
        /// Print the key alone.
        #[arg(short, long)]
        quiet: bool,
    },
    /// List the keys, never their secrets
    List {
        /// Also those that were revoked.
        #[arg(long)]
        all: bool,
        /// How to print them.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Bind a key that names no team to one; holds from the next request on
    Limit {
        /// Its name or id.
        #[arg(value_name = "NAME|ID")]
        key: String,
        /// The team that pays for what it sends from now on.
        #[arg(long, value_name = "TEAM")]
        team: String,
        /// The project, likewise.
        #[arg(long, value_name = "PROJECT", default_value = "", hide_default_value = true)]
        project: String,
    },
    /// Take a key back; it is refused from the next request on
    Revoke {
        /// Its name or id.
        #[arg(value_name = "NAME|ID")]
        key: String,
    },
    /// Give a key a new secret; the old one is refused at once, or after --keep-old
    Rotate {
        /// Its name or id.
        #[arg(value_name = "NAME|ID")]
        key: String,
        /// Let the old secret work for so long yet: 1h, 2d.
        #[arg(long, value_name = "SPAN")]
        keep_old: Option<String>,
        /// Another end for the new one; that of the old one where absent.
        #[arg(long, value_name = "SPAN|DATE")]
        expires: Option<String>,
        /// Print the key alone.
        #[arg(short, long)]
        quiet: bool,
    },
}

/// Runs the subcommand.
///
/// # Errors
/// Where the file cannot be read or changed, or what was asked for does not fit it.
pub fn run(args: &KeysArgs) -> anyhow::Result<()> {
    let folder = config::data_dir().with_context(|| {
        format!("no data directory is known\nhint: name one in {}", config::DATA_DIR_VARIABLE)
    })?;
    let file = KeyFile::at(folder.join(FILE_NAME));
    let now = Instant(chrono::Utc::now().timestamp_micros());
    match &args.command {
        Command::Add { name, team, project, require, tag, scope, expires, note, quiet } => {
            let scopes: Scopes = scope.iter().copied().collect();
            let expires = expires.as_deref().map(|text| end(text, now)).transpose()?;
            let new = NewKey {
                name: name.clone(),
                team: team.clone(),
                project: project.clone(),
                require: require.clone(),
                tags: tag.clone(),
                scopes,
                expires,
                note: note.clone(),
            };
            let (key, secret) = access::add(&file, new, now)?;
            show(&key, &secret, *quiet, &file)
        }
        Command::List { all, format } => list(&file, *all, *format, now),
        Command::Limit { key, team, project } => {
            let limited = access::limit(&file, key, team, project)?;
            let names: Vec<String> = limited
                .iter()
                .map(|key| format!("{} ({}) belongs to team {}\n", key.name, key.id, key.team))
                .collect();
            output::text(&names.concat())
        }
        Command::Revoke { key } => {
            let revoked = access::revoke(&file, key, now)?;
            let names: Vec<String> =
                revoked.iter().map(|key| format!("revoked {} ({})\n", key.name, key.id)).collect();
            output::text(&names.concat())
        }
        Command::Rotate { key, keep_old, expires, quiet } => {
            let keep = keep_old.as_deref().map(|text| {
                span(text).with_context(|| format!("`{text}` is no length of time; write it like 1h or 2d"))
            });
            let expires = expires.as_deref().map(|text| end(text, now)).transpose()?;
            let (key, secret) = access::rotate(&file, key, keep.transpose()?, expires, now)?;
            show(&key, &secret, *quiet, &file)
        }
    }
}

/// Prints the secret on stdout, where a script or a person takes it from, and the rest beside it.
fn show(key: &KeyRecord, secret: &access::Secret, quiet: bool, file: &KeyFile) -> anyhow::Result<()> {
    if !quiet {
        let mut text = render(&[described(key)], Format::Table);
        let _ = writeln!(text, "  kept as a hash in {}", file.path().display());
        if key.team.is_empty() && key.scopes.has(Scope::Route) {
            text.push_str("  no --team: what it spends belongs to no team, unless client-teams in gateway.toml lets the client name one; \
                 `pointsman keys limit` binds it to one\n");
        }
        text.push_str("  this is the key; it cannot be shown again:\n");
        output::say(&text);
    }
    output::text(&format!("{}\n", access::reveal(secret)))
}

fn described(key: &KeyRecord) -> Sheet {
    let mut sheet = Sheet::new(format!("{} ({})", key.name, key.id), &["", ""]);
    let mut line = |name: &str, value: String| sheet.push(vec![name.to_owned(), value]);
    line("team", or_dash(&key.team));
    line("project", or_dash(&key.project));
    if !key.require.is_empty() {
        line("requires", key.require.join(", "));
    }
    if !key.tags.is_empty() {
        line("tags", key.tags.join(", "));
    }
    line("scopes", key.scopes.to_string());
    line("expires", key.expires.map_or_else(|| "never".to_owned(), Instant::rfc3339));
    sheet
}

members! {
    /// A key as programs read it.
    #[derive(Serialize)]
    struct Listed<'a>;
    fn new(key: &'a KeyRecord, now: Instant) {}
    name: &'a str = &key.name,
    id: &'a str = &key.id,
    state: &'static str = key.state(now),
    team: Option<&'a str> = Some(key.team.as_str()).filter(|text| !text.is_empty()),
    project: Option<&'a str> = Some(key.project.as_str()).filter(|text| !text.is_empty()),
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    require: &'a [String] = &key.require,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String] = &key.tags,
    scopes: Vec<&'static str> = key.scopes.iter().map(Scope::name).collect(),
    created: String = key.created.rfc3339(),
    expires: Option<String> = key.expires.map(Instant::rfc3339),
    revoked: Option<String> = key.revoked.map(Instant::rfc3339),
    note: &'a str = &key.note,
}

fn list(file: &KeyFile, all: bool, format: Format, now: Instant) -> anyhow::Result<()> {
    let keys = file.read()?;
    let shown: Vec<&KeyRecord> = keys.iter().filter(|key| all || key.revoked.is_none()).collect();
    if format == Format::Json {
        let listed: Vec<Listed<'_>> = shown.iter().map(|key| Listed::new(key, now)).collect();
        return output::text(&to_json(&listed)?);
    }
    let hidden = keys.len() - shown.len();
    let title = match (shown.len(), hidden) {
        _ if format == Format::Csv => String::new(),
        (0, 0) => "no keys; `pointsman keys add NAME` makes one".to_owned(),
        (1, 0) => "1 key".to_owned(),
        (shown, 0) => format!("{shown} keys"),
        (shown, hidden) => format!("{shown} shown, {hidden} revoked (--all)"),
    };
    let note = |key: &KeyRecord| match key.require.as_slice() {
        [] => key.note.clone(),
        labels if key.note.is_empty() => format!("requires {}", labels.join(", ")),
        labels => format!("requires {}; {}", labels.join(", "), key.note),
    };
    let sheet = Sheet::of(
        title,
        shown,
        &[
            ("name", &|key| key.name.clone()),
            ("id", &|key| key.id.clone()),
            ("state", &|key| key.state(now).to_owned()),
            ("team", &|key| or_dash(&key.team)),
            ("project", &|key| or_dash(&key.project)),
            ("scopes", &|key| key.scopes.to_string()),
            ("created", &|key| key.created.date()),
            ("expires", &|key| key.expires.map_or_else(|| "never".to_owned(), minute)),
            ("note", &|key| note(key)),
        ],
    );
    output::text(&render(&[sheet], format))
}

/// Writes a moment to the minute.
fn minute(at: Instant) -> String {
    format!("{} {}", at.date(), at.clock().get(..5).unwrap_or_default())
}

/// Reads a moment ahead: `30d`, `12h`, a date (its midnight, UTC) or a full time.
fn end(text: &str, now: Instant) -> anyhow::Result<Instant> {
    let midnight = || Instant::parse(&format!("{text}T00:00:00Z"));
    let at = match span(text) {
        Some(span) => now + span,
        None => Instant::parse(text).or_else(|_| midnight()).map_err(|_| {
            anyhow::anyhow!(
                "`{text}` is no time\nhint: write it like 30d, 12h, 2026-12-31 or 2026-12-31T18:00:00Z"
            )
        })?,
    };
    if at <= now {
        bail!("{at} is past: the key would be refused from the start");
    }
    Ok(at)
}

/// Reads `30d`, `12h`, `15m`, `90s`.
fn span(text: &str) -> Option<Span> {
    // A hundred years is as good as for ever and far from any overflow.
    Span::parse(text).filter(|span| *span > Span::ZERO && *span <= Span::days(36_525))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_people_write_them() {
        let now = Instant::parse("2026-11-23T12:00:00Z").unwrap();
        let read = |text: &str| end(text, now).map(Instant::rfc3339);
        assert_eq!(read("30d").unwrap(), "2026-12-23T12:00:00.000Z");
        assert_eq!(read("12h").unwrap(), "2026-11-24T00:00:00.000Z");
        assert_eq!(read("2026-12-31").unwrap(), "2026-12-31T00:00:00.000Z");
        for bad in ["", "d", "0d", "-1d", "30", "30x", "2026-11-22", "99999999999d", "ü"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
