//! The shape of `providers.toml`, the laying of one file over another, and the checks.
//!
//! Invariant: of what a file says, only names of fields and of providers come back in an error.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use secrecy::SecretString;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::hosting::{self, Said};
use super::values::{Key, Pairs};
use super::{
    AccountSpec, Auth, BreakerSpec, Drain, Error, Limits, ProviderSpec, ProvidersSpec, Retries,
    SimulatedSpec, Speaks, Timeouts, address,
};
use crate::config::span::Span as Time;
use crate::units::{PerMille, Slip, choice, from_toml, line_of};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Shared,
    #[serde(default)]
    provider: Vec<Spanned<Provider>>,
    #[serde(default)]
    simulated: Simulated,
}

/// One of several accounts.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Account {
    name: String,
    key: Key,
    base_url: Option<String>,
}

/// Declares a table whose every field may be left out, and how one is laid over another; how the defaults fill it up; or,
/// of fields that are always there, how these are laid over each other.
macro_rules! layer {
    ($name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        #[derive(Deserialize, Default, Clone)]
        #[serde(deny_unknown_fields)]
        struct $name { $($field: Option<$kind>),* }
        impl $name {
            fn over(self, below: &Self) -> Self {
                Self { $($field: self.$field.or_else(|| below.$field.clone())),* }
            }
        }
    };
    ($name:ident => $spec:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        layer!($name { $($field: $kind),* });
        impl $name {
            fn filled(self) -> $spec {
                let default = $spec::default();
                $spec { $($field: self.$field.map_or(default.$field, Into::into)),* }
            }
        }
    };
    ($(#[$meta:meta])* $name:ident { $($own:ident: $owned:ty,)* } { $($field:ident: $kind:ty,)* } { $($layer:ident: $layered:ty,)* }) => {
        $(#[$meta])*
        #[derive(Deserialize, Clone)]
        #[serde(deny_unknown_fields)]
        struct $name {
            $($own: $owned,)*
            $($field: Option<$kind>,)*
            $(#[serde(default)] $layer: $layered,)*
        }
        impl $name {
            fn over(self, below: &Self) -> Self {
                Self {
                    $($own: self.$own,)*
                    $($field: self.$field.or_else(|| below.$field.clone()),)*
                    $($layer: self.$layer.over(&below.$layer),)*
                }
            }
        }
    };
}

layer!(
    /// What both `[defaults]` and a provider may say.
    #[derive(Default)]
    Shared {} {} {
        timeouts: TimeoutsFile,
        retries: RetriesFile,
        limits: LimitsFile,
        breaker: BreakerFile,
    }
);
layer!(Provider {
    name: Spanned<String>,
} {
    enabled: bool,
    dialect: Spanned<String>,
    base_url: Spanned<String>,
    key: Spanned<Key>,
    key_header: Spanned<String>,
    models: Spanned<Vec<String>>,
    rename: Spanned<Pairs>,
    headers: Spanned<Pairs>,
    responses: bool,
    completions: bool,
    insecure: bool,
    platform: Spanned<String>,
    auth: Spanned<String>,
    renew: Time,
    region: Spanned<String>,
    project: Spanned<String>,
    api_version: Spanned<String>,
    accounts: Spanned<Vec<Account>>,
    drain: Drain,
    fallback: Spanned<String>,
    patience: Time,
} {
    timeouts: TimeoutsFile,
    retries: RetriesFile,
    limits: LimitsFile,
    breaker: BreakerFile,
});
layer!(TimeoutsFile => Timeouts { connect: Time, first_byte: Time, idle: Time, total: Time });
layer!(RetriesFile => Retries { attempts: u32, base: Time, max_wait: Time });
layer!(LimitsFile { requests_per_minute: u32, tokens_per_minute: u32, concurrent: u32, per: Per });
layer!(BreakerFile => BreakerSpec { failures: u32, window: Time, cool_down: Time });
layer!(Simulated => SimulatedSpec {
    without_key: bool,
    seed: u64,
    speed: u32,
    first_byte: Time,
    per_word: Time,
    words: u32,
    rate_limited: Share,
    server_error: Share,
    cut: Share,
    slow: Share,
});

/// What limits count.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Per {
    Provider,
    Model,
}

/// A share in thousandths.
#[derive(Clone, Copy)]
struct Share(PerMille);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WORDS: &str = "a share in thousandths, 0 to 1000";
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Share;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(WORDS)
            }
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Share, E> {
                let share = u16::try_from(number).ok().and_then(PerMille::new);
                share.map(Share).ok_or_else(|| E::custom(format!("write {WORDS}")))
            }
        }
        deserializer.deserialize_i64(Words)
    }
}

