//! What may go wrong between client and provider, in a form that every dialect can say.
//!
//! Invariant: no error quotes a prompt, an answer or a key; what an upstream said is cleaned by `faults` first.

use super::Dialect;

/// What comes of reading or carrying.
pub(super) type Result<T, E = WireError> = std::result::Result<T, E>;

/// Why a request, an answer or a stream could not be read or carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The client's body is no JSON object.
    #[error("the body is not valid JSON: {0}")]
    NotJson(String),
    /// The client's body nests beyond what any reader should follow.
    #[error("the body nests deeper than {most} levels", most = crate::record::json::DEEPEST)]
    TooDeep,
    /// A field of the client's request is missing or wrong.
    #[error("{field}: {what}")]
    Invalid {
        /// The field's path.
        field: String,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A field of the client's request has no counterpart at the provider; leaving it out would change the meaning.
    #[error("{field}: {to} has no counterpart for it; leave it out, or ask for a model that understands it")]
    Untranslatable {
        /// The field's path.
        field: String,
        /// The provider's dialect.
        to: Dialect,
    },
    /// A conversation that is to be kept by Anthropic is put to somebody else.
    #[error("thread: {to} keeps no conversation; send all of it, without `thread`")]
    Threads {
        /// The provider's dialect.
        to: Dialect,
    },
    /// A tool has to be called, and none that may be meant can be offered.
    #[error(
        "tool_choice: it forces a call, and {to} can be offered no tool that it allows; allow a function, or force none"
    )]
    Forced {
        /// The provider's dialect.
        to: Dialect,
    },
    /// These two dialects cannot be joined at all.
    #[error("a request in the form of {from} cannot be put to a provider that speaks {to}")]
    Unsupported {
        /// The client's dialect.
        from: Dialect,
        /// The provider's dialect.
        to: Dialect,
    },
    /// The provider's answer or event makes no sense.
    #[error("the provider's answer cannot be read: {0}")]
    Malformed(String),
    /// The provider's answer ended as no whole answer does, or cannot be used.
    #[error("the provider's answer is no whole one: {0}")]
    Ended(String),
    /// The answer came whole, and its model wrote what nobody can use.
    #[error("the provider's answer is no whole one: {0}")]
    Unfit(String),
    /// All that the provider's answer holds has no place in the client's dialect.
    #[error("the provider's answer is empty but for what {to} has no place for: {what}")]
    Unplaced {
        /// What it holds.
        what: String,
        /// The client's dialect.
        to: Dialect,
    },
    /// More of the provider's stream would have to be held back than is kept.
    #[error("the provider mixes its calls of tools so that more than {0} bytes would have to be held back")]
    TooMixed(usize),
    /// An event of the provider's stream does not end.
    #[error("an event of the provider's stream is longer than {0} bytes")]
    TooLong(usize),
    /// The provider reported an error where an answer should stand.
    #[error("the provider reported an error: {}", .0.message)]
    Upstream(ApiError),
}

impl WireError {
    /// Makes an [`Self::Invalid`].
    pub(super) fn invalid(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), what: what.into() }
    }

    /// Makes the error of a field that has to be there.
    pub(super) fn missing(place: &str, field: &str) -> Self {
        let dot = if place.is_empty() { "" } else { "." };
        Self::invalid(format!("{place}{dot}{field}"), "is missing")
    }

    /// Says whether the client's request is at fault, not the provider.
    pub fn is_clients(&self) -> bool {
        !matches!(
            self,
            Self::Malformed(_)
                | Self::Ended(_)
                | Self::Unfit(_)
                | Self::Unplaced { .. }
                | Self::TooMixed(_)
                | Self::TooLong(_)
                | Self::Upstream(_)
        )
    }

    /// Says whether the model went wrong, not its provider: to be asked again it need not be, and it is no less healthy.
    pub fn is_models(&self) -> bool {
        matches!(self, Self::Unfit(_) | Self::Unplaced { .. })
    }

    /// Returns the error as it is told to a client.
    pub fn to_api(&self) -> ApiError {
        let invalid = || ApiError::invalid(self.to_string());
        match self {
            Self::Upstream(error) => error.clone(),
            Self::Invalid { field, .. } | Self::Untranslatable { field, .. } => invalid().at(field),
            Self::Forced { .. } => invalid().at("tool_choice"),
            // The word by which Anthropic's libraries send the whole conversation instead.
            Self::Threads { .. } => invalid().at("thread").coded("thread_unsupported_request"),
            _ if self.is_clients() => invalid(),
            _ => ApiError::new(ErrorKind::Server, self.to_string()),
        }
    }
}

