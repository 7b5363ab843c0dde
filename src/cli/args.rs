//! Arguments that several subcommands share.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::output;
pub use crate::app::input;
use crate::app::{AttachOptions, Setup, SetupOptions, load_log, load_trial};
use crate::pricing::PriceBook;
use crate::record::{Input, InputFormat, Mapping, ReadOptions};
use crate::report::Format;
use crate::session::{Log, Reading, Stretch, Trial};
use crate::telemetry::Dimension;
use crate::units::{PerMille, Pico, When, choice};

/// How logs are read and what a run rests on.
#[derive(Args, Debug, Clone, Default)]
pub struct EngineArgs {
    #[command(flatten)]
    pub(crate) serving: ServingArgs,
    /// Name the log format instead of recognising it (`pointsman import --help` lists them).
    #[arg(long, value_name = "FORMAT", value_parser = formats(), hide_possible_values = true)]
    pub input_format: Option<InputFormat>,
    /// Read a log of your own shape: where its fields stand (at=ts,model=req.model,in=usage.prompt), or a file that says so.
    #[arg(long, value_name = "FIELD=PATH,..|FILE", value_parser = mapping)]
    pub map: Option<Arc<Mapping>>,
    /// Take this model where a log names none; its costs are then estimates.
    #[arg(long, value_name = "MODEL")]
    pub assume_model: Option<String>,
    /// Only requests at or after this moment, UTC unless it has an offset; 15:05 is that of the log's first day,
    /// or of the next where that is nearer to its start.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<When>,
    /// Only requests before this moment; a day counts whole.
    #[arg(long, value_name = "TIME", value_parser = end_time)]
    pub to: Option<When>,
    /// Stop at the first bad line instead of skipping and counting it.
    #[arg(long)]
    pub strict: bool,
    /// Ask the classifier even where the log carries a confidence.
    #[arg(long)]
    pub reclassify: bool,
    /// Charge by the price book even where the log tells what was charged.
    #[arg(long)]
    pub reprice: bool,
}

impl EngineArgs {
    /// Returns how logs are read.
    pub fn read(&self) -> ReadOptions {
        ReadOptions {
            format: self.input_format,
            strict: self.strict,
            assume_model: self.assume_model.clone(),
            mapping: self.map.clone(),
        }
    }

    /// Returns what a run rests on.
    pub fn setup(&self) -> SetupOptions {
        SetupOptions {
            reclassify: self.reclassify,
            reprice: self.reprice,
            stretch: Stretch::new(self.from, self.to),
            read: self.read(),
            ..self.serving.setup()
        }
    }

    /// Loads logs.
    ///
    /// # Errors
    /// Where a log, policy, prices or classifier cannot be used.
    pub fn load(&self, logs: &[PathBuf]) -> anyhow::Result<Log> {
        let log = load_log(&input(logs), logs, self.start()?, &self.read(), None)?;
        output::simulated(log.simulated as u64);
        Ok(log)
    }

    /// Reads what a run rests on, and says on stderr what may not be meant.
    ///
    /// # Errors
    /// Where policy, prices or classifier cannot be used.
    pub fn start(&self) -> anyhow::Result<Setup> {
        if let (Some(When::At(from)), Some(When::At(to))) = (self.from, self.to)
            && from >= to
        {
            anyhow::bail!("--from is not before --to: {from} and, as its end, {to}");
        }
        if let (Some(When::Clock(from)), Some(When::Clock(to))) = (self.from, self.to)
            && from >= to
        {
            output::remark(
                "--to is no later in the day than --from: it is taken as that time on the next day",
            );
        }
        let setup = Setup::new(&self.setup())?;
        for remark in &setup.remarks {
            output::remark(remark);
        }
        Ok(setup)
    }
}

/// Logs that are accounted for, and how that is printed.
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// Logs, plain, gzip or zstd, or folders of them; `-` is standard input.
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// The same under one of two readings.
#[derive(Args, Debug)]
pub struct ReadLogsArgs {
    /// The reading.
    #[arg(long = "as", value_parser = readings(), default_value = Reading::Recorded.name())]
    pub read_as: Reading,
    #[command(flatten)]
    pub(crate) from: LogsArgs,
}

impl ReadLogsArgs {
    /// Loads the logs.
    ///
    /// # Errors
    /// Where a log, policy, prices or classifier cannot be used.
    pub fn load(&self) -> anyhow::Result<Log> {
        self.from.engine.load(&self.from.logs)
    }
}

