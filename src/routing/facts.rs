//! What is known of a model: labels that routes and keys may require, and what it can take.
//!
//! Invariant: a label that is required has to be declared; a capability, a context window or a limit of output bars a model
//! only where it is declared. What nobody said is not held against it.

use super::PolicyError;
use crate::units::words;
use crate::units::{LabelId, ModelId, Names, OTHERS, is_safe};

/// What a request may ask of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Capability {
    /// Looks at pictures.
    Vision,
    /// Calls tools.
    Tools,
}

words!(Capability { Vision = "vision", Tools = "tools" });

/// A set of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(u8);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);

    /// Returns the set with one more.
    #[must_use]
    pub const fn with(self, one: Capability) -> Self {
        Self(self.0 | 1 << one as u8)
    }

    /// Says whether one is in it.
    pub const fn has(self, one: Capability) -> bool {
        self.0 & 1 << one as u8 != 0
    }
}

/// A set of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Labels(u64);

impl Labels {
    /// None.
    pub const NONE: Self = Self(0);

    /// Returns the set with one more; "not named" adds nothing.
    #[must_use]
    pub fn with(self, label: LabelId) -> Self {
        label.index().map_or(self, |at| Self(self.0 | 1 << (at as u64 & 63)))
    }

    /// Returns the labels of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the labels that the other lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Says whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Lists them.
    pub fn iter(self) -> impl Iterator<Item = LabelId> {
        (0u8..64).filter(move |at| self.0 & 1 << u64::from(*at) != 0).map(LabelId)
    }

    /// Lists their names in order of the alphabet.
    pub fn names(self, names: &Names) -> Vec<String> {
        let mut list: Vec<String> = self.iter().map(|label| names.label(label).to_owned()).collect();
        list.sort_unstable();
        list
    }

    /// Makes a set of names. One too many of them stands for a label that nothing carries.
    pub fn of<T: AsRef<str>>(list: &[T], names: &mut Names) -> Self {
        list.iter().fold(Self::default(), |all, name| all.with(names.intern_label(name.as_ref())))
    }
}

/// What is known of a model, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default)]
pub struct FactsSpec {
    /// Labels: `zdr`, `no-training`, `region=eu`.
    pub labels: Vec<String>,
    /// The most tokens a prompt may have.
    pub context: Option<u32>,
    /// The most tokens an answer can have.
    pub max_output: Option<u32>,
    /// The most calls it may have under way.
    pub max_in_flight: Option<u32>,
    /// Whether it looks at pictures.
    pub vision: Option<bool>,
    /// Whether it calls tools.
    pub tools: Option<bool>,
}

/// What is known of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Facts {
    /// Its labels.
    pub labels: Labels,
    /// The most tokens a prompt may have.
    pub context: Option<u32>,
    /// The most tokens an answer can have.
    pub max_output: Option<u32>,
    /// The most calls it may have under way, whichever rungs they come from.
    pub max_in_flight: Option<u32>,
    /// What it can do.
    pub can: Capabilities,
    /// What it cannot.
    pub cannot: Capabilities,
}

impl Facts {
    /// Says whether there are requests that such a model is known not to take.
    pub fn limits(&self) -> bool {
        self.context.is_some() || self.max_output.is_some() || self.cannot != Capabilities::NONE
    }

    /// Resolves what is written; `field` says where it stands.
    ///
    /// # Errors
    /// Where a label has no name or is one too many.
    pub fn compile(spec: &FactsSpec, field: &str, names: &mut Names) -> Result<Self, PolicyError> {
        let mut facts = Self {
            labels: labels(&spec.labels, &format!("{field}.labels"), names)?,
            context: spec.context,
            max_output: spec.max_output,
            max_in_flight: spec.max_in_flight,
            ..Self::default()
        };
        for (name, limit) in [
            ("context", spec.context),
            ("max_output", spec.max_output),
            ("max_in_flight", spec.max_in_flight),
        ] {
            if limit == Some(0) {
                let problem = "is 0, so nothing would fit; leave it out where it is not known".to_owned();
                return Err(PolicyError { field: format!("{field}.{name}"), problem });
            }
        }
        for (one, told) in [(Capability::Vision, spec.vision), (Capability::Tools, spec.tools)] {
            match told {
                Some(true) => facts.can = facts.can.with(one),
                Some(false) => facts.cannot = facts.cannot.with(one),
                None => {}
            }
        }
        Ok(facts)
    }

