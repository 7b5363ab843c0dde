//! What a screen is: it draws a snapshot, and answers keys and the mouse with what it wants done.
//!
//! Invariant: a screen changes nothing but its own state; all else it asks for ([`Ask`]).

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, Context};
use super::ordered::Ordered;
use super::paint::Look;
use crate::session::{Command, Snapshot};
use crate::units::{Instant, ModelId};

/// What the loop around the console is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Do {
    /// Send a command to the session.
    Send(Command),
    /// Leave.
    Quit,
    /// Give the terminal to the shell.
    Suspend,
    /// Draw every cell again.
    Repaint,
    /// Put a text on the clipboard.
    Copy(String),
    /// Take the mouse or give it back.
    Mouse(bool),
    /// Read settings, keys and themes again.
    Reload,
    /// Use the next theme.
    NextTheme,
    /// Write the policy in force to a file.
    SavePolicy,
    /// Write the listed requests to a file with this ending: `csv`, `json` or `md`.
    Export(&'static str),
    /// Put the listed requests on the clipboard as a table.
    CopyList,
    /// Look which plans and worlds the configuration folder has.
    Find,
    /// Read a world and what is tried beside it, and have it tried.
    Branch {
        /// The world's name, or its file.
        world: String,
        /// Policies and thresholds.
        beside: Vec<String>,
    },
    /// Write branches side by side to a file: as a page, or as Markdown.
    SaveBranches(bool),
}

macro_rules! screens {
    ($($(#[$attribute:meta])* $name:ident,)*) => {
        /// The screens, in the order of their tabs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub enum ScreenId {
            $($(#[$attribute])* $name,)*
        }

        impl ScreenId {
            /// All of them.
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name,)*];

            /// Returns the tab's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Returns the context of its keys.
            pub const fn context(self) -> Context {
                match self { $(Self::$name => Context::$name,)* }
            }

            /// Returns the screen that an action shows.
            pub const fn shown_by(action: Action) -> Option<Self> {
                match action {
                    $(Action::$name => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

screens! {
    /// Everything at a glance.
    #[default]
    Overview,
    /// Thresholds and what they cost.
    Tune,
    /// The request table.
    Traffic,
    /// The models.
    Models,
    /// Budgets and how they stand.
    Spend,
    /// Alerts and whatever else happened.
    Events,
    /// What labels say of answers and prove of thresholds.
    Quality,
    /// What changes routes step by step or by itself.
    Rollout,
    /// The log in worlds that are not as they were.
    Worlds,
}

impl ScreenId {
    /// Returns the word for it on the command line.
    pub const fn word(self) -> &'static str {
        self.context().name()
    }

    /// Finds a screen by its name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|screen| screen.name().eq_ignore_ascii_case(name))
    }

    /// Returns the screen so many tabs further on, starting again after the last.
    #[must_use]
    pub fn further(self, by: usize) -> Self {
        Self::ALL.get((self as usize + by) % Self::ALL.len()).copied().unwrap_or(self)
    }
}

/// Which screen is looked at, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// The screen.
    pub screen: ScreenId,
    /// The panel with the keys, by its place on the screen.
    pub focus: usize,
    /// Whether that panel fills the screen.
    pub zoomed: bool,
    /// Whether changes of policy are refused.
    pub read_only: bool,
}

impl View {
    /// Gives all of an area to the panel with the keys where it is zoomed, or where the area is too low for more than one.
    pub fn alone<const PANELS: usize>(self, area: Rect, least: u16) -> Option<[Rect; PANELS]> {
        let none = Rect { width: 0, height: 0, ..area };
        let focus = self.focus.min(PANELS - 1);
        let places = || std::array::from_fn(|panel| if panel == focus { area } else { none });
        (self.zoomed || area.height < least).then(places)
    }
}

/// All that a drawing rests on, besides the screen's own state.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The figures.
    pub snapshot: &'a Snapshot,
    /// What is looked at.
    pub view: View,
    /// How it looks.
    pub look: Look<'a>,
}

impl Scene<'_> {
    /// Returns what time it is where the figures come from: in a replay that of the play head.
    pub fn now(&self) -> Instant {
        self.snapshot.live.as_ref().map_or(self.snapshot.clock, |live| live.now)
    }
}

/// What the figures of a screen are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FiguresOf {
    /// The window.
    Window,
    /// All that was played.
    Played,
    /// The window, as the policy would have routed it.
    WhatIf,
    /// The windows of the budgets, as recorded.
    Budgets,
    /// No figures: what happened.
    Events,
    /// Each rollout's own stage.
    Rollout,
    /// The log, as policies decide it elsewhere.
    Worlds,
}

/// What a screen wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// A command to the session.
    Send(Command),
    /// Look at one request (its index in the log).
    Open(usize),
    /// Look at the request so many rows further down the table, in place of this one.
    Neighbour(isize),
    /// Look at no single request any more.
    Close,
    /// Choose a model on the screen Models.
    Choose(ModelId),
    /// Show another screen.
    Show(ScreenId),
    /// Go back to where one came from.
    Back,
    /// Say in the message line that something was done.
    Say(String),
    /// Say in the message line why something was not done.
    Refuse(String),
    /// Have the loop around the console do something.
    Do(Do),
    /// Type a cost or a quality for which the best thresholds are staged.
    Aim(String),
    /// Type the name of a model that is to answer everything.
    PickModel,
    /// List the requests that the staged policy sends elsewhere.
    ListFlips,
    /// List the requests that pass a filter.
    ListFiltered(String),
    /// Ask for a reason, and whether it is meant, before an order is given.
    Order(Box<Ordered>),
    /// Type what is tried beside a world.
    BranchWith(String),
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

/// A screen, or the view of one request that lies over it.
pub trait Screen {
    /// Counts the panels that can be given the keys.
    fn panels(&self) -> usize {
        1
    }

    /// Says what its figures are of.
    fn figures_of(&self) -> FiguresOf {
        FiguresOf::Window
    }

    /// Draws the body; the area lies within the buffer.
    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer);

    /// Takes an action.
    fn act(&mut self, view: View, action: Action, snapshot: &Snapshot) -> Asks;

    /// Takes the mouse; `area` is where the body was drawn.
    fn point(&mut self, _view: &mut View, _pointer: Pointer, _area: Rect, _snapshot: &Snapshot) -> Asks {
        Asks::new()
    }

    /// Says whether digits are typed into it, so that they do not change screens.
    fn types_digits(&self) -> bool {
        false
    }

    /// Takes a digit, or a sign that no key stands for.
    fn digit(&mut self, _view: View, _digit: char) -> Asks {
        Asks::new()
    }

    /// Hears that it is shown; returns what the session is to work out for it.
    fn shown(&mut self, _snapshot: &Snapshot) -> Option<Command> {
        None
    }

    /// Does a stretch of what takes longer than a moment; says whether more is to do.
    fn work(&mut self, _snapshot: &Snapshot) -> bool {
        false
    }

    /// Forgets what narrows it; says whether anything did.
    fn widen(&mut self) -> bool {
        false
    }
}
