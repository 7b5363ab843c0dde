//! `pointsman budgets`: which limits there are, how they stand, and changes of one.
//!
//! Invariant: a file of budgets is only ever replaced by one that can be read, whole, with its comments.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use super::args::{EngineArgs, gateway_at, or_dash, readings};
use super::brought::{NONE_YET, of_log};
use super::output;
use crate::app::{BUDGETS, rows_at, unbound_in};
use crate::budget::{Limit, LimitHistory, Standing, StandingRow};
use crate::config::{self, budgets};
use crate::report::{Format, Sheet, count, dollars_rounded, render, to_json};
use crate::session::{LoadError, Log, Reading, Turned, budgeted};
use crate::units::{Instant, counted, members, tag};

/// Requests refused or moved that are listed one by one; all are counted.
const TURNED: usize = 1000;

/// Lists budgets, shows how they stand, and changes them.
#[derive(Args, Debug)]
pub struct BudgetsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List the limits of a file; with logs, what is spent of each and where it is heading
    List(Box<List>),
    /// Show how budgets stand: at a running gateway, or over logs
    #[command(
        after_help = "Examples:\n  pointsman budgets show\n  pointsman budgets show gateway.jsonl --budgets budgets.toml\n  pointsman budgets show gateway.jsonl --budgets tighter.toml --as routed --format json"
    )]
    Show(Box<Show>),
    /// Change a budget in its file, or write a new one; a gateway that serves takes it up within a second
    #[command(
        after_help = "Examples:\n  pointsman budgets set company --limit month=2000 --zone Europe/Berlin\n  pointsman budgets set teams --each team --limit day=25 --special search:day=60\n  pointsman budgets set teams --mode soft"
    )]
    Set(Box<Set>),
}

/// Which file.
#[derive(Args, Debug)]
struct Which {
    /// Budgets file (TOML) instead of budgets.toml in the configuration directory.
    #[arg(long, value_name = "FILE")]
    budgets: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct List {
    /// Logs or ledgers, to say what was spent up to their end and what each window will have cost at its own.
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    of: Which,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Args, Debug)]
struct Show {
    /// Logs; where absent, the gateway at --url is asked.
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    of: Which,
    /// The reading: every call as it was made, or each request as the policy routes it within the budgets.
    #[arg(long = "as", value_parser = readings(), default_value = Reading::Recorded.name())]
    read_as: Reading,
    /// Also windows that are over; of logs these are always listed.
    #[arg(long)]
    all: bool,
    /// The gateway's address.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4141", conflicts_with = "logs")]
    url: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Args, Debug)]
struct Set {
    /// The budget's name.
    name: String,
    #[command(flatten)]
    of: Which,
    /// A limit: a window and US dollars, month=900. Others of the budget stay; month= takes one away.
    #[arg(long, value_name = "WINDOW=USD")]
    limit: Vec<String>,
    /// What a member may spend instead: search:day=60.
    #[arg(long, value_name = "MEMBER:WINDOW=USD")]
    special: Vec<String>,
    /// hard, soft or observe.
    #[arg(long)]
    mode: Option<String>,
    /// What becomes of requests without room: cheaper, refuse or queue.
    #[arg(long)]
    over: Option<String>,
    /// How long a request may wait in a queue: 30s.
    #[arg(long, value_name = "SPAN")]
    wait: Option<String>,
    /// What is held for a model without a price: refuse or hold.
    #[arg(long)]
    unpriced: Option<String>,
    /// Give each value of a dimension the limit to itself: team, user, key ...
    #[arg(long, value_name = "DIMENSION")]
    each: Option<String>,
    /// Whose clock windows follow: Europe/Berlin.
    #[arg(long)]
    zone: Option<String>,
    /// Only these teams, comma-separated; likewise below.
    #[arg(long, value_delimiter = ',')]
    team: Vec<String>,
    /// Only these projects.
    #[arg(long, value_delimiter = ',')]
    project: Vec<String>,
    /// Only these users.
    #[arg(long, value_delimiter = ',')]
    user: Vec<String>,
    /// Only these keys.
    #[arg(long, value_delimiter = ',')]
    key: Vec<String>,
    /// Only these routes.
    #[arg(long, value_delimiter = ',')]
    route: Vec<String>,
    /// Only these models.
    #[arg(long, value_delimiter = ',')]
    model: Vec<String>,
    /// Only requests with these tags: env=prod. Several values of a name are several of these.
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',')]
    tag: Vec<String>,
    /// Take the budget away.
    #[arg(long)]
    remove: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// Where file, log or gateway cannot be used.
