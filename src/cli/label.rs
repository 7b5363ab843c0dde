//! `pointsman label`: two models' answers side by side, whose they are unknown; what people say of them becomes labels.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use super::output;
use crate::app::{Compared, ConsoleOptions, LabelFile, Sitting, compare, input};
use crate::record::{self, Entry, Outcomes, ReadOptions};
use crate::units::counted;

/// Compares two models' answers blindly.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman label shadow.jsonl -o labels.jsonl\n  pointsman certify gateway.jsonl --labels labels.jsonl\n\nA line is {\"id\":\"op-1\",\"prompt\":\"…\",\"outcomes\":{\"MODEL\":{\"answer\":\"…\"},\"OTHER\":{\"answer\":\"…\"}}}: what shadow runs keep where gateway.toml says `keep` ([shadow.ROUTE]), or a set of outcomes with answers. A log of requests alone has no answers. Which answer stands left is drawn by the seed. A sitting that was left goes on where it stopped."
)]
pub struct LabelArgs {
    /// Answers to compare, as JSON lines; plain, gzip or zstd.
    #[arg(value_name = "ANSWERS")]
    pub answers: PathBuf,
    /// One model; needed where a line has answers of more than two.
    #[arg(long, value_name = "MODEL", requires = "b")]
    pub a: Option<String>,
    /// The other model.
    #[arg(long, value_name = "MODEL", requires = "a")]
    pub b: Option<String>,
    /// Where labels are added.
    #[arg(short, long, value_name = "FILE", default_value = "labels.jsonl")]
    pub output: PathBuf,
    /// Whose labels they are; the user's name where absent.
    #[arg(long = "as", value_name = "NAME")]
    pub who: Option<String>,
    /// What draws the order of pairs and sides.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// The theme, over what console.toml says.
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// The glyphs: auto, braille, block, ascii.
    #[arg(long, value_name = "SET", value_parser = ["auto", "braille", "block", "ascii"])]
    pub glyphs: Option<String>,
}

/// Runs the subcommand.
///
/// # Errors
/// Where there is nothing to compare, this is no terminal, or labels cannot be written.
pub fn run(args: &LabelArgs) -> anyhow::Result<()> {
    let who =
        args.who.clone().or_else(|| ["USER", "USERNAME"].iter().find_map(|name| std::env::var(name).ok()));
    let who = who.filter(|who| !who.trim().is_empty()).unwrap_or_else(|| "somebody".to_owned());
    let pairs = read(args)?;
    let models = |pair: &Compared| [0, 1].map(|at: usize| pair.answers[at].0.clone());
    let same = pairs.first().map(models).filter(|first| pairs.iter().all(|pair| models(pair) == *first));
    let [a, b] = same.unwrap_or_else(|| ["the first model".to_owned(), "the second model".to_owned()]);
    let (count, done) = (pairs.len(), judged(&args.output, &format!("label by {who}"))?);
    let mut sitting = Sitting::new(pairs, args.seed, |id| done.contains(id));
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        bail!("{} to compare, but this is no terminal; run it in one", counted(count as u64, "pair"));
    }
    let mut file = LabelFile::open(&args.output, &who)
        .with_context(|| format!("{}: labels cannot be written", args.output.display()))?;
    let options = ConsoleOptions {
        theme: args.theme.clone(),
        glyphs: args.glyphs.clone(),
        ..ConsoleOptions::default()
    };
    compare(&mut sitting, &mut file, &options)?;
    let [first, second, same, neither] = sitting.counts();
    let all = counted((first + second + same + neither) as u64, "pair");
    output::text(&format!(
        "{all} judged: {a} better {first}, {b} better {second}, same {same}, both bad {neither}\nin {}; next: pointsman certify LOG --labels {}\n",
        args.output.display(),
        args.output.display()
    ))
}

