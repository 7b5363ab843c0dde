//! `pointsman snapshot`: a screen of the console as a picture or as text.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::args::{EngineArgs, readings};
use super::brought;
use super::console::open;
use super::output;
use super::whatif::staged;
use crate::app::{ConsoleOptions, Dressing};
use crate::console::app::App;
use crate::console::goto;
use crate::console::screen::{Screen, ScreenId};
use crate::console::screens::{detail, traffic};
use crate::console::svg::{self, Ground};
use crate::console::theme::Mode;
use crate::console::ui::Ui;
use crate::session::{Command, Player, Reading, WINDOWS, window_label, would_trip_at_once};
use crate::units::{Span, choice};

/// Names the screens; `request` is one request's.
fn screens() -> Vec<&'static str> {
    ScreenId::ALL.map(ScreenId::word).into_iter().chain(["request"]).collect()
}

/// Renders a screen of the console as SVG or text, or writes a stretch of a log that opens anywhere.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman snapshot tune --size 160x45 --set extraction.flash=588 --theme dark -o tune.svg\n  pointsman snapshot gateway.db --from 14:00 --to 15:00 -o storm.jsonl.zst"
)]
pub struct SnapshotArgs {
    /// The screen: overview, tune, traffic, models, spend, events, quality, rollout, worlds, or request (with --request). Or a log, a stretch of which is written
    /// to -o FILE with all that its figures rest on: policies, prices, budgets, requests without prompts.
    #[arg(value_name = "SCREEN|LOG")]
    pub screen: String,
    /// The log; the bundled sample where absent.
    #[arg(long, value_name = "LOG")]
    pub log: Option<PathBuf>,
    /// Columns and rows.
    #[arg(long, value_name = "WxH", default_value = "160x45", value_parser = size)]
    pub size: (u16, u16),
    /// Where the play head stands: 14:03:20, 50%, "ev 12000"; the end where absent.
    #[arg(long, value_name = "PLACE")]
    pub at: Option<String>,
    /// The window: 1m, 5m, 15m, 1h, 3h, 6h, 12h, 1d, 7d, 30d or all.
    #[arg(long, value_name = "WINDOW", default_value = "all", value_parser = window)]
    pub window: Window,
    /// The reading.
    #[arg(long = "as", value_parser = readings(), default_value = Reading::Recorded.name())]
    pub read_as: Reading,
    /// Stages a threshold; may be given more than once.
    #[arg(long = "set", value_name = "ROUTE[.RUNG]=PERMILLE")]
    pub set: Vec<String>,
    /// The route chosen on Tune.
    #[arg(long, value_name = "ROUTE")]
    pub route: Option<String>,
    /// The filter on Traffic.
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// The request shown by the screen `request`: its id.
    #[arg(long, value_name = "REQUEST")]
    pub request: Option<String>,
    /// Budgets file (TOML) that the log is played against, instead of budgets.toml in the configuration directory.
    #[arg(long, value_name = "FILE")]
    pub budgets: Option<PathBuf>,
    /// The theme.
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// The glyphs: auto, braille, block, ascii.
    #[arg(long, value_name = "SET", value_parser = ["auto", "braille", "block", "ascii"])]
    pub glyphs: Option<String>,
    /// The file: .svg for a picture, anything else for text; stdout where absent.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// A window chosen by name.
#[derive(Clone, Copy, Debug)]
pub struct Window(Option<Span>);

fn window(text: &str) -> Result<Window, String> {
    if text == "all" {
        return Ok(Window(None));
    }
    let found = WINDOWS.iter().find(|&&window| window.is_some() && window_label(window) == text);
    found
        .map(|&window| Window(window))
        .ok_or_else(|| "write 1m, 5m, 15m, 1h, 3h, 6h, 12h, 1d, 7d, 30d or all".to_owned())
}

fn size(text: &str) -> Result<(u16, u16), String> {
    text.split_once('x')
        .and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)))
        .filter(|&(columns, rows): &(u16, u16)| (1..=400).contains(&columns) && (1..=200).contains(&rows))
        .ok_or_else(|| "write columns x rows, like 160x45, at most 400x200".to_owned())
}

