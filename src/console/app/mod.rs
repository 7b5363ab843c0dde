//! The console as a pure machine: events in, things to do out, and a drawing of the present state.
//!
//! It reads no clock and touches no terminal; the loop around it does (`app::console`).

mod asking;
mod completing;
mod draw;
mod moves;
mod typing;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, KeyEvent, KeyEventKind};
use ratatui::layout::Rect;

use super::action::{ACTIONS, Action, Context, Spec};
use super::ask::AskBox;
use super::chord::Chord;
use super::footer::{Hints, Messages};
use super::frame::StripData;
use super::glyphs::Glyphs;
use super::goto;
use super::help::Help;
use super::keys::{self, Keymap};
use super::ordered::{self, Ordered};
use super::palette::Palette;
use super::prompt::Prompt;
use super::screen::{Ask, Asks, ScreenId, View};
use super::screens::spend::WHY_PANEL;
use super::screens::{detail, traffic};
use super::theme::Theme;
use super::ui::Ui;
use crate::session::{Aim, Command, Play, Reading, Snapshot};
use crate::units::{PerMille, Span};
use completing::Completing;

pub use crate::console::screen::Do;

/// What is typed into the line at the bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Goto,
    Filter,
    Events,
    Model,
    Stop,
    Why,
    Beside,
    Aim,
}

impl Asked {
    const COUNT: usize = Self::Aim as usize + 1;

    /// Returns the label before the line, and what the line shows while nothing is typed.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Goto => (" go to ", goto::HINT),
            Self::Filter => (" filter / ", "word  !word  team:search  model~gpt  status:error  cost>0.05"),
            Self::Events => (" events / ", "word  !word  alert  price  policy  note  faults"),
            Self::Model => (" all on ", "a model of the price book; Tab completes, Enter takes it"),
            Self::Stop => (" stop ", ordered::STOP_HINT),
            Self::Why => (" because: ", "a reason for the audit, or none   (Enter goes on, Esc does not)"),
            Self::Beside => (" try ", "WORLD or FILE.toml   POLICY.toml   route.rung=588,.. "),
            Self::Aim => (" aim for ", Aim::HINT),
        }
    }
}

/// What lies over the screen.
#[derive(Debug)]
enum Overlay {
    None,
    Help(Help),
    Palette(Box<Palette>),
    Prompt(Asked),
    Ask,
    Sure,
}

/// How the console looks and answers.
#[derive(Debug)]
pub struct Settings {
    /// The colours.
    pub theme: Theme,
    /// The signs.
    pub glyphs: &'static Glyphs,
    /// The keys.
    pub keymap: Keymap,
    /// Whether the mouse is taken.
    pub mouse: bool,
    /// How long a message stays.
    pub message: Duration,
}

/// The console.
#[derive(Debug)]
pub struct App {
    /// What is looked at.
    pub ui: Ui,
    settings: Settings,
    overlay: Overlay,
    /// The line at the bottom, for each thing that may be typed there.
    lines: [Prompt; Asked::COUNT],
    /// The order that a reason or a word is waited for.
    ordered: Option<Box<Ordered>>,
    completing: Completing,
    ask: AskBox,
    /// Whether somebody left while requests were in flight.
    leaving: bool,
    messages: Messages,
    latest: Arc<Snapshot>,
    frozen: Option<(Arc<Snapshot>, Duration)>,
    strip: StripData,
    hints: (Context, Hints),
    area: Rect,
    now: Duration,
    /// Where one was led away from.
    came_from: Option<View>,
    /// What the loop is to do for the event at hand.
    todo: Vec<Do>,
}

/// Gathers the keys that work in a context; a log has nobody to send to, and no rollouts to give orders about.
fn hints(settings: &Settings, context: Context, is_live: bool) -> Hints {
    let hints = Hints::gather(&settings.keymap, context.layers(), settings.glyphs.is_ascii());
    let is_refused = |spec: &&Spec| {
        matches!(spec.action, Action::AskSend | Action::AckAlert | Action::SilenceAlert)
            || matches!(spec.contexts, [Context::Rollout])
    };
    let refused = ACTIONS.iter().filter(|spec| !is_live && is_refused(spec));
    refused.fold(hints, |hints, spec| hints.without(spec.action))
}

