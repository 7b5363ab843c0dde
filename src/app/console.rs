//! The loop around the console: terminal events, pictures from the session, signals and timers in; frames out.
//!
//! It draws when something changed and never else: keys at once, data at most a few times a second.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossterm::event::{Event, EventStream};
use futures::StreamExt as _;
use tokio::sync::watch;

use super::requests::{requests_markdown, save_requests};
use super::{Internal, branches, created, found};
use crate::config::{self, console::ConsoleSettings};
use crate::console::app::{App, Do, Settings};
use crate::console::glyphs::Glyphs;
use crate::console::ground::{Ground, Heard, Listener, QUESTION};
use crate::console::keys::Keymap;
use crate::console::screen::{ScreenId, View};
use crate::console::terminal::{self, Copied};
use crate::console::theme::{Catalogue, Depth, TerminalEnv, Theme, auto_theme};
use crate::console::ui::Ui;
use crate::session::{BranchState, Command, Feed, LiveControl, Player, Snapshot, Worker, spawn, spawn_live};
use crate::units::{choice, counted};

/// The least time between two frames.
const LEAST: Duration = Duration::from_millis(8);

/// How long the first frame waits for the terminal to say what its ground is.
pub(super) const GROUND_WAIT: Duration = Duration::from_millis(100);

/// How the console is to be opened, over what the settings files say.
#[derive(Clone, Debug, Default)]
pub struct ConsoleOptions {
    /// The theme.
    pub theme: Option<String>,
    /// The glyphs.
    pub glyphs: Option<String>,
    /// The first screen.
    pub screen: Option<ScreenId>,
    /// Whether changes of policy are refused.
    pub read_only: bool,
    /// Whether the mouse is left to the terminal.
    pub no_mouse: bool,
    /// What the operator should know at the start.
    pub remarks: Vec<String>,
}

/// What the settings files and the environment say.
#[derive(Debug)]
pub struct Dressing {
    catalogue: Catalogue,
    settings: ConsoleSettings,
    theme: String,
    /// Whether the theme follows the terminal's ground.
    auto: bool,
    /// The ground, where the terminal told it.
    ground: Option<Ground>,
    depth: Depth,
    glyphs: &'static Glyphs,
    keymap: Keymap,
    /// Remarks on themes, with file and line.
    pub warnings: Vec<String>,
}

