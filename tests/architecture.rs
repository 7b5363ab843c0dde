//! The house rules that a compiler does not hold: which room may name which, what the pure core must not touch, and how
//! files are kept. Reads the sources; ARCHITECTURE.md says why the walls stand where they do.

#![expect(clippy::unwrap_used, reason = "a test's own scaffolding may fail the test")]

#[path = "support/circles.rs"]
mod circles;
#[path = "support/map.rs"]
mod map;
#[path = "support/packages.rs"]
mod packages;
#[path = "support/source.rs"]
mod source;

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use source::Word;

/// The pure core, lowest first. Arrows point downwards: each room may name those before it.
/// Those from `anomaly` on stand last: they score in floats, or only tell,, and nothing that routes, charges or refuses may name them.
const CORE: &[&str] = &[
    "units",
    "pricing",
    "prompt_cache",
    "forecast",
    "budget",
    "runaway",
    "classifier",
    "checks",
    "bandit",
    "routing",
    "outcome",
    "world",
    "savings",
    "variance",
    "telemetry",
    "engine",
    "rollout",
    "automation",
    "anomaly",
    "alert",
    "calibration",
    "certificate",
];

/// Rooms of the core that score in floats.
const SCORES: &[&str] = &["anomaly", "calibration", "certificate"];

/// The shells and what each may name of the rooms outside the core, and which part of the core.
const SHELLS: &[Shell] = &[
    // Logs carry requests, usage, prices and judgements; what is made of them is decided above.
    Shell { name: "record", core: &["units", "pricing", "classifier", "checks", "routing"], shells: &[] },
    Shell { name: "config", core: CORE, shells: &[] },
    Shell { name: "report", core: CORE, shells: &[] },
    Shell { name: "session", core: CORE, shells: &["record"] },
    // The sample is traffic under a policy file of its own.
    Shell { name: "sample", core: CORE, shells: &["record", "config", "report"] },
    // A scenario is a worked example: it states events and shows the engine's figures as a report.
    Shell { name: "scenario", core: CORE, shells: &["record", "config", "report"] },
    // Learns in floats, on all cores, and hands out whole numbers; nothing that decides may name it.
    Shell { name: "training", core: &["units", "classifier", "calibration"], shells: &[] },
    // Sees traffic only as the session's pictures; record is out so that live traffic can take a log's place.
    Shell { name: "console", core: CORE, shells: &["session", "config"] },
    // Dialects of clients and providers; usage blocks are read by the same code as in logs.
    Shell { name: "wire", core: &["units", "pricing", "checks", "routing"], shells: &["record"] },
    // Carries wire requests to models; its settings come from files.
    Shell { name: "providers", core: CORE, shells: &["wire", "config"] },
    // Writes what happened, in the terms of a log.
    Shell { name: "ledger", core: CORE, shells: &["record", "config"] },
    Shell { name: "access", core: &["units"], shells: &["config"] },
    // Tells receivers of alerts; what is to be told is in the ledger first.
    Shell { name: "notify", core: CORE, shells: &["ledger", "config"] },
    // Takes requests in, asks the live session where they go, has providers call, has the ledger write.
    Shell {
        name: "gateway",
        core: CORE,
        shells: &["wire", "providers", "ledger", "access", "notify", "session", "record", "config"],
    },
    // A client like any other: it knows no more of a gateway than its address.
    Shell { name: "drive", core: CORE, shells: &["wire", "record", "config"] },
    Shell { name: "app", core: CORE, shells: BELOW_APP },
    Shell { name: "cli", core: CORE, shells: ABOVE_ALL },
];

/// Every shell but `cli`; `app` stands last.
const ABOVE_ALL: &[&str] = &[
    "record",
    "config",
    "report",
    "session",
    "sample",
    "scenario",
    "console",
    "wire",
    "providers",
    "ledger",
    "access",
    "notify",
    "gateway",
    "drive",
    "training",
    "app",
];

/// Every shell but `app` and `cli`.
const BELOW_APP: &[&str] = match ABOVE_ALL.split_last() {
    Some((_, below)) => below,
    None => &[],
};

struct Shell {
    name: &'static str,
    core: &'static [&'static str],
    shells: &'static [&'static str],
}