impl App {
    /// Starts on a snapshot.
    pub fn new(ui: Ui, settings: Settings, snapshot: Arc<Snapshot>) -> Self {
        let context = ui.context();
        let hints = (context, hints(&settings, context, snapshot.live.is_some()));
        let mut app = Self {
            ui,
            strip: StripData::new(&snapshot.log),
            settings,
            overlay: Overlay::None,
            lines: Default::default(),
            ordered: None,
            completing: Completing::default(),
            ask: AskBox::default(),
            leaving: false,
            messages: Messages::default(),
            latest: snapshot,
            frozen: None,
            hints,
            area: Rect::default(),
            now: Duration::ZERO,
            came_from: None,
            todo: Vec::new(),
        };
        app.ui.seen = app.latest.log.inserts.count();
        let damaged = app.latest.log.skipped.damaged.first().cloned();
        if let Some(damaged) = damaged {
            app.warn(&damaged);
        }
        app
    }

    /// Returns the picture that is shown: the frozen one, or the latest.
    pub fn shown(&self) -> &Arc<Snapshot> {
        self.frozen.as_ref().map_or(&self.latest, |(frozen, _)| frozen)
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Puts other settings in force.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
        self.gather_hints();
    }

    /// Shows another theme and names it.
    pub fn set_theme(&mut self, theme: Theme) {
        let name = format!("theme {}", theme.name());
        self.dress(theme);
        self.say(&name);
    }

    /// Shows another theme.
    pub fn dress(&mut self, theme: Theme) {
        self.settings.theme = theme;
    }

    /// Returns the words of an alert that is new in a live picture, and more than a notice; nothing of a first picture, which
    /// tells what was there before.
    pub fn news(&self, picture: &Snapshot) -> Option<String> {
        let (before, now) = (self.latest.live.as_ref()?, picture.live.as_ref()?);
        if before.status.started != now.status.started {
            return None;
        }
        let is_known = |id: &str| before.status.alerts.alerts.iter().any(|alert| alert.id == id);
        let news = now.status.alerts.alerts.iter().rev().find(|alert| {
            let is_loud = alert.level > crate::alert::Level::Notice && !alert.silenced;
            is_loud && alert.resolved.is_none() && alert.at > now.status.started && !is_known(&alert.id)
        });
        news.map(|alert| alert.words.clone())
    }

    /// Takes a new picture.
    pub fn update(&mut self, snapshot: Arc<Snapshot>) {
        if let Some(message) = &snapshot.message
            && snapshot.message != self.latest.message
        {
            let message = message.clone();
            if snapshot.is_done { self.say(&message) } else { self.warn(&message) }
        }
        if snapshot.live.is_some() && snapshot.policy.version > self.latest.policy.version {
            let words = format!("policy {} is in force", snapshot.policy.version);
            self.say(&words);
        }
        if !Arc::ptr_eq(&snapshot.log, &self.latest.log) {
            self.strip = StripData::new(&snapshot.log);
        }
        self.latest = snapshot;
        let shown = Arc::clone(self.shown());
        self.ui.follow_log(&shown);
        self.box_news();
    }

    /// Says something.
    pub fn say(&mut self, words: &str) {
        self.messages.show(false, words, self.now + self.settings.message);
    }

    /// Says that something is not as it should be.
    pub fn warn(&mut self, words: &str) {
        self.messages.show(true, words, self.now + self.settings.message * 2);
    }

    /// Tells the time; says whether that changed what is shown.
    pub fn tick(&mut self, now: Duration) -> bool {
        self.now = now;
        self.messages.expire(now)
    }

    /// Returns when the present message goes.
    pub fn message_until(&self) -> Option<Duration> {
        self.messages.until()
    }

    /// Goes on with what takes longer than a moment; says whether there is more to do.
    pub fn work(&mut self) -> bool {
        let shown = Arc::clone(self.shown());
        self.ui.screen_mut().work(&shown)
    }

    fn context(&self) -> Context {
        match self.overlay {
            Overlay::None => self.ui.context(),
            Overlay::Help(_) => Context::Help,
            Overlay::Palette(_) => Context::Palette,
            Overlay::Prompt(_) => Context::Prompt,
            Overlay::Ask => Context::Ask,
            Overlay::Sure => Context::Confirm,
        }
    }

    fn gather_hints(&mut self) {
        let context = self.context();
        self.hints = (context, hints(&self.settings, context, self.latest.live.is_some()));
    }

