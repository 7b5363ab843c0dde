//! Alerts as a picture has them.

use serde::{Deserialize, Serialize};

use crate::alert::Alert;

/// The most alerts that are shown: the newest.
const MOST: usize = 500;
/// The most alerts that are told with a live session's state.
const TOLD: usize = 50;

/// Alerts as they stood at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertsView {
    /// The alerts, in the order in which they fired.
    pub alerts: Vec<Alert>,
    /// Those that fire, shown or not.
    pub firing: u64,
    /// Those of them that nobody has taken note of, and that are not silenced.
    pub open: u64,
    /// What could not be delivered, in words; empty where all could.
    pub trouble: String,
}

impl AlertsView {
    /// Makes the picture of alerts in the order in which they fired.
    pub fn of(mut alerts: Vec<Alert>, trouble: String) -> Self {
        let fires = |alert: &&Alert| alert.resolved.is_none();
        let is_open = |alert: &&Alert| fires(alert) && alert.acked.is_none() && !alert.silenced;
        let firing = alerts.iter().filter(fires).count() as u64;
        let open = alerts.iter().filter(is_open).count() as u64;
        alerts.drain(..alerts.len().saturating_sub(MOST));
        Self { alerts, firing, open, trouble }
    }

    /// Makes the picture that a live session tells once a second: of fewer.
    pub fn told((alerts, trouble): (Vec<Alert>, String)) -> Self {
        let mut view = Self::of(alerts, trouble);
        view.alerts.drain(..view.alerts.len().saturating_sub(TOLD));
        view
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.trouble.is_empty()
    }
}
