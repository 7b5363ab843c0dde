//! The language of filters: every form with its meaning, for help and documents; names completed while they are typed.
//!
//! Invariant: every form listed is read by [`Filter`]; what completion offers is a term that can be read.

use super::filter::{FIGURES, Filter, NAMES, Name, SOURCES, Term, Test, brief, holds};
use crate::classifier::TaskClass;
use crate::routing::Status;
use crate::session::Snapshot;
use crate::units::{ModelId, clean};

/// Forms of terms with what each lists; terms after one another must all hold.
pub const LANGUAGE: &[(&str, &str)] = &[
    ("word", "any name or id holds this text, in any case"),
    ("\"two words\"", "quotes hold blanks, commas and signs together"),
    ("team:search", "the name is exactly this; also project session task route model asked id"),
    ("team:search,ads", "either of these"),
    ("model~gpt", "the name holds this text"),
    ("team:-", "no name was given"),
    ("!team:search", "all but these; - does the same"),
    ("status:error", "how it ended: error is all but ok; ok, timeout, rate_limited, an HTTP code"),
    ("conf<600", "confidence in per mille; < <= > >= = compare, conf=none is unknown"),
    ("cost>0.05", "dollars; cost=unknown lists what has no price"),
    ("latency>5s", "ms, s or m; latency=unknown"),
    ("tokens>10k", "prompt and answer together; k and m are understood"),
    ("source:recorded", "where the confidence is from: recorded, classified, text, measures, none"),
    ("escalated", "went up the ladder"),
    ("estimated", "some of its figures are estimates"),
    ("simulated", "some of it is synthetic"),
    ("flips", "the staged policy starts it on another rung"),
    ("window", "only the window's requests, not all so far"),
];

/// Words that are terms by themselves.
const FLAGS: [&str; 5] = ["escalated", "estimated", "simulated", "flips", "window"];

/// The most names looked through: a log may hold a name for every request.
const LOOKED_AT: usize = 20_000;

/// Returns the lines that could stand in place of the one typed, its last term completed, the likeliest first.
pub fn completions(line: &str, snapshot: &Snapshot) -> Vec<String> {
    let start = last_piece(line);
    let (before, piece) = line.split_at(start);
    let negated = usize::from(piece.starts_with(['!', '-']) && piece.len() > 1);
    let (sign, piece) = piece.split_at(negated);
    if piece.is_empty() || piece.starts_with('"') {
        return Vec::new();
    }
    let terms = match piece.find([':', '~', '<', '>', '=']) {
        Some(at) => values(piece, at, snapshot),
        None => keys(piece, snapshot),
    };
    let lines = terms.into_iter().filter(|term| term != piece).map(|term| format!("{before}{sign}{term}"));
    lines.collect()
}

/// Finds where the last blank-separated piece starts; blanks inside quotes part nothing.
fn last_piece(line: &str) -> usize {
    let (mut start, mut inside) = (0, false);
    for (at, c) in line.char_indices() {
        inside ^= c == '"';
        if c.is_whitespace() && !inside {
            start = at + c.len_utf8();
        }
    }
    start
}

/// Names that start so, then words that do, then things of the log that are called so.
fn keys(piece: &str, snapshot: &Snapshot) -> Vec<String> {
    let lower = piece.to_lowercase();
    let starts = |name: &&str| name.starts_with(&lower);
    let names = NAMES.iter().map(|(name, _)| *name).chain(["status", "source"]);
    let mut all: Vec<String> = names.filter(starts).map(|name| format!("{name}:")).collect();
    all.extend(FIGURES.iter().map(|(name, _)| *name).filter(starts).map(|name| format!("{name}>")));
    all.extend(FLAGS.into_iter().filter(starts).map(str::to_owned));
    if lower.chars().count() >= 2 {
        for (key, name) in NAMES {
            if matches!(name, Name::Team | Name::Project | Name::Model | Name::Route | Name::Task) {
                let found = called(name, &lower, snapshot);
                all.extend(found.into_iter().map(|name| format!("{key}:{}", quoted(&name))));
            }
        }
    }
    all
}

/// Completes what stands behind the sign at `at`, after the last comma.
fn values(piece: &str, at: usize, snapshot: &Snapshot) -> Vec<String> {
    let key = piece.get(..at).unwrap_or_default().to_ascii_lowercase();
    let rest = piece.get(at..).unwrap_or_default();
    let part = rest.trim_start_matches([':', '~', '<', '>', '=']);
    let part = part.rsplit(',').next().unwrap_or(part);
    let kept = piece.get(..piece.len() - part.len()).unwrap_or(piece);
    let lower = part.trim_matches('"').to_lowercase();
    if FIGURES.iter().any(|(name, _)| *name == key) {
        // A number follows from nothing; only what stands for none can be completed.
        let none =
            ["unknown", "none"].into_iter().filter(|word| !lower.is_empty() && word.starts_with(&lower));
        return none.filter(|_| rest.starts_with([':', '='])).map(|word| format!("{kept}{word}")).collect();
    }
    let starts = |name: &&str| name.starts_with(&lower);
    let found: Vec<String> = match key.as_str() {
        "status" => {
            let names = Status::ALL.iter().map(|status| status.name());
            ["error"].into_iter().chain(names).filter(starts).map(str::to_owned).collect()
        }
        "source" => SOURCES.iter().map(|(name, _)| *name).filter(starts).map(str::to_owned).collect(),
        key => match NAMES.iter().find(|(name, _)| *name == key) {
            Some(&(_, name)) => called(name, &lower, snapshot),
            None => Vec::new(),
        },
    };
    found.into_iter().map(|name| format!("{kept}{}", quoted(&name))).collect()
}

