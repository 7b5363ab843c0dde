//! The weights of a classifier, and the file they are read from. That file is data made by training or by hand, so whatever is wrong in it is told by line and field.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::about::About;
use super::feature::{FEATURES, FEATURES_VERSION};
use super::lexicon::{Lexicon, WordHash};
use super::logistic::Calibration;
use super::trained::Trained;
use super::{FeatureId, TaskClass};
use crate::units::{PerMille, Slip, choice, line_of};

/// The number of classes.
pub(super) const CLASSES: usize = TaskClass::ALL.len();

/// Weights, lexicon and calibration of one version.
#[derive(Clone, Debug)]
pub struct Classifier {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) hash: u64,
    /// Milli-logits before any feature speaks, with text and without.
    pub(super) bias: i32,
    pub(super) measures_bias: i32,
    /// The share of known words below which a text is unlike anything known.
    pub(super) least_known: u16,
    /// The votes a class needs; below that the work is not known.
    pub(super) least_votes: i32,
    pub(super) weights: [i16; FEATURES],
    pub(super) votes: Box<[[i16; CLASSES]; FEATURES]>,
    pub(super) calibration: Calibration,
    pub(super) lexicon: Lexicon,
    /// What training found, which then decides in place of the weights above; lexicon and votes still tell the class.
    pub(super) trained: Option<Box<Trained>>,
    /// What it says of itself, where it was trained.
    pub(super) about: Option<Box<About>>,
}

/// Why a weights file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The file is not TOML.
    #[error("line {0}")]
    Syntax(Slip),
    /// A field that must be there is not.
    #[error("field `{field}` is missing; add it")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field holds what it cannot.
    #[error("line {line}: field `{field}`: {problem}")]
    Field {
        /// The line, from 1.
        line: usize,
        /// The field, with its table.
        field: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
}

/// The text of a file, for telling lines.
#[derive(Clone, Copy)]
pub(super) struct Source<'a>(pub(super) &'a str);

impl Source<'_> {
    pub(super) fn wrong(
        self,
        span: &Range<usize>,
        field: impl Into<String>,
        problem: impl Into<String>,
    ) -> WeightsError {
        WeightsError::Field {
            line: line_of(self.0, span.start),
            field: field.into(),
            problem: problem.into(),
        }
    }

    pub(super) fn integer(
        self,
        value: &Spanned<DeValue<'_>>,
        field: &str,
        allowed: Range<i64>,
    ) -> Result<i64, WeightsError> {
        let number = match value.get_ref() {
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        number.filter(|n| allowed.contains(n)).ok_or_else(|| {
            let (least, most) = (allowed.start, allowed.end.saturating_sub(1));
            self.wrong(&value.span(), field, format!("must be a whole number from {least} to {most}"))
        })
    }

    pub(super) fn table<'t, 'i>(
        self,
        value: &'t Spanned<DeValue<'i>>,
        field: &str,
    ) -> Result<&'t DeTable<'i>, WeightsError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong(&value.span(), field, "must be a table")),
        }
    }

    pub(super) fn list<'t, 'i>(
        self,
        value: &'t Spanned<DeValue<'i>>,
        field: &str,
    ) -> Result<&'t [Spanned<DeValue<'i>>], WeightsError> {
        match value.get_ref() {
            DeValue::Array(items) => Ok(items),
            _ => Err(self.wrong(&value.span(), field, "must be a list")),
        }
    }

    /// Refuses a field that is not among those known.
    pub(super) fn known_fields(self, table: &DeTable<'_>, known: &[&str]) -> Result<(), WeightsError> {
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                let problem = format!("unknown; {}", choice(key.get_ref(), known));
                return Err(self.wrong(&key.span(), key.get_ref().as_ref(), problem));
            }
        }
        Ok(())
    }

    pub(super) fn text<'t>(
        self,
        value: &'t Spanned<DeValue<'_>>,
        field: &str,
    ) -> Result<&'t str, WeightsError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong(&value.span(), field, "must be a text in quotes")),
        }
    }

    fn feature(
        self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        table: &str,
    ) -> Result<FeatureId, WeightsError> {
        FeatureId::from_name(key.get_ref()).ok_or_else(|| {
            let field = format!("{table}.{}", key.get_ref());
            self.wrong(
                &key.span(),
                field,
                format!("no such feature in version {FEATURES_VERSION}; see config/classifier.toml"),
            )
        })
    }
}

const I16: Range<i64> = -32_000..32_001;
const FIELDS: [&str; 11] = [
    "name",
    "version",
    "features",
    "bias",
    "measures_bias",
    "least_known",
    "least_votes",
    "weights",
    "votes",
    "calibration",
    "words",
];

