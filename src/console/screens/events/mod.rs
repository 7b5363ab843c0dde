//! The screen Events: alerts and whatever else happened, in order of time, and what can be done about them.
//!
//! ```text
//! ╭ Events · the newest first; Enter goes there ───────────────────────────── 2 alerts fire ╮
//! │ 16:28:28  ! warning: budget teams/day of research: 100% of $60 is spent ($60.7144) ...  │
//! │ 15:28:00  ✓ over: 73 of 115 calls to model gemini-2.5-flash failed within 5 minutes      │
//! ╰──────────────────────────────────────────────────────────────────────────────────────────╯
//! ```
//!
//! Invariant: a chosen event stays chosen while newer ones come.

pub(super) mod list;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::list::{Event, What};
use crate::alert::{Alert, Level};
use crate::console::action::Action;
use crate::console::screen::{Ask, Asks, FiguresOf, Pointer, Scene, Screen, View};
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::session::{AlertDeed, Command, Snapshot};
use crate::units::{Instant, Span, counted};

/// For how long a key silences alerts.
const SILENCE: Span = Span::hours(1);

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    filter: String,
    /// The chosen event's moment and words; the newest where none was chosen.
    chosen: Option<(Instant, String)>,
}

/// Says in the header how many alerts fire that nobody has taken note of.
pub fn headline(snapshot: &Snapshot) -> Option<(String, Role)> {
    let view = snapshot.alerts();
    if view.open == 0 {
        let is_well = view.trouble.is_empty();
        return (!is_well).then(|| ("alerts not delivered".to_owned(), Role::Error));
    }
    let is_open = |alert: &&Alert| alert.resolved.is_none() && alert.acked.is_none() && !alert.silenced;
    let worst = view.alerts.iter().filter(is_open).map(|alert| alert.level).max().unwrap_or_default();
    let role = match worst {
        Level::Notice => Role::Accent,
        Level::Warning => Role::Warn,
        Level::Critical => Role::Error,
    };
    Some((counted(view.open, "alert"), role))
}

impl State {
    /// Narrows the list to what has all words of a text.
    pub fn set_filter(&mut self, text: &str) {
        text.clone_into(&mut self.filter);
    }

    fn events<'a>(&self, snapshot: &'a Snapshot) -> Vec<Event<'a>> {
        let mut events = list::all(snapshot);
        list::filter(&mut events, &self.filter);
        events
    }

    /// Finds the chosen event; the one next to its moment where it is gone.
    fn place(&self, events: &[Event<'_>]) -> usize {
        let Some((at, words)) = &self.chosen else { return 0 };
        let all = || events.iter().enumerate();
        let same = all().find(|(_, event)| event.at == *at && event.words() == *words);
        let near = || all().find(|(_, event)| event.at <= *at);
        same.or_else(near).map_or(events.len().saturating_sub(1), |(row, _)| row)
    }

    fn chosen<'a>(&self, snapshot: &'a Snapshot) -> Option<Event<'a>> {
        let events = self.events(snapshot);
        events.get(self.place(&events)).copied()
    }

    fn step(&mut self, by: isize, snapshot: &Snapshot) {
        let events = self.events(snapshot);
        let row = self.place(&events).saturating_add_signed(by).min(events.len().saturating_sub(1));
        self.choose(row, &events);
    }

    fn choose(&mut self, row: usize, events: &[Event<'_>]) {
        // The newest is followed.
        self.chosen = events.get(row).filter(|_| row > 0).map(|event| (event.at, event.words()));
    }

    fn deed(&self, snapshot: &Snapshot, deed: impl FnOnce(&Alert) -> (AlertDeed, String)) -> Asks {
        if snapshot.live.is_none() {
            return vec![Ask::Refuse("a replay tells nobody; this works beside a gateway".to_owned())];
        }
        let Some(Event { what: What::Alert(alert) | What::Over(alert), .. }) = self.chosen(snapshot) else {
            return vec![Ask::Refuse("choose an alert first".to_owned())];
        };
        let (deed, words) = deed(alert);
        vec![Ask::Send(Command::Alert(deed)), Ask::Say(words)]
    }
}

impl Screen for State {
    fn figures_of(&self) -> FiguresOf {
        FiguresOf::Events
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        let events = self.events(scene.snapshot);
        let view = scene.snapshot.alerts();
        let mut scope = match view.firing {
            0 => "no alert fires".to_owned(),
            1 => "1 alert fires".to_owned(),
            many => format!("{many} alerts fire"),
        };
        for part in [&*view.trouble, &*self.filter].into_iter().filter(|part| !part.is_empty()) {
            scope = format!("{scope} {} {}", scene.look.glyphs.dot, text::clean(part));
        }
        let title = "Events, the newest first";
        list::draw(scene, (0, title, &scope), (Some(self.place(&events)), &events), area, buf);
    }

    fn act(&mut self, _: View, action: Action, snapshot: &Snapshot) -> Asks {
        match action {
            Action::Open => {
                let event = self.chosen(snapshot);
                event.map(|event| Ask::Send(Command::SeekTime(event.at))).into_iter().collect()
            }
            Action::AckAlert => {
                self.deed(snapshot, |alert| (AlertDeed::Ack(alert.id.clone()), "alert noted".to_owned()))
            }
            Action::SilenceAlert => self.deed(snapshot, |alert| {
                let (rule, scope) = (alert.rule.clone(), alert.scope.clone());
                let words = format!("nobody is told of {rule}, {} for an hour", text::clean(&scope));
                (AlertDeed::Silence { rule, scope, span: SILENCE }, words)
            }),
            _ => {
                if let Some(by) = action.rows() {
                    self.step(by, snapshot);
                }
                Asks::new()
            }
        }
    }

    fn point(&mut self, view: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        match pointer {
            Pointer::Wheel(_, _, by) => self.step(isize::from(by.signum()), snapshot),
            Pointer::Press(_, y) => {
                view.focus = 0;
                let events = self.events(snapshot);
                let place = Some(self.place(&events));
                if let Some(row) = list::hit((place, &events), snapshot, Panel::inner(area), y) {
                    self.choose(row, &events);
                }
            }
            _ => {}
        }
        Asks::new()
    }

    fn widen(&mut self) -> bool {
        !std::mem::take(&mut self.filter).is_empty()
    }
}
