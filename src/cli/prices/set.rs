//! `pointsman prices set`: one price of one's own book, from a moment on; and how two books differ.
//!
//! Invariants: a change adds a row and rewrites none; everything else in the file stays, remarks included; nothing is written
//! before somebody has seen what changes.

use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Args;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use super::form::{doubt, own_book, shown, table, usd};
use crate::cli::args::time;
use crate::cli::output;
use crate::config::prices;
use crate::config::write_whole;
use crate::pricing::{Amended, PriceBook, PriceRow, Tier};
use crate::units::{Instant, PicoPerMillion, When};

/// What `prices set` is told.
#[derive(Args, Debug)]
pub(super) struct Set {
    /// The model.
    model: String,
    /// US dollars per million prompt tokens.
    #[arg(long, value_name = "USD", value_parser = price, allow_negative_numbers = true)]
    input: Option<PicoPerMillion>,
    /// Per million answer tokens.
    #[arg(long, value_name = "USD", value_parser = price, allow_negative_numbers = true)]
    output: Option<PicoPerMillion>,
    /// Per million prompt tokens read from the cache.
    #[arg(long, value_name = "USD", value_parser = price, allow_negative_numbers = true)]
    cache_read: Option<PicoPerMillion>,
    /// Per million tokens written to the cache for five minutes.
    #[arg(long, value_name = "USD", value_parser = price, allow_negative_numbers = true)]
    write_5m: Option<PicoPerMillion>,
    /// Per million tokens written to the cache for an hour.
    #[arg(long, value_name = "USD", value_parser = price, allow_negative_numbers = true)]
    write_1h: Option<PicoPerMillion>,
    /// From this moment on; now where absent.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<When>,
    /// The book of one's own that is changed, or made where there is none.
    #[arg(long, value_name = "BOOK", default_value = "mine")]
    book: String,
    /// Write without asking.
    #[arg(long, short)]
    yes: bool,
}

fn price(text: &str) -> Result<PicoPerMillion, String> {
    let bare = text.strip_prefix('$').unwrap_or(text);
    PicoPerMillion::from_usd_per_million(bare).map_err(|error| error.to_string())
}