impl Classifier {
    /// Returns a classifier that never has a signal, so that the strongest model serves everything.
    pub fn silent() -> Self {
        Self {
            name: "silent".to_owned(),
            version: 0,
            hash: 0,
            bias: 0,
            measures_bias: 0,
            least_known: 1000,
            least_votes: i32::MAX,
            weights: [0; FEATURES],
            votes: Box::new([[0; CLASSES]; FEATURES]),
            calibration: Calibration::default(),
            lexicon: Lexicon::default(),
            trained: None,
            about: None,
        }
    }

    /// Reads weights, lexicon and calibration from a weights file.
    pub fn from_toml(text: &str) -> Result<Self, WeightsError> {
        let source = Source(text);
        let root = DeTable::parse(text).map_err(|error| WeightsError::Syntax(Slip::of(text, &error)))?;
        let root = root.get_ref();
        if root.contains_key("trained") {
            return Self::read_trained(source, root, &Self::cold_start());
        }
        source.known_fields(root, &FIELDS)?;
        let need = |field: &'static str| root.get(field).ok_or(WeightsError::Missing { field });
        let number = |field: &'static str, allowed: Range<i64>| source.integer(need(field)?, field, allowed);

        let made_for = number("features", 0..i64::from(u32::MAX))?;
        if made_for != i64::from(FEATURES_VERSION) {
            let problem = format!(
                "made for features {made_for}, this program has {FEATURES_VERSION}; train the weights again"
            );
            return Err(source.wrong(&need("features")?.span(), "features", problem));
        }
        let mut made = Self::silent();
        source.text(need("name")?, "name")?.clone_into(&mut made.name);
        made.version = narrow(number("version", 0..i64::from(u32::MAX))?);
        made.bias = narrow(number("bias", I16)?);
        made.measures_bias = narrow(number("measures_bias", I16)?);
        made.least_known = narrow(number("least_known", 0..1001)?);
        made.least_votes = narrow(number("least_votes", 1..32_001)?);
        for (key, value) in source.table(need("weights")?, "weights")? {
            let feature = source.feature(key, "weights")?;
            let weight = narrow(source.integer(value, &format!("weights.{}", feature.name()), I16)?);
            if let Some(slot) = made.weights.get_mut(feature.index()) {
                *slot = weight;
            }
        }
        for (key, value) in source.table(need("votes")?, "votes")? {
            let feature = source.feature(key, "votes")?;
            for (class, value) in source.table(value, &format!("votes.{}", feature.name()))? {
                let field = format!("votes.{}.{}", feature.name(), class.get_ref());
                let Some(known) = TaskClass::ALL.into_iter().find(|known| known.name() == class.get_ref())
                else {
                    return Err(source.wrong(&class.span(), field, "no such class of work"));
                };
                let votes = narrow(source.integer(value, &field, I16)?);
                if let Some(slot) =
                    made.votes.get_mut(feature.index()).and_then(|row| row.get_mut(known.index()))
                {
                    *slot = votes;
                }
            }
        }
        made.calibration = calibration(source, need("calibration")?)?;
        made.lexicon = lexicon(source, need("words")?)?;
        made.hash = hash(&made);
        Ok(made)
    }
}

fn calibration(source: Source<'_>, value: &Spanned<DeValue<'_>>) -> Result<Calibration, WeightsError> {
    let mut knots = Vec::new();
    for knot in source.list(value, "calibration")? {
        let field = format!("calibration[{}]", knots.len());
        let [score, confidence] = source.list(knot, &field)? else {
            return Err(source.wrong(
                &knot.span(),
                field,
                "must be [score, confidence], both from 0 to 1000",
            ));
        };
        let grid = |value| Ok(PerMille::clamped(source.integer(value, &field, 0..1001)?));
        knots.push((grid(score)?, grid(confidence)?));
    }
    Calibration::new(&knots).map_err(|problem| source.wrong(&value.span(), "calibration", problem))
}

fn lexicon(source: Source<'_>, value: &Spanned<DeValue<'_>>) -> Result<Lexicon, WeightsError> {
    let mut lexicon = Lexicon::default();
    for (key, value) in source.table(value, "words")? {
        let feature = source.feature(key, "words")?;
        let field = format!("words.{}", feature.name());
        if !feature.counts_words() {
            return Err(source.wrong(&key.span(), field, "this feature does not count words"));
        }
        for entry in source.list(value, &field)? {
            let word = source.text(entry, &field)?;
            lexicon
                .add(word, feature)
                .map_err(|problem| source.wrong(&entry.span(), &field, format!("`{word}`: {problem}")))?;
        }
    }
    Ok(lexicon)
}

/// Narrows a number whose range was checked.
fn narrow<T: TryFrom<i64> + Default>(number: i64) -> T {
    T::try_from(number).unwrap_or_default()
}