pub fn run(args: &BudgetsArgs) -> anyhow::Result<()> {
    match &args.command {
        Command::List(args) if args.logs.is_empty() => list(&args.of, args.format),
        Command::List(args) => heading(args),
        Command::Show(show) if show.logs.is_empty() => show_live(show),
        Command::Show(show) => show_logs(show),
        Command::Set(set) => change(set),
    }
}

impl Which {
    fn path(&self) -> anyhow::Result<PathBuf> {
        config::named_or_own(self.budgets.as_deref(), budgets::FILE, "--budgets")
    }

    fn limits(&self) -> anyhow::Result<Vec<Limit>> {
        let (name, text) =
            config::named_text(&self.path()?, if self.budgets.is_some() { "" } else { NONE_YET })?;
        Ok(budgets::parse(&text, &name)?)
    }

    /// Returns the limits for a log: those of a file that is named, else its own.
    fn limits_of(&self, log: &Log) -> anyhow::Result<LimitHistory> {
        let limits = match of_log(self.budgets.as_deref(), (false, &log.budgets))? {
            Some((limits, _)) => limits,
            None => self.limits()?.into(),
        };
        for words in &unbound_in(log, limits.all()) {
            output::remark(words);
        }
        Ok(limits)
    }
}

fn list(of: &Which, format: Format) -> anyhow::Result<()> {
    let limits = of.limits()?;
    let special = |limit: &Limit| {
        let each = limit.special.iter().map(|(member, amount)| format!("{member} {}", amount.usd()));
        each.collect::<Vec<_>>().join(", ")
    };
    let sheet = Sheet::of(
        "",
        &limits,
        &[
            ("budget", &|limit| limit.budget.to_string()),
            ("window", &|limit| limit.period.to_string()),
            ("whom", &|limit| limit.scope.describe()),
            (">limit USD", &|limit| limit.amount.usd()),
            ("mode", &|limit| limit.mode.name().to_owned()),
            ("over", &|limit| limit.over.name().to_owned()),
            ("unpriced", &|limit| limit.unpriced.name().to_owned()),
            ("zone", &|limit| limit.zone.name().to_owned()),
            ("special", &|limit| special(limit)),
        ],
    );
    if format == Format::Json {
        let key = |head: &str| head.trim_start_matches('>').replace(" USD", "_usd");
        let heads = || sheet.heads.iter().map(|head| key(head));
        let rows: Vec<BTreeMap<_, _>> = sheet.rows.iter().map(|row| heads().zip(row).collect()).collect();
        return output::text(&to_json(&rows)?);
    }
    output::text(&render(&[sheet], format))
}

#[derive(serde::Serialize)]
struct Heading {
    schema: &'static str,
    /// The last request: what is known ends there.
    at: String,
    budgets: Vec<StandingRow>,
}

/// Lists the present windows of all limits over logs, and where each is heading.
fn heading(args: &List) -> anyhow::Result<()> {
    let log = args.engine.load(&args.logs)?;
    log.untimed().into_iter().for_each(output::remark);
    let limits = args.of.limits_of(&log)?;
    let end = log.bounds().map(|(_, last)| last).unwrap_or_default();
    let found = budgeted(&log, &log.spans(), &limits, Reading::Recorded, |_| true);
    let found = found.ok_or(LoadError::Cancelled)?;
    let is_present = |standing: &&Standing| {
        let window = &standing.account.window;
        window.start <= end && window.end.is_none_or(|over| end < over)
    };
    let rows: Vec<StandingRow> = found.standings.iter().filter(is_present).map(StandingRow::from).collect();
    let heading = Heading { schema: "pointsman.budgets.ahead/1", at: end.rfc3339(), budgets: rows };
    output::report(args.format, &heading, || {
        render(&[heading_sheet(&heading, end, args.format)], args.format)
    })?;
    output::damage(&log.skipped.damaged)
}

fn heading_sheet(heading: &Heading, end: Instant, format: Format) -> Sheet {
    let exact = format == Format::Csv;
    let money = |usd: &str| if exact { usd.to_owned() } else { dollars_rounded(usd) };
    let moment = |text: &Option<String>| output::moment(text.as_deref(), format);
    let unknown = || if exact { String::new() } else { "unknown".to_owned() };
    let by = |row: &StandingRow| match row.method.as_deref() {
        Some("run_rate") if !exact => "rate so far".to_owned(),
        Some(method) => method.to_owned(),
        None => unknown(),
    };
    Sheet::of(
        if exact { String::new() } else { format!("As of {end}, UTC") },
        &heading.budgets,
        &[
            ("budget", &|row| row.budget.clone()),
            ("window", &|row| row.window.clone()),
            ("whom", &|row| row.scope.clone()),
            ("member", &|row| if exact { row.member.clone() } else { or_dash(&row.member) }),
            (">limit", &|row| money(&row.limit)),
            (">spent", &|row| money(&row.spent)),
            (">of it assumed", &|row| money(&row.assumed)),
            (">expected", &|row| row.expected.as_deref().map_or_else(unknown, money)),
            ("runs out", &|row| moment(if row.ran_out.is_some() { &row.ran_out } else { &row.runs_out })),
            ("by", &|row| by(row)),
            ("starts anew", &|row| moment(&row.ends)),
        ],
    )
}

