//! The meanings a theme gives a look to. Screens name a meaning, never a colour.
//!
//! Invariant: every role but the first falls back to an earlier one, so a theme may leave any of them out.

macro_rules! roles {
    ($($(#[$doc:meta])* $variant:ident $name:literal <- $parent:ident,)*) => {
        /// A meaning that a theme gives a look to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role { $($(#[$doc])* $variant,)* }

        impl Role {
            /// Every role, in the order of the table; parents come first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name used in theme files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the role whose look is taken where a theme does not name this one.
            #[must_use]
            pub const fn parent(self) -> Self {
                match self { $(Self::$variant => Self::$parent,)* }
            }
        }
    };
}

roles! {
    /// Plain text; its background is painted over the whole frame.
    Text "text" <- Text,
    /// Text of lesser weight: units, scope, times.
    Muted "muted" <- Text,
    /// The line round a panel.
    Border "border" <- Muted,
    /// The line round the panel that has the keys.
    BorderFocus "border_focus" <- Border,
    /// A panel's name.
    Title "title" <- Text,
    /// A panel's scope: which window, whose traffic.
    Scope "scope" <- Muted,
    /// The header line.
    Header "header" <- Text,
    /// The state word in the header: LIVE, REPLAY, FROZEN.
    State "state" <- Header,
    /// A screen's name in the tab line.
    Tab "tab" <- Muted,
    /// The present screen's name.
    TabActive "tab_active" <- Title,
    /// The names over columns.
    Column "column" <- Muted,
    /// The chosen row.
    Selection "selection" <- Text,
    /// The letters that matched what was typed.
    Match "match" <- Text,
    /// Text being typed.
    Input "input" <- Text,
    /// A popup's ground.
    Popup "popup" <- Text,
    /// All is well.
    Ok "ok" <- Text,
    /// Something to look at.
    Warn "warn" <- Text,
    /// Something broken.
    Error "error" <- Warn,
    /// What stands out without being good or bad.
    Accent "accent" <- Title,
    /// A change for the better.
    Better "better" <- Ok,
    /// A change for the worse.
    Worse "worse" <- Error,
    /// The policy in force.
    Applied "applied" <- Accent,
    /// The policy being tried.
    Staged "staged" <- Accent,
    /// A figure that was measured.
    Observed "observed" <- Text,
    /// A figure that was worked out.
    Estimated "estimated" <- Muted,
    /// A figure of a simulation.
    Simulated "simulated" <- Estimated,
    /// A figure nobody knows.
    Unknown "unknown" <- Muted,
    /// The lines of a chart's axes.
    ChartAxis "chart.axis" <- Border,
    /// The lines behind a chart.
    ChartGrid "chart.grid" <- ChartAxis,
    /// The numbers at a chart's axes.
    ChartLabel "chart.label" <- Muted,
    /// First of the colours that tell models apart.
    Series1 "series.1" <- Accent,
    /// Second of them.
    Series2 "series.2" <- Series1,
    /// Third of them.
    Series3 "series.3" <- Series2,
    /// Fourth of them.
    Series4 "series.4" <- Series3,
    /// Fifth of them.
    Series5 "series.5" <- Series4,
    /// Sixth of them.
    Series6 "series.6" <- Series5,
    /// Seventh of them.
    Series7 "series.7" <- Series6,
    /// Eighth of them.
    Series8 "series.8" <- Series7,
    /// The filled part of a gauge.
    GaugeFill "gauge.fill" <- Accent,
    /// The empty part of a gauge.
    GaugeEmpty "gauge.empty" <- Border,
    /// The line a slider runs on.
    SliderTrack "slider.track" <- Border,
    /// The slider's knob.
    SliderKnob "slider.knob" <- Staged,
    /// The knob of the value in force while another is tried.
    SliderGhost "slider.ghost" <- Applied,
    /// The event rate behind the play head.
    ReplayRate "replay.rate" <- Muted,
    /// The play head.
    ReplayHead "replay.head" <- Accent,
    /// A mark the operator set.
    ReplayMark "replay.mark" <- Staged,
    /// An error on the playback strip.
    ReplayError "replay.error" <- Error,
    /// The stretch that is played again and again.
    ReplayLoop "replay.loop" <- Selection,
    /// A key's name.
    Key "key" <- Accent,
    /// What a key does.
    KeyHint "key_hint" <- Muted,
    /// A short message to the operator.
    Toast "toast" <- Selection,
}

impl Role {
    /// The eight roles that tell models apart.
    pub const SERIES: [Self; 8] = [
        Self::Series1,
        Self::Series2,
        Self::Series3,
        Self::Series4,
        Self::Series5,
        Self::Series6,
        Self::Series7,
        Self::Series8,
    ];

    /// Returns the role of the `index`th model, starting again after eight.
    pub fn series(index: usize) -> Self {
        Self::SERIES.get(index % 8).copied().unwrap_or(Self::Series1)
    }

    /// Finds a role by its name in theme files.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chain_of_parents_ends_at_text() {
        for &role in Role::ALL {
            assert_eq!(Role::named(role.name()), Some(role));
            assert!(role.parent() < role || role == Role::Text, "{role:?} must come after its parent");
        }
    }
}
