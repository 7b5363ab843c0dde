//! `pointsman prices`: lists price books, shows one model's prices, imports LiteLLM's catalogue.
//!
//! Invariant: a price that is not stated is shown as `-`, never as zero; every table says which book it shows.

mod form;
mod set;

pub(super) use set::agreed;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};

use self::form::{doubt, own_book, shown, table, usd};
use super::args::Shape;
use super::output;
use crate::config::prices::{self, Import};
use crate::config::{user_dir, write_whole};
use crate::pricing::{ModelPrices, PriceBook, PriceRow, Rates, Tier, as_factor};
use crate::report::count;
use crate::units::{Instant, counted};

/// Lists, shows and imports prices.
#[derive(Args, Debug)]
pub struct PricesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List the models of a price book.
    List {
        #[command(flatten)]
        of: Which,
        /// Show only models whose name or provider contains this text.
        #[arg(long)]
        filter: Option<String>,
    },
    /// Show everything a price book knows of one model.
    Show {
        /// The model's name; aliases, `provider/` prefixes and date suffixes are understood.
        model: String,
        #[command(flatten)]
        of: Which,
        /// Show only the price in force at this day or moment (UTC), like 2026-11-23 or 2026-11-23T08:00:00Z.
        #[arg(long)]
        at: Option<String>,
    },
    /// Change one price in a book of your own, from a moment on; what was charged before stays.
    Set(set::Set),
    /// Import LiteLLM's `model_prices_and_context_window.json` as a price book of your own.
    Import {
        /// The catalogue, a JSON file.
        file: PathBuf,
        /// The name of the new book.
        #[arg(long, default_value = "litellm")]
        name: String,
        /// Write the book here instead of into your configuration directory.
        #[arg(short, long)]
        output: Option<PathBuf>,
        /// Overwrite a book of that name; costs charged from the old one can then no longer be recomputed.
        #[arg(long)]
        replace: bool,
        /// Name each refused entry with its reason.
        #[arg(long)]
        refused: bool,
        /// How to print the outcome.
        #[arg(long, value_enum, default_value_t = Shape::Table)]
        format: Shape,
    },
}

/// Which prices are meant.
#[derive(Args, Debug)]
struct Which {
    /// As everywhere: a name, a .toml book or a LiteLLM .json catalogue, laid over `list`; `only:BOOK` is it alone.
    #[arg(long, value_name = "BOOK|FILE", conflicts_with = "book")]
    prices: Option<String>,
    /// One book alone: a built-in one (list, guide-2026), one of your own, or a path to a file.
    #[arg(long, default_value = "list")]
    book: String,
}

impl Which {
    fn book(&self, user_dir: Option<&Path>) -> anyhow::Result<PriceBook> {
        Ok(match &self.prices {
            Some(prices) => prices::layered(prices, user_dir)?,
            None => prices::resolve(&self.book, user_dir)?,
        })
    }
}