impl Dressing {
    /// Reads console.toml, keys.toml and the themes: the user's over the built-in ones.
    ///
    /// # Errors
    /// Where a file cannot be used; the message names file and line.
    pub fn read(options: &ConsoleOptions) -> anyhow::Result<Self> {
        let read = |path: &PathBuf| std::fs::read_to_string(path).with_context(|| path.display().to_string());
        let (origin, text) = match config::own_file("console.toml") {
            Some(path) => (path.display().to_string(), read(&path)?),
            None => ("console.toml".to_owned(), String::new()),
        };
        let settings = config::console::read(&origin, &text)?;
        let remaps = match config::own_file("keys.toml") {
            Some(path) => config::keys::read(&path.display().to_string(), &read(&path)?)?,
            None => Vec::new(),
        };
        let keymap = Keymap::build(&remaps)?;
        let shadows = keymap.shadows(&remaps);
        let folder = config::user_dir().map(|dir| dir.join("themes"));
        let (own, broken) = folder.map_or_else(Default::default, |folder| config::themes::in_folder(&folder));
        let catalogue = Catalogue::new(config::themes::built_in().chain(own));
        let value = |name: &str| std::env::var(name).ok();
        let (no_color, colorterm, term) = (value("NO_COLOR"), value("COLORTERM"), value("TERM"));
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| value(name).filter(|value| !value.is_empty()));
        let env = TerminalEnv {
            no_color: no_color.as_deref(),
            colorterm: colorterm.as_deref(),
            term: term.as_deref(),
            locale: locale.as_deref(),
        };
        let known: Vec<&str> = std::iter::once("auto").chain(catalogue.names()).collect();
        if !known.contains(&settings.theme.as_str()) {
            return Err(config::console::wrong_word(&origin, &text, "theme", &settings.theme, &known).into());
        }
        let wanted = options.theme.clone().unwrap_or_else(|| settings.theme.clone());
        let (mut theme, mut auto) = (wanted, false);
        if env.depth() == Depth::None {
            "mono".clone_into(&mut theme);
        } else if theme == "auto" {
            auto = true;
            auto_theme(env.depth(), None, value("COLORFGBG").as_deref()).clone_into(&mut theme);
        }
        if catalogue.text(&theme).is_none() {
            anyhow::bail!("--theme {theme}: no theme has this name\nhint: {}", choice(&theme, &known));
        }
        let glyphs = Glyphs::choose(options.glyphs.as_deref().unwrap_or(&settings.glyphs), &env);
        let warnings = broken.iter().map(ToString::to_string);
        let warnings = warnings.chain(shadows).chain(options.remarks.iter().cloned()).collect();
        let depth = env.depth();
        Ok(Self { catalogue, settings, theme, auto, ground: None, depth, glyphs, keymap, warnings })
    }

    /// Says whether the theme waits for the terminal to say what its ground is. The console of Windows sends an answer
    /// in another form, so there the variable alone decides.
    pub(super) fn asks_ground(&self) -> bool {
        cfg!(unix) && self.auto && self.depth > Depth::Sixteen
    }

    /// Takes the terminal's word on its ground; returns the theme for it, unless one was chosen meanwhile.
    pub(super) fn stand_on(&mut self, ground: Option<Ground>) -> anyhow::Result<Option<Theme>> {
        self.ground = ground;
        if ground.is_none() || !self.asks_ground() {
            return Ok(None);
        }
        auto_theme(self.depth, ground, None).clone_into(&mut self.theme);
        self.theme().map(Some)
    }

    /// Returns the theme and notes what is wrong with its file.
    ///
    /// # Errors
    /// Where there is no such theme.
    pub fn theme(&mut self) -> anyhow::Result<Theme> {
        let (theme, warnings) = self
            .catalogue
            .load(&self.theme, self.depth)
            .with_context(|| format!("theme `{}` is not known", self.theme))?;
        self.warnings.extend(warnings.iter().map(ToString::to_string));
        Ok(theme)
    }

    /// Uses as many colours as a picture can show, whatever the terminal.
    #[must_use]
    pub fn in_full_colour(mut self) -> Self {
        self.depth = Depth::True;
        if self.auto {
            "dark".clone_into(&mut self.theme);
        }
        self
    }

    /// Returns what the console is started with.
    ///
    /// # Errors
    /// Where there is no such theme.
    pub fn console_settings(&mut self, no_mouse: bool) -> anyhow::Result<Settings> {
        Ok(Settings {
            theme: self.theme()?,
            glyphs: self.glyphs,
            keymap: self.keymap.clone(),
            mouse: self.settings.mouse && !no_mouse,
            message: Duration::from_secs(u64::from(self.settings.message_seconds)),
        })
    }

    /// Returns the screen to begin with.
    pub fn screen(&self) -> ScreenId {
        ScreenId::named(&self.settings.screen).unwrap_or_default()
    }

    fn next_theme(&mut self) -> anyhow::Result<Theme> {
        self.auto = false;
        if let Some(next) = self.catalogue.next_name(&self.theme) {
            next.clone_into(&mut self.theme);
        }
        self.theme()
    }

    /// Returns the least time between two frames that data alone causes.
    fn pace(&self) -> Duration {
        let over_ssh = std::env::var_os("SSH_TTY").is_some();
        let hz = match self.settings.refresh_hz {
            0 if over_ssh => 4,
            0 => 10,
            hz => u32::from(hz),
        };
        Duration::from_secs(1) / hz.clamp(1, 30)
    }
}

/// Opens the console on a player and runs it until the operator leaves.
///
/// # Errors
/// Where settings cannot be used or the terminal fails.
pub fn run_console(player: Player, options: &ConsoleOptions) -> anyhow::Result<()> {
    open(player, options, spawn)
}

/// Opens the console on live traffic and runs it until the operator leaves.
///
/// # Errors
/// Where settings cannot be used or the terminal fails.
pub(super) fn run_live_console(
    player: Player,
    feed: Receiver<Feed>,
    control: Box<dyn LiveControl>,
    options: &ConsoleOptions,
) -> anyhow::Result<()> {
    open(player, options, |player, publish| spawn_live(player, feed, control, publish))
}

/// Hears of pictures, and says whether anybody looks.
type Publish = Box<dyn FnMut(Arc<Snapshot>) -> bool + Send>;

