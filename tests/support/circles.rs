//! Which file of a crate takes what from which, and the circles in that: files that cannot be understood, moved or built
//! one without the others. A name that a module only hands on counts for the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{self, Word};

/// A module's place below the crate's root.
type Module = Vec<String>;

/// A path as it is written in a module, made absolute: the module it starts at, and what follows.
#[derive(Clone, Debug)]
struct Named {
    from: Module,
    rest: Vec<String>,
}

/// What the files of a crate take from each other.
#[derive(Default)]
pub(crate) struct Imports {
    files: BTreeMap<Module, String>,
    /// By module, the names that it hands on, and where they come from.
    handed_on: BTreeMap<Module, BTreeMap<String, Named>>,
    /// By module, the modules that it takes from, with the names.
    taken: BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>>,
}

fn module_of(path: &str) -> Module {
    let below = path.trim_start_matches("src/").trim_end_matches(".rs");
    let parts = below.split('/').filter(|part| !matches!(*part, "mod" | "lib"));
    parts.map(str::to_owned).collect()
}

/// Reads one tree of a `use`, from its first word on, into the paths it stands for and the names they get.
fn tree(words: &[Word], at: &mut usize, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let mut path = before.to_vec();
    loop {
        match words.get(*at).map(|word| word.text.as_str()) {
            Some("{") => {
                *at += 1;
                while words.get(*at).is_some_and(|word| !matches!(word.text.as_str(), "}" | ";")) {
                    if words[*at].text == "," {
                        *at += 1;
                    } else {
                        tree(words, at, &path, found);
                    }
                }
                *at += 1;
                return;
            }
            Some("::") => *at += 1,
            Some("as") => {
                let name = words.get(*at + 1).map(|word| word.text.clone()).unwrap_or_default();
                *at += 2;
                return found.push((path, name));
            }
            None | Some("," | "}" | ";") => {
                if path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                let name = path.last().cloned().unwrap_or_default();
                return found.push((path, name));
            }
            Some(word) => {
                path.push(word.to_owned());
                *at += 1;
            }
        }
    }
}

impl Imports {
    /// Reads the files of a crate, each by its path from `src/` on and its text; those of tests stay out.
    pub(crate) fn read(files: &[(String, String)]) -> Self {
        let mut imports = Self::default();
        imports.files.extend(files.iter().map(|(path, _)| (module_of(path), path.clone())));
        let mut named: Vec<(Module, Named)> = Vec::new();
        for (path, text) in files {
            let module = module_of(path);
            let words: Vec<Word> = source::words(text).into_iter().filter(|word| !word.test).collect();
            named.extend(imports.paths(&module, &words).into_iter().map(|path| (module.clone(), path)));
        }
        for (module, path) in named {
            let Some((from, name)) = imports.definition(&path, 0) else { continue };
            if from != module {
                let taken = imports.taken.entry(module).or_default();
                taken.entry(from).or_default().insert(name);
            }
        }
        imports
    }

    fn paths(&mut self, module: &Module, words: &[Word]) -> Vec<Named> {
        let mut paths = Vec::new();
        // Modules that are imported whole; what is taken from them stands behind their names.
        let mut whole: BTreeMap<String, Named> = BTreeMap::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let is_capture = words.get(at + 1).is_some_and(|word| word.text == "<");
            if word.text == "use" && !is_capture {
                let is_public = at > 0 && matches!(words[at - 1].text.as_str(), "pub" | ")");
                at += 1;
                let mut found = Vec::new();
                tree(words, &mut at, &[], &mut found);
                for (path, name) in found {
                    let Some(path) = self.absolute(module, &path, word.inline) else { continue };
                    if is_public {
                        self.handed_on.entry(module.clone()).or_default().insert(name, path);
                    } else if self.is_module(&path) {
                        whole.insert(name, path);
                    } else {
                        paths.push(path);
                    }
                }
                continue;
            }
            let follows = at > 0 && matches!(words[at - 1].text.as_str(), "::" | "." | "mod");
            let mut end = at;
            while !follows && words.get(end + 1).is_some_and(|word| word.text == "::") {
                end += 2;
            }
            if end > at {
                let path: Vec<String> =
                    words.iter().take(end + 1).skip(at).step_by(2).map(|word| word.text.clone()).collect();
                if let Some(Named { from, rest }) = whole.get(&path[0]) {
                    let rest = rest.iter().chain(&path[1..]).cloned().collect();
                    paths.push(Named { from: from.clone(), rest });
                } else if let Some(path) = self.absolute(module, &path, word.inline) {
                    paths.push(path);
                }
            }
            at = end.max(at) + 1;
        }
        paths
    }

    fn absolute(&self, module: &Module, path: &[String], inline: usize) -> Option<Named> {
        let mut from = module.clone();
        let ups = path.iter().take_while(|part| *part == "super").count();
        let skip = match path.first()?.as_str() {
            "crate" => {
                from.clear();
                1
            }
            "self" => 1,
            "super" => {
                from.truncate(from.len().saturating_sub(ups.saturating_sub(inline)));
                ups
            }
            child => {
                from.push(child.to_owned());
                let is_child = self.files.contains_key(&from);
                from.pop();
                if !is_child {
                    return None;
                }
                0
            }
        };
        Some(Named { from, rest: path.get(skip..)?.to_vec() })
    }

    fn is_module(&self, path: &Named) -> bool {
        let whole: Module = path.from.iter().chain(&path.rest).cloned().collect();
        self.files.contains_key(&whole)
    }

    /// Finds the file that defines what a path names, through those that only hand it on.
    fn definition(&self, path: &Named, depth: usize) -> Option<(Module, String)> {
        let (mut from, mut rest) = (path.from.clone(), path.rest.as_slice());
        while let Some((first, others)) = rest.split_first() {
            from.push(first.clone());
            if !self.files.contains_key(&from) {
                from.pop();
                break;
            }
            rest = others;
        }
        let name = rest.first()?;
        let further = self.handed_on.get(&from).and_then(|names| names.get(name)).filter(|_| depth < 8);
        if let Some(Named { from, rest: inner }) = further {
            let rest = inner.iter().chain(&rest[1..]).cloned().collect();
            return self.definition(&Named { from: from.clone(), rest }, depth + 1);
        }
        self.files.contains_key(&from).then(|| (from, name.clone()))
    }

    fn reach(&self, from: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<&Module> = vec![from];
        while let Some(module) = waiting.pop() {
            for next in self.taken.get(module).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(next) {
                    waiting.push(next);
                }
            }
        }
        reached
    }

    /// Lists what ties the files that import each other in a circle: a line for each, empty where there is none.
    pub(crate) fn circles(&self) -> Vec<String> {
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            self.files.keys().map(|module| (module, self.reach(module))).collect();
        let mut ties = Vec::new();
        for (module, taken) in &self.taken {
            for (from, names) in taken.iter().filter(|(from, _)| reached[from].contains(module)) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let (file, other) = (&self.files[module], &self.files[from]);
                ties.push(format!("{file} -> {other}: {}", names.join(", ")));
            }
        }
        ties
    }
}