/// One log, and how what is found in it is printed.
#[derive(Args, Debug)]
pub struct LogArgs {
    /// The log, plain, gzip or zstd, or a folder of logs; `-` is standard input.
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// More logs, such as labels.
    #[arg(long = "labels", value_name = "FILE")]
    pub more: Vec<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

impl LogArgs {
    /// Returns the log, and what is read with it.
    pub fn logs(&self) -> Vec<PathBuf> {
        std::iter::once(&self.log).chain(&self.more).cloned().collect()
    }

    /// Reads the log, to try thresholds on it.
    ///
    /// # Errors
    /// Where the log, policy, prices or classifier cannot be used.
    pub fn trial(&self) -> anyhow::Result<Trial> {
        let logs = self.logs();
        let trial = load_trial(&input(&logs), &logs, self.engine.start()?, &self.engine.read())?;
        output::simulated(trial.simulated);
        Ok(trial)
    }
}

/// One log whose labels are looked at.
#[derive(Args, Debug)]
pub struct LabelledArgs {
    /// Answers of this quality or better are acceptable.
    #[arg(long, value_name = "PERMILLE", default_value = "500", value_parser = per_mille)]
    pub acceptable: PerMille,
    #[command(flatten)]
    pub(crate) from: LogArgs,
}

impl LabelledArgs {
    /// Loads the log with its labels.
    ///
    /// # Errors
    /// Where one of the files, policy, prices or classifier cannot be used.
    pub fn load(&self) -> anyhow::Result<Log> {
        self.from.engine.load(&self.from.logs())
    }
}

/// A running gateway.
#[derive(Args, Debug)]
pub struct GatewayAt {
    /// The gateway's address; a key is taken from `POINTSMAN_KEY`: scope `read` to look, `operate` to change anything.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4141")]
    pub url: String,
}

impl GatewayAt {
    /// Returns how it is reached.
    pub fn options(&self) -> AttachOptions {
        gateway_at(&self.url)
    }
}

/// A running gateway, and how what it says is printed.
#[derive(Args, Debug)]
pub struct GatewayLook {
    #[command(flatten)]
    pub(crate) at: GatewayAt,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Returns how a gateway is reached, with the key of the environment.
pub fn gateway_at(url: &str) -> AttachOptions {
    let key = std::env::var("POINTSMAN_KEY").ok().filter(|key| !key.is_empty());
    AttachOptions { url: url.to_owned(), key }
}

/// What one of several is called on the command line, what is said of it, and what it stands for.
pub type Choice<T> = (&'static str, &'static str, T);

/// Returns how one of several is told on the command line.
pub fn chosen<T: Clone + Send + Sync + 'static>(
    known: &'static [Choice<T>],
) -> impl TypedValueParser<Value = T> {
    let words = known.iter().map(|(word, help, _)| PossibleValue::new(*word).help(*help));
    PossibleValuesParser::new(words).try_map(|word| {
        let found = known.iter().find(|(known, ..)| *known == word);
        found.map(|(.., one)| one.clone()).ok_or("none of these")
    })
}

/// Returns how a reading is told on the command line.
pub fn readings() -> impl TypedValueParser<Value = Reading> {
    chosen(&[
        ("recorded", "Account for what happened", Reading::Recorded),
        (
            "routed",
            "Let the engine decide; estimated where the log lacks that model's answer",
            Reading::Routed,
        ),
    ])
}

/// How what is no table of many rows is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// How lessons for a classifier are read: logs, and prices where costs matter.
#[derive(Args, Debug, Clone, Default)]
pub struct ReadArgs {
    /// Name the log format instead of recognising it (`pointsman import --help` lists them).
    #[arg(long, value_name = "FORMAT", value_parser = formats(), hide_possible_values = true)]
    pub input_format: Option<InputFormat>,
    /// Read a log of your own shape: where its fields stand (at=ts,model=req.model,in=usage.prompt), or a file that says so.
    #[arg(long, value_name = "FIELD=PATH,..|FILE", value_parser = mapping)]
    pub map: Option<Arc<Mapping>>,
    /// Price book, for calls whose cost is not told: a name, a .toml book or a LiteLLM .json catalogue, laid over `list`.
    #[arg(long, value_name = "BOOK|FILE", default_value = "list")]
    pub prices: String,
}

impl ReadArgs {
    /// Returns how logs are read, and the prices.
    ///
    /// # Errors
    /// Where the prices cannot be read.
    pub fn open(&self) -> anyhow::Result<(ReadOptions, PriceBook)> {
        let options =
            ReadOptions { format: self.input_format, mapping: self.map.clone(), ..ReadOptions::default() };
        let own = crate::config::user_dir();
        Ok((options, crate::config::prices::layered(&self.prices, own.as_deref())?))
    }
}

/// What decisions and charges rest on; nothing here is about logs.
#[derive(Args, Debug, Clone, Default)]
pub struct ServingArgs {
    /// Policy file (TOML); your own policy.toml or the built-in policy where absent.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Price book: a name, a .toml book or a LiteLLM .json catalogue, laid over `list`; `only:BOOK` takes it alone.
    #[arg(long, value_name = "BOOK|FILE", default_value = "list")]
    pub prices: String,
    /// Measure savings against this model instead of the policy's baseline.
    #[arg(long, value_name = "MODEL")]
    pub baseline: Option<String>,
    /// Classifier file instead of the built-in one: set by hand, or made by `pointsman train`; `public` names the weights trained on public sets.
    #[arg(long, visible_alias = "weights", value_name = "FILE")]
    pub classifier: Option<PathBuf>,
}

impl ServingArgs {
    /// Returns what a gateway rests on.
    pub fn setup(&self) -> SetupOptions {
        SetupOptions {
            policy: self.policy.clone(),
            prices: Some(self.prices.clone()),
            baseline: self.baseline.clone(),
            classifier: self.classifier.clone(),
            ..SetupOptions::default()
        }
    }
}

/// Reads a moment given on the command line.
pub fn time(text: &str) -> Result<When, String> {
    When::parse(text).map_err(|_| {
        format!("`{text}` is no moment; write 15:05, 2026-05-23, 2026-05-23T15:05 or 2026-05-23T15:05:00Z")
    })
}

/// Reads the end of a stretch given on the command line: a day counts whole.
pub fn end_time(text: &str) -> Result<When, String> {
    time(text).map(|when| if When::is_day(text) { when.a_day_later() } else { when })
}

/// Reads an amount of US dollars, which is not below zero.
pub fn usd(text: &str) -> Result<Pico, String> {
    let amount = Pico::from_usd(text).map_err(|error| error.to_string())?;
    if amount < Pico::ZERO { Err(format!("`{text}` is below zero")) } else { Ok(amount) }
}

/// Reads a part of a thousand.
pub fn per_mille(text: &str) -> Result<PerMille, String> {
    let value = text.trim().parse::<u16>().ok().and_then(PerMille::new);
    value.ok_or_else(|| format!("`{text}` is no whole number from 0 to 1000"))
}

/// Reads a format by its name; the long help lists them with what they are.
pub fn formats() -> impl TypedValueParser<Value = InputFormat> {
    let known =
        InputFormat::ALL.iter().map(|format| PossibleValue::new(format.name()).help(format.description()));
    PossibleValuesParser::new(known).try_map(|name| name.parse::<InputFormat>())
}

/// Reads a mapping as told, or the file that has it.
pub fn mapping(text: &str) -> Result<Arc<Mapping>, String> {
    let path = Path::new(text);
    let is_file = !text.contains('=') || path.is_file();
    let mapping = if is_file {
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!("`{text}` is neither a list of FIELD=PATH (at=ts,model=req.model,..) nor a file: {error}")
        })?;
        Mapping::from_toml(&text, &path.display().to_string()).map_err(|error| error.to_string())
    } else {
        Mapping::parse(text).map_err(|error| error.to_string())
    };
    mapping.map(Arc::new)
}