fn open(
    mut player: Player,
    options: &ConsoleOptions,
    start: impl FnOnce(Player, Publish) -> std::io::Result<Worker>,
) -> anyhow::Result<()> {
    let mut dressing = Dressing::read(options)?;
    let settings = dressing.console_settings(options.no_mouse)?;
    let screen = options.screen.unwrap_or_else(|| dressing.screen());
    let mut ui = Ui::from(View { screen, read_only: options.read_only, ..View::default() });
    if let Some(command) = ui.screen_mut().shown(&player.snapshot()) {
        player.handle(command);
    }
    let first = Arc::new(player.snapshot());
    let mut app = App::new(ui, settings, Arc::clone(&first));
    if let Some(warning) = dressing.warnings.first() {
        app.warn(warning);
    }
    find(&mut app);
    let (publish, pictures) = watch::channel(first);
    let publish: Publish = Box::new(move |picture| publish.send(picture).is_ok());
    let worker = start(player, publish).map_err(Internal::from_any)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Internal::from_any)?;
    match runtime.block_on(watch_all(app, dressing, worker, pictures, options)) {
        // A terminal that is gone is one way to leave.
        Err(error) if error.downcast_ref().is_some_and(terminal::is_gone) => Ok(()),
        // Otherwise only the terminal can fail, and the person at it gave nothing that could be mended.
        ended => Ok(ended.map_err(Internal::from_any)?),
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    go_on: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            go_on: signal(SignalKind::from_raw(signal_hook::consts::SIGCONT))?,
        })
    }

    /// Waits for a signal; true means leave, false means that the process was stopped and goes on.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.hang_up.recv() => true,
            _ = self.interrupt.recv() => true,
            _ = self.go_on.recv() => false,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> bool {
        tokio::signal::ctrl_c().await.is_ok()
    }
}

type Screenful = terminal::Session<std::io::BufWriter<std::io::Stdout>>;

async fn watch_all(
    mut app: App,
    mut dressing: Dressing,
    worker: Worker,
    mut pictures: watch::Receiver<Arc<Snapshot>>,
    options: &ConsoleOptions,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut session: Screenful = terminal::Session::open(app.settings().mouse)?;
    let mut listener = dressing.asks_ground().then(Listener::default);
    if listener.is_some() {
        session.ask(QUESTION)?;
    }
    let mut ground_until = listener.as_ref().map(|_| started + GROUND_WAIT);
    let mut events = EventStream::new();
    let mut signals = Signals::new()?;
    let mut pace = dressing.pace();
    let mut drawn = started.checked_sub(LEAST).unwrap_or(started);
    let mut dirty = true;
    let mut by_data = false;
    loop {
        app.tick(started.elapsed());
        let busy = app.work();
        // A held key or a dragged mouse sends more events than a screen can show: frames keep a least distance.
        let wait = if by_data { pace } else { LEAST }.saturating_sub(drawn.elapsed());
        let wait =
            ground_until.map_or(wait, |until| wait.max(until.saturating_duration_since(Instant::now())));
        if dirty && wait.is_zero() {
            session.draw(|frame| app.draw(frame.area(), frame.buffer_mut()))?;
            drawn = Instant::now();
            ground_until = None;
            (dirty, by_data) = (false, false);
        }
        let timer = if busy {
            Duration::ZERO
        } else if dirty {
            wait
        } else {
            app.message_until()
                .map_or(Duration::from_secs(3600), |until| until.saturating_sub(started.elapsed()))
        };
        tokio::select! {
            biased;
            event = events.next() => {
                let Some(Ok(event)) = event else { break };
                app.tick(started.elapsed());
                let events = match listener.as_mut().map(|listener| listener.take(event.clone())) {
                    None => vec![event],
                    Some(Heard::Events(events)) => events,
                    Some(Heard::Held) => continue,
                    Some(Heard::Told(ground)) => {
                        (listener, ground_until, dirty) = (None, None, true);
                        if let Some(theme) = dressing.stand_on(ground)? {
                            app.dress(theme);
                        }
                        continue;
                    }
                };
                for event in events {
                    if !answer(&mut app, &mut dressing, &worker, &mut session, &event, options)? {
                        return Ok(());
                    }
                }
                pace = dressing.pace();
                (dirty, by_data) = (true, false);
            }
            leave = signals.next() => {
                if leave {
                    break;
                }
                session.repaint()?;
                (dirty, by_data) = (true, false);
            }
            changed = pictures.changed() => {
                if changed.is_err() {
                    break;
                }
                let picture = Arc::clone(&pictures.borrow_and_update());
                let answer = !app.plays(&picture);
                let news = app.news(&picture).filter(|_| dressing.settings.alert != "off");
                app.update(picture);
                if let Some(words) = news {
                    session.notify(Some(&*words).filter(|_| dressing.settings.alert == "osc9"))?;
                }
                if app.has_drained() {
                    break;
                }
                // What answers a key is shown at once; what only time brings keeps the pace.
                by_data = (by_data || !dirty) && !answer;
                dirty = true;
            }
            () = tokio::time::sleep(timer) => {
                dirty |= app.tick(started.elapsed()) || busy;
            }
        }
    }
    session.close();
    Ok(())
}

