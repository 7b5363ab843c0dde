//! `pointsman train`: weights for the classifier, learned from questions of which several answers' quality is known.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::{Context as _, bail};
use clap::Args;

use super::args::ReadArgs;
use super::output;
use crate::app::{Contents, Lessons, Progress, file_name, list, meant};
use crate::classifier::{About, Classifier, TRAINED_HEAD as HEAD};
use crate::report::{Format, Sheet, render};
use crate::training::{Examples, Plan, train};
use crate::units::counted;

/// The most questions learned from; of more a fair part is drawn.
const MOST: u64 = 60_000;

/// Trains a classifier: how likely the cheap answer is as good as the strong one.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman train gateway.jsonl --cheap gpt-5-nano --strong gpt-5 -o weights.toml\n  pointsman train outcomes.jsonl.gz --ladder haiku,sonnet,opus -o weights.toml\n  pointsman serve --classifier weights.toml\n\nA set of outcomes has a line for every question: {\"prompt\":\"…\",\"task\":\"…\",\"split_key\":\"…\",\"outcomes\":{\"MODEL\":{\"quality\":0.9}}}. Of a log those requests count of which both answers were labelled or checked. Thresholds belong to the weights they were fitted on: a policy that names a `classifier` is refused with any other."
)]
pub struct TrainArgs {
    /// A set of outcomes, or a log with labels; plain, gzip or zstd.
    #[arg(value_name = "OUTCOMES|LOG")]
    pub from: PathBuf,
    /// The cheap model, or a part of its name; may be left away where the file knows two models only.
    #[arg(long, value_name = "MODEL", requires = "strong", conflicts_with = "ladder")]
    pub cheap: Option<String>,
    /// The strong model, or a part of its name.
    #[arg(long, value_name = "MODEL", requires = "cheap")]
    pub strong: Option<String>,
    /// More than two models, cheapest first: each pair of neighbours is learned from the questions that both answered.
    #[arg(long, value_name = "MODEL,..", value_delimiter = ',')]
    pub ladder: Vec<String>,
    /// Where to write the weights.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Write over a file that exists, whatever it is; weights trained before are written over in any case.
    #[arg(long)]
    pub replace: bool,
    /// What draws come from; the same rows and seed give the same bytes.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Keep three tenths of the questions (by `split_key`) away from training, for `evaluate`.
    #[arg(long)]
    pub hold_out: bool,
    /// The name of the weights; the file's where absent.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The licence of the data, kept in the weights.
    #[arg(long, value_name = "LICENCE")]
    pub licence: Option<String>,
    /// Files with more labels of the same requests, as `pointsman label` writes them.
    #[arg(long, value_name = "FILE")]
    pub labels: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

/// Finds the models meant, cheapest first.
///
/// # Errors
/// Where a name means none or several, or where none is named and the file knows more than two.
pub fn ladder(
    named: &[String],
    pair: Option<(&str, &str)>,
    contents: &Contents,
    path: &Path,
) -> anyhow::Result<Vec<String>> {
    let named: Vec<&str> = match pair {
        Some((cheap, strong)) => vec![cheap, strong],
        None => named.iter().map(String::as_str).collect(),
    };
    if named.is_empty() {
        return match contents.models.as_slice() {
            [one, two] => {
                let (cheap, strong) = if one.quality <= two.quality { (one, two) } else { (two, one) };
                output::remark(&format!(
                    "--cheap {} --strong {}: the only two, by quality",
                    cheap.name, strong.name
                ));
                Ok(vec![cheap.name.clone(), strong.name.clone()])
            }
            _ => bail!("say which: --cheap MODEL --strong MODEL\n{}", list(contents)),
        };
    }
    let found: Vec<String> =
        named.iter().map(|name| meant(name, contents, path)).collect::<Result<_, _>>()?;
    if found.len() < 2 {
        bail!("--ladder needs two models or more, cheapest first");
    }
    for (at, model) in found.iter().enumerate() {
        if found.iter().take(at).any(|other| other == model) {
            bail!("{model} is named twice; a ladder has every model once");
        }
    }
    let quality =
        |name: &str| contents.models.iter().find(|model| model.name == name).map(|model| model.quality);
    if let (Some(cheap), Some(strong)) = (found.first(), found.last())
        && quality(cheap) >= quality(strong)
    {
        output::remark(&format!(
            "on these questions {cheap} is no worse than {strong} in the mean: routing between them saves no quality"
        ));
    }
    Ok(found)
}

/// Says what could not be used.
pub fn tell(contents: &Contents) {
    let passed = &contents.passed;
    if let Some(first) = &passed.first_bad {
        output::remark(&format!("{} could not be read; {first}", counted(passed.bad, "line")));
    }
    if let Some(first) = &passed.first_outside {
        output::remark(&format!(
            "qualities outside 0 to 1 are taken as not known: {} of them; {first}",
            passed.outside
        ));
    }
    if contents.again > 0 && !contents.is_log {
        output::remark(&format!(
            "{} of {} ask again what an earlier one asked: folds and intervals go by question",
            contents.again,
            counted(contents.rows, "row")
        ));
    }
    if contents.without_text > 0 {
        let (of, all) = (contents.without_text, contents.rows);
        output::remark(&format!(
            "without a text: {of} of {}, of which only tags are used",
            counted(all, "question")
        ));
    }
}

/// Says whether nothing is lost by writing over a file: it is empty, or holds trained weights, which can be made again.
fn is_made_here(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    read.is_ok() && (start.is_empty() || start.starts_with(HEAD.as_bytes()))
}

/// Runs the subcommand.
///
/// # Errors
/// Where too little is known, or the weights cannot be written.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let read: Vec<PathBuf> = std::iter::once(&args.from).chain(&args.labels).cloned().collect();
    output::may_write(&args.output, &read, true)?;
    if args.output.exists() && !args.replace && !is_made_here(&args.output) {
        bail!("{} exists; choose another name, or say --replace", args.output.display());
    }
    let (options, book) = args.read.open()?;
    let (lessons, contents) = Lessons::open(&args.from, &args.labels, &options, &book)?;
    let pair = args.cheap.as_deref().zip(args.strong.as_deref());
    let ladder = ladder(&args.ladder, pair, &contents, &args.from)?;
    tell(&contents);

