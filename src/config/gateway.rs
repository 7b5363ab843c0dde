//! How the gateway serves: `gateway.toml` read into plain values.
//!
//! Invariant: the file that comes with the program says exactly what holds without it.

use std::num::NonZeroUsize;

use serde::Deserialize;

use super::settings::settings;
use super::{FileError, ReportSettings, Seconds, Shadows};

/// The gateway.toml that comes with the program.
pub const DEFAULT_GATEWAY: &str = include_str!("../../config/gateway.toml");

/// The name of the file in the configuration directory.
pub const FILE: &str = "gateway.toml";

/// What becomes of a call whose client went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDisconnect {
    /// It is read to its end and charged as the provider reports.
    Drain,
    /// It is dropped and charged as an estimate.
    Cancel,
}

/// Whether what is recorded is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// Never.
    Normal,
    /// Before a call is made and before a request is answered.
    Strict,
}

/// What becomes of requests while the ledger cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFailing {
    /// They are served.
    Serve,
    /// They are turned away.
    Refuse,
}

/// Which teams a client may name where its key names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientTeams {
    /// Any while there are no keys, none from the first key on.
    Auto,
    /// Any.
    Any,
    /// Those of a key, of the policy or of the ledger.
    Known,
    /// None.
    Never,
}

/// How many threads serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "write \"cores\" or a whole number from 1 on")]
pub enum Threads {
    /// So many.
    Number(NonZeroUsize),
    /// One a core.
    Cores(CoresWord),
}

/// The word for one a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoresWord {
    /// `cores`.
    Cores,
}

settings! {
    /// How the gateway serves.
    pub struct GatewaySettings {
        /// Where it listens.
        pub listen: String = "127.0.0.1:4141".to_owned(),
        /// How many threads serve.
        pub threads: Threads = Threads::Cores(CoresWord::Cores),
        /// The most calls to models that one request may cause.
        pub attempts: u32 = 8,
        /// What becomes of a call whose client went away.
        pub on_disconnect: OnDisconnect = OnDisconnect::Drain,
        /// The longest answer asked for where a provider demands a limit, in tokens.
        pub max_output_default: u64 = 8192,
        /// How long requests in flight may take to finish at the end, in seconds.
        pub drain_seconds: u64 = 30,
        /// Which teams a client may name where its key names none.
        pub client_teams: ClientTeams = ClientTeams::Auto,
        /// What is too much.
        pub limits: GatewayLimits = GatewayLimits::default(),
        /// Tags that are kept besides those that budgets name.
        pub tags: Vec<String> = Vec::new(),
        /// Which web pages may call it.
        pub cors: CorsSettings = CorsSettings::default(),
        /// When a client that waits for a stream hears something.
        pub streams: StreamSettings = StreamSettings::default(),
        /// How the ledger is kept.
        pub ledger: LedgerSettings = LedgerSettings::default(),
        /// Which reports are written.
        pub reports: ReportSettings = ReportSettings::default(),
        /// Which routes have shadow runs.
        pub shadow: Shadows = Shadows::default(),
        /// Which routes ask a small model about requests near a threshold.
        pub second: Seconds = Seconds::default(),
        /// Whether prompts are marked for providers' caches.
        pub caching: CachingSettings = CachingSettings::default(),
    }
}

settings! {
    /// Whether prompts are marked for providers' caches.
    #[derive(Copy)]
    pub struct CachingSettings {
        /// Which requests are.
        pub place: Place = Place::Routed,
    }
}

/// Which requests are marked where their client did not and it pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Those that a ladder places; what a client sends to a model of its own stays as it is.
    #[default]
    Routed,
    /// All.
    Always,
    /// None.
    Never,
}

settings! {
    /// When a client that waits for a stream hears something, in milliseconds.
    #[derive(Copy)]
    pub struct StreamSettings {
        /// For how long the head is held back once a provider has begun to answer, but without content.
        pub grace_ms: u64 = 300,
        /// For how long it is held back at most.
        pub patience_ms: u64 = 8_000,
        /// After what silence there is a sign of life.
        pub ping_ms: u64 = 8_000,
    }
}

settings! {
    /// What is too much.
    pub struct GatewayLimits {
        /// The largest request body in bytes.
        pub body: usize = 32 << 20,
        /// The largest set of headers in bytes.
        pub headers: usize = 64 << 10,
        /// Connections at a time.
        pub connections: usize = 4096,
        /// Requests in flight.
        pub requests: usize = 2048,
        /// Seconds for the headers.
        pub header_seconds: u64 = 10,
        /// Seconds for the whole body.
        pub body_seconds: u64 = 60,
        /// Seconds for taking a piece of a streamed answer.
        pub write_seconds: u64 = 60,
        /// The largest answer in one piece in bytes.
        pub answer: usize = 64 << 20,
        /// Bytes of bodies, answers, streams and whatever waits, all together.
        pub memory: usize = 512 << 20,
        /// Teams, and projects, told apart that neither a key nor the policy nor the ledger knows.
        pub names: usize = 512,
    }
}

/// In the list of origins: every one.
pub const ANY_ORIGIN: &str = "*";

settings! {
    /// Which web pages may call the gateway.
    pub struct CorsSettings {
        /// The origins of pages that may, as browsers write them, or `*`; none by default.
        pub origins: Vec<String> = Vec::new(),
        /// For how many seconds a browser may remember that.
        pub max_age: u32 = 600,
    }
}