/// What would make the core depend on anything but its events.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::io",
    "std::os",
    "Instant::now",
    "SystemTime",
    "Utc::now",
    "Local",
    "println!",
    "eprintln!",
    "print!",
    "eprint!",
    "static mut",
    "thread_local!",
    // The standard tables are walked in an order that differs from run to run; FxHash's are seeded by nothing.
    "HashMap",
    "HashSet",
    "RandomState",
    "tokio",
    "crossterm",
    "ratatui",
];

/// The only functions of the core that may touch a float: readings for drawing, and the one door for a recorded
/// probability. None of their results decides anything.
const FLOATS: &[(&str, &str)] = &[
    ("units/money.rs", "to_f64"),
    ("units/instant.rs", "as_secs_f64"),
    ("units/permille.rs", "from_probability"),
    // A number of a settings file, handed on to whatever the setting is.
    ("units/settings.rs", "real"),
    ("units/settings.rs", "deserialize_enum"),
    // The histogram's own interface takes quantiles as floats; 0.50, 0.95 and 0.99 of whole milliseconds come back.
    ("telemetry/latency.rs", "percentiles"),
];

/// A source file.
#[derive(Clone)]
struct File {
    /// Relative to the project, with `/`.
    path: String,
    text: String,
    /// Cut into words when a rule asks for them, once for all rules.
    words: Arc<OnceLock<Vec<Word>>>,
}

impl File {
    fn new(path: String, text: String) -> Self {
        Self { path, text, words: Arc::default() }
    }

    fn words(&self) -> &[Word] {
        self.words.get_or_init(|| source::words(&self.text))
    }
}

fn files_below(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root).unwrap().components();
                let name: Vec<_> = name.map(|part| part.as_os_str().to_string_lossy()).collect();
                found.push(File::new(name.join("/"), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn sources() -> Vec<File> {
    let found: Vec<File> = everything().into_iter().filter(|file| file.path.starts_with("src/")).collect();
    assert!(found.len() > 100, "the sources are not where they should be: {} files", found.len());
    found
}

fn everything() -> Vec<File> {
    static READ: OnceLock<Vec<File>> = OnceLock::new();
    let read = || ["src", "tests", "benches", "examples"].into_iter().flat_map(files_below).collect();
    READ.get_or_init(read).clone()
}

/// Returns the room that a path under `src` belongs to and how deep the module lies; `None` for the roots.
fn room(path: &str) -> Option<(&str, usize)> {
    let below = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let parts: Vec<&str> = below.split('/').collect();
    let depth = parts.len() - usize::from(parts.last() == Some(&"mod"));
    (!matches!(below, "base" | "service" | "lib" | "main")).then(|| (parts[0], depth))
}

fn may_name(room: &str, named: &str) -> bool {
    if room == named {
        return true;
    }
    if let Some(height) = CORE.iter().position(|&core| core == room) {
        return CORE[..height].contains(&named);
    }
    SHELLS
        .iter()
        .find(|shell| shell.name == room)
        .is_some_and(|shell| shell.core.contains(&named) || shell.shells.contains(&named))
}

fn arrows(file: &File) -> Vec<String> {
    let Some((from, depth)) = room(&file.path) else { return Vec::new() };
    let words = file.words();
    let mut wrong: Vec<String> = source::rooms(words, depth)
        .into_iter()
        .filter(|(named, _)| !may_name(from, named))
        .map(|(named, line)| format!("{}:{line}: `{from}` must not name `{named}`", file.path))
        .collect();
    // Naming the library from inside would walk around this test.
    wrong.extend(
        source::find(words, "pointsman::")
            .iter()
            .map(|word| format!("{}:{}: write `crate::`", file.path, word.line)),
    );
    wrong
}

fn is_core(path: &str) -> bool {
    room(path).is_some_and(|(room, _)| CORE.contains(&room))
}

fn impurities(file: &File) -> Vec<String> {
    let words = outside_tests(file);
    let found = IMPURE
        .iter()
        .flat_map(|name| source::find(&words, name).into_iter().map(move |word| (name, word.line)));
    found.map(|(name, line)| format!("{}:{line}: the core must not use `{name}`", file.path)).collect()
}

fn floats(file: &File) -> Vec<String> {
    if room(&file.path).is_some_and(|(room, _)| SCORES.contains(&room)) {
        return Vec::new();
    }
    let words = outside_tests(file);
    let mut wrong = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let excused = |function: &str| FLOATS.contains(&(file.path.trim_start_matches("src/"), function));
        // A parameter or a result stands before the function's brace: look for the `fn` it belongs to.
        let announced =
            words[..at].iter().rposition(|word| word.text == "fn").and_then(|fun| words.get(fun + 1));
        let excused = excused(&word.function) || announced.is_some_and(|name| excused(&name.text));
        if source::is_float(&word.text) && !excused {
            wrong.push(format!(
                "{}:{}: `{}`: no float in the core; see FLOATS",
                file.path, word.line, word.text
            ));
        }
    }
    wrong
}

/// Returns the files that are compiled for tests alone: `#[cfg(test)] mod name;`.
fn test_files(sources: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources {
        let folder = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
        for window in file.words().windows(10) {
            let text: Vec<&str> = window.iter().map(|word| word.text.as_str()).collect();
            if let ["#", "[", "cfg", "(", "test", ")", "]", "mod", name, ";"] = text.as_slice() {
                found.push(format!("{folder}/{name}.rs"));
            }
        }
    }
    found
}

fn core_of(sources: Vec<File>) -> Vec<File> {
    let for_tests = test_files(&sources);
    sources.into_iter().filter(|file| is_core(&file.path) && !for_tests.contains(&file.path)).collect()
}

fn outside_tests(file: &File) -> Vec<Word> {
    file.words().iter().filter(|word| !word.test).cloned().collect()
}

fn manners(file: &File) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |line: usize, what: &str| wrong.push(format!("{}:{line}: {what}", file.path));
    if !file.text.starts_with("//! ") {
        say(1, "a file opens with `//!`: what it is for, and its invariant");
    }
    let lines = file.text.lines().count();
    if lines > 600 {
        say(lines, "longer than 600 lines: two concerns, two files");
    }
    let words = file.words();
    let modules = ["util", "utils", "helpers", "helper", "common", "misc", "manager"];
    let banned = (modules.into_iter().map(|name| (format!("mod {name}"), "name a module by what it holds")))
        .chain(["todo!", "unimplemented!", "dbg!"].map(|name| (name.to_owned(), "no finished work")))
        .chain(
            ["#[allow(", "#![allow("].map(|name| (name.to_owned(), "use `#[expect(.., reason = \"..\")]`")),
        );
    for (name, why) in banned {
        for word in source::find(words, &name) {
            say(word.line, &format!("`{name}`: {why}"));
        }
    }
    wrong
}