/// Tells the console which plans and worlds the configuration folder has.
fn find(app: &mut App) {
    app.ui.rollout.set_plans(found::plans());
    app.ui.worlds.set_own(found::worlds());
}

/// Writes the policy in force to a file that does not exist yet, and names it.
fn save_policy(picture: &Snapshot) -> anyhow::Result<String> {
    let text = config::policy::to_toml(&picture.policy, &picture.log.names);
    created::write(&format!("policy-v{}", picture.policy.version), "toml", &text)
}

/// Copies a text to the terminal's clipboard.
fn copy(app: &mut App, session: &mut Screenful, text: &str, limit: usize) -> anyhow::Result<()> {
    match session.copy(text, limit)? {
        Copied::Sent => app.say("copied"),
        Copied::TooLong => {
            app.warn(
                "too long for the terminal's clipboard (see copy-limit in console.toml); X writes a file",
            );
        }
    }
    Ok(())
}

/// Does what an event asks for; false means leave.
fn answer(
    app: &mut App,
    dressing: &mut Dressing,
    worker: &Worker,
    session: &mut Screenful,
    event: &Event,
    options: &ConsoleOptions,
) -> anyhow::Result<bool> {
    for todo in app.event(event) {
        match todo {
            Do::Quit => {
                session.close();
                return Ok(false);
            }
            Do::Send(command) => worker.send(command),
            Do::Repaint => session.repaint()?,
            Do::Mouse(mouse) => session.set_mouse(mouse)?,
            Do::Copy(text) => copy(app, session, &text, dressing.settings.copy_limit)?,
            #[cfg(unix)]
            Do::Suspend => session.suspend()?,
            #[cfg(not(unix))]
            Do::Suspend => app.warn("this system has no job control"),
            Do::SavePolicy => {
                let picture = Arc::clone(app.shown());
                match save_policy(&picture) {
                    Ok(path) => app.say(&format!("policy {} written to {path}", picture.policy.version)),
                    Err(error) => app.warn(&format!("policy not written: {error:#}")),
                }
            }
            Do::Export(end) => match save_requests(end, &app.ui.traffic, app.shown()) {
                Ok((path, rows)) => {
                    app.say(&format!("{} written to {path}", counted(rows as u64, "request")));
                }
                Err(error) => app.warn(&format!("not written: {error:#}")),
            },
            Do::Find => find(app),
            Do::Branch { world, beside } => match branches::plan(&world, &beside) {
                Ok(plan) => worker.send(Command::Branch(Arc::new(plan))),
                Err(error) => app.warn(&format!("not tried: {}", once(&error)).replace('\n', "; ")),
            },
            Do::SaveBranches(as_page) => {
                let picture = Arc::clone(app.shown());
                let BranchState::Done(found) = &picture.branches else { continue };
                match branches::save(found, as_page) {
                    Ok(path) => app.say(&format!("branches written to {path}")),
                    Err(error) => app.warn(&format!("not written: {error:#}")),
                }
            }
            Do::CopyList => {
                let text = requests_markdown(&app.ui.traffic, app.shown());
                copy(app, session, &text, dressing.settings.copy_limit)?;
            }
            Do::NextTheme => match dressing.next_theme() {
                Ok(theme) => app.set_theme(theme),
                Err(error) => app.warn(&error.to_string()),
            },
            Do::Reload => match Dressing::read(options).and_then(|mut fresh| {
                fresh.stand_on(dressing.ground)?;
                let settings = fresh.console_settings(options.no_mouse)?;
                Ok((fresh, settings))
            }) {
                Ok((fresh, settings)) => {
                    *dressing = fresh;
                    session.set_mouse(settings.mouse)?;
                    app.set_settings(settings);
                    match dressing.warnings.first() {
                        Some(warning) => app.warn(warning),
                        None => app.say("settings, keys and themes read again"),
                    }
                }
                Err(error) => app.warn(&format!("kept the old settings: {error}")),
            },
        }
    }
    if let Event::Resize(..) = event {
        session.repaint()?;
    }
    Ok(true)
}

/// Writes an error and what caused it, each cause once: some say already what lies below them.
fn once(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |told, cause| {
        let cause = cause.to_string();
        if told.contains(&cause) { told } else { format!("{told}: {cause}") }
    })
}
