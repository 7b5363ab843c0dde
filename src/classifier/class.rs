//! The kinds of work that requests are told apart by.

use std::fmt;
use std::str::FromStr;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum TaskClass {
    /// Pick one of a few labels.
    Classification,
    /// Pull fields out of a text.
    Extraction,
    /// Shorten a text.
    Summarisation,
    /// Say a text in another language or form.
    Translation,
    /// Answer from given or general knowledge.
    Question,
    /// Write something new.
    Generation,
    /// Write, read or mend code.
    Code,
    /// Work something out in steps.
    Reasoning,
    /// One step of an agent that uses tools.
    Agent,
    /// Turn text into vectors.
    Embedding,
    /// None of these, or not known.
    #[default]
    Other,
}

impl TaskClass {
    /// Every class, in the order of tables and reports.
    pub const ALL: [Self; 11] = [
        Self::Classification,
        Self::Extraction,
        Self::Summarisation,
        Self::Translation,
        Self::Question,
        Self::Generation,
        Self::Code,
        Self::Reasoning,
        Self::Agent,
        Self::Embedding,
        Self::Other,
    ];

    /// Returns the name used in policies, logs and on screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Extraction => "extraction",
            Self::Summarisation => "summarisation",
            Self::Translation => "translation",
            Self::Question => "question",
            Self::Generation => "generation",
            Self::Code => "code",
            Self::Reasoning => "reasoning",
            Self::Agent => "agent",
            Self::Embedding => "embedding",
            Self::Other => "other",
        }
    }

    /// Returns the place of this class in [`TaskClass::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for TaskClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TaskClass {
    type Err = ();
    /// Reads a name; American spellings and a few short forms are understood.
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(class) = Self::ALL.into_iter().find(|class| class.name() == text) {
            return Ok(class);
        }
        match text.to_ascii_lowercase().as_str() {
            "summarization" | "summary" | "summarise" | "summarize" => Ok(Self::Summarisation),
            "classify" => Ok(Self::Classification),
            "extract" => Ok(Self::Extraction),
            "translate" => Ok(Self::Translation),
            "qa" | "answer" => Ok(Self::Question),
            "generate" | "writing" => Ok(Self::Generation),
            "coding" => Ok(Self::Code),
            "reason" | "math" => Ok(Self::Reasoning),
            "embeddings" => Ok(Self::Embedding),
            lower => Self::ALL.into_iter().find(|class| class.name() == lower).ok_or(()),
        }
    }
}