impl From<Share> for PerMille {
    fn from(share: Share) -> Self {
        share.0
    }
}

/// A file that is being read, for messages.
#[derive(Clone, Copy)]
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn error(
        self,
        span: &Range<usize>,
        field: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error::Field {
            file: self.file.to_owned(),
            line: line_of(self.text, span.start),
            field: field.into(),
            message: message.into(),
            hint: hint.into(),
        }
    }

    fn parse(self) -> Result<File, Error> {
        from_toml(self.text).map_err(|error| Error::Slip {
            file: self.file.to_owned(),
            slip: Slip::without_values(self.text, &error),
        })
    }
}

/// A provider while layers are laid over each other.
struct Layered<'a> {
    provider: Provider,
    source: Source<'a>,
    span: Range<usize>,
    /// Which file named it last.
    layer: usize,
}

pub(super) fn layers(files: &[(&str, &str)]) -> Result<ProvidersSpec, Error> {
    let mut shared = Shared::default();
    let mut simulated = Simulated::default();
    let mut all: Vec<Layered<'_>> = Vec::new();
    for (layer, &(file, text)) in files.iter().enumerate() {
        let source = Source { file, text };
        let file = source.parse()?;
        shared = file.defaults.over(&shared);
        simulated = file.simulated.over(&simulated);
        for provider in file.provider {
            let span = provider.span();
            let provider = provider.into_inner();
            let name = provider.name.get_ref().clone();
            match all.iter_mut().find(|known| known.provider.name.get_ref() == &name) {
                Some(known) if known.layer == layer => {
                    return Err(source.error(
                        &provider.name.span(),
                        format!("provider.{name}"),
                        "stands here twice",
                        "write one [[provider]] a name",
                    ));
                }
                Some(known) => {
                    check(&provider, source)?;
                    known.provider = provider.over(&known.provider);
                    (known.source, known.span, known.layer) = (source, span, layer);
                }
                None => {
                    check(&provider, source)?;
                    all.push(Layered { provider, source, span, layer });
                }
            }
        }
    }
    // Those of later files first: on equal terms the user's own provider serves a model.
    crate::units::sort_by_key(&mut all, |known| std::cmp::Reverse(known.layer));
    let mut providers = Vec::new();
    for known in all.iter().filter(|known| known.provider.enabled != Some(false)) {
        providers.push(finish(known, &shared)?);
    }
    for known in &all {
        let Some(fallback) = &known.provider.fallback else { continue };
        let name = known.provider.name.get_ref();
        let others =
            providers.iter().map(|spec: &ProviderSpec| spec.name.as_str()).filter(|other| other != name);
        let others: Vec<&str> = others.collect();
        if !others.contains(&fallback.get_ref().as_str()) {
            let field = format!("provider.{name}.fallback");
            let hint = choice(fallback.get_ref(), &others);
            return Err(known.source.error(&fallback.span(), field, "is no other provider", hint));
        }
    }
    let parameters = crate::config::parameters::builtin()?;
    Ok(ProvidersSpec { providers, simulated: simulated.filled(), parameters })
}

impl Provider {
    /// Returns what it says of how it is reached.
    fn hosting(&self) -> Said<'_> {
        fn text(said: Option<&Spanned<String>>) -> Option<&str> {
            said.map(|said| said.get_ref().as_str())
        }
        Said {
            platform: text(self.platform.as_ref()),
            auth: text(self.auth.as_ref()),
            region: text(self.region.as_ref()),
            project: text(self.project.as_ref()),
            api_version: text(self.api_version.as_ref()),
            base_url: text(self.base_url.as_ref()),
            renew: self.renew.map(Into::into),
        }
    }

    /// Returns where a field stands.
    fn place_of(&self, field: &str) -> Option<Range<usize>> {
        let fields = [
            ("platform", &self.platform),
            ("auth", &self.auth),
            ("region", &self.region),
            ("project", &self.project),
            ("api_version", &self.api_version),
            ("dialect", &self.dialect),
        ];
        fields.iter().find(|(name, _)| *name == field)?.1.as_ref().map(Spanned::span)
    }
}

