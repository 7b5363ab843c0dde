//! The setting `explore` of a route, in the policy file.

use serde::Deserialize;

use crate::routing::ExploreSpec;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExploreFile {
    share: i64,
    below: Option<i64>,
    above: Option<i64>,
}

impl ExploreFile {
    /// Returns what it says.
    pub(super) fn spec(self) -> ExploreSpec {
        let Self { share, below, above } = self;
        ExploreSpec { share, below, above }
    }
}

/// Lists the places of its keys, for whoever finds one wrong.
pub(super) fn lines(route: &str, line: usize) -> [(String, usize); 3] {
    ["share", "below", "above"].map(|key| (format!("route.{route}.explore.{key}"), line))
}

/// Writes it as [`ExploreFile`] is read.
pub(super) fn to_toml(explore: ExploreSpec) -> String {
    let ExploreSpec { share, below, above } = explore;
    let band =
        |key: &str, band: Option<i64>| band.map_or_else(String::new, |band| format!(", {key} = {band}"));
    format!("{{ share = {share}{}{} }}", band("below", below), band("above", above))
}