fn hold(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn arrows_point_downwards() {
    hold(&sources().iter().flat_map(arrows).collect::<Vec<_>>());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = sources();
    let for_tests = test_files(&sources);
    let of_tests = |path: &String| for_tests.contains(path) || path == "src/main.rs";
    let files: Vec<(String, String)> =
        sources.into_iter().map(|file| (file.path, file.text)).filter(|(path, _)| !of_tests(path)).collect();
    let ties = circles::Imports::read(&files).circles();
    hold(&ties);
}

#[test]
fn a_circle_is_found_through_names_that_are_handed_on() {
    let files = |low: &str, high: &str| {
        [
            ("src/room/mod.rs", "//! A.\nmod high;\nmod low;\npub use high::High;\npub(super) use low::{Low, other as another};"),
            ("src/room/high.rs", high),
            ("src/room/low.rs", low),
        ]
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
    };
    let ties = |low: &str, high: &str| circles::Imports::read(&files(low, high)).circles();
    let plain = "pub struct Low;";
    let takes = "use super::Low;\npub struct High(Low);";
    assert!(ties(plain, takes).is_empty(), "to hand a name on is not to take it");
    for back in [
        "use crate::room::High;",
        "use super::high;\nfn f(high: high::High) {}",
        "fn f() { super::high::make(); }",
        "mod inner { fn f() { super::super::High::new(); } }",
        "use super::{Low as Own, High as Other};",
    ] {
        let found = ties(&format!("{plain}\n{back}"), takes);
        assert_eq!(found.len(), 2, "{back}: {found:?}");
        assert!(found[1].starts_with("src/room/low.rs -> src/room/high.rs: "), "{back}: {found:?}");
    }
    assert!(
        ties(&format!("{plain}\n#[cfg(test)]\nmod tests {{ use crate::room::High; }}"), takes).is_empty()
    );
    assert!(ties(&format!("{plain}\n// crate::room::High\nfn f() {{ x.high::<u8>(); }}"), takes).is_empty());
}

#[test]
fn every_room_is_on_the_plan() {
    let strange: Vec<String> = sources()
        .iter()
        .filter_map(|file| room(&file.path).map(|(room, _)| room.to_owned()))
        .filter(|room| !CORE.contains(&room.as_str()) && !SHELLS.iter().any(|shell| shell.name == room))
        .collect();
    assert!(strange.is_empty(), "say in this test what these may name: {strange:?}");
}

#[test]
fn the_core_is_pure() {
    hold(&core_of(sources()).iter().flat_map(impurities).collect::<Vec<_>>());
}

#[test]
fn no_float_decides_anything() {
    hold(&core_of(sources()).iter().flat_map(floats).collect::<Vec<_>>());
}

#[test]
fn files_are_kept_well() {
    hold(&everything().iter().flat_map(manners).collect::<Vec<_>>());
}

#[test]
fn what_the_map_names_is_there() {
    let page = include_str!("../ARCHITECTURE.md");
    let mut wrong = map::astray(page, Path::new(env!("CARGO_MANIFEST_DIR")));
    let sources: String = everything().into_iter().map(|file| file.text).collect();
    wrong.extend(map::unheld(page, &sources).iter().map(|name| format!("no function is called `{name}`")));
    assert!(wrong.is_empty(), "ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn documents_lead_where_they_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for folder in [root.to_owned(), root.join("docs")] {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "md") {
                let links = map::dead_links(&fs::read_to_string(&path).unwrap(), &folder);
                wrong.extend(links.iter().map(|link| format!("{}: {link} leads nowhere", path.display())));
            }
        }
    }
    let words = include_str!("../README.md").split_whitespace().count();
    if words > 2000 {
        wrong.push(format!("README.md has {words} words: what a newcomer does not need belongs in docs/"));
    }
    hold(&wrong);
}

