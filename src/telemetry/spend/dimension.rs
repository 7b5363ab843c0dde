//! What spend is told apart by, and the values of it as numbers.

use std::sync::Arc;

use crate::classifier::TaskClass;
use crate::outcome::{Evidence, Settled};
use crate::units::{
    Instant, KeyId, ModelId, NameTable, Names, OTHERS, ProjectId, RouteTag, SessionId, TagsId, TeamId,
    UserId, is_tag_name, tag_value,
};

/// A value of a dimension: the number of a name, or the start of a stretch of time in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub i64);

impl Value {
    /// Not named.
    pub const NONE: Self = Self(i64::MIN);
    /// All that have no row of their own.
    pub const OTHERS: Self = Self(i64::MAX);

    /// Makes one of the number of a name.
    pub fn named(number: Option<usize>) -> Self {
        number.and_then(|number| i64::try_from(number).ok()).map_or(Self::NONE, Self)
    }

    /// Returns the number of a name.
    pub fn number(self) -> Option<usize> {
        if self == Self::OTHERS { None } else { usize::try_from(self.0).ok() }
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::NONE
    }
}

/// A stretch of time that charges are summed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// An hour.
    Hour,
    /// A day (UTC).
    Day,
    /// A calendar month (UTC).
    Month,
}

impl Period {
    /// Returns the start of the stretch that a moment lies in.
    pub fn start(self, at: Instant) -> Instant {
        match self {
            Self::Hour => at.hour_start(),
            Self::Day => at.day_start(),
            Self::Month => at.month_start(),
        }
    }

    /// Returns the end of the stretch that begins at a moment, which is the next one's start.
    pub fn end(self, start: Instant) -> Instant {
        match self {
            Self::Hour => start + crate::units::Span::hours(1),
            Self::Day => start + crate::units::Span::days(1),
            Self::Month => (start + crate::units::Span::days(32)).month_start(),
        }
    }
}

/// What spend is told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The team that pays.
    Team,
    /// The project.
    Project,
    /// The model called.
    Model,
    /// Who served the model.
    Provider,
    /// The route of the policy.
    Route,
    /// The kind of work.
    Task,
    /// The user, end user or key alias that the log names.
    User,
    /// The virtual key, in a ledger.
    Key,
    /// The session or conversation.
    Session,
    /// The hour (UTC).
    Hour,
    /// The day (UTC).
    Day,
    /// The calendar month (UTC).
    Month,
    /// A tag of the request, by what it is called here: `tag.env`.
    Tag(Arc<str>),
}

/// What stands before the name of a tag.
const TAG: &str = "tag.";

impl Dimension {
    /// Every one but tags, under its name as a column and as an argument.
    pub const NAMED: [(&'static str, Self); 12] = [
        ("team", Self::Team),
        ("project", Self::Project),
        ("model", Self::Model),
        ("provider", Self::Provider),
        ("route", Self::Route),
        ("task", Self::Task),
        ("user", Self::User),
        ("key", Self::Key),
        ("session", Self::Session),
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("month", Self::Month),
    ];

    /// Finds one by its name; a tag is `tag.NAME` or `tag:NAME`.
    pub fn named(name: &str) -> Option<Self> {
        let tag =
            || name.strip_prefix(TAG).or_else(|| name.strip_prefix("tag:")).filter(|tag| is_tag_name(tag));
        let known = Self::NAMED.into_iter().find_map(|(known, one)| (known == name).then_some(one));
        known.or_else(|| tag().map(|tag| Self::Tag(format!("{TAG}{tag}").into())))
    }

    /// Returns the tag that it is about.
    pub fn tag(&self) -> Option<&str> {
        if let Self::Tag(name) = self { name.strip_prefix(TAG) } else { None }
    }

    /// Returns its name, as a column and as an argument.
    pub fn name(&self) -> &str {
        if let Self::Tag(name) = self { name } else { self.kind() }
    }

    /// Returns its name, which all tags share.
    pub fn kind(&self) -> &'static str {
        Self::NAMED.iter().find(|(_, one)| one == self).map_or("tag", |(name, _)| name)
    }

    /// Says whether calls of one request may differ in it.
    pub fn is_of_calls(&self) -> bool {
        matches!(self, Self::Model | Self::Provider)
    }

    /// Says whether it is a stretch of time, and which.
    pub fn period(&self) -> Option<Period> {
        match self {
            Self::Hour => Some(Period::Hour),
            Self::Day => Some(Period::Day),
            Self::Month => Some(Period::Month),
            _ => None,
        }
    }

    /// Returns its value of a call.
    pub(super) fn of(
        &self,
        (evidence, tags): (&Evidence<'_>, TagsId),
        listed: &[Value],
        settled: &Settled,
        call: usize,
    ) -> Value {
        let operation = evidence.operation;
        let model = settled.attempts.get(call).and_then(|attempt| attempt.model.index());
        match self {
            Self::Team => Value::named(operation.team.index()),
            Self::Project => Value::named(operation.project.index()),
            Self::Model => Value::named(model),
            Self::Provider => model.and_then(|model| listed.get(model)).copied().unwrap_or_default(),
            Self::Route => Value::named(settled.tag.index()),
            Self::Task => Value::named(Some(operation.class.index())),
            Self::User => Value::named(operation.user.index()),
            Self::Key => Value::named(operation.key.index()),
            Self::Session => Value::named(operation.session.index()),
            Self::Hour => Value(operation.at.hour_start().0),
            Self::Day => Value(operation.at.day_start().0),
            Self::Month => Value(operation.at.month_start().0),
            // A number for each set of tags: those with the same value have one name, and so one row.
            Self::Tag(_) => Value::named(tags.index()),
        }
    }

    /// Writes a value; empty where it is not named.
    pub(super) fn text(&self, value: Value, names: &Names, providers: &NameTable) -> String {
        if value == Value::OTHERS {
            return OTHERS.to_owned();
        }
        if let Some(period) = self.period() {
            let text = Instant(value.0).rfc3339();
            let digits = match period {
                Period::Hour => 13,
                Period::Day => 10,
                Period::Month => 7,
            };
            let hour = if period == Period::Hour { ":00Z" } else { "" };
            return format!("{}{hour}", text.get(..digits).unwrap_or(&text));
        }
        let Some(number) = value.number() else { return String::new() };
        let small = u16::try_from(number).unwrap_or(u16::MAX);
        let name = match self {
            Self::Team => names.team(TeamId(small)),
            Self::Project => names.project(ProjectId(small)),
            Self::Model => names.model(ModelId(small)),
            Self::Route => names.route(RouteTag(small)),
            Self::Session => names.session(SessionId(u32::try_from(number).unwrap_or(u32::MAX))),
            Self::Task => TaskClass::ALL.get(number).map_or("-", |task| task.name()),
            Self::User => names.user(UserId(small)),
            Self::Key => names.key(KeyId(small)),
            Self::Provider => providers.get(number),
            Self::Tag(_) => tag_value(names.tags(TagsId(small)), self.tag().unwrap_or_default()),
            Self::Hour | Self::Day | Self::Month => "-",
        };
        name.to_owned()
    }
}