pub(super) fn run(set: &Set, user_dir: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(folder) = user_dir else {
        bail!("no configuration directory is known\nhint: name one with POINTSMAN_CONFIG_DIR")
    };
    let path = own_book(folder, &set.book)?;
    if prices::builtin_names().any(|name| name == set.book) && !path.is_file() {
        bail!(
            "{} is built in; a book of one's own by that name would take its place as a whole\nhint: choose another name, or none",
            set.book
        );
    }
    let now = Instant(chrono::Utc::now().timestamp_micros());
    let from = set.from.map_or(now, |from| from.near_start(now.day_start()));
    let text = if path.is_file() { prices::read_file(&path)? } else { beginning(&set.book) };
    let file = path.display().to_string();
    let before = prices::over(prices::from_toml(&text, &file)?, prices::layered("list", user_dir)?);
    let row = set.row(&before, from)?;
    let text = with_row(&text, &set.model, &row).with_context(|| file.clone())?;
    let after = prices::over(prices::from_toml(&text, &file)?, prices::layered("list", user_dir)?);
    let changes = before.clone().amend(&after, from);
    if changes.changes.is_empty() {
        writeln!(out, "{} costs that already", shown(&set.model))?;
        return Ok(());
    }
    differences(&changes, out)?;
    let rows = after.find(&set.model).map_or(&[][..], |prices| prices.rows.as_slice());
    if let Some((next, start)) =
        rows.iter().find_map(|row| Some((row, row.from.filter(|start| *start > from)?)))
    {
        let Tier { input, output, .. } = next.standard.base;
        let (input, output) = (usd(Some(input)), usd(Some(output)));
        writeln!(out, "it holds until {start}, from when on the book has {input} in and {output} out")?;
    }
    if !row.standard.above.is_empty() || row.batch.is_some() || !row.tiers.is_empty() {
        writeln!(out, "its prices of long prompts, batches and service tiers stay as they were")?;
    }
    if let Some(hours) = row.hours_text() {
        writeln!(out, "its hours stay: {}", shown(&hours))?;
    }
    if let Some(doubt) = doubt(&row) {
        writeln!(out, "{doubt}")?;
    }
    if !set.yes && !agreed(&format!("write this to {}", path.display()), out)? {
        writeln!(out, "nothing was written")?;
        return Ok(());
    }
    write_whole(&path, |file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(
        out,
        "written to {}; a gateway that serves with --prices {} takes it within a second",
        shown(&path.display().to_string()),
        shown(&set.book)
    )?;
    Ok(())
}

fn beginning(name: &str) -> String {
    let today = chrono::Utc::now().date_naive();
    format!("name = \"{name}\"\ndated = \"{today}\"\nsource = \"prices set by hand\"\n")
}

impl Set {
    /// Returns the row that holds from then on: what is told, over what holds until then.
    fn row(&self, book: &PriceBook, from: Instant) -> anyhow::Result<PriceRow> {
        let (input, output) = (self.input, self.output);
        let told = [input, output, self.cache_read, self.write_5m, self.write_1h];
        if told.iter().all(Option::is_none) {
            bail!("no price is told\nhint: --input 2 --output 8, in US dollars per million tokens");
        }
        let held = book.find(&self.model).and_then(|prices| prices.dated(from)).cloned();
        let mut row = match (held, input, output) {
            (Some(row), ..) => row,
            (None, Some(input), Some(output)) => {
                let mut row = PriceRow::default();
                row.standard.base = Tier { input, output, ..Tier::default() };
                row
            }
            (None, ..) => {
                bail!("{} has no price yet, so it needs both --input and --output", shown(&self.model))
            }
        };
        let base = &mut row.standard.base;
        base.input = input.unwrap_or(base.input);
        base.output = output.unwrap_or(base.output);
        base.cache_read = self.cache_read.or(base.cache_read);
        base.write_5m = self.write_5m.or(base.write_5m);
        base.write_1h = self.write_1h.or(base.write_1h);
        let row = PriceRow { source: Some("set by hand".to_owned()), ..row };
        let row = row.rescheduled().with_context(|| format!("the hours of {}", shown(&self.model)))?;
        Ok(row.starting(Some(from)))
    }
}

/// Keys of a model that are not of its prices.
const ABOUT: [&str; 6] = ["provider", "max_input", "max_output", "deprecated", "other_meters", "rows"];

/// Adds a row to a model in the text of a book.
fn with_row(text: &str, model: &str, row: &PriceRow) -> anyhow::Result<String> {
    let mut doc: DocumentMut = text.parse()?;
    let written = prices::row_toml(row).parse::<DocumentMut>()?;
    let models = doc.entry("models").or_insert_with(|| {
        let mut all = Table::new();
        all.set_implicit(true);
        Item::Table(all)
    });
    let Some(models) = models.as_table_like_mut() else { bail!("models is no table in this file") };
    let entry = models.entry(model).or_insert_with(|| Item::Table(Table::new()));
    let Some(entry) = entry.as_table_mut() else {
        bail!(
            "models.{model} is written in one line\nhint: write it as [models.\"{model}\"] with its keys below"
        )
    };
    // One price beside what is known of the model becomes the first of several.
    let own: Vec<String> =
        entry.iter().map(|(key, _)| key.to_owned()).filter(|key| !ABOUT.contains(&key.as_str())).collect();
    let mut first = Table::new();
    for key in own {
        if let Some((key, item)) = entry.remove_entry(&key) {
            first.insert_formatted(&key, item);
        }
    }
    let rows = entry.entry("rows").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let Some(rows) = rows.as_array_of_tables_mut() else {
        bail!("the rows of {model} stand in one line\nhint: write each as [[models.\"{model}\".rows]]")
    };
    if !first.is_empty() {
        rows.push(first);
    }
    let starts = |table: &Table| -> Option<Instant> {
        let text = table.get("from")?.as_value()?.to_string();
        Instant::parse(text.trim().trim_matches('"')).ok()
    };
    // In order of time, as whoever reads the file expects; a row of the same start gives way.
    let mut all: Vec<Table> = rows.iter().filter(|table| starts(table) != row.from).cloned().collect();
    let place = all.partition_point(|table| starts(table) < row.from);
    all.insert(place, written.as_table().clone());
    rows.clear();
    for mut table in all {
        table.set_position(None);
        rows.push(table);
    }
    Ok(doc.to_string())
}

/// Writes how prices change.
pub(super) fn differences(amended: &Amended, out: &mut impl Write) -> io::Result<()> {
    let rows = amended.changes.iter().take(SHOWN).map(|change| {
        let base = |row: &PriceRow| row.standard.base;
        let was = change.before.as_ref().map(base);
        let is = base(&change.row);
        let step = |was: Option<PicoPerMillion>, is: Option<PicoPerMillion>| match (was, is) {
            (was, is) if was == is => usd(is),
            (was, is) => format!("{} → {}", usd(was), usd(is)),
        };
        vec![
            shown(&change.model),
            step(was.map(|was| was.input), Some(is.input)),
            step(was.map(|was| was.output), Some(is.output)),
            step(was.and_then(|was| was.cache_read), is.cache_read),
            change.row.from.map_or_else(|| "the start".to_owned(), Instant::rfc3339),
        ]
    });
    table(&["model", ">input", ">output", ">cache read", "from"], rows.collect(), out)?;
    if let Some(more) = amended.changes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        writeln!(out, "and {more} more")?;
    }
    for (what, names) in
        [("without a price now", &amended.gone), ("names of other models than before", &amended.renamed)]
    {
        if !names.is_empty() {
            let more = names.len().saturating_sub(SHOWN);
            let listed: Vec<String> = names.iter().take(SHOWN).map(|name| shown(name)).collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(out, "{what}: {}{more}", listed.join(", "))?;
        }
    }
    Ok(())
}

