//! What a document says stands where: files, folders and functions in backticks, held against the tree.
//!
//! A name may be short where its line has said the folder: after `wire/` or `wire/relay.rs`, `reply.rs` is a file of `wire/`.

use std::collections::BTreeSet;
use std::path::Path;

/// Returns the names of files and folders that lead nowhere, each with its line.
pub(crate) fn astray(text: &str, root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut bases = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        // A paragraph begins anew; a row of a table stands alone.
        if line.trim().is_empty() || line.starts_with('|') {
            bases.clear();
        }
        for name in quoted(line).filter(|name| is_path(name)).flat_map(spread) {
            let places = ["", "src/"].into_iter().chain(bases.iter().map(String::as_str));
            let found: BTreeSet<String> =
                places.map(|base| format!("{base}{name}")).filter(|path| root.join(path).exists()).collect();
            if found.is_empty() {
                wrong.push(format!("{}: `{name}` is not there", index + 1));
            }
            for path in found {
                let folder = path.rfind('/').map_or("", |slash| &path[..=slash]);
                bases.insert(folder.to_owned());
                bases.extend(path.strip_suffix(".rs").map(|module| format!("{module}/")));
            }
        }
    }
    wrong
}

/// Returns the names of functions, those with two underscores at least, that no source has.
pub(crate) fn unheld(text: &str, sources: &str) -> Vec<String> {
    let is_function = |name: &&str| {
        name.matches('_').count() > 1 && name.chars().all(|c| c == '_' || c.is_ascii_lowercase())
    };
    let functions = text.lines().flat_map(quoted).filter(is_function);
    functions.filter(|name| !sources.contains(&format!("fn {name}("))).map(str::to_owned).collect()
}

fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_path(name: &str) -> bool {
    let ends = [".rs", ".toml", ".md", ".sql", ".sh", "/"].iter().any(|end| name.ends_with(end));
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./{},-".contains(c);
    ends && !name.starts_with('/') && name.chars().all(plain)
}

/// Writes `a/{b,c}.rs` out as two names.
fn spread(name: &str) -> Vec<String> {
    let parts = name.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match parts {
        Some((before, (inside, after))) => {
            inside.split(',').map(|part| format!("{before}{part}{after}")).collect()
        }
        None => vec![name.to_owned()],
    }
}

/// Returns the links of a page in a folder of the tree that lead to no file, or to no heading of one.
pub(crate) fn dead_links(text: &str, folder: &Path) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let inward = targets.filter(|target| !target.contains("://") && !target.contains(' '));
    inward.filter(|target| !is_there(target, text, folder)).map(str::to_owned).collect()
}

fn is_there(target: &str, text: &str, folder: &Path) -> bool {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = folder.join(file);
    if heading.is_empty() {
        return path.exists();
    }
    let page = if file.is_empty() { Ok(text.to_owned()) } else { std::fs::read_to_string(path) };
    page.is_ok_and(|page| page.lines().filter_map(anchor).any(|anchor| anchor == heading))
}

/// Returns the anchor that a heading has where documents are shown as pages.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?.to_lowercase();
    let kept = heading.chars().filter(|&c| c.is_alphanumeric() || "- _".contains(c));
    Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
}