// The rules above are worth only what these findings are worth: each is broken here on purpose.

fn made_up(path: &str, text: &str) -> File {
    File::new(path.to_owned(), text.to_owned())
}

fn lines(wrong: &[String]) -> Vec<usize> {
    let line = |text: &String| text.split(':').nth(1).and_then(|line| line.parse().ok());
    wrong.iter().filter_map(line).collect()
}

#[test]
fn an_arrow_upwards_is_found_however_it_is_written() {
    let upwards = [
        ("src/units/money.rs", "use crate::pricing::Usage;"),
        ("src/units/money.rs", "use crate::{units::Span, engine};"),
        ("src/units/money.rs", "fn f() -> crate\n    ::engine::Event {}"),
        ("src/units/mod.rs", "use super::pricing::Usage;"),
        ("src/units/money.rs", "use super::super::pricing::Usage;"),
        ("src/units/money.rs", "mod tests { use super::super::super::engine; }"),
        ("src/units/money.rs", "use pointsman::engine::Event;"),
        ("src/record/json.rs", "use crate::engine::Event;"),
        ("src/console/frame.rs", "use crate::record::Input;"),
        ("src/console/frame.rs", "use crate::app::Setup;"),
        ("src/config/mod.rs", "use crate::session::Log;"),
        ("src/app/load.rs", "use crate::cli::Cli;"),
        // A score must not decide.
        ("src/engine/mod.rs", "use crate::anomaly::Detector;"),
    ];
    for (path, text) in upwards {
        assert_eq!(arrows(&made_up(path, text)).len(), 1, "{path}: {text}");
    }
    let downwards = [
        ("src/engine/mod.rs", "use crate::{units::Span, outcome::Attempt};"),
        (
            "src/units/money.rs",
            "// crate::engine\n/* crate::engine */ const A: &str = \"crate::engine\"; use super::names;",
        ),
        ("src/units/money.rs", "mod tests { use super::super::names; }"),
        ("src/console/screens/traffic/mod.rs", "use super::super::paint;"),
        ("src/console/app.rs", "use crate::session::Snapshot;"),
        ("src/lib.rs", "use crate::cli;"),
        ("src/base.rs", "use crate::wire;"),
        ("src/service.rs", "use crate::gateway;"),
    ];
    for (path, text) in downwards {
        assert_eq!(arrows(&made_up(path, text)), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn what_the_core_must_not_touch_is_found() {
    let text = "use std::fs;\nuse std::{io, sync};\nlet a = Instant::now();\nlet m: HashMap<u8, u8>;\nprintln!();\n\
                use rustc_hash::FxHashMap;\n// std::fs\nlet s = \"std::fs\";\n#[cfg(test)]\nmod tests {\n use std::fs;\n}\nuse std::env;";
    let mut found = lines(&impurities(&made_up("src/units/a.rs", text)));
    found.sort_unstable();
    assert_eq!(found, [1, 2, 3, 4, 5, 13]);
    let sources = vec![
        made_up("src/units/mod.rs", "mod a;\n#[cfg(test)]\nmod b;"),
        made_up("src/units/a.rs", ""),
        made_up("src/units/b.rs", ""),
        made_up("src/cli/mod.rs", ""),
    ];
    let core: Vec<_> = core_of(sources).into_iter().map(|file| file.path).collect();
    assert_eq!(
        core,
        ["src/units/mod.rs", "src/units/a.rs"],
        "what is compiled for tests alone may read files"
    );
}

#[test]
fn a_float_in_the_core_is_found() {
    let text = "fn share(a: u64) -> f64 {\n    a as f64\n}\nconst A: u8 = 1;\nfn b() { let x = 0.5; let y = 1e3; let z = 2.; }\n\
                fn c(t: (u8, (u8, u8))) { t.1.0; for _ in 0..10 { 1.max(2); } 0xfe; 0usize; }\n\
                #[cfg(test)]\nmod tests { fn d() { 0.5; } }";
    assert_eq!(lines(&floats(&made_up("src/routing/a.rs", text))), [1, 2, 5, 5, 5]);
    let excused = "impl Pico {\n    pub fn to_f64(self) -> f64 {\n        self.0 as f64 / 1e12\n    }\n}";
    assert_eq!(floats(&made_up("src/units/money.rs", excused)), Vec::<String>::new());
    assert_eq!(lines(&floats(&made_up("src/units/count.rs", excused))), [2, 3, 3]);
}

#[test]
fn bad_manners_are_found() {
    let bad = [
        "fn a() {}",
        "//! A.\nmod util;",
        "//! A.\nfn a() { todo!() }",
        "//! A.\n#[allow(dead_code)]\nfn a() {}",
        "//! A.\n#![allow(unused)]",
    ];
    for text in bad {
        assert_eq!(manners(&made_up("src/a.rs", text)).len(), 1, "{text}");
    }
    assert_eq!(manners(&made_up("src/a.rs", &format!("//! A.\n{}", "\n".repeat(600)))).len(), 1);
    assert_eq!(
        manners(&made_up("src/a.rs", "//! A.\n/// Never `todo!()`.\nfn utility() { \"#[allow(x)]\"; }"))
            .len(),
        0
    );
}

#[test]
fn an_idle_dependency_is_found() {
    let manifest = "[dependencies]\nclap-man = \"1\"\nserde = \"1\"\nidle = \"1\"\n[target.'cfg(unix)'.dependencies]\nunixy = \"1\"\n";
    let sources =
        [made_up("src/a.rs", "use clap_man::Man; #[derive(serde::Serialize)] struct A; // idle::a\n")];
    assert_eq!(packages::idle(manifest, &sources), ["idle", "unixy"]);
}

#[test]
fn what_a_map_names_in_vain_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let good = "**`units/`** `money.rs` and `text.rs`; `session/live.rs` `ticket.rs`; `config/prices/{list,guide-2026}.toml`";
    assert_eq!(map::astray(good, root), Vec::<String>::new());
    let bad = "`money.rs`\n**`units/`** `gold.rs`\n\n`text.rs`; `wire/{relay,delay}.rs` `gone/`";
    let lines = ["1: `money.rs`", "2: `gold.rs`", "4: `text.rs`", "4: `wire/delay.rs`", "4: `gone/`"];
    assert_eq!(map::astray(bad, root), lines.map(|line| format!("{line} is not there")));
    let links = "[a](LICENSE-MIT) [b](docs/policy.md#modes) [c](#here-it-is) [d](https://x.y) [e](docs/none.md) [f](README.md#none)\n## Here: it is";
    assert_eq!(map::dead_links(links, root), ["docs/none.md", "README.md#none"]);
    let sources = "fn what_is_held() {}";
    assert_eq!(map::unheld("`what_is_held`, `what_is_not`, `after_attempt`", sources), ["what_is_not"]);
}