    let over = Classifier::cold_start();
    let mut examples = Examples::new(ladder.len());
    let keep_below = (MOST << 32) / contents.rows.max(MOST);
    lessons.each("reading", |lesson| {
        let qualities: Vec<Option<f32>> =
            ladder.iter().map(|model| lesson.quality(model).map(narrow)).collect();
        let known = qualities.iter().flatten().count();
        let drawn = (lesson.question ^ args.seed).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32 < keep_below;
        if known >= 2 && drawn && !(args.hold_out && lesson.tenth >= 7) {
            examples.push(lesson.prompt, &lesson.measures, lesson.question, &qualities, &over);
        }
    })?;
    if contents.rows > MOST {
        output::remark(&format!(
            "{} are more than are learned from: a fair part of {MOST} was drawn",
            counted(contents.rows, "question")
        ));
    }
    let stem = args
        .output
        .file_stem()
        .map_or_else(|| "trained".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let plan = Plan {
        name: args.name.clone().unwrap_or(stem),
        ladder: ladder.clone(),
        data: vec![(file_name(&args.from), args.licence.clone().unwrap_or_default())],
        seed: args.seed,
        split: if args.hold_out {
            "trained on split_key tenths 0 to 6; figures out of fold".to_owned()
        } else {
            "trained on all rows; figures out of fold, five folds by question".to_owned()
        },
    };
    let progress = Mutex::new(Progress::new("training", None));
    let made = train(&examples, &plan, &over, &|done, all| {
        progress.lock().unwrap_or_else(PoisonError::into_inner).step(done as u64, all as u64);
    });
    progress.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    let made = made.with_context(|| args.from.display().to_string())?;
    let text = made.to_toml().context("nothing was trained")?;
    std::fs::write(&args.output, &text).with_context(|| format!("cannot write {}", args.output.display()))?;
    let Some(about) = made.about() else { return Ok(()) };
    output::text(&render(&[sheet(&made, about, &args.output, text.len())], Format::Table))
}

#[expect(clippy::cast_possible_truncation, reason = "quality needs no more digits")]
fn narrow(quality: f64) -> f32 {
    quality as f32
}

/// Writes per mille as a share.
fn share(per_mille: i64) -> String {
    format!("{:.3}", per_mille as f64 / 1000.0)
}

fn sheet(made: &Classifier, about: &About, path: &Path, size: usize) -> Sheet {
    let title = format!("{} · hash {:016x}", path.display(), made.hash());
    let mut sheet = Sheet::new(title, &["", ">", ""]);
    let mut line = |name: &str, value: String, note: String| sheet.push(vec![name.into(), value, note]);
    line("ladder", about.ladder.len().to_string(), about.ladder.join(" → "));
    line("questions", about.rows.to_string(), about.split.clone());
    let unknown = "unknown: the strong model is no better on these questions".to_owned();
    match about.apgr {
        Some([apgr, low, high]) => {
            let length = about.length_only.map_or_else(|| "unknown".to_owned(), share);
            let note =
                format!("95% {} to {}; by length alone {length}, by chance .500", share(low), share(high));
            line("APGR", share(apgr), note);
        }
        None => line("APGR", "unknown".to_owned(), unknown),
    }
    if let Some(error) = about.calibration_error {
        line("calibration error", share(error), "of confidences for questions not seen".to_owned());
    }
    if let Some([most, mean]) = about.quantised {
        let note = format!(
            "and {:.2} in the mean: what whole numbers moved confidences by, per mille",
            mean as f64 / 1000.0
        );
        line("rounding", most.to_string(), note);
    }
    line("size", size.div_ceil(1024).to_string(), "KiB".to_owned());
    sheet
}
