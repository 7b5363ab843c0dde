//! Which provider serves a model: exact names, then patterns, then `PROVIDER/MODEL`.
//!
//! Invariant: the same name always finds the same provider, whatever was asked before.

use rustc_hash::FxHashMap;

use crate::config::providers::ProviderSpec;

/// The index of a provider, and what it calls the model.
pub(crate) type Found = (usize, String);

#[derive(Default)]
pub(crate) struct Models {
    exact: FxHashMap<String, Found>,
    /// Longest first; among equals in the order of the files.
    patterns: Vec<(String, usize)>,
    providers: Vec<String>,
}

impl Models {
    pub(crate) fn new(specs: &[ProviderSpec]) -> Self {
        let mut models = Self::default();
        for (at, spec) in specs.iter().enumerate() {
            models.providers.push(spec.name.clone());
            for (ours, theirs) in &spec.rename {
                models.exact.entry(ours.clone()).or_insert((at, theirs.clone()));
            }
            for name in &spec.models {
                if name.contains('*') {
                    models.patterns.push((name.clone(), at));
                } else {
                    models.exact.entry(name.clone()).or_insert((at, name.clone()));
                }
            }
        }
        crate::units::sort_by_key(&mut models.patterns, |(pattern, _)| std::cmp::Reverse(literal(pattern)));
        models
    }

    pub(crate) fn find(&self, model: &str) -> Option<Found> {
        if let Some(found) = self.exact.get(model) {
            return Some(found.clone());
        }
        if let Some((_, at)) = self.patterns.iter().find(|(pattern, _)| matches(pattern, model)) {
            return Some((*at, model.to_owned()));
        }
        // The provider itself is named; it must serve such a model all the same.
        let (provider, rest) = model.split_once('/')?;
        let at = self.providers.iter().position(|name| name == provider)?;
        if let Some(found) = self.exact.get(rest).filter(|(owner, _)| *owner == at) {
            return Some(found.clone());
        }
        let mut own = self.patterns.iter().filter(|(_, owner)| *owner == at);
        own.any(|(pattern, _)| matches(pattern, rest)).then(|| (at, rest.to_owned()))
    }

    /// Lists the names that stand in the files as they are, with their provider.
    pub(crate) fn exact(&self) -> impl Iterator<Item = (&str, usize)> {
        self.exact.iter().map(|(name, (at, _))| (name.as_str(), *at))
    }
}

/// Returns the first provider whose file names a model, or a pattern for it.
pub fn serving<'a>(specs: &'a [ProviderSpec], model: &str) -> Option<&'a str> {
    let (at, _) = Models::new(specs).find(model)?;
    specs.get(at).map(|spec| spec.name.as_str())
}

fn literal(pattern: &str) -> usize {
    pattern.bytes().filter(|&byte| byte != b'*').count()
}

/// Says whether a name fits a pattern in which `*` stands for any text, also none.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::providers::parse;

    fn models(user: &str) -> (Models, Vec<String>) {
        let spec = parse(&[("p.toml", user)]).unwrap();
        (Models::new(&spec.providers), spec.providers.into_iter().map(|spec| spec.name).collect())
    }

    fn find(user: &str, model: &str) -> Option<(String, String)> {
        let (models, names) = models(user);
        models.find(model).map(|(at, upstream)| (names[at].clone(), upstream))
    }

    #[test]
    fn patterns_fit_as_one_expects() {
        for (pattern, name, fits) in [
            ("gpt-*", "gpt-4.1", true),
            ("gpt-*", "gpt-", true),
            ("gpt-*", "my-gpt-4", false),
            ("*", "", true),
            ("*-mini", "gpt-5-mini", true),
            ("*-mini", "gpt-5-mini-2", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("o1*", "o1", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_model_finds_its_provider() {
        let served = |model: &str| find("", model).map(|(provider, _)| provider);
        for (model, provider) in [
            ("gpt-4.1-nano", "openai"),
            ("claude-opus-4-6", "anthropic"),
            ("gemini-2.5-flash", "google"),
            ("mistral-small-2503", "mistral"),
            ("text-embedding-3-small", "openai"),
            ("simulated-fast", "simulated"),
            ("google/gemini-2.5-pro", "google"),
        ] {
            assert_eq!(served(model).as_deref(), Some(provider), "{model}");
        }
        for nobody in ["", "llama", "openai/claude-opus-4-6", "nobody/gpt-4.1", "/gpt-4.1"] {
            assert_eq!(served(nobody), None, "{nobody}");
        }
        assert_eq!(
            find("", "google/gemini-x").unwrap().1,
            "gemini-x",
            "the provider's name is not sent along"
        );
    }

    #[test]
    fn the_closest_name_wins_and_the_users_own_on_equal_terms() {
        let user = "[[provider]]\nname = \"mine\"\ndialect = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
                    models = [\"gpt-*\", \"claude-opus-*\", \"*\"]\nrename = { \"gpt-4.1\" = \"dep\" }\n";
        let served = |model: &str| find(user, model).unwrap();
        assert_eq!(served("gpt-4.1"), ("mine".into(), "dep".into()));
        assert_eq!(served("gpt-5").0, "mine");
        assert_eq!(served("claude-opus-4-6").0, "mine");
        assert_eq!(served("claude-haiku-4-5").0, "anthropic");
        assert_eq!(served("anything").0, "mine");
    }
}
