//! What `providers.toml` comes to: plain values, and why a file cannot be used.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use crate::config::FileError;
use crate::config::parameters::{Parameters, ParametersError};
use crate::config::settings::usual;
use crate::units::words;
use crate::units::{PerMille, Slip};

/// Every provider, and how the simulated one behaves.
#[derive(Clone, Debug)]
pub struct ProvidersSpec {
    /// The providers: the user's own first, as their files name them, then those that come with the program.
    pub providers: Vec<ProviderSpec>,
    /// How the simulated provider behaves.
    pub simulated: SimulatedSpec,
    /// What their models are known to refuse.
    pub parameters: Parameters,
}

/// One provider.
#[derive(Clone, Debug)]
pub struct ProviderSpec {
    /// Its name.
    pub name: String,
    /// What its server speaks.
    pub speaks: Speaks,
    /// Where its server is, without a slash at the end; empty for the simulated one.
    pub base_url: String,
    /// In whose cloud it is, and how a call says who makes it.
    pub hosting: Hosting,
    /// Where its key is; `None` where its server wants none.
    pub key: Option<KeySource>,
    /// Its accounts, each with a key of its own in place of `key`; none where it has but one.
    pub accounts: Vec<AccountSpec>,
    /// Which of them is called.
    pub drain: Drain,
    /// The provider that is asked for the same model while this one cannot be called.
    pub fallback: Option<String>,
    /// How long a request waits for this one where nobody else can be asked.
    pub patience: Duration,
    /// The header that the key goes into, where it is not the dialect's usual one.
    pub key_header: Option<String>,
    /// The models it serves: exact names, or patterns with `*`.
    pub models: Vec<String>,
    /// Models that are called something else there: our name, its name.
    pub rename: Vec<(String, String)>,
    /// More headers for each call.
    pub headers: Vec<(String, SecretString)>,
    /// Whether its server has OpenAI's `/responses`.
    pub responses: bool,
    /// Whether its server has OpenAI's older `/completions`.
    pub completions: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// When to ask the same model again.
    pub retries: Retries,
    /// The most that may be sent.
    pub limits: Limits,
    /// When to leave a model alone.
    pub breaker: BreakerSpec,
    /// File and line where it is written.
    pub origin: String,
}

/// One of several accounts at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSpec {
    /// Its name.
    pub name: String,
    /// Where its key is.
    pub key: KeySource,
    /// Where its server is, where that is another.
    pub base_url: Option<String>,
}

/// Which of several accounts is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drain {
    /// The first that can be called, so that the others are for what it has no room for.
    #[default]
    InOrder,
    /// The one of which the least is used.
    Balanced,
}

/// What a provider's server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// OpenAI's API, or a server compatible with it.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's generateContent.
    Gemini,
    /// OpenAI's with Mistral's differences.
    Mistral,
    /// Bedrock's Converse, which all of its models understand.
    Converse,
    /// There is no server: answers are simulated.
    Simulated,
}

words!(Speaks {
    OpenAi = "openai", Anthropic = "anthropic", Gemini = "gemini", Mistral = "mistral", Converse = "converse",
    Simulated = "simulated",
});

/// In whose cloud the models are. It decides paths, and what stands around a body and an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Platform {
    /// At whoever made the dialect, or a server that is like theirs.
    #[default]
    Own,
    /// Azure OpenAI: deployments.
    Azure,
    /// Google's Vertex AI.
    Vertex,
    /// Amazon Bedrock.
    Bedrock,
}

/// How a call says who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Auth {
    /// By a key, read once.
    #[default]
    Key,
    /// By a token, read anew every so often and when it is refused.
    Token,
    /// By a token that Google gives for a service account.
    Google,
    /// By a signature of the call, as AWS has it.
    Aws,
}

/// How a provider is reached.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Hosting {
    /// In whose cloud its models are.
    pub platform: Platform,
    /// How a call says who makes it.
    pub auth: Auth,
    /// How often a token that does not say when it ends is read anew.
    pub renew: Duration,
    /// Where it serves: `eu-west-1`, `us-east5`, `global`.
    pub region: Option<String>,
    /// Vertex's project.
    pub project: Option<String>,
    /// The version of Azure's older paths; without one the newer, which have none, are called.
    pub api_version: Option<String>,
}

