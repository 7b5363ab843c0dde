//! What the operator is looking at: screen, focus, selection, filter. Figures are in the snapshot, never here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, Context};
use super::paint::Look;
use super::screens::{detail, models, overview, traffic, tune, welcome};
use crate::session::{Command, Snapshot};

/// The screens, in the order of their tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Screen {
    /// Everything at a glance.
    #[default]
    Overview,
    /// Thresholds and what they cost.
    Tune,
    /// The request table.
    Traffic,
    /// The models.
    Models,
}

impl Screen {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Overview, Self::Tune, Self::Traffic, Self::Models];

    /// Returns the tab's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Tune => "Tune",
            Self::Traffic => "Traffic",
            Self::Models => "Models",
        }
    }

    /// Returns the context of its keys.
    pub const fn context(self) -> Context {
        match self {
            Self::Overview => Context::Overview,
            Self::Tune => Context::Tune,
            Self::Traffic => Context::Traffic,
            Self::Models => Context::Models,
        }
    }

    /// Finds a screen by its name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|screen| screen.name().eq_ignore_ascii_case(name))
    }
}

/// What the operator is looking at.
#[derive(Clone, Debug, Default)]
pub struct Ui {
    /// The screen.
    pub screen: Screen,
    /// The panel with the keys, by its place on the screen.
    pub focus: usize,
    /// Whether that panel fills the screen.
    pub zoomed: bool,
    /// Whether changes of policy are refused.
    pub read_only: bool,
    /// The state of the screen Overview.
    pub overview: overview::State,
    /// The state of the screen Tune.
    pub tune: tune::State,
    /// The state of the screen Traffic.
    pub traffic: traffic::State,
    /// The state of the screen Models.
    pub models: models::State,
    /// The request being looked at, over whatever screen.
    pub detail: Option<detail::State>,
    /// How many operations a growing log had taken in between others when indices were last brought up to it.
    pub seen: u64,
}

/// All that a drawing rests on.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The figures.
    pub snapshot: &'a Snapshot,
    /// What is looked at.
    pub ui: &'a Ui,
    /// How it looks.
    pub look: Look<'a>,
}

/// What a screen wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// A command to the session.
    Send(Command),
    /// Look at one request (its index in the log).
    Open(usize),
    /// Show another screen.
    Show(Screen),
    /// Go back to where one came from.
    Back,
    /// Say in the message line that something was done.
    Say(String),
    /// Say in the message line why something was not done.
    Refuse(String),
    /// Put a text on the clipboard.
    Copy(String),
    /// Type the name of a model that is to answer everything.
    PickModel,
    /// Type a filter for the request table.
    TypeFilter,
    /// List the requests that the staged policy sends elsewhere.
    ListFlips,
    /// List the requests that pass a filter.
    ListFiltered(String),
}

/// What a screen answers to a key or the mouse.
pub type Asks = Vec<Ask>;

/// A press, drag or turn of the mouse in the body of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// The left button went down.
    Press(u16, u16),
    /// The mouse moved with the button down.
    Drag(u16, u16),
    /// The button went up.
    Release(u16, u16),
    /// The wheel turned: negative is up.
    Wheel(u16, u16, i16),
}

impl Ui {
    /// Brings the indices held here up to a growing log, so that what is chosen stays chosen.
    pub fn follow_log(&mut self, snapshot: &Snapshot) {
        let inserts = &snapshot.log.inserts;
        if inserts.count() == self.seen {
            return;
        }
        let seen = std::mem::replace(&mut self.seen, inserts.count());
        let moved = |index| inserts.moved(index, seen);
        self.traffic.move_held(moved);
        if let Some(state) = &mut self.detail {
            match moved(state.index) {
                Some(index) => state.index = index,
                None => self.detail = None,
            }
        }
    }

    /// Returns the context whose keys hold.
    pub fn context(&self) -> Context {
        if self.detail.is_some() { Context::Detail } else { self.screen.context() }
    }

    /// Counts the panels of the screen that can be given the keys.
    pub fn panels(&self) -> usize {
        match self.screen {
            Screen::Overview => overview::PANELS,
            Screen::Tune => tune::PANELS,
            Screen::Traffic => traffic::PANELS,
            Screen::Models => models::PANELS,
        }
    }

    /// Takes an action that belongs to the screen or the request view.
    pub fn act(&mut self, action: Action, snapshot: &Snapshot) -> Asks {
        if self.detail.is_some() {
            return detail::act(self, action, snapshot);
        }
        match self.screen {
            Screen::Overview => overview::act(self, action, snapshot),
            Screen::Tune => tune::act(self, action, snapshot),
            Screen::Traffic => traffic::act(self, action, snapshot),
            Screen::Models => models::act(self, action, snapshot),
        }
    }

    /// Takes the mouse; `area` is where the body was drawn.
    pub fn point(&mut self, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        if self.detail.is_some() {
            return Asks::new();
        }
        match self.screen {
            Screen::Overview => overview::point(self, pointer, area, snapshot),
            Screen::Tune => tune::point(self, pointer, area, snapshot),
            Screen::Traffic => traffic::point(self, pointer, area, snapshot),
            Screen::Models => models::point(self, pointer, area, snapshot),
        }
    }
}

/// Draws the body of the screen.
pub fn draw_body(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    if let Some(state) = &scene.ui.detail {
        detail::draw(scene, state, area, buf);
        return;
    }
    if matches!(scene.ui.screen, Screen::Overview | Screen::Traffic) && welcome::is_due(scene.snapshot) {
        welcome::draw(scene, area, buf);
        return;
    }
    match scene.ui.screen {
        Screen::Overview => overview::draw(scene, area, buf),
        Screen::Tune => tune::draw(scene, area, buf),
        Screen::Traffic => traffic::draw(scene, area, buf),
        Screen::Models => models::draw(scene, area, buf),
    }
}