/// Changes that are shown one by one.
const SHOWN: usize = 20;

/// Asks whoever sits at the terminal; where nobody does, that is no yes.
pub(in crate::cli) fn agreed(what: &str, out: &mut impl Write) -> anyhow::Result<bool> {
    out.flush()?;
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        bail!("nobody is there to be asked whether to {what}\nhint: --yes goes on without asking");
    }
    output::say(&format!("{what}? [y/N]"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from: &str, input: &str) -> PriceRow {
        let mut row = PriceRow { from: Some(Instant::parse(from).unwrap()), ..PriceRow::default() };
        row.standard.base.input = price(input).unwrap();
        row.standard.base.output = price("8").unwrap();
        row
    }

    #[test]
    fn a_row_is_added_and_the_rest_of_the_file_stays() {
        let text = "name = \"mine\"\ndated = \"2026-11-23\"\nsource = \"contract\"\n# contract 4711\n[models.m]\nprovider = \"openai\"\ninput = 2 # as agreed\noutput = 8\n\n[models.n]\ninput = 1\noutput = 1\n";
        let first = with_row(text, "m", &row("2026-11-01T00:00:00Z", "1.5")).unwrap();
        let second = with_row(&first, "m", &row("2026-10-01T00:00:00Z", "1.75")).unwrap();
        let third = with_row(&second, "o", &row("2026-11-01T00:00:00Z", "3")).unwrap();
        assert!(third.contains("# contract 4711") && third.contains("input = 2 # as agreed"), "{third}");
        let book = prices::from_toml(&third, "mine.toml").unwrap();
        let at = |model: &str, at: &str| {
            let row = book.find(model).unwrap().at(Instant::parse(at).unwrap());
            row.map(|row| row.standard.base.input.usd_per_million())
        };
        assert_eq!(at("m", "2026-09-01 00:00").as_deref(), Some("2"));
        assert_eq!(at("m", "2026-10-02 00:00").as_deref(), Some("1.75"));
        assert_eq!(at("m", "2026-11-02 00:00").as_deref(), Some("1.5"));
        assert_eq!((at("o", "2026-10-02 00:00"), at("n", "2026-11-02 00:00").as_deref()), (None, Some("1")));
        // Said again, it takes its own place.
        let again = with_row(&third, "m", &row("2026-11-01T00:00:00Z", "1.25")).unwrap();
        let book = prices::from_toml(&again, "mine.toml").unwrap();
        assert_eq!(book.find("m").unwrap().rows.len(), 3);
    }
}