    /// Takes an event of the terminal.
    pub fn event(&mut self, event: &Event) -> Vec<Do> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key),
            Event::Mouse(mouse) => self.mouse(*mouse),
            Event::Paste(text) => self.paste(text),
            _ => {}
        }
        if self.hints.0 != self.context() {
            self.gather_hints();
        }
        std::mem::take(&mut self.todo)
    }

    /// Does an action, whether it came from a key or the palette.
    pub fn action(&mut self, action: Action) -> Vec<Do> {
        self.act(action);
        std::mem::take(&mut self.todo)
    }

    fn key(&mut self, key: &KeyEvent) {
        let Some(chord) = Chord::of(key) else { return };
        if keys::is_quit(chord) {
            return self.todo.push(Do::Quit);
        }
        let action = self.settings.keymap.find(self.context().layers(), chord);
        let on_tune = self.context() == Context::Tune;
        let is_within = !self.ui.tune.typed.is_empty();
        let sign = chord.sign(is_within).filter(|_| on_tune && (action.is_none() || is_within));
        // What the last key brought about is not what this one does.
        self.messages.clear();
        if let Some(sign) = sign {
            let asks = self.ui.digit(sign);
            return self.asks(asks);
        }
        match (&mut self.overlay, action) {
            (Overlay::None, Some(Action::TypeValue)) => {
                let digit = chord.digit().map_or('0', |digit| char::from(b'0' + digit.min(9)));
                let asks = self.ui.digit(digit);
                self.asks(asks);
            }
            (Overlay::None, Some(Action::JumpTenth)) => {
                let share = PerMille::new(u16::from(chord.digit().unwrap_or(0)) * 100);
                self.todo.extend(share.map(|share| Do::Send(Command::SeekShare(share))));
            }
            (_, Some(action)) => self.act(action),
            (&mut Overlay::Prompt(asked), None) => {
                if self.line(asked).key(key) {
                    self.typed(asked);
                }
            }
            (Overlay::Palette(palette), None) => palette.key(key, &self.settings.keymap),
            (Overlay::Ask, None) => self.ask.key(key),
            (Overlay::None | Overlay::Help(_) | Overlay::Sure, None) => {}
        }
    }

    fn send(&mut self, command: Command) {
        self.todo.push(Do::Send(command));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Quit => self.leave(),
            Action::Ask => self.overlay = Overlay::Ask,
            _ if action.is_of(Context::Ask) => self.ask_box(action),
            _ if action.is_of(Context::Prompt) => self.prompt(action),
            _ if action.is_of(Context::Help) => self.turn_help(action),
            Action::Suspend => self.todo.push(Do::Suspend),
            Action::Redraw => self.todo.push(Do::Repaint),
            Action::Reload => self.todo.push(Do::Reload),
            Action::NextTheme => self.todo.push(Do::NextTheme),
            Action::SavePolicy => self.todo.push(Do::SavePolicy),
            Action::ExportCsv => self.with_list(Do::Export("csv")),
            Action::ExportJson => self.with_list(Do::Export("json")),
            Action::ExportMarkdown => self.with_list(Do::Export("md")),
            Action::CopyRow | Action::CopyPanel => self.copy(action),
            Action::Help => {
                let context = self.ui.context();
                let Settings { keymap, glyphs, .. } = &self.settings;
                self.overlay = Overlay::Help(Help::open(context, keymap, glyphs));
            }
            Action::Palette => {
                let layers = self.ui.context().layers();
                self.overlay = Overlay::Palette(Box::new(Palette::open(layers, &self.settings.keymap)));
            }
            Action::PaletteClose => self.overlay = Overlay::None,
            Action::PaletteUp | Action::PaletteDown => {
                if let Overlay::Palette(palette) = &mut self.overlay {
                    palette.step(if action == Action::PaletteUp { -1 } else { 1 });
                }
            }
            Action::PaletteRun => {
                if let Overlay::Palette(palette) = std::mem::replace(&mut self.overlay, Overlay::None)
                    && let Some(action) = palette.chosen()
                {
                    self.act(action);
                }
            }
            Action::NextScreen => self.show(self.ui.view.screen.further(1)),
            Action::PreviousScreen => self.show(self.ui.view.screen.further(ScreenId::ALL.len() - 1)),
            Action::FocusNext | Action::FocusPrevious => {
                let panels = self.ui.screen().panels().max(1);
                let by = if action == Action::FocusNext { 1 } else { panels - 1 };
                self.ui.view.focus = (self.ui.view.focus + by) % panels;
            }
            Action::Zoom => self.ui.view.zoomed = !self.ui.view.zoomed,
            Action::Back => self.back(),
            // A live view is held by the session, where a moved threshold is still answered.
            Action::Freeze if self.latest.live.is_some() => self.send(Command::Toggle),
            Action::Freeze => {
                self.frozen = match self.frozen.take() {
                    Some(_) => None,
                    None => Some((Arc::clone(&self.latest), self.now)),
                };
            }
            Action::WindowShorter => self.window(false),
            Action::WindowLonger => self.window(true),
            Action::Reading => self.send(Command::Read(match self.latest.reading {
                Reading::Recorded => Reading::Routed,
                Reading::Routed => Reading::Recorded,
            })),
            Action::CopyMode => {
                let mouse = !self.settings.mouse;
                self.settings.mouse = mouse;
                let given = "the mouse is the terminal's: select and copy";
                self.say(if mouse { "the mouse works here again" } else { given });
                self.todo.push(Do::Mouse(mouse));
            }
            Action::NextGlyphs => {
                self.settings.glyphs = self.settings.glyphs.next();
                self.gather_hints();
            }
            Action::Play => self.send(Command::Toggle),
            Action::StepForward => self.send(Command::Step(1)),
            Action::StepBack => self.send(Command::Step(-1)),
            Action::Back10s => self.send(Command::SeekBy(Span::secs(-10))),
            Action::Forward10s => self.send(Command::SeekBy(Span::secs(10))),
            Action::Back60s => self.send(Command::SeekBy(Span::mins(-1))),
            Action::Forward60s => self.send(Command::SeekBy(Span::mins(1))),
            Action::Back10m => self.send(Command::SeekBy(Span::mins(-10))),
            Action::Forward10m => self.send(Command::SeekBy(Span::mins(10))),
            Action::Slower => self.send(Command::Faster(false)),
            Action::Faster => self.send(Command::Faster(true)),
            Action::LogStart => self.send(Command::SeekEvent(0)),
            Action::LogEnd => self.send(Command::Follow),
            Action::Follow => {
                self.frozen = None;
                self.send(Command::Follow);
            }
            Action::Goto => self.overlay = Overlay::Prompt(Asked::Goto),
            Action::Stop => self.ask_stop(),
            Action::ConfirmYes | Action::ConfirmNo => self.confirmed(action),
            Action::NextError => self.send(Command::NextError(true)),
            Action::PreviousError => self.send(Command::NextError(false)),
            Action::Mark => self.send(Command::Mark),
            Action::NextMark => self.send(Command::NextMark(true)),
            Action::Loop => self.send(Command::Loop),
            Action::Filter => self.ask_filter(),
            Action::AllOnNamed => self.pick_model(),
            Action::Why if self.ui.context() == Context::Overview => {
                self.lead(ScreenId::Spend);
                self.ui.view.focus = WHY_PANEL;
            }
            Action::Why | Action::NextDimension if self.ui.brings_into_view(action) => {}
            // Digits come in with their chord; from the palette there is none to take.
            Action::TypeValue | Action::JumpTenth => self.say("type the digits"),
            other => {
                if let Some(screen) = ScreenId::shown_by(other) {
                    self.show(screen);
                } else {
                    let shown = Arc::clone(self.shown());
                    let asks = self.ui.act(other, &shown);
                    self.asks(asks);
                }
            }
        }
    }

    fn asks(&mut self, asks: Asks) {
        for ask in asks {
            match ask {
                Ask::Send(command) => {
                    // Whoever points at a threshold finds it chosen on Tune.
                    if let Command::Focus(route, rung) = &command {
                        self.ui.tune.route = route.index();
                        self.ui.tune.rung = *rung;
                        self.ui.tune.picked = true;
                    }
                    self.send(command);
                }
                Ask::Open(index) => self.ui.detail = Some(detail::State::of(index)),
                Ask::Show(screen) => self.lead(screen),
                Ask::Back => self.back(),
                Ask::Say(words) => self.say(&words),
                Ask::Refuse(words) => self.warn(&words),
                Ask::Do(Do::CopyList) => self.with_list(Do::CopyList),
                Ask::Do(what) => self.todo.push(what),
                Ask::ListFiltered(filter) => self.list_filtered(&filter),
                Ask::PickModel => self.pick_model(),
                Ask::Aim(begun) => {
                    self.line(Asked::Aim).set(&begun);
                    self.overlay = Overlay::Prompt(Asked::Aim);
                }
                Ask::Order(ordered) => self.ask_order(ordered),
                Ask::BranchWith(world) => self.ask_beside(&world),
                Ask::ListFlips => {
                    self.lead(ScreenId::Traffic);
                    let shown = Arc::clone(self.shown());
                    traffic::show_flips(&mut self.ui.traffic, &shown);
                }
                // What one screen asks of another is done by then.
                Ask::Choose(_) | Ask::Close | Ask::Neighbour(_) => {}
            }
        }
    }

    /// Says whether a picture is one of many that time brings.
    pub fn plays(&self, picture: &Snapshot) -> bool {
        matches!(picture.play, Play::Playing | Play::Following)
    }
}