/// Runs the subcommand, writing to stdout; a reader that closes the pipe early is no error.
pub fn run(args: &PricesArgs) -> anyhow::Result<()> {
    let mut out = BufWriter::new(output::data());
    let done = run_to(args, user_dir().as_deref(), &mut out).and_then(|()| Ok(out.flush()?));
    match done {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

/// Runs the subcommand against a configuration directory, writing to `out`.
pub fn run_to(args: &PricesArgs, user_dir: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
    match &args.command {
        Command::List { of, filter } => {
            let book = of.book(user_dir)?;
            Ok(list(&book, filter.as_deref(), out)?)
        }
        Command::Show { model, of, at } => {
            let book = of.book(user_dir)?;
            show(&book, model, at.as_deref().map(moment).transpose()?, out)
        }
        Command::Set(set) => set::run(set, user_dir, out),
        Command::Import { file, name, output, replace, refused, format } => {
            let target = match (output, user_dir) {
                (Some(output), _) => output.clone(),
                (None, Some(dir)) => own_book(dir, name)?,
                (None, None) => {
                    bail!("no configuration directory is known\nhint: say where to write with -o FILE")
                }
            };
            let mut import = prices::import_litellm(&prices::read_file(file)?, &file.display().to_string())?;
            if target.exists() {
                // Before one book takes another's place, somebody sees what that changes.
                let now = Instant(chrono::Utc::now().timestamp_micros());
                if let (Ok(mut before), Shape::Table) = (prices::load(&target), format) {
                    set::differences(&before.amend(&import.book, now), out)?;
                }
                let place = target.display();
                if !replace
                    && !agreed(&format!("overwrite {place}"), out).with_context(|| {
                        format!("{place} is there already; give the new book its own --name, or overwrite with --replace")
                    })?
                {
                    return Ok(writeln!(out, "nothing was written")?);
                }
            }
            import.book.name.clone_from(name);
            import.book.dated = chrono::Utc::now().date_naive().to_string();
            let text = prices::to_toml(&import.book);
            write_whole(&target, |file| file.write_all(text.as_bytes()))
                .with_context(|| format!("cannot write {}", target.display()))?;
            match format {
                Shape::Table => report(&import, &target, *refused, out),
                Shape::Json => report_json(&import, &target, *refused, out),
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn moment(text: &str) -> anyhow::Result<Instant> {
    let midnight = format!("{text}T00:00:00Z");
    Ok(Instant::parse(text).or_else(|error| Instant::parse(&midnight).map_err(|_| error))?)
}

fn list(book: &PriceBook, filter: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    let wanted = filter.unwrap_or_default().to_lowercase();
    let matches = |text: &str| text.to_lowercase().contains(&wanted);
    let mut rows = Vec::new();
    for (name, prices) in &book.models {
        let by_alias = || book.aliases.iter().any(|(alias, target)| target == name && matches(alias));
        if matches(name) || prices.provider.as_deref().is_some_and(matches) || by_alias() {
            rows.push(list_line(name, prices));
        }
    }
    writeln!(
        out,
        "{}  USD per 1M tokens  {} of {}",
        title(book),
        rows.len(),
        counted(book.models.len() as u64, "model")
    )?;
    let header = [
        "model",
        "provider",
        ">input",
        ">output",
        ">cache read",
        ">write 5m",
        ">write 1h",
        ">long prompts",
        "hours",
    ];
    // Few models have hours.
    let has_hours = rows.iter().any(|row: &Vec<String>| row.len() == header.len());
    for row in rows.iter_mut().filter(|row| has_hours && row.len() < header.len()) {
        row.push("-".to_owned());
    }
    table(header.get(..header.len() - usize::from(!has_hours)).unwrap_or_default(), rows, out)
}

fn list_line(name: &str, prices: &ModelPrices) -> Vec<String> {
    let mut line = vec![name.to_owned(), prices.provider.clone().unwrap_or_else(|| "-".to_owned())];
    let Some(row) = prices.rows.last() else {
        line.resize(8, "-".to_owned());
        return line;
    };
    let base = &row.standard.base;
    line.extend(
        [Some(base.input), Some(base.output), base.cache_read, base.write_5m, base.write_1h].map(usd),
    );
    let tiers: Vec<String> = row
        .standard
        .above
        .iter()
        .map(|(tokens, tier)| format!("{} > {}", usd(Some(tier.input)), count(*tokens)))
        .collect();
    line.push(if tiers.is_empty() { "-".to_owned() } else { tiers.join(", ") });
    line.extend(row.hours_text());
    line
}

fn show(book: &PriceBook, model: &str, at: Option<Instant>, out: &mut impl Write) -> anyhow::Result<()> {
    let Some((name, prices)) = book.find_named(model) else { bail!(not_found(book, model)) };
    let rows: Vec<&PriceRow> = match at {
        Some(at) => prices.dated(at).into_iter().collect(),
        None => prices.rows.iter().collect(),
    };
    if let (Some(at), true) = (at, rows.is_empty()) {
        bail!("the book `{}` has no price of {name} in force at {at}", book.name);
    }
    if name == model {
        writeln!(out, "{}  {}", shown(name), title(book))?;
    } else {
        writeln!(out, "{} is {}  {}", shown(model), shown(name), title(book))?;
    }
    let tokens = |tokens: Option<u64>| tokens.map_or_else(|| "-".to_owned(), count);
    writeln!(
        out,
        "provider {}  longest prompt {}  longest answer {}  deprecated {}",
        shown(prices.provider.as_deref().unwrap_or("-")),
        tokens(prices.max_input),
        tokens(prices.max_output),
        shown(prices.deprecated.as_deref().unwrap_or("-")),
    )?;
    for dated in rows {
        writeln!(
            out,
            "\nUSD per 1M tokens from {}",
            dated.from.map_or_else(|| "the start".to_owned(), Instant::rfc3339)
        )?;
        let row = at.map_or(dated, |at| dated.in_force(at));
        for one in &dated.scheduled {
            let is_now = at.is_some_and(|at| one.hours.hold_at(at));
            writeln!(
                out,
                "{}{}",
                shown(&one.to_string()),
                if is_now { ", in force then and below" } else { "" }
            )?;
        }
        let lines: Vec<_> = services(row).flat_map(|(name, rates)| rate_lines(name, rates)).collect();
        let header = [
            "service",
            "prompt tokens",
            ">input",
            ">output",
            ">cache read",
            ">write 5m",
            ">write 1h",
            ">reasoning",
        ];
        table(&header, lines, out)?;
        for (service, rates) in services(row) {
            for (name, price) in
                rates.base.prices().filter(|(name, _)| name.starts_with("audio") || name.starts_with("image"))
            {
                writeln!(out, "{} {name} {} per 1M tokens", shown(service), usd(Some(price)))?;
            }
        }
        for (meter, price) in &row.meters {
            writeln!(out, "{} {} each", shown(meter), price.usd_per_token())?;
        }
        for (place, factor) in &row.factors {
            writeln!(out, "{} tokens cost {} times as much", shown(place), as_factor(*factor))?;
        }
        if let Some(source) = &row.source {
            writeln!(out, "source {}", shown(source))?;
        }
    }
    if !prices.other_meters.is_empty() {
        writeln!(out, "\nother meters, kept as written and not charged")?;
        let lines: Vec<Vec<String>> =
            prices.other_meters.iter().map(|(meter, text)| vec![meter.clone(), text.clone()]).collect();
        table(&["meter", "as written"], lines, out)?;
    }
    Ok(())
}

/// Returns every service tier that a row prices, the ordinary one first.
fn services(row: &PriceRow) -> impl Iterator<Item = (&str, &Rates)> {
    let tiers = row.tiers.iter().map(|(name, rates)| (name.as_str(), rates));
    [("standard", &row.standard)]
        .into_iter()
        .chain(row.batch.as_ref().map(|rates| ("batch", rates)))
        .chain(tiers)
}

fn rate_lines(service: &str, rates: &Rates) -> Vec<Vec<String>> {
    let line = |prompt: String, tier: &Tier| {
        let prices = [
            Some(tier.input),
            Some(tier.output),
            tier.cache_read,
            tier.write_5m,
            tier.write_1h,
            tier.reasoning,
        ];
        let mut line = vec![service.to_owned(), prompt];
        line.extend(prices.map(usd));
        line
    };
    let base = if rates.above.is_empty() { "any" } else { "up to the next" };
    let mut lines = vec![line(base.to_owned(), &rates.base)];
    lines
        .extend(rates.above.iter().map(|(tokens, tier)| line(format!("more than {}", count(*tokens)), tier)));
    lines
}

/// Says what could have been meant: the entries of several providers that disagree, or names that look alike.
fn not_found(book: &PriceBook, model: &str) -> String {
    let mut text = format!("the book `{}` has no price of `{}`", book.name, shown(model));
    let candidates = book.candidates(model);
    if candidates.is_empty() {
        let near = near_names(book, model);
        if near.is_empty() {
            text.push_str("\nhint: `pointsman prices list` names the models it has");
        } else {
            text.push_str("\nhint: near names are ");
            text.push_str(&shown(&near.join(", ")));
        }
    } else {
        text.push_str("\nhint: providers disagree on its price; name one of ");
        let (first, rest) = candidates.split_at(candidates.len().min(12));
        text.push_str(&shown(&first.join(", ")));
        if !rest.is_empty() {
            let _ = write!(text, " and {} more", rest.len());
        }
    }
    text
}

fn near_names<'a>(book: &'a PriceBook, model: &str) -> Vec<&'a str> {
    let wanted = model.to_lowercase();
    let mut near: Vec<(usize, &str)> = book
        .models
        .keys()
        .chain(book.aliases.keys())
        .filter_map(|name| {
            let known = name.to_lowercase();
            let distance = strsim::levenshtein(&wanted, &known);
            let alike = distance <= 2 + wanted.len() / 6;
            let part =
                wanted.len() >= 3 && (known.contains(&wanted) || known.len() >= 3 && wanted.contains(&known));
            (alike || part).then_some((distance, name.as_str()))
        })
        .collect();
    near.sort_unstable();
    near.truncate(5);
    near.into_iter().map(|(_, name)| name).collect()
}

fn report(import: &Import, target: &Path, each: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let Import { book, refused, ambiguous, without_batch } = import;
    writeln!(out, "wrote {}", target.display())?;
    writeln!(
        out,
        "{} imported exactly, {} refused",
        counted(book.models.len() as u64, "entry"),
        refused.len()
    )?;
    writeln!(
        out,
        "{} names work without their provider, {} do not because prices differ; {} entries without a whole batch price",
        book.aliases.len(),
        ambiguous.len(),
        without_batch.len(),
    )?;
    for (model, prices) in &book.models {
        if let Some(doubt) = prices.rows.iter().find_map(doubt) {
            writeln!(out, "{}: {doubt}", shown(model))?;
        }
    }
    let kinds: Vec<Vec<String>> = import
        .refused_by_kind()
        .into_iter()
        .map(|(kind, count)| vec![kind.to_owned(), count.to_string()])
        .collect();
    writeln!(out)?;
    table(&["refused because", ">entries"], kinds, out)?;
    if each {
        writeln!(out)?;
        let lines: Vec<Vec<String>> =
            refused.iter().map(|refusal| vec![refusal.model.clone(), refusal.reason.to_string()]).collect();
        table(&["refused", "reason"], lines, out)?;
    }
    Ok(())
}

fn report_json(import: &Import, target: &Path, each: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let kinds: BTreeMap<&str, usize> = import.refused_by_kind().into_iter().collect();
    let mut report = serde_json::json!({
        "book": import.book.name,
        "dated": import.book.dated,
        "path": target.display().to_string(),
        "imported": import.book.models.len(),
        "aliases": import.book.aliases.len(),
        "ambiguous": import.ambiguous.len(),
        "without_batch": import.without_batch.len(),
        "refused": import.refused.len(),
        "refused_by_reason": kinds,
    });
    if each && let Some(fields) = report.as_object_mut() {
        let entry = |refusal: &prices::Refusal| serde_json::json!({ "model": refusal.model, "reason": refusal.reason.to_string() });
        fields.insert("refused_entries".to_owned(), import.refused.iter().map(entry).collect());
    }
    serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

fn title(book: &PriceBook) -> String {
    let dated = if book.dated.is_empty() { "undated" } else { &book.dated };
    format!("book {} ({})", shown(&book.name), shown(dated))
}
