//! The console itself; a report where stdout is no terminal.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::args::{EngineArgs, input, names, readings};
use super::brought;
use super::output;
use super::serve::{GatewayArgs, ServeArgs};
use crate::app::{
    ConsoleOptions, Offered, agent_logs, follow, load_log, offer, run_console, serve, stream_report, watch,
};
use crate::console::screen::ScreenId;
use crate::record::Input;
use crate::report::{Format, replay_text};
use crate::sample;
use crate::session::{Command, Log, Player, Reading, Speed, StreamOptions, would_trip_at_once};
use crate::units::{PerMille, Span};

/// Opens the console.
#[derive(Args, Debug)]
pub struct ConsoleArgs {
    /// Logs, plain, gzip or zstd, or folders of them; `-` is standard input. Without one the bundled sample opens.
    #[arg(value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// Watch the logs while they grow, new files in folders included.
    #[arg(long, requires = "logs")]
    pub follow: bool,
    /// Has other weights judge every request besides; `C` on Tune sets them beside what was, or is, in force.
    #[arg(long, value_name = "FILE")]
    pub try_classifier: Option<PathBuf>,
    /// The reading to begin with; `v` switches.
    #[arg(long = "as", value_parser = readings(), default_value = Reading::Recorded.name())]
    pub read_as: Reading,
    /// Serve clients here, and watch them: the console beside a gateway in one process.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "logs", num_args = 0..=1, default_missing_value = "")]
    pub listen: Option<String>,
    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
    #[command(flatten)]
    pub(crate) look: LookArgs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// How the console looks.
#[derive(Args, Debug, Clone, Default)]
pub struct LookArgs {
    /// The screen to begin with.
    #[arg(long, value_name = "SCREEN", ignore_case = true, value_parser = screens())]
    pub screen: Option<ScreenId>,
    /// The theme, over what console.toml says: auto, or one of `pointsman config --list-themes`.
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// The glyphs: auto, braille, block, ascii.
    #[arg(long, value_name = "SET", value_parser = ["auto", "braille", "block", "ascii"])]
    pub glyphs: Option<String>,
    /// Look only: thresholds cannot be moved or applied.
    #[arg(long)]
    pub read_only: bool,
    /// Leave the mouse to the terminal.
    #[arg(long)]
    pub no_mouse: bool,
}

impl LookArgs {
    /// Returns how the console is to be opened.
    pub fn options(&self) -> ConsoleOptions {
        ConsoleOptions {
            theme: self.theme.clone(),
            glyphs: self.glyphs.clone(),
            screen: self.screen,
            read_only: self.read_only,
            no_mouse: self.no_mouse,
            remarks: Vec::new(),
        }
    }
}

fn screens() -> impl TypedValueParser<Value = ScreenId> {
    PossibleValuesParser::new(ScreenId::ALL.map(ScreenId::word))
        .map(|name| ScreenId::named(&name).unwrap_or_default())
}

/// Loads the logs named, or the bundled sample.
pub(super) fn open(logs: &[PathBuf], engine: &EngineArgs) -> anyhow::Result<Log> {
    open_beside(logs, engine, None)
}

/// Does the same with a second classifier's opinion of every request, where one is named.
fn open_beside(logs: &[PathBuf], engine: &EngineArgs, second: Option<&Path>) -> anyhow::Result<Log> {
    let setup = engine.start()?.beside(second)?;
    if logs.is_empty() {
        return load_log(
            &Input::bytes(sample::NAME, sample::BUNDLED),
            &[],
            setup,
            &engine.read(),
            Some(sample::NAME),
        );
    }
    load_log(&input(logs), logs, setup, &engine.read(), None)
}

/// Starts a player at the beginning of a log; on the sample with a window of an hour.
pub(super) fn start(log: Arc<Log>, reading: Reading, is_sample: bool) -> Player {
    Player::new(log, reading, is_sample.then(|| Span::hours(1)))
}

/// Goes where there is most to see: to the end of a log of one's own, shortly before the sample's incident.
pub(super) fn arrive(player: &mut Player, is_sample: bool) {
    if is_sample {
        player.handle(Command::SetSpeed(Speed::Tenths(600)));
        if let Some(share) = PerMille::new(330) {
            player.handle(Command::SeekShare(share));
        }
        player.handle(Command::Play);
    } else {
        player.handle(Command::Follow);
    }
}

/// Says whether stdout is a terminal that can be drawn on.
pub(super) fn can_draw() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Opens the console, or prints the report where stdout cannot be drawn on.
///
/// # Errors
/// Where logs, policy, prices or settings cannot be used.
pub fn run(args: &ConsoleArgs) -> anyhow::Result<()> {
    if let Some(listen) = &args.listen {
        return live(args, listen);
    }
    if !can_draw() {
        if args.follow {
            anyhow::bail!(
                "--follow needs a terminal\nhint: without one, `pointsman replay` reads the logs as they are"
            );
        }
        return report(args);
    }
    if args.follow {
        let setup = args.engine.start()?.beside(args.try_classifier.as_deref())?;
        return follow(&args.logs, setup, &args.engine.read(), &args.look.options(), |player| {
            brought::play(player, args.gateway.budgets.as_deref(), false)
        });
    }
    let mut logs = args.logs.clone();
    if logs.is_empty() && std::io::stdin().is_terminal() {
        let found = agent_logs();
        let chosen = if found.is_empty() { Offered::Sample } else { offer(&found, &args.look.options())? };
        match chosen {
            Offered::Agents => logs = found.into_iter().map(|logs| logs.path).collect(),
            Offered::Sample => {}
            Offered::Leave => return Ok(()),
        }
    }
    let log = open_beside(&logs, &args.engine, args.try_classifier.as_deref())?;
    let rules = super::runaways::rules(args.gateway.budgets.as_ref())?;
    let log = Arc::new(log);
    // Whoever opens a console waits for both, so they are found side by side.
    let (player, found) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| would_trip_at_once(&log, &rules));
        let mut player = start(Arc::clone(&log), args.read_as, logs.is_empty());
        let played = brought::play(&mut player, args.gateway.budgets.as_deref(), logs.is_empty());
        arrive(&mut player, logs.is_empty());
        (played.map(|()| player), watching.join().unwrap_or_default())
    });
    // The player has it to itself again, and need not copy it to note what was found.
    drop(log);
    let mut player = player?;
    player.mark_runaways(&found);
    if let [one] = &*logs {
        player.set_billed(crate::config::billed::read(one));
    }
    run_console(player, &args.look.options())
}