/// Where a key is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(PathBuf),
    /// In the system's keyring.
    Keyring {
        /// The service.
        service: String,
        /// The account.
        account: String,
    },
    /// On the first line that a program prints, or all of it where that is JSON.
    Command(Vec<String>),
    /// In AWS's environment variables.
    AwsEnv,
    /// In a profile of AWS's file of credentials.
    AwsProfile(String),
    /// In the file that Google's variable names, or that its tool keeps.
    GoogleDefault,
}

impl fmt::Display for KeySource {
    /// Says where the key is looked for; a program's arguments are left out, for one of them may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Keyring { service, account } => write!(f, "the keyring's {service}/{account}"),
            Self::Command(words) => {
                write!(f, "what `{}` prints", words.first().map_or("", String::as_str))
            }
            Self::AwsEnv => f.write_str("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
            Self::AwsProfile(name) => write!(f, "the profile {name} of AWS's credentials"),
            Self::GoogleDefault => f.write_str("the file that GOOGLE_APPLICATION_CREDENTIALS names"),
        }
    }
}

usual! {
    /// How long to wait for a provider.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Timeouts {
        /// For the connection.
        pub connect: Duration = Duration::from_secs(5),
        /// For the first piece of a streamed answer.
        pub first_byte: Duration = Duration::from_secs(120),
        /// Between two pieces.
        pub idle: Duration = Duration::from_secs(120),
        /// For the whole answer.
        pub total: Duration = Duration::from_secs(600),
    }

    /// When to ask the same model again.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Retries {
        /// How often a model is asked, the first time included.
        pub attempts: u32 = 2,
        /// The first wait; it doubles.
        pub base: Duration = Duration::from_millis(500),
        /// The longest wait.
        pub max_wait: Duration = Duration::from_secs(8),
    }

    /// When to leave a model alone.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct BreakerSpec {
        /// How many failed calls open it.
        pub failures: u32 = 5,
        /// Within which time.
        pub window: Duration = Duration::from_secs(30),
        /// For how long.
        pub cool_down: Duration = Duration::from_secs(15),
    }

    /// How the simulated provider behaves.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SimulatedSpec {
        /// Whether it serves in place of a provider whose key is not found.
        pub without_key: bool = true,
        /// The seed.
        pub seed: u64 = 7,
        /// Its speed in percent; 0 does not wait.
        pub speed: u32 = 100,
        /// The median time to the first piece.
        pub first_byte: Duration = Duration::from_millis(350),
        /// The time for each word.
        pub per_word: Duration = Duration::from_millis(12),
        /// The median length.
        pub words: u32 = 60,
        /// Calls of a thousand that are refused for quota.
        pub rate_limited: PerMille = PerMille::ZERO,
        /// Calls of a thousand that fail.
        pub server_error: PerMille = PerMille::ZERO,
        /// Calls of a thousand that are cut off in the middle.
        pub cut: PerMille = PerMille::ZERO,
        /// Calls of a thousand that begin ten times as slowly.
        pub slow: PerMille = PerMille::ZERO,
    }
}

/// The most that may be sent; zero is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls a minute.
    pub requests_per_minute: u32,
    /// Tokens a minute.
    pub tokens_per_minute: u32,
    /// Calls at once.
    pub concurrent: u32,
    /// Whether each model has these limits for itself.
    pub per_model: bool,
}

/// Why a file of providers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML, or not of the right shape.
    #[error("{file}:{slip}\nhint: `pointsman config --print providers` shows every setting")]
    Slip {
        /// The file.
        file: String,
        /// Where, and what to write instead.
        slip: Slip,
    },
    /// A field is missing or wrong.
    #[error("{file}:{line}: {field}: {message}\nhint: {hint}")]
    Field {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The field, with its provider.
        field: String,
        /// What is wrong.
        message: String,
        /// How to mend it.
        hint: String,
    },
    /// The file of what models refuse, which is read beside it.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Self::Parameters(error.into())
    }
}
