//! The features a request is judged by: their numbers, the names used in weight files, and the words shown to people.
//!
//! Invariant: a feature's number, name and meaning change only together with [`FEATURES_VERSION`], because weights and
//! thresholds fitted on other features must not be loaded.

use super::TaskClass;

/// The numbers known of a request beside its text; whatever is unknown is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Measures {
    /// Tokens of the whole prompt.
    pub prompt_tokens: Option<u64>,
    /// The turn within the session, from 0.
    pub turn: Option<u32>,
    /// How many tools are offered.
    pub tools: Option<u32>,
    /// Tokens of earlier turns in the prompt.
    pub history: Option<u32>,
    /// Tokens in the prompt of what came after the ask, calls of tools and what they returned: as they grow, the ask stays what it was.
    pub after: u64,
    /// The kind of work, where the client or the log says; it goes before what the text looks like.
    pub task: Option<TaskClass>,
    /// What else client, key or log say that it belongs to.
    pub tags: Tags,
}

/// Hashes of the tags of a request: its task and its project in their own words; 0 where not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tags(pub [u64; 2]);

impl Tags {
    /// Hashes what is told; empty is not told.
    pub fn of(task: &str, project: &str) -> Self {
        Self([Self::hash(task), Self::hash(project)])
    }

    fn hash(text: &str) -> u64 {
        text.bytes().fold(0, |hash: u64, byte| {
            (hash ^ u64::from(byte) ^ 0x100).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(9)
        })
    }
}

/// The version of the meaning of all features; a weights file names the one it was made for.
pub const FEATURES_VERSION: u32 = 1;

/// One feature, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FeatureId(pub u8);

macro_rules! features {
    ($($konst:ident $name:literal $says:literal;)*) => {
        #[expect(missing_docs, reason = "each is documented by the text that `describe` gives")]
        impl FeatureId {
            features!(@number 0u8; $($konst)*);
        }
        const NAMES: &[(&str, &str)] = &[$(($name, $says)),*];
    };
    (@number $n:expr; $konst:ident $($rest:ident)*) => {
        pub const $konst: Self = Self($n);
        features!(@number $n + 1; $($rest)*);
    };
    (@number $n:expr;) => {};
}

features! {
    LONG_TEXT "long_text" "long text";
    SHORT_TEXT "short_text" "very short text";
    DIGITS "digits" "many digits";
    OPERATORS "operators" "many operators";
    UPPER_CASE "upper_case" "many capitals";
    PUNCTUATION "punctuation" "dense punctuation";
    NON_ASCII "non_ascii" "letters beyond ASCII";
    LONG_WORDS "long_words" "many long words";
    UNKNOWN_WORDS "unknown_words" "words not in the lexicon";
    QUESTIONS "questions" "question marks";
    SENTENCES "sentences" "many sentences";
    BULLETS "bullets" "listed lines";
    CHOICES "choices" "lettered choices";
    CODE_FENCE "code_fence" "code fence";
    CODE_MARKS "code_marks" "code punctuation";
    MATH_MARKS "math_marks" "formula notation";
    TOOL_RESULTS "tool_results" "tool results in context";
    ASKS_CLASSIFY "asks_classify" "asks to classify";
    ASKS_EXTRACT "asks_extract" "asks to extract";
    ASKS_SUMMARISE "asks_summarise" "asks to summarise";
    ASKS_TRANSLATE "asks_translate" "asks to translate";
    ASKS_YES_NO "asks_yes_no" "asks for yes or no";
    ASKS_LIST "asks_list" "asks for a list";
    ASKS_WRITE "asks_write" "asks to write";
    ASKS_PROVE "asks_prove" "asks to prove";
    ASKS_STEPS "asks_steps" "asks for steps or reasons";
    ASKS_DESIGN "asks_design" "asks to design or weigh up";
    ASKS_DEBUG "asks_debug" "asks to debug or refactor";
    ASKS_CODE "asks_code" "asks for code";
    ASKS_FACT "asks_fact" "asks for a fact";
    ASKS_EMBED "asks_embed" "asks for vectors";
    ASKS_JSON "asks_json" "asks for JSON or a schema";
    ASKS_ACTION "asks_action" "asks an agent to act";
    MATH_WORDS "math_words" "words of calculation";
    CODE_WORDS "code_words" "words of programming";
    EXPERT_WORDS "expert_words" "words of a specialist field";
    HARD_WORDS "hard_words" "asks for depth";
    CONSTRAINTS "constraints" "constraints to keep";
    SMALL_TALK "small_talk" "greeting or thanks";
    POLITE "polite" "polite opening";
    COMMON "common" "everyday words";
    BIG_PROMPT "big_prompt" "many prompt tokens";
    SMALL_PROMPT "small_prompt" "few prompt tokens";
    LATE_TURN "late_turn" "late turn of a session";
    TOOLS_OFFERED "tools_offered" "tools offered";
    HISTORY_SHARE "history_share" "mostly history";
    IS_CLASSIFICATION "is_classification" "work: classification";
    IS_EXTRACTION "is_extraction" "work: extraction";
    IS_SUMMARISATION "is_summarisation" "work: summarisation";
    IS_TRANSLATION "is_translation" "work: translation";
    IS_QUESTION "is_question" "work: question";
    IS_GENERATION "is_generation" "work: generation";
    IS_CODE "is_code" "work: code";
    IS_REASONING "is_reasoning" "work: reasoning";
    IS_AGENT "is_agent" "work: agent step";
    IS_EMBEDDING "is_embedding" "work: embedding";
    IS_OTHER "is_other" "work: not known";
}