/// Reads what spend is told apart by.
pub fn dimension(name: &str) -> Result<Dimension, String> {
    one_of(name, |_| true)
}

/// Reads what requests are told apart by.
pub fn request_dimension(name: &str) -> Result<Dimension, String> {
    one_of(name, |dimension| !dimension.is_of_calls())
}

fn one_of(name: &str, may: impl Fn(&Dimension) -> bool) -> Result<Dimension, String> {
    Dimension::named(name.trim()).filter(&may).ok_or_else(|| {
        let all: Vec<Dimension> = Dimension::NAMED.into_iter().map(|(_, one)| one).filter(&may).collect();
        let known: Vec<&str> = all.iter().map(Dimension::name).chain(["tag.NAME"]).collect();
        format!("`{name}` is nothing to tell spend apart by; {}", choice(name, &known))
    })
}

/// Returns the input for a file; standard input is read whole, as it has to be looked at before it is known what it is.
///
/// # Errors
/// Where standard input cannot be read.
pub fn one_input(path: &Path) -> anyhow::Result<Input> {
    if path != Path::new("-") {
        return Ok(input(&[path.to_owned()]));
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("standard input cannot be read")?;
    Ok(Input::bytes("standard input", bytes))
}

/// Writes a text, or a dash where there is none.
pub fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// Names logs for reports.
pub fn names(logs: &[PathBuf]) -> Vec<String> {
    logs.iter().map(|path| path.display().to_string()).collect()
}
