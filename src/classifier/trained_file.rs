//! Trained weights as a file: the same TOML as weights set by hand, with tables in base64.
//!
//! Invariant: what is written is read back the same, and the same weights are written as the same bytes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::about::About;
use super::feature::FEATURES_VERSION;
use super::grams::{BUCKETS, CHARACTERS, WORDS_BEFORE};
use super::surface::SURFACE_VERSION;
use super::trained::{INNER, LEAVES, Trained, Tree};
use super::weights::{Classifier, Source, WeightsError};
use crate::units::PerMille;

/// What every file of trained weights begins with.
pub const TRAINED_HEAD: &str = "# Trained weights of pointsman";
/// The bytes of a packed tree.
const TREE: usize = INNER * 3 + LEAVES * 4;
/// The bytes of a packed tag.
const TAG: usize = 12;
const FIELDS: [&str; 7] = ["name", "version", "features", "surface", "lexicon", "about", "trained"];

/// A table of a file, with its name.
#[derive(Clone, Copy)]
struct Under<'a, 't, 'i> {
    source: Source<'a>,
    table: &'t DeTable<'i>,
    name: &'static str,
}

impl<'t, 'i> Under<'_, 't, 'i> {
    fn get(self, field: &'static str) -> Result<&'t Spanned<DeValue<'i>>, WeightsError> {
        self.table.get(field).ok_or(WeightsError::Missing { field })
    }

    fn path(self, field: &str) -> String {
        if self.name.is_empty() { field.to_owned() } else { format!("{}.{field}", self.name) }
    }

    fn number(self, field: &'static str) -> Result<i64, WeightsError> {
        self.source.integer(self.get(field)?, &self.path(field), i64::MIN..i64::MAX)
    }

    fn small<T: TryFrom<i64>>(self, field: &'static str) -> Result<T, WeightsError> {
        T::try_from(self.number(field)?).map_err(|_| self.wrong(field, "is out of range"))
    }

    fn numbers(self, field: &'static str) -> Result<Vec<i64>, WeightsError> {
        let path = self.path(field);
        let list = self.source.list(self.get(field)?, &path)?;
        list.iter().map(|item| self.source.integer(item, &path, i64::MIN..i64::MAX)).collect()
    }

    fn words(self, field: &'static str) -> Result<Vec<String>, WeightsError> {
        let path = self.path(field);
        let list = self.source.list(self.get(field)?, &path)?;
        list.iter().map(|item| self.source.text(item, &path).map(str::to_owned)).collect()
    }

    fn bytes(self, field: &'static str) -> Result<Vec<u8>, WeightsError> {
        let text = self.source.text(self.get(field)?, &self.path(field))?;
        STANDARD.decode(text).map_err(|_| self.wrong(field, "is not base64; train the weights again"))
    }

    /// Reads packed records of one size.
    fn records<T, const SIZE: usize>(
        self,
        field: &'static str,
        read: impl Fn(&[u8; SIZE]) -> Option<T>,
    ) -> Result<Vec<T>, WeightsError> {
        let bytes = self.bytes(field)?;
        let (records, rest) = bytes.as_chunks::<SIZE>();
        let read: Option<Vec<T>> = records.iter().map(read).collect();
        read.filter(|_| rest.is_empty())
            .ok_or_else(|| self.wrong(field, "is cut short; train the weights again"))
    }

    fn wrong(self, field: &str, problem: &str) -> WeightsError {
        let span = self.table.get(field).map_or(0..0, Spanned::span);
        self.source.wrong(&span, self.path(field), problem)
    }
}

fn pack_tree(tree: &Tree) -> impl Iterator<Item = u8> + '_ {
    let splits = tree.splits.iter().flat_map(|&(number, threshold)| {
        let [low, high] = threshold.to_le_bytes();
        [number, low, high]
    });
    splits.chain(tree.leaves.iter().flat_map(|leaf| leaf.to_le_bytes()))
}

fn unpack_tree(bytes: &[u8; TREE]) -> Option<Tree> {
    let (splits, leaves) = bytes.split_at_checked(INNER * 3)?;
    let mut tree = Tree::default();
    for (slot, &[number, low, high]) in tree.splits.iter_mut().zip(splits.as_chunks().0) {
        *slot = (number, i16::from_le_bytes([low, high]));
    }
    for (slot, &leaf) in tree.leaves.iter_mut().zip(leaves.as_chunks().0) {
        *slot = i32::from_le_bytes(leaf);
    }
    Some(tree)
}