/// Reads the pairs.
fn read(args: &LabelArgs) -> anyhow::Result<Vec<Compared>> {
    let place = args.answers.display();
    let source = input(std::slice::from_ref(&args.answers));
    let Some(outcomes) = Outcomes::open(&source)? else {
        bail!(
            "{place}: there are no answers in it; a log of requests has none\nhint: have shadow runs keep what was compared (`keep = \"shadow.jsonl\"` under [shadow.ROUTE] in gateway.toml), or write lines like {{\"id\":\"op-1\",\"prompt\":\"…\",\"outcomes\":{{\"MODEL\":{{\"answer\":\"…\"}},\"OTHER\":{{\"answer\":\"…\"}}}}}}"
        );
    };
    let (mut pairs, mut without, mut bad) = (Vec::new(), 0u64, 0u64);
    let mut many: Option<Vec<String>> = None;
    outcomes.each(|number, line, _| {
        let Ok(line) = line else {
            bad += 1;
            return true;
        };
        let id = line.name().unwrap_or_else(|| format!("line-{number}"));
        let answer = |outcome: &Option<record::ModelOutcome>| {
            outcome.as_ref()?.answer.clone().filter(|text| !text.trim().is_empty())
        };
        let all =
            line.outcomes.iter().filter_map(|(model, outcome)| Some((model.to_string(), answer(outcome)?)));
        let wanted = |model: &str| match (&args.a, &args.b) {
            (Some(a), Some(b)) => model == a || model == b,
            _ => true,
        };
        let is_made_up = |model: &str| {
            let mut of = line.outcomes.iter().filter(|(name, _)| **name == *model);
            of.any(|(_, outcome)| outcome.as_ref().is_some_and(|outcome| outcome.simulated))
        };
        let mut answers: Vec<(String, String)> = all.filter(|(model, _)| wanted(model)).collect();
        if answers.len() > 2 {
            many.get_or_insert_with(|| answers.iter().map(|(model, _)| model.clone()).collect());
        }
        if args.a.as_deref().is_some_and(|a| answers.last().is_some_and(|(model, _)| model == a)) {
            answers.reverse();
        }
        match <[(String, String); 2]>::try_from(answers) {
            Ok(answers) => {
                let is_simulated = answers.iter().any(|(model, _)| is_made_up(model));
                let prompt = line.prompt.map(std::borrow::Cow::into_owned).unwrap_or_default();
                pairs.push(Compared { id, prompt, answers, is_simulated });
            }
            Err(_) => without += 1,
        }
        many.is_none()
    })?;
    if let Some(models) = many {
        bail!("{place}: a line has answers of {}; name two with --a and --b", models.join(", "));
    }
    if pairs.is_empty() {
        let named = args.a.as_deref().zip(args.b.as_deref());
        let of = named.map_or_else(|| "two models".to_owned(), |(a, b)| format!("both {a} and {b}"));
        bail!("{place}: no line has the answers of {of} (`outcomes.MODEL.answer`)");
    }
    for (count, what) in [(without, "without two answers"), (bad, "that cannot be read")] {
        if count > 0 {
            output::remark(&format!("{} {what} left out", counted(count, "line")));
        }
    }
    Ok(pairs)
}

/// Lists the requests that somebody judged already.
fn judged(path: &Path, source: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut done = BTreeSet::new();
    if !path.exists() {
        return Ok(done);
    }
    let named = || format!("{}: labels of earlier sittings cannot be read", path.display());
    let Ok(mut known) = record::open(&input(&[path.to_owned()]), &ReadOptions::default()) else {
        bail!(
            "{}: it is there and is no log that labels could be added to; name another file",
            path.display()
        );
    };
    while let Some(block) = known.next_block() {
        let _ = block.with_context(named)?.for_each_new(known.known(), |_, entry| {
            if let Ok(Entry::Label(late)) = entry
                && late.label.source.strip_suffix(" (simulated)").unwrap_or(&late.label.source) == source
            {
                done.insert(late.id.into_owned());
            }
            std::ops::ControlFlow::Continue(())
        });
    }
    Ok(done)
}