/// What kind of trouble an API reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is wrong.
    InvalidRequest,
    /// No key, or a wrong one.
    Authentication,
    /// The key may not do this.
    Permission,
    /// No such model or path.
    NotFound,
    /// The request is too large.
    TooLarge,
    /// Too many requests or tokens for now.
    RateLimited,
    /// A budget is spent.
    Budget,
    /// The provider has too much to do.
    Overloaded,
    /// The provider failed, or its answer could not be read.
    Server,
    /// No answer in time.
    Timeout,
}

impl ErrorKind {
    /// Returns what the kind is to everybody.
    #[rustfmt::skip]
    pub(super) const fn told(self) -> Told {
        match self {
            Self::InvalidRequest => (400, "invalid_request_error", None, "invalid_request_error", "INVALID_ARGUMENT"),
            Self::Authentication => (401, "authentication_error", Some("invalid_api_key"), "authentication_error", "UNAUTHENTICATED"),
            Self::Permission => (403, "permission_error", None, "permission_error", "PERMISSION_DENIED"),
            Self::NotFound => (404, "invalid_request_error", Some("model_not_found"), "not_found_error", "NOT_FOUND"),
            Self::TooLarge => (413, "invalid_request_error", None, "request_too_large", "INVALID_ARGUMENT"),
            Self::RateLimited => (429, "rate_limit_error", Some("rate_limit_exceeded"), "rate_limit_error", "RESOURCE_EXHAUSTED"),
            Self::Budget => (429, "insufficient_quota", Some("insufficient_quota"), "billing_error", "RESOURCE_EXHAUSTED"),
            Self::Overloaded => (503, "server_error", Some("overloaded"), "overloaded_error", "UNAVAILABLE"),
            Self::Server => (502, "server_error", None, "api_error", "INTERNAL"),
            Self::Timeout => (504, "timeout_error", None, "timeout_error", "DEADLINE_EXCEEDED"),
        }
    }

    /// Reads the kind from an HTTP status.
    pub const fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Budget,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            503 | 529 => Self::Overloaded,
            400..500 => Self::InvalidRequest,
            _ => Self::Server,
        }
    }
}

/// What a kind of trouble is: its HTTP status, and what it is called by OpenAI (its type and its code), Anthropic and Google.
pub(super) type Told = (u16, &'static str, Option<&'static str>, &'static str, &'static str);

/// An error as an API tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// What kind of trouble.
    pub kind: ErrorKind,
    /// A word for programs, where there is one.
    pub code: Option<String>,
    /// What happened, for people.
    pub message: String,
    /// The field at fault, where there is one.
    pub param: Option<String>,
    /// How long to wait, where it is known.
    pub retry_after_ms: Option<u64>,
    /// The budget without room for the request, where that is the trouble.
    pub budget: Option<Box<SpentBudget>>,
    /// What stops whoever sent the request, where that is the trouble.
    pub halted: Option<Box<Halted>>,
}

/// Why nothing is sent for someone, as clients are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halted {
    /// `runaway` or `kill-switch`.
    pub limit_source: &'static str,
    /// The rule that tripped.
    pub rule: String,
    /// Who is stopped: `key ci-bot`.
    pub whom: String,
    /// Since when.
    pub since: String,
    /// How it is lifted.
    pub lifted_by: String,
}

/// A budget that has no room for a request, as clients are told. Amounts are US dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentBudget {
    /// The limit: `teams/day`, and whose where each has one.
    pub limit_source: String,
    /// How much may be spent.
    pub limit: String,
    /// What is spent.
    pub spent: String,
    /// What is held for calls under way.
    pub held: String,
    /// When it starts anew; none where it does not.
    pub resets_at: Option<String>,
}

impl ApiError {
    /// Makes an error of a kind, with the status that goes with it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            status: kind.told().0,
            kind,
            code: None,
            message: message.into(),
            param: None,
            retry_after_ms: None,
            budget: None,
            halted: None,
        }
    }

    /// Makes the error of a request that is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    /// Has another HTTP status than the one that goes with its kind.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Says a word for programs.
    #[must_use]
    pub fn coded(self, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..self }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn at(self, param: &str) -> Self {
        Self { param: Some(param.to_owned()), ..self }
    }

    /// Says how long to wait.
    #[must_use]
    pub fn again_after(self, millis: u64) -> Self {
        Self { retry_after_ms: Some(millis), ..self }
    }
}
