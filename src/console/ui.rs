//! What the operator is looking at: the screens with what is chosen on each. Figures are in the snapshot, never here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, Context};
use super::paint::Look;
use super::screen::{Ask, Asks, Pointer, Scene, Screen, ScreenId, View};
use super::screens::{detail, events, models, overview, quality, rollout, spend, traffic, tune, worlds};
use crate::session::Snapshot;

macro_rules! screens {
    ($($name:ident is $field:ident,)*) => {
        /// What the operator is looking at.
        #[derive(Clone, Debug, Default)]
        pub struct Ui {
            /// Which screen, and how.
            pub view: View,
            $(
                #[doc = concat!("The state of the screen ", stringify!($name), ".")]
                pub $field: $field::State,
            )*
            /// The request being looked at, over whatever screen.
            pub detail: Option<detail::State>,
            /// How many operations a growing log had taken in between others when indices were last brought up to it.
            pub seen: u64,
        }

        impl Ui {
            /// Returns the screen whose tab is chosen.
            pub fn screen(&self) -> &dyn Screen {
                match self.view.screen { $(ScreenId::$name => &self.$field,)* }
            }

            /// Returns the screen whose tab is chosen, to be changed.
            pub fn screen_mut(&mut self) -> &mut dyn Screen {
                match self.view.screen { $(ScreenId::$name => &mut self.$field,)* }
            }

            /// Takes the screen apart from how it is looked at.
            fn parts(&mut self) -> (&mut View, &mut dyn Screen) {
                let screen: &mut dyn Screen = match (&mut self.detail, self.view.screen) {
                    (Some(detail), _) => detail,
                    $((None, ScreenId::$name) => &mut self.$field,)*
                };
                (&mut self.view, screen)
            }
        }
    };
}

screens! {
    Overview is overview,
    Tune is tune,
    Traffic is traffic,
    Models is models,
    Spend is spend,
    Events is events,
    Quality is quality,
    Rollout is rollout,
    Worlds is worlds,
}

impl From<View> for Ui {
    fn from(view: View) -> Self {
        Self { view, ..Self::default() }
    }
}

impl Ui {
    /// Looks at a screen as it is at first.
    pub fn on(screen: ScreenId) -> Self {
        View { screen, ..View::default() }.into()
    }

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

    /// Returns what is drawn: the request looked at, or the screen.
    pub fn front(&self) -> &dyn Screen {
        self.detail.as_ref().map_or_else(|| self.screen(), |detail| detail as &dyn Screen)
    }

    /// Returns the context whose keys hold.
    pub fn context(&self) -> Context {
        if self.detail.is_some() { Context::Detail } else { self.view.screen.context() }
    }

    /// Returns what a drawing of a snapshot rests on.
    pub fn scene<'a>(&self, snapshot: &'a Snapshot, look: Look<'a>) -> Scene<'a> {
        Scene { snapshot, view: self.view, look }
    }

    /// Draws the body of the screen.
    pub fn draw(&self, snapshot: &Snapshot, look: Look<'_>, area: Rect, buf: &mut Buffer) {
        self.front().draw(self.scene(snapshot, look), area.intersection(buf.area), buf);
    }

    /// Takes an action that belongs to the screen or the request view.
    pub fn act(&mut self, action: Action, snapshot: &Snapshot) -> Asks {
        let (view, screen) = self.parts();
        let asks = screen.act(*view, action, snapshot);
        self.settle(asks, snapshot)
    }

    /// Brings into view what an action on Spend is about; says whether it was out of it, or another panel had the keys.
    pub fn brings_into_view(&mut self, action: Action) -> bool {
        let panel = match action {
            Action::Why => spend::WHY_PANEL,
            Action::NextDimension => spend::UNITS_PANEL,
            _ => return false,
        };
        let is_other = self.context() == Context::Spend && self.view.focus != panel;
        if is_other {
            self.view.focus = panel;
        }
        is_other
    }

    /// Takes a digit.
    pub fn digit(&mut self, digit: char) -> Asks {
        let (view, screen) = self.parts();
        screen.digit(*view, digit)
    }

    /// Takes the mouse; `area` is where the body was drawn.
    pub fn point(&mut self, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let (view, screen) = self.parts();
        let asks = screen.point(view, pointer, area, snapshot);
        self.settle(asks, snapshot)
    }

    /// Does what one screen asks of another; returns what is asked of others.
    fn settle(&mut self, mut asks: Asks, snapshot: &Snapshot) -> Asks {
        asks.retain(|ask| {
            match *ask {
                Ask::Choose(model) => self.models.choose(model),
                Ask::Close => self.detail = None,
                Ask::Neighbour(by) => self.neighbour(by, snapshot),
                _ => return true,
            }
            false
        });
        asks
    }

    /// Looks at the request so many rows further down the table, where there is one.
    fn neighbour(&mut self, by: isize, snapshot: &Snapshot) {
        let Some(detail) = &mut self.detail else { return };
        traffic::choose(&mut self.traffic, detail.index);
        if let Some(index) = traffic::step(&mut self.traffic, by, snapshot) {
            detail.show(index);
        }
    }
}