/// Checks what one file says of a provider, while its places in that file are known.
fn check(provider: &Provider, source: Source<'_>) -> Result<(), Error> {
    let name = provider.name.get_ref();
    let field = |field: &str| format!("provider.{name}.{field}");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(source.error(
            &provider.name.span(),
            "provider.name",
            "is no name for a provider",
            "use up to 64 letters, digits, `-`, `_` and `.`",
        ));
    }
    if let Some(dialect) = &provider.dialect
        && Speaks::from_name(dialect.get_ref()).is_none()
    {
        let known: Vec<_> = Speaks::ALL.iter().map(|speaks| speaks.name()).collect();
        let hint = choice(dialect.get_ref(), &known);
        return Err(source.error(&dialect.span(), field("dialect"), "unknown dialect", hint));
    }
    if let Some(accounts) = &provider.accounts {
        let wrong =
            |message: &str, hint: &str| Err(source.error(&accounts.span(), field("accounts"), message, hint));
        let names: Vec<&str> = accounts.get_ref().iter().map(|account| account.name.as_str()).collect();
        let fits = |name: &str| !name.is_empty() && name.len() <= 32 && name.chars().all(plain);
        if !names.iter().all(|name| fits(name)) {
            return wrong("has a name that is none", "use up to 32 letters, digits, `-`, `_` and `.`");
        }
        if (1..names.len()).any(|at| names.get(..at).is_some_and(|before| before.contains(&names[at]))) {
            return wrong("names one twice", "give each account a name of its own");
        }
        for url in accounts.get_ref().iter().filter_map(|account| account.base_url.as_deref()) {
            address::check(url).or_else(|(message, hint)| wrong(&format!("a base_url {message}"), hint))?;
        }
    }
    if let Some(url) = &provider.base_url {
        address::check(url.get_ref())
            .map_err(|(message, hint)| source.error(&url.span(), field("base_url"), message, hint))?;
    }
    let header = |name: &str| http::HeaderName::from_bytes(name.as_bytes()).ok();
    if let Some(key_header) = &provider.key_header
        && header(key_header.get_ref()).is_none()
    {
        let (message, hint) = ("is no name of a header", "write it like \"api-key\"");
        return Err(source.error(&key_header.span(), field("key_header"), message, hint));
    }
    for (at, (name, value)) in provider.headers.iter().flat_map(|pairs| pairs.get_ref().0.iter().enumerate())
    {
        let span = provider.headers.as_ref().map(Spanned::span).unwrap_or_default();
        let Some(header) = header(name) else {
            let (message, hint) = ("is no name of a header", "write it like \"OpenAI-Organization\"");
            return Err(source.error(&span, field(&format!("headers[{at}]")), message, hint));
        };
        let keyed =
            ["authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"];
        if keyed.contains(&header.as_str()) {
            let hint = "say where the key is with `key`, and which header it goes into with `key_header`";
            return Err(source.error(&span, field(&format!("headers.{header}")), "carries a key", hint));
        }
        if http::HeaderValue::from_str(value).is_err() {
            let (message, hint) = ("is no value of a header", "leave out line ends and control characters");
            return Err(source.error(&span, field(&format!("headers.{header}")), message, hint));
        }
    }
    Ok(())
}