/// Serves clients and shows them, until the operator leaves.
fn live(args: &ConsoleArgs, listen: &str) -> anyhow::Result<()> {
    let listen = Some(listen.to_owned()).filter(|listen| !listen.is_empty());
    if !can_draw() {
        // Nobody looks: the gateway alone.
        let (gateway, engine) = (args.gateway.clone(), args.engine.serving.clone());
        let try_classifier = args.try_classifier.clone();
        return super::serve::run(&ServeArgs { listen, try_classifier, gateway, engine });
    }
    let setup = super::serve::start(&args.engine.serving, &args.gateway)?;
    for remark in &setup.remarks {
        output::remark(remark);
    }
    let look = ConsoleOptions { remarks: setup.remarks.clone(), ..args.look.options() };
    let serving = serve(setup, &args.gateway.options(listen, args.try_classifier.clone()))?;
    let (serving, outcome) = watch(serving, &look);
    super::serve::end(serving)?;
    outcome
}

fn report(args: &ConsoleArgs) -> anyhow::Result<()> {
    let setup = args.engine.start()?;
    let options = StreamOptions::from(args.read_as);
    let (source, shown) = if args.logs.is_empty() {
        (Input::bytes(sample::NAME, sample::BUNDLED), vec![sample::NAME.to_owned()])
    } else {
        (input(&args.logs), names(&args.logs))
    };
    let report = stream_report(&source, shown, &setup, &args.engine.read(), &options)?;
    output::text(&replay_text(&report, Format::Table))?;
    output::damage(&report.damaged)
}