fn unpack_tag(bytes: &[u8; TAG]) -> Option<(u64, i32)> {
    let (tag, worth) = bytes.split_at_checked(8)?;
    Some((u64::from_le_bytes(tag.try_into().ok()?), i32::from_le_bytes(worth.try_into().ok()?)))
}

fn pack_tags(table: &[(u64, i32)]) -> Vec<u8> {
    table.iter().flat_map(|(tag, worth)| tag.to_le_bytes().into_iter().chain(worth.to_le_bytes())).collect()
}

impl Trained {
    /// Lists everything that decides, for the hash.
    fn all(&self) -> impl Iterator<Item = u64> + '_ {
        let numbers = [i64::from(self.mean), i64::from(self.unit), i64::from(self.most_unknown)];
        let tags =
            self.tags.iter().flatten().flat_map(|&(tag, worth)| [tag, u64::from(worth.cast_unsigned())]);
        let curve =
            self.curve.iter().flat_map(|&(gain, confidence)| [i64::from(gain), confidence.get().into()]);
        let trees = self.trees.iter().flat_map(pack_tree).map(u64::from);
        (numbers.into_iter().chain(curve).map(i64::cast_unsigned))
            .chain([self.tags[0].len() as u64])
            .chain(tags)
            .chain(trees)
            .chain(self.known.iter().copied())
            .chain(self.buckets.iter().map(|weight| u64::from(weight.cast_unsigned())))
    }
}

impl Classifier {
    /// Builds a trained classifier over this one's lexicon.
    ///
    /// # Errors
    /// Where its tables have a wrong shape.
    pub fn trained(
        &self,
        name: &str,
        version: u32,
        trained: Trained,
        about: About,
    ) -> Result<Self, WeightsError> {
        if let Some((field, problem)) = trained.fault() {
            return Err(WeightsError::Field { line: 0, field: field.to_owned(), problem });
        }
        let mut made = self.clone();
        name.clone_into(&mut made.name);
        made.version = version;
        let mut hash = self.lexicon_hash() ^ u64::from(version) ^ u64::from(SURFACE_VERSION) << 32;
        for number in trained.all() {
            hash = (hash ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        }
        made.hash = hash ^ (hash >> 31);
        made.trained = Some(Box::new(trained));
        made.about = Some(Box::new(about));
        Ok(made)
    }

    /// Reads trained weights; the file is known to hold the table.
    pub(super) fn read_trained(
        source: Source<'_>,
        root: &DeTable<'_>,
        over: &Self,
    ) -> Result<Self, WeightsError> {
        source.known_fields(root, &FIELDS)?;
        let top = Under { source, table: root, name: "" };
        for (field, have) in [("features", FEATURES_VERSION), ("surface", SURFACE_VERSION)] {
            let made_for = top.number(field)?;
            if made_for != i64::from(have) {
                let problem =
                    format!("made for {field} {made_for}, this program has {have}; train the weights again");
                return Err(top.wrong(field, &problem));
            }
        }
        let lexicon = format!("{:016x}", over.lexicon_hash());
        if source.text(top.get("lexicon")?, "lexicon")? != lexicon {
            return Err(top
                .wrong("lexicon", "made over another lexicon than this program's; train the weights again"));
        }
        let under = |field| Ok(Under { source, table: source.table(top.get(field)?, field)?, name: field });
        let about = read_about(under("about")?)?;
        let tables = under("trained")?;
        let curve = tables.records("curve", |&[a, b, c, d, low, high]| {
            Some((i32::from_le_bytes([a, b, c, d]), PerMille::new(u16::from_le_bytes([low, high]))?))
        })?;
        let buckets: Box<[i8]> = tables.records("buckets", |&[byte]| Some(byte.cast_signed()))?.into();
        if ![BUCKETS, CHARACTERS + WORDS_BEFORE].contains(&buckets.len()) {
            return Err(tables.wrong("buckets", "holds a wrong number of weights; train the weights again"));
        }
        let trained = Trained {
            mean: tables.small("mean")?,
            unit: tables.small("unit")?,
            most_unknown: tables.small("most_unknown")?,
            curve,
            tags: [tables.records("tasks", unpack_tag)?, tables.records("projects", unpack_tag)?],
            trees: tables.records("trees", unpack_tree)?,
            known: tables.records("known", |bytes| Some(u64::from_le_bytes(*bytes)))?.into(),
            buckets,
        };
        let name = source.text(top.get("name")?, "name")?;
        over.trained(name, top.small("version")?, trained, about)
    }

    /// Writes a trained classifier as a file; `None` where it was not trained.
    pub fn to_toml(&self) -> Option<String> {
        let (trained, about) = (self.trained.as_deref()?, self.about.as_deref()?);
        let mut out = String::with_capacity(512 * 1024);
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let list = |words: &[String]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ");
        let packed = |bytes: &[u8]| STANDARD.encode(bytes);
        // Writing to a text cannot fail.
        let mut line = |text: std::fmt::Arguments<'_>| {
            let _ = out.write_fmt(text);
        };
        line(format_args!(
            "{TRAINED_HEAD}, hash {:016x}: thresholds fitted on them belong to that hash. Made by `pointsman train`.\n",
            self.hash
        ));
        line(format_args!("name = {}\nversion = {}\n", quoted(&self.name), self.version));
        line(format_args!("features = {FEATURES_VERSION}\nsurface = {SURFACE_VERSION}\n"));
        line(format_args!("lexicon = \"{:016x}\"\n\n[about]\n", self.lexicon_hash()));
        line(format_args!("ladder = [{}]\n", list(&about.ladder)));
        let (data, licences): (Vec<String>, Vec<String>) = about.data.iter().cloned().unzip();
        line(format_args!("data = [{}]\nlicences = [{}]\n", list(&data), list(&licences)));
        line(format_args!("rows = {}\nseed = {}\n", about.rows, about.seed.cast_signed()));
        line(format_args!("split = {}\n", quoted(&about.split)));
        for (field, numbers) in figures(about) {
            line(format_args!("{field} = {numbers:?}\n"));
        }
        let seen: Vec<u8> = about.seen.iter().flat_map(|start| start.to_le_bytes()).collect();
        line(format_args!("seen = \"{}\"\n\n[trained]\n", packed(&seen)));
        line(format_args!("mean = {}\nunit = {}\n", trained.mean, trained.unit));
        line(format_args!("most_unknown = {}\n", trained.most_unknown));
        let curve: Vec<u8> = (trained.curve.iter())
            .flat_map(|(gain, confidence)| {
                gain.to_le_bytes().into_iter().chain(confidence.get().to_le_bytes())
            })
            .collect();
        let trees: Vec<u8> = trained.trees.iter().flat_map(pack_tree).collect();
        let known: Vec<u8> = trained.known.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let buckets: Vec<u8> = trained.buckets.iter().map(|weight| weight.cast_unsigned()).collect();
        let [tasks, projects] = &trained.tags;
        for (field, bytes) in [
            ("curve", curve),
            ("tasks", pack_tags(tasks)),
            ("projects", pack_tags(projects)),
            ("trees", trees),
            ("known", known),
            ("buckets", buckets),
        ] {
            line(format_args!("{field} = \"{}\"\n", packed(&bytes)));
        }
        Some(out)
    }
}