/// Runs the subcommand.
///
/// # Errors
/// Where the log or settings cannot be used, or the file cannot be written.
pub fn run(args: &SnapshotArgs) -> anyhow::Result<()> {
    if !screens().contains(&args.screen.as_str()) {
        let log = PathBuf::from(&args.screen);
        if !log.exists() {
            let hint = choice(&args.screen, &screens());
            anyhow::bail!(
                "`{}` is neither a screen nor a log\nhint: {hint}; a log is written as a portable snapshot",
                args.screen
            );
        }
        return super::portable::write(&log, args.output.as_deref(), args.budgets.as_deref(), &args.engine);
    }
    let logs: Vec<PathBuf> = args.log.iter().cloned().collect();
    if let Some(path) = &args.output {
        output::may_write(path, &logs, true)?;
    }
    let log = Arc::new(open(&logs, &args.engine)?);
    let mut player = Player::new(Arc::clone(&log), args.read_as, args.window.0);
    brought::play(&mut player, args.budgets.as_deref(), logs.is_empty())?;
    if let [one] = &*logs {
        player.set_billed(crate::config::billed::read(one));
    }
    player.mark_runaways(&would_trip_at_once(&log, &super::runaways::rules(args.budgets.as_ref())?));
    match &args.at {
        None => player.handle(Command::Follow),
        Some(at) => {
            let command =
                goto::parse(at, &player.snapshot()).map_err(|problem| anyhow::anyhow!("--at {problem}"))?;
            player.handle(command);
        }
    }
    let screen = ScreenId::named(&args.screen).unwrap_or(ScreenId::Traffic);
    let mut ui = Ui::on(screen);
    if let Some(name) = &args.route {
        let found = log.policy.find_route(name).with_context(|| format!("--route {name}: no such route"))?;
        ui.tune.route = found.index();
        ui.tune.picked = true;
    }
    if !args.set.is_empty() {
        player.handle(Command::Stage(Some(Arc::new(staged(&log.policy, &args.set, &log.names)?))));
    }
    if let Some(command) = ui.tune.shown(&player.snapshot()) {
        player.handle(command);
    }
    let options = ConsoleOptions {
        theme: args.theme.clone(),
        glyphs: args.glyphs.clone(),
        ..ConsoleOptions::default()
    };
    let mut dressing = Dressing::read(&options)?.in_full_colour();
    let settings = dressing.console_settings(true)?;
    for slip in &dressing.warnings {
        output::remark(slip);
    }
    let ground = if settings.theme.mode() == Mode::Light { Ground::LIGHT } else { Ground::DARK };
    if let Some(filter) = &args.filter {
        traffic::set_filter(&mut ui.traffic, filter);
    }
    if args.screen == "request" {
        let id = args.request.as_deref().context("the screen `request` needs --request ID")?;
        let index = log.history.find(id).with_context(|| format!("no request `{id}` in the log"))?;
        ui.detail = Some(detail::State::of(index));
    }
    let mut app = App::new(ui, settings, Arc::new(player.snapshot()));
    while app.work() {}
    let area = Rect::new(0, 0, args.size.0, args.size.1);
    let mut buffer = Buffer::empty(area);
    app.draw(area, &mut buffer);
    let title = format!("Pointsman: {}", args.screen);
    let picture = args.output.as_ref().is_some_and(|path| path.extension().is_some_and(|end| end == "svg"));
    let text = if picture { svg::render(&buffer, ground, &title) } else { plain(&buffer) };
    match &args.output {
        Some(path) => std::fs::write(path, text).with_context(|| path.display().to_string()),
        None => output::text(&text),
    }
}

fn plain(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let row: String =
            (buffer.area.left()..buffer.area.right()).map(|x| buffer[(x, y)].symbol()).collect();
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}