#[derive(Default, serde::Serialize)]
struct Report {
    schema: &'static str,
    reading: Option<&'static str>,
    refused_requests: Option<u64>,
    moved_requests: Option<u64>,
    /// None where nobody would have waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    waited_requests: Option<u64>,
    open_holds: u64,
    budgets: Vec<StandingRow>,
    turned: Vec<TurnedRow>,
}

members! {
    #[derive(serde::Serialize)]
    struct TurnedRow;
    fn new(turned: &Turned, log: &Log) {}
    id: String = log.history.id(turned.index).to_owned(),
    at: String = turned.at.rfc3339(),
    limit_source: String = turned.limit.clone(),
    model: String = log.names.model(turned.model).to_owned(),
    refused: bool = turned.refused,
}

fn show_live(show: &Show) -> anyhow::Result<()> {
    let (_, rows) = rows_at::<StandingRow>(&gateway_at(&show.url), BUDGETS)?;
    let open = rows.iter().map(|row| u64::from(row.open)).sum();
    print(
        show.format,
        &Report { schema: "pointsman.budgets.v1", open_holds: open, budgets: rows, ..Report::default() },
    )
}

fn show_logs(show: &Show) -> anyhow::Result<()> {
    let log = show.engine.load(&show.logs)?;
    log.untimed().into_iter().for_each(output::remark);
    let limits = show.of.limits_of(&log)?;
    let found = output::long("budgets", log.len() as u64, |step| {
        budgeted(&log, &log.spans(), &limits, show.read_as, |done| step(done as u64))
    })?;
    let turned = found.turned.iter().take(TURNED).map(|turned| TurnedRow::new(turned, &log));
    print(
        show.format,
        &Report {
            schema: "pointsman.budgets.v1",
            reading: Some(show.read_as.name()),
            refused_requests: Some(found.refused),
            moved_requests: Some(found.moved),
            waited_requests: Some(found.waited).filter(|waited| *waited > 0),
            open_holds: found.open_holds,
            budgets: found.standings.iter().map(StandingRow::from).collect(),
            turned: turned.collect(),
        },
    )?;
    output::damage(&log.skipped.damaged)
}

fn print(format: Format, report: &Report) -> anyhow::Result<()> {
    // For people: rounded; CSV and JSON carry every digit.
    let exact = format == Format::Csv;
    let money = |usd: &String| if exact { usd.clone() } else { dollars_rounded(usd) };
    let moment = |text: &Option<String>| output::moment(text.as_deref(), format);
    let number = |n: u64| if exact { n.to_string() } else { count(n) };
    let sheet = || {
        Sheet::of(
            "",
            &report.budgets,
            &[
                ("budget", &|row| row.budget.clone()),
                ("window", &|row| row.window.clone()),
                ("whom", &|row| row.scope.clone()),
                ("member", &|row| if exact { row.member.clone() } else { or_dash(&row.member) }),
                ("mode", &|row| row.mode.clone()),
                (">limit", &|row| money(&row.limit)),
                (">spent", &|row| money(&row.spent)),
                (">assumed", &|row| money(&row.assumed)),
                (">held", &|row| money(&row.held)),
                (">calls", &|row| number(row.calls)),
                (">refused", &|row| number(row.refused)),
                (">moved", &|row| number(row.moved)),
                ("starts", &|row| moment(&row.starts)),
                ("ends", &|row| moment(&row.ends)),
                ("ran out", &|row| moment(&row.ran_out)),
            ],
        )
    };
    output::report(format, report, || render(&[sheet()], format))?;
    if let (Some(refused), Some(moved), true) =
        (report.refused_requests, report.moved_requests, format == Format::Table)
    {
        let waited = report.waited_requests.map(|n| format!(", {} would have waited", counted(n, "request")));
        output::say(&format!(
            "{} would have been refused for want of room, {} would have gone to another rung{}",
            counted(refused, "request"),
            counted(moved, "request"),
            waited.unwrap_or_default()
        ));
    }
    Ok(())
}