/// Writes a name as a filter reads it back whole.
pub fn quoted(name: &str) -> String {
    let plain = !name.contains(|c: char| c.is_whitespace() || c == ',');
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

/// Returns the filter that lists the window's requests that a model answered, or that no named model did.
pub fn answered_by(model: Option<ModelId>, snapshot: &Snapshot) -> String {
    let name = model.filter(|model| model.is_some()).map(|model| snapshot.log.names.model(model));
    format!("model:{} window", name.map_or_else(|| "-".to_owned(), quoted))
}

/// Returns what of the log is called so: those that start with the text, then those that hold it.
fn called(name: Name, lower: &str, snapshot: &Snapshot) -> Vec<String> {
    let mut all = named(name, snapshot);
    if name == Name::Model {
        // Names that were only asked for answer nothing.
        let mut cells = snapshot.to_date.models.iter();
        all.retain(|_| cells.next().is_some_and(|cell| !cell.is_empty()));
    }
    let found = pick(all.into_iter(), lower).into_iter().filter(|name| *name != "-");
    found.map(|name| clean(name).into_owned()).collect()
}

/// Lists what of the log has such a name; of ids and sessions, which are many, none.
fn named(name: Name, snapshot: &Snapshot) -> Vec<&str> {
    let names = &snapshot.log.names;
    match name {
        Name::Team => names.teams().iter().map(|name| &**name).collect(),
        Name::Project => names.projects().iter().map(|name| &**name).collect(),
        Name::Model | Name::Asked => names.models().iter().map(|name| &**name).collect(),
        Name::Route => snapshot.policy.routes.iter().map(|route| &*route.name).collect(),
        Name::Task => TaskClass::ALL.iter().map(|class| class.name()).collect(),
        Name::Id | Name::Session => Vec::new(),
    }
}

fn pick<'a>(names: impl Iterator<Item = &'a str>, lower: &str) -> Vec<&'a str> {
    let mut found: Vec<(bool, &str)> = names
        .take(LOOKED_AT)
        .filter(|name| holds(name, lower))
        .map(|name| (!name.to_lowercase().starts_with(lower), name))
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(_, name)| name).collect()
}

/// Says of the first term that names what the log does not have, what it has instead.
pub fn nothing_called(filter: &Filter, snapshot: &Snapshot) -> Option<String> {
    filter.terms.iter().filter(|term| !term.not).find_map(|Term { test, .. }| {
        let Test::Named(name, wanted) = test else { return None };
        let (key, _) = NAMES.iter().find(|(_, of)| of == name)?;
        let whole = wanted.iter().find_map(|text| text.strip_prefix('='))?;
        if matches!(name, Name::Task | Name::Id | Name::Session) {
            return None;
        }
        let all = named(*name, snapshot);
        if all.len() > LOOKED_AT || all.iter().any(|name| wanted.iter().any(|text| holds(name, text))) {
            return None;
        }
        if whole == "-" {
            return Some(format!("every request names its {key}"));
        }
        let lower = whole.to_lowercase();
        let held = pick(all.iter().copied(), &lower);
        let said = brief(whole);
        let short = format!("no {key} is called `{said}`");
        match held.as_slice() {
            [] => {
                let near = all.iter().map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), *name));
                let near = near.filter(|(likeness, name)| *likeness > 0.8 && *name != "-");
                let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| clean(name).into_owned());
                Some(
                    near.map_or(short.clone(), |name| {
                        format!("{short}; did you mean {key}:{}?", quoted(&name))
                    }),
                )
            }
            [one] => Some(format!("{short}; did you mean {key}:{}?", quoted(&clean(one)))),
            _ => Some(format!("{short}; {key}~{said} finds {} that hold it", held.len())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_is_told_is_understood() {
        for (form, meaning) in LANGUAGE {
            let filter = Filter::parse(form);
            assert_eq!(filter.wrong, Vec::<String>::new(), "{form}");
            assert!(!filter.is_empty() && !meaning.ends_with('.'), "{form}");
        }
        for flag in FLAGS {
            assert!(LANGUAGE.iter().any(|(form, _)| *form == flag), "{flag}");
        }
    }

    #[test]
    fn the_last_piece_is_the_one_completed() {
        assert_eq!(last_piece("team:\"data lab\" mod"), 16);
        assert_eq!(last_piece("\"a b"), 0);
        assert_eq!(last_piece("a "), 2);
    }
}
