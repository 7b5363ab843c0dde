//! In whose cloud a provider's models are, and how a call to it says who makes it.
//!
//! Invariant: what comes to stand in a host's name or a path (region, project, version) has letters, digits, `-` and `.`.

use std::time::Duration;

use super::spec::{Auth, Hosting, KeySource, Platform, Speaks};
use crate::units::choice;

/// What a file says of it.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) platform: Option<&'a str>,
    pub(super) auth: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) project: Option<&'a str>,
    pub(super) api_version: Option<&'a str>,
    pub(super) base_url: Option<&'a str>,
    pub(super) renew: Option<Duration>,
}

/// What is wrong: the field, what, and how to mend it.
type Wrong = (&'static str, String, String);

impl Platform {
    const NAMED: [(&'static str, Self); 3] =
        [("azure", Self::Azure), ("vertex", Self::Vertex), ("bedrock", Self::Bedrock)];

    /// Returns the word that files use.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, named)| *named == self).map_or("", |(name, _)| name)
    }

    /// Lists what is spoken there.
    const fn dialects(self) -> &'static [Speaks] {
        match self {
            Self::Own => {
                &[Speaks::OpenAi, Speaks::Anthropic, Speaks::Gemini, Speaks::Mistral, Speaks::Simulated]
            }
            Self::Azure => &[Speaks::OpenAi],
            Self::Vertex => &[Speaks::Anthropic, Speaks::Gemini, Speaks::Mistral, Speaks::OpenAi],
            Self::Bedrock => &[Speaks::Anthropic, Speaks::Converse, Speaks::OpenAi],
        }
    }
}

impl Auth {
    const NAMED: [(&'static str, Self); 4] =
        [("key", Self::Key), ("token", Self::Token), ("google", Self::Google), ("aws", Self::Aws)];

    /// Returns where what it needs is looked for where the file does not say.
    pub(super) fn usual_source(self) -> Option<KeySource> {
        match self {
            Self::Key | Self::Token => None,
            Self::Google => Some(KeySource::GoogleDefault),
            Self::Aws => Some(KeySource::AwsEnv),
        }
    }
}

fn word<T: Copy>(field: &'static str, said: &str, known: &[(&'static str, T)]) -> Result<T, Wrong> {
    let found = known.iter().find(|(name, _)| *name == said);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        (field, "unknown".to_owned(), choice(said, &names))
    })
}

fn plain(field: &'static str, said: Option<&str>, like: &str) -> Result<Option<String>, Wrong> {
    let fits = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        !text.is_empty() && text.len() <= 63 && !text.starts_with(['-', '.']) && text.chars().all(fits)
    };
    match said {
        Some(text) if !fits(text) => {
            let hint = format!("use letters, digits, `-` and `.`, like \"{like}\"");
            Err((field, "cannot stand in an address".to_owned(), hint))
        }
        said => Ok(said.map(str::to_owned)),
    }
}

/// Reads how a provider is reached, with its address where the file need not say it.
pub(super) fn read(said: Said<'_>, speaks: Speaks) -> Result<(Hosting, Option<String>), Wrong> {
    let platform =
        said.platform.map_or(Ok(Platform::Own), |said| word("platform", said, &Platform::NAMED))?;
    let usual = match platform {
        Platform::Own | Platform::Azure => Auth::Key,
        Platform::Vertex => Auth::Google,
        Platform::Bedrock => Auth::Aws,
    };
    let auth = said.auth.map_or(Ok(usual), |said| word("auth", said, &Auth::NAMED))?;
    if !platform.dialects().contains(&speaks) {
        let known: Vec<String> =
            platform.dialects().iter().map(|speaks| format!("\"{}\"", speaks.name())).collect();
        return Err(match platform {
            Platform::Own => (
                "dialect",
                format!("{} is spoken at Bedrock alone", speaks.name()),
                "write platform = \"bedrock\" beside it".to_owned(),
            ),
            _ => (
                "dialect",
                format!("is not spoken at {}", platform.name()),
                format!("use one of {}", known.join(", ")),
            ),
        });
    }
    let region = plain("region", said.region, "eu-west-1")?;
    let project = plain("project", said.project, "my-project-1")?;
    let api_version = plain("api_version", said.api_version, "2024-10-21")?;
    let only = |field: &'static str, is_said: bool, of: Platform| {
        if is_said && platform != of {
            let message = format!("is for platform = \"{}\" alone", of.name());
            return Err((field, message, "leave it out".to_owned()));
        }
        Ok(())
    };
    only("project", project.is_some(), Platform::Vertex)?;
    only("api_version", api_version.is_some(), Platform::Azure)?;
    let missing = |field, like: &str| Err((field, "missing".to_owned(), format!("write it like {like}")));
    match (platform, &region) {
        (Platform::Vertex, None) => return missing("region", "region = \"europe-west1\", or \"global\""),
        (Platform::Bedrock, None) => return missing("region", "region = \"eu-west-1\""),
        _ if auth == Auth::Aws && region.is_none() => {
            return missing("region", "region = \"eu-west-1\"; it is part of each signature");
        }
        (Platform::Vertex, _) if project.is_none() => {
            return missing("project", "project = \"my-project-1\"");
        }
        _ => {}
    }
    let base = match (said.base_url, &region) {
        (Some(url), _) => Some(url.trim_end_matches('/').to_owned()),
        (None, Some(region)) => match (platform, region.as_str()) {
            (Platform::Vertex, "global") => Some("https://aiplatform.googleapis.com".to_owned()),
            (Platform::Vertex, "us" | "eu") => {
                Some(format!("https://aiplatform.{region}.rep.googleapis.com"))
            }
            (Platform::Vertex, _) => Some(format!("https://{region}-aiplatform.googleapis.com")),
            (Platform::Bedrock, _) => {
                let china = if region.starts_with("cn-") { ".cn" } else { "" };
                Some(format!("https://bedrock-runtime.{region}.amazonaws.com{china}"))
            }
            _ => None,
        },
        (None, None) => None,
    };
    let renew = said.renew.unwrap_or(Duration::from_secs(600));
    if renew.is_zero() {
        return Err(("renew", "no time at all is given".to_owned(), "write it like \"10m\"".to_owned()));
    }
    Ok((Hosting { platform, auth, renew, region, project, api_version }, base))
}
