//! What the house's packages may reach, by their manifests, and that nothing is named there in vain.

use super::source::{self, Word};
use super::{CORE, File, hold, room, sources};

/// What is named for its features, which tests' packages would else turn on for themselves alone.
const FOR_FEATURES: [&str; 1] = ["libc"];

/// Returns the dependencies that no source names.
pub(super) fn idle(manifest: &str, sources: &[File]) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let targets =
        manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let tables = std::iter::once(&manifest).chain(targets.filter_map(toml::Value::as_table));
    let tables = tables.filter_map(|table| table.get("dependencies")?.as_table());
    let names: Vec<&String> = tables.flat_map(toml::Table::keys).collect();
    assert!(!names.is_empty(), "the manifest lists no dependencies");
    let code: Vec<&[Word]> = sources.iter().map(File::words).collect();
    let used = |name: &str| {
        if name.starts_with("pointsman-") {
            return true;
        }
        let name = name.replace('-', "_");
        code.iter().any(|words| !source::find(words, &format!("{name}::")).is_empty())
    };
    names.into_iter().filter(|name| !used(name) && !FOR_FEATURES.contains(&name.as_str())).cloned().collect()
}

/// The packages below the topmost: what their manifests say, and which rooms are theirs.
const BASE: (&str, &str) = (include_str!("../../src/Cargo.toml"), include_str!("../../src/base.rs"));
const SERVICE: (&str, &str) =
    (include_str!("../../src/gateway/Cargo.toml"), include_str!("../../src/service.rs"));

fn is_in((_, root): (&str, &str), room: &str) -> bool {
    root.contains(&format!("pub mod {room};"))
}

#[test]
fn every_dependency_is_used() {
    let within = |of, file: &File| room(&file.path).is_some_and(|(room, _)| is_in(of, room));
    let (base, above): (Vec<_>, Vec<_>) = sources().into_iter().partition(|file| within(BASE, file));
    let (service, top): (Vec<_>, Vec<_>) = above.into_iter().partition(|file| within(SERVICE, file));
    hold(
        &[idle(include_str!("../../Cargo.toml"), &top), idle(SERVICE.0, &service), idle(BASE.0, &base)]
            .concat(),
    );
}

#[test]
fn the_base_reaches_neither_network_nor_database_and_the_service_no_terminal() {
    assert!(CORE.iter().chain(&["record", "session", "training", "wire"]).all(|room| is_in(BASE, room)));
    let drawn = ["crossterm", "ratatui", "clap", "indicatif"];
    let far = ["tokio", "hyper", "reqwest", "rustls", "rusqlite"].into_iter().chain(drawn);
    let reached = far.filter(|name| BASE.0.contains(name));
    let reached = reached.chain(drawn.into_iter().filter(|name| SERVICE.0.contains(name)));
    hold(&reached.map(str::to_owned).collect::<Vec<_>>());
}