/// What a trained classifier goes by, named like features though no weights file knows them; far behind all features.
const PARTS: [(&str, &str); 5] = [
    ("words", "words, as trained"),
    ("surface", "shape of the text, as trained"),
    ("task", "what this task's requests needed before"),
    ("project", "what this project's requests needed before"),
    ("unlike", "unlike what it was trained on"),
];
const FIRST_PART: u8 = 200;

/// The number of features.
pub const FEATURES: usize = NAMES.len();
/// The first feature that counts words of the lexicon, and the first after them.
const WORDS: (u8, u8) = (FeatureId::ASKS_CLASSIFY.0, FeatureId::BIG_PROMPT.0);
/// The first feature that asks for something: such words count near the start and the end of the text only.
const ASKS: (u8, u8) = (FeatureId::ASKS_CLASSIFY.0, FeatureId::MATH_WORDS.0);

impl FeatureId {
    /// Words and characters, of a trained classifier.
    pub const PART_WORDS: Self = Self(FIRST_PART);
    /// The surface, of a trained classifier.
    pub const PART_SURFACE: Self = Self(FIRST_PART + 1);
    /// The task's tag, of a trained classifier.
    pub const PART_TASK: Self = Self(FIRST_PART + 2);
    /// The project's tag, of a trained classifier.
    pub const PART_PROJECT: Self = Self(FIRST_PART + 3);
    /// Words that were never met, why a trained classifier is silent.
    pub const PART_UNLIKE: Self = Self(FIRST_PART + 4);

    fn named(self) -> Option<&'static (&'static str, &'static str)> {
        NAMES.get(self.index()).or_else(|| PARTS.get(usize::from(self.0.checked_sub(FIRST_PART)?)))
    }

    /// Returns the name used in weight files.
    pub fn name(self) -> &'static str {
        self.named().map_or("?", |(name, _)| name)
    }

    /// Returns the words shown to people.
    pub fn describe(self) -> &'static str {
        self.named().map_or("?", |(_, says)| says)
    }

    /// Finds a feature by the name used in weight files.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().position(|(known, _)| *known == name).and_then(|at| u8::try_from(at).ok()).map(Self)
    }

    /// Returns the feature that stands for a class of work.
    pub fn of_class(class: TaskClass) -> Self {
        Self(Self::IS_CLASSIFICATION.0 + u8::try_from(class.index()).unwrap_or(0))
    }

    /// Lists every feature in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).take(FEATURES).map(Self)
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) const fn counts_words(self) -> bool {
        WORDS.0 <= self.0 && self.0 < WORDS.1
    }

    pub(super) const fn is_ask(self) -> bool {
        ASKS.0 <= self.0 && self.0 < ASKS.1
    }
}

/// How strongly each feature is there, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features([u16; FEATURES]);

impl Default for Features {
    fn default() -> Self {
        Self([0; FEATURES])
    }
}

impl Features {
    /// Returns how strongly a feature is there, 0 to 1000.
    pub fn get(&self, id: FeatureId) -> u16 {
        self.0.get(id.index()).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, id: FeatureId, thousandths: u64) {
        if let Some(slot) = self.0.get_mut(id.index()) {
            *slot = u16::try_from(thousandths.min(1000)).unwrap_or(1000);
        }
    }

    /// Lists all of them in thousandths, in order.
    pub(super) fn values(&self) -> impl Iterator<Item = u16> {
        self.0.into_iter()
    }

    /// Lists the features that are there at all, in order.
    pub fn present(&self) -> impl Iterator<Item = (FeatureId, u16)> {
        FeatureId::all().zip(self.0).filter(|(_, value)| *value > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_feature() {
        for id in FeatureId::all() {
            assert_eq!(FeatureId::from_name(id.name()), Some(id));
            assert!(!id.describe().is_empty());
        }
        assert_eq!(FeatureId::from_name("nonsense"), None);
        assert_eq!(FeatureId(250).name(), "?");
    }

    #[test]
    fn every_class_has_its_own_feature() {
        for class in TaskClass::ALL {
            assert_eq!(FeatureId::of_class(class).name(), format!("is_{}", class.name()));
        }
    }
}