/// Lists the figures that are known.
fn figures(about: &About) -> Vec<(&'static str, Vec<i64>)> {
    let all = [
        ("apgr", about.apgr.map(Vec::from)),
        ("length_only", about.length_only.map(|one| vec![one])),
        ("calibration_error", about.calibration_error.map(|one| vec![one])),
        ("quantised", about.quantised.map(Vec::from)),
    ];
    all.into_iter().filter_map(|(field, numbers)| Some((field, numbers?))).collect()
}

fn read_about(table: Under<'_, '_, '_>) -> Result<About, WeightsError> {
    let figure = |field| if table.table.contains_key(field) { table.numbers(field) } else { Ok(Vec::new()) };
    let one = |numbers: Vec<i64>| numbers.first().copied();
    let (data, licences) = (table.words("data")?, table.words("licences")?);
    Ok(About {
        ladder: table.words("ladder")?,
        data: data.into_iter().zip(licences.into_iter().chain(std::iter::repeat(String::new()))).collect(),
        rows: table.number("rows")?.try_into().unwrap_or(0),
        seed: table.number("seed")?.cast_unsigned(),
        split: table.source.text(table.get("split")?, "about.split")?.to_owned(),
        apgr: figure("apgr")?.try_into().ok(),
        length_only: one(figure("length_only")?),
        calibration_error: one(figure("calibration_error")?),
        quantised: figure("quantised")?.try_into().ok(),
        seen: table.records("seen", |bytes| Some(u32::from_le_bytes(*bytes)))?,
    })
}