fn finish(known: &Layered<'_>, shared: &Shared) -> Result<ProviderSpec, Error> {
    let Layered { provider, source, span, .. } = known;
    let name = provider.name.get_ref().clone();
    let fail = |field: &str, message: &str, hint: &str| {
        source.error(span, format!("provider.{name}.{field}"), message, hint)
    };
    let dialect = provider.dialect.as_ref().and_then(|dialect| Speaks::from_name(dialect.get_ref()));
    let Some(speaks) = dialect else {
        return Err(fail("dialect", "missing", "say what its server speaks, like dialect = \"openai\""));
    };
    let (hosting, base_url) =
        hosting::read(provider.hosting(), speaks).map_err(|(field, message, hint)| {
            source.error(
                &provider.place_of(field).unwrap_or_else(|| span.clone()),
                format!("provider.{name}.{field}"),
                message,
                hint,
            )
        })?;
    if base_url.is_none() && speaks != Speaks::Simulated {
        return Err(fail(
            "base_url",
            "missing",
            "say where its server is, like base_url = \"https://host/v1\"",
        ));
    }
    let base_url = base_url.unwrap_or_default();
    let key = provider.key.as_ref().map(|key| key.get_ref().0.clone());
    let key = key.or_else(|| hosting.auth.usual_source());
    if hosting.auth == Auth::Token && key.is_none() {
        let hint = "say where the token is, like key = { command = [\"az\", \"account\", \"get-access-token\", ..] }";
        return Err(fail("key", "missing", hint));
    }
    let open = base_url.starts_with("http://") && !address::is_loopback(&base_url);
    if open && key.is_some() && provider.insecure != Some(true) {
        let hint = "use https://, or write insecure = true where the network between is yours alone";
        return Err(fail("base_url", "would send the key unprotected over the network", hint));
    }
    let accounts = provider.accounts.iter().flat_map(Spanned::get_ref).cloned();
    let accounts: Vec<AccountSpec> = accounts
        .map(|Account { name, key, base_url }| {
            let base_url = base_url.map(|url| url.trim_end_matches('/').to_owned());
            AccountSpec { name, key: key.0, base_url }
        })
        .collect();
    let is_open = |url: &String| url.starts_with("http://") && !address::is_loopback(url);
    if accounts.iter().filter_map(|account| account.base_url.as_ref()).chain([&base_url]).any(is_open)
        && !accounts.is_empty()
        && provider.insecure != Some(true)
    {
        let hint = "use https://, or write insecure = true where the network between is yours alone";
        return Err(fail("accounts", "would send a key unprotected over the network", hint));
    }
    if !accounts.is_empty() && provider.responses == Some(true) {
        let hint = "write responses = false, or make each account a provider of its own";
        return Err(fail(
            "accounts",
            "cannot be beside responses: one has no key to what another keeps",
            hint,
        ));
    }
    let waits = provider.timeouts.clone().over(&shared.timeouts).filled();
    if [waits.connect, waits.first_byte, waits.idle, waits.total].iter().any(Duration::is_zero) {
        return Err(fail("timeouts", "no time at all is given", "write a time above zero, like \"5s\""));
    }
    let models = provider.models.as_ref().map(|models| models.get_ref().clone()).unwrap_or_default();
    let rename = provider.rename.as_ref().map(|pairs| pairs.get_ref().0.clone()).unwrap_or_default();
    let named = models.iter().chain(rename.iter().flat_map(|(ours, theirs)| [ours, theirs]));
    if named.clone().any(|model| model.is_empty() || !model.chars().all(crate::units::is_safe)) {
        return Err(fail("models", "a name is empty or has control characters", "leave it out"));
    }
    if named.count() == 0 {
        return Err(fail("models", "missing", "say which models it serves, like models = [\"qwen3-*\"]"));
    }
    let headers = provider.headers.iter().flat_map(|pairs| pairs.get_ref().0.clone());
    let retries = provider.retries.clone().over(&shared.retries).filled();
    let breaker = provider.breaker.clone().over(&shared.breaker).filled();
    Ok(ProviderSpec {
        speaks,
        base_url,
        hosting,
        key,
        accounts,
        drain: provider.drain.unwrap_or_default(),
        fallback: provider.fallback.as_ref().map(|name| name.get_ref().clone()),
        patience: provider.patience.map_or(Duration::ZERO, Into::into),
        key_header: provider.key_header.as_ref().map(|header| header.get_ref().to_ascii_lowercase()),
        models,
        rename,
        headers: headers.map(|(name, value)| (name, SecretString::from(value))).collect(),
        responses: provider.responses.unwrap_or(false),
        completions: provider.completions.unwrap_or(false),
        timeouts: waits,
        retries: Retries { attempts: retries.attempts.max(1), ..retries },
        limits: limits(&provider.limits.clone().over(&shared.limits)),
        breaker: BreakerSpec { failures: breaker.failures.max(1), ..breaker },
        origin: format!("{}:{}", source.file, line_of(source.text, span.start)),
        name,
    })
}

fn limits(file: &LimitsFile) -> Limits {
    Limits {
        requests_per_minute: file.requests_per_minute.unwrap_or(0),
        tokens_per_minute: file.tokens_per_minute.unwrap_or(0),
        concurrent: file.concurrent.unwrap_or(0),
        per_model: file.per == Some(Per::Model),
    }
}