impl Classifier {
    /// Hashes what reads and classes a request: trained weights belong to it.
    pub(super) fn lexicon_hash(&self) -> u64 {
        let bare = Self { trained: None, ..self.clone() };
        hash(&bare)
    }
}

/// Hashes everything that decides, whatever the layout of the file; the name does not decide.
fn hash(made: &Classifier) -> u64 {
    let mut hash = WordHash::START;
    let mut take = |number: i64| {
        for byte in number.to_le_bytes() {
            // Not lower-cased: every bit counts.
            hash = hash.then(WordHash::START.with(byte & 0x0f)).then(WordHash::START.with(byte >> 4));
        }
    };
    take(i64::from(FEATURES_VERSION));
    for number in [
        made.version.into(),
        made.bias.into(),
        made.measures_bias.into(),
        made.least_known.into(),
        made.least_votes.into(),
    ] {
        take(number);
    }
    debug_assert_eq!(made.weights.len(), FEATURES);
    for &weight in &made.weights {
        take(weight.into());
    }
    for row in made.votes.iter() {
        debug_assert_eq!(row.len(), CLASSES);
        for &votes in row {
            take(votes.into());
        }
    }
    for (score, confidence) in made.calibration.knots() {
        take(score.get().into());
        take(confidence.get().into());
    }
    for (word, feature) in made.lexicon.sorted() {
        take(word.cast_signed());
        take(feature.into());
    }
    hash.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"t\"\nversion = 3\nfeatures = 1\nbias = 100\nmeasures_bias = 0\nleast_known = 100\nleast_votes = 500\n\
        calibration = [[0, 10], [1000, 900]]\n[weights]\nlong_text = -500\n[votes]\ncode_fence = { code = 900 }\n[words]\n\
        asks_prove = [\"prove\"]\ncommon = [\"the\", \"of\"]\n";

    fn refused(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        Classifier::from_toml(&GOOD.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn a_good_file_is_read() {
        let made = Classifier::from_toml(GOOD).unwrap();
        assert_eq!((made.name(), made.version(), made.weight(FeatureId::LONG_TEXT)), ("t", 3, -500));
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_field() {
        for (from, to, said) in [
            ("bias = 100", "bias = ", "line 4:8: a value is missing"),
            ("bias = 100", "bias = 1.5", "line 4: field `bias`: must be a whole number from -32000 to 32000"),
            ("bias = 100", "bias = 99999", "line 4: field `bias`"),
            ("bias = 100", "bais = 100", "line 4: field `bais`: unknown"),
            ("bias = 100\n", "", "field `bias` is missing"),
            ("name = \"t\"", "name = 4", "line 1: field `name`"),
            ("features = 1", "features = 7", "line 3: field `features`: made for features 7"),
            ("least_known = 100", "least_known = 1001", "line 6: field `least_known`"),
            ("[1000, 900]", "[1000, 5]", "line 8: field `calibration`"),
            ("[1000, 900]", "[1000]", "line 8: field `calibration[1]`"),
            ("[1000, 900]", "[1001, 900]", "line 8: field `calibration[1]`"),
            ("long_text", "lang_text", "line 10: field `weights.lang_text`: no such feature"),
            ("-500", "\"x\"", "line 10: field `weights.long_text`"),
            ("code = 900", "cooking = 900", "line 12: field `votes.code_fence.cooking`: no such class"),
            ("\"prove\"", "\"Prove\"", "line 14: field `words.asks_prove`: `Prove`: write"),
            ("\"of\"", "\"prove\"", "line 15: field `words.common`: `prove`: stands in the lexicon twice"),
            ("asks_prove =", "digits =", "line 14: field `words.digits`: this feature does not count words"),
        ] {
            let told = refused(from, to);
            assert!(told.starts_with(said), "{from} -> {to}: {told}");
        }
    }

    #[test]
    fn the_hash_follows_what_decides_and_nothing_else() {
        let hash = Classifier::from_toml(GOOD).unwrap().hash();
        for same in [
            GOOD.replace("\"t\"", "\"other name\""),
            format!("# a remark\n{GOOD}"),
            GOOD.replace("\"the\", \"of\"", "\"of\", \"the\""),
        ] {
            assert_eq!(Classifier::from_toml(&same).unwrap().hash(), hash);
        }
        for (from, to) in [
            ("-500", "-501"),
            ("[0, 10]", "[0, 11]"),
            ("\"the\"", "\"a\""),
            ("code = 900", "code = 901"),
            ("version = 3", "version = 4"),
        ] {
            assert_ne!(
                Classifier::from_toml(&GOOD.replace(from, to)).unwrap().hash(),
                hash,
                "{from} -> {to}"
            );
        }
    }
}