    /// Writes them as a spec that compiles to them again.
    pub fn spec(&self, names: &Names) -> FactsSpec {
        let told = |one| match (self.can.has(one), self.cannot.has(one)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        FactsSpec {
            labels: self.labels.names(names),
            context: self.context,
            max_output: self.max_output,
            max_in_flight: self.max_in_flight,
            vision: told(Capability::Vision),
            tools: told(Capability::Tools),
        }
    }

    /// Lays these facts over those of the model: what they leave out stays, labels add up, but a region of their own
    /// takes the place of the model's.
    #[must_use]
    pub fn over(&self, below: &Self, names: &Names) -> Self {
        let is_region = |label: &LabelId| names.label(*label).starts_with(REGION);
        let keeps_region = !self.labels.iter().any(|label| is_region(&label));
        let kept = below.labels.iter().filter(|label| keeps_region || !is_region(label));
        let settled = |mine: Capabilities, theirs: Capabilities| {
            Capability::ALL.into_iter().fold(mine, |all, one| {
                let is_told = self.can.has(one) || self.cannot.has(one);
                if theirs.has(one) && !is_told { all.with(one) } else { all }
            })
        };
        Self {
            labels: kept.fold(self.labels, Labels::with),
            context: self.context.or(below.context),
            max_output: self.max_output.or(below.max_output),
            max_in_flight: below.max_in_flight,
            can: settled(self.can, below.can),
            cannot: settled(self.cannot, below.cannot),
        }
    }
}

/// Adds up what is said of a model under all its names, its own first.
pub(super) fn said_of(model: ModelId, models: &[(ModelId, Facts)], names: &Names) -> Facts {
    let own = models.iter().filter(|(name, _)| *name == model);
    let is_other = |name: ModelId| name != model && names.identity(name) == names.identity(model);
    let others = models.iter().filter(|(name, _)| is_other(*name));
    own.chain(others).fold(Facts::default(), |all, (_, said)| Facts {
        max_in_flight: all.max_in_flight.or(said.max_in_flight),
        ..all.over(said, names)
    })
}

/// Adds up what is said of models, by the id that stands for each.
pub(super) fn by_identity(models: &[(ModelId, Facts)], names: &Names) -> Vec<(ModelId, Facts)> {
    let mut known: Vec<(ModelId, Facts)> = Vec::with_capacity(models.len());
    for (model, _) in models {
        let identity = names.identity(*model);
        if !known.iter().any(|(listed, _)| *listed == identity) {
            known.push((identity, said_of(*model, models, names)));
        }
    }
    known
}

/// How a label that names a region begins.
pub const REGION: &str = "region=";

/// Resolves labels as written.
///
/// # Errors
/// Where one has no name or is one too many.
pub(super) fn labels(list: &[String], field: &str, names: &mut Names) -> Result<Labels, PolicyError> {
    let invalid = |problem: &str| Err(PolicyError { field: field.to_owned(), problem: problem.to_owned() });
    let mut all = Labels::default();
    for name in list {
        if name.is_empty()
            || name.trim() != name
            || name.contains(['\n', '\r', ','])
            || name.ends_with('=')
            || !name.chars().all(is_safe)
        {
            return invalid(
                "a label is a word such as \"zdr\" or \"region=eu\", without commas or blanks around it",
            );
        }
        let label = names.intern_label(name);
        if names.label(label) == OTHERS {
            return invalid("more than 63 different labels; these are told apart by name only up to there");
        }
        all = all.with(label);
    }
    Ok(all)
}