settings! {
    /// How the ledger is kept.
    pub struct LedgerSettings {
        /// Whether what is recorded is waited for.
        pub durability: Durability = Durability::Normal,
        /// What becomes of requests while it cannot be written.
        pub when_failing: WhenFailing = WhenFailing::Serve,
        /// Routes whose prompts are kept.
        pub keep_prompts: Vec<String> = Vec::new(),
        /// For how many days.
        pub keep_days: u32 = 7,
    }
}

/// Reads a gateway file; what it leaves out keeps its default.
pub fn read(origin: &str, text: &str) -> Result<GatewaySettings, FileError> {
    let settings: GatewaySettings =
        crate::units::from_toml(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let fail = |way: &[&str], what: String| Err(FileError::at(origin, text, way, what));
    let (limits, streams) = (&settings.limits, &settings.streams);
    let needed: [(&[&str], u64); 13] = [
        (&["attempts"], u64::from(settings.attempts)),
        (&["max-output-default"], settings.max_output_default),
        (&["limits", "body"], limits.body as u64),
        (&["limits", "headers"], (limits.headers / 8192) as u64),
        (&["limits", "connections"], limits.connections as u64),
        (&["limits", "requests"], limits.requests as u64),
        (&["limits", "header-seconds"], limits.header_seconds),
        (&["limits", "body-seconds"], limits.body_seconds),
        (&["limits", "write-seconds"], limits.write_seconds),
        (&["limits", "answer"], limits.answer as u64),
        (&["limits", "memory"], limits.memory as u64),
        (&["streams", "patience-ms"], streams.patience_ms),
        (&["streams", "ping-ms"], streams.ping_ms),
    ];
    for (way, value) in needed {
        if value == 0 {
            let key = way.join(".");
            let least = if key == "limits.headers" { "8192" } else { "1" };
            return fail(way, format!("{key} must be at least {least}"));
        }
    }
    if let Some(name) = settings.tags.iter().find(|name| !crate::units::is_tag_name(name)) {
        return fail(&["tags"], format!("tags: {name:?} is no name of a tag: without `=`, comma and blank"));
    }
    if let Some((key, what)) = settings.reports.wrong() {
        return fail(&["reports", key], what);
    }
    for (route, shadow) in &settings.shadow {
        if let Some((key, what)) = shadow.wrong() {
            return fail(&["shadow", route, key], format!("shadow.{route}.{key}: {what}"));
        }
    }
    for (route, second) in &settings.second {
        if let Some((key, what)) = second.wrong() {
            return fail(&["second", route, key], format!("second.{route}.{key}: {what}"));
        }
    }
    if let Some(origin) = settings.cors.origins.iter().find(|origin| !is_origin(origin)) {
        let what =
            "write it as browsers do, \"https://host\" or \"http://host:port\" without a path, or \"*\"";
        return fail(&["cors", "origins"], format!("cors.origins: {origin:?} is no origin; {what}"));
    }
    Ok(settings)
}

/// Says whether this is how a browser writes an origin: scheme and host, lower case, and nothing behind them.
fn is_origin(text: &str) -> bool {
    let is_plain = |text: &str| {
        let taken = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
        !text.is_empty() && text.bytes().all(taken) && !text.contains(['/', '?', '#', '@', '*', ','])
    };
    text == ANY_ORIGIN
        || text.split_once("://").is_some_and(|(scheme, host)| is_plain(scheme) && is_plain(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_comes_with_the_program_says_the_defaults() {
        assert_eq!(read(FILE, DEFAULT_GATEWAY).unwrap(), GatewaySettings::default());
    }

    #[test]
    fn errors_name_the_line() {
        let cases = [
            ("# x\nattempts = \"many\"", 2),
            ("lissten = \"x\"", 1),
            ("\nthreads = 0", 2),
            ("threads = \"many\"", 1),
            ("[limits]\nbody = 0", 2),
            ("[limits]\n\nheaders = 100", 3),
            ("on-disconnect = \"shrug\"", 1),
            ("[cors]\norigins = [\"https://a.example/\"]", 2),
            ("[cors]\norigins = [\"http://127.0.0.1:3000\", \"a.example\"]", 2),
            ("[cors]\norigins = [\"https://*.example\"]", 2),
            ("[reports]\nat = \"late\"", 2),
            ("[second.code]\nband = 501\nmax-spend-per-day = 1", 2),
            ("[shadow.code]\nshare = 2\nmodel = \"a\"\njudge = \"b\"\nmax-spend-per-day = 1", 2),
            ("[shadow.code]\nshare = \"2%\"\nmodel = \"a\"\njudge = \"a\"\nmax-spend-per-day = 1", 4),
            ("[reports]\nby = [\"team\", \"colour\"]", 2),
            ("[reports]\nevery = \"day\"\npath = \"report.html\"", 3),
        ];
        for (text, line) in cases {
            let error = read(FILE, text).unwrap_err();
            assert_eq!(error.place.line, line, "{error}");
        }
    }

    #[test]
    fn origins_are_taken_as_browsers_write_them() {
        let text = "[cors]\norigins = [\"https://a.example\", \"http://localhost:3000\", \"app://obsidian.md\", \"*\"]";
        assert_eq!(read(FILE, text).unwrap().cors.origins.len(), 4);
    }
}