fn change(set: &Set) -> anyhow::Result<()> {
    let path = set.of.path()?;
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(anyhow::Error::from(error).context(name)),
    };
    let mut file: DocumentMut = text.parse().with_context(|| name.clone())?;
    edit(&mut file, set)?;
    let changed = file.to_string();
    if let Err(error) = budgets::parse(&changed, &name) {
        // A slip of the file as it is stands where it says; another is in what was asked for, which stands in no line yet.
        budgets::parse(&text, &name)?;
        bail!("budget {} cannot be so: {}", set.name, error.what);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    write(&path, &changed).with_context(|| name.clone())?;
    let what = if set.remove { "removed" } else { "written" };
    output::say(&format!(
        "{name}: budget {} {what}; a gateway that serves takes it up within a second",
        set.name
    ));
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    config::write_whole(path, |file| file.write_all(text.as_bytes()))
}

fn edit(file: &mut DocumentMut, set: &Set) -> anyhow::Result<()> {
    let all = file.entry("budget").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let Some(all) = all.as_table_like_mut() else { bail!("budget is no table in this file") };
    if set.remove {
        if all.remove(&set.name).is_none() {
            bail!("there is no budget {} in this file", set.name);
        }
        return Ok(());
    }
    let budget = all.entry(&set.name).or_insert_with(|| Item::Table(Table::new()));
    let Some(budget) = budget.as_table_like_mut() else {
        bail!("budget.{} is no table in this file", set.name)
    };
    let words = [
        ("each", &set.each),
        ("zone", &set.zone),
        ("mode", &set.mode),
        ("over", &set.over),
        ("wait", &set.wait),
        ("unpriced", &set.unpriced),
    ];
    for (key, word) in words.into_iter().filter_map(|(key, word)| Some((key, word.as_ref()?))) {
        budget.insert(key, Item::Value(word.as_str().into()));
    }
    let lists = [
        ("team", &set.team),
        ("project", &set.project),
        ("user", &set.user),
        ("key", &set.key),
        ("route", &set.route),
        ("model", &set.model),
    ];
    for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let values: toml_edit::Array = list.iter().map(String::as_str).collect();
        budget.insert(key, Item::Value(Value::Array(values)));
    }
    if !set.tag.is_empty() {
        let mut tags = InlineTable::new();
        for text in &set.tag {
            let Some((name, value)) = tag(text) else {
                bail!("--tag {text}: write a name and a value, like env=prod");
            };
            let values = tags.entry(name).or_insert_with(|| Value::Array(toml_edit::Array::new()));
            if let Value::Array(values) = values {
                values.push(value);
            }
        }
        budget.insert("tag", Item::Value(Value::InlineTable(tags)));
    }
    let mut said = Vec::new();
    for limit in &set.limit {
        let (window, amount) = amount(limit)?;
        if said.contains(&window) {
            bail!("--limit {limit}: there is another amount for {window}; say one");
        }
        said.push(window);
        put(budget.entry("limit").or_insert_with(empty), window, amount)?;
    }
    for special in &set.special {
        let Some((member, limit)) = special.split_once(':') else {
            bail!("--special {special}: write a member, a window and US dollars, like search:day=60");
        };
        let (window, amount) = amount(limit)?;
        let all = budget.entry("special").or_insert_with(empty);
        let Some(all) = all.as_table_like_mut() else { bail!("special is no table in this file") };
        put(all.entry(member).or_insert_with(empty), window, amount)?;
    }
    Ok(())
}

fn empty() -> Item {
    Item::Value(Value::InlineTable(InlineTable::new()))
}

/// Splits `month=900`; an empty amount takes a limit away.
fn amount(text: &str) -> anyhow::Result<(&str, Option<&str>)> {
    let Some((window, amount)) = text.split_once('=') else {
        bail!("`{text}`: write a window and US dollars, like month=900");
    };
    let amount = amount.trim().trim_start_matches('$');
    Ok((window.trim(), (!amount.is_empty()).then_some(amount)))
}

fn put(into: &mut Item, window: &str, amount: Option<&str>) -> anyhow::Result<()> {
    let Some(into) = into.as_table_like_mut() else { bail!("limit is no table in this file") };
    match amount {
        None => _ = into.remove(window),
        Some(amount) => match amount.parse::<i64>() {
            Ok(whole) => _ = into.insert(window, Item::Value(whole.into())),
            Err(_) => _ = into.insert(window, Item::Value(amount.into())),
        },
    }
    Ok(())
}
