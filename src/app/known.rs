//! Whether the models that a policy names are known to anyone: a price book, or a provider.
//!
//! Invariant: a misspelt model is told with its place before a request meets it, never found as a row of unknown cost.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::providers::{ProviderSpec, ProvidersSpec};
use crate::config::{self, policy::Places, providers};
use crate::pricing::PriceBook;
use crate::providers::{region, serving};
use crate::routing::{FactsSpec, Policy, REGION};
use crate::units::{Names, nearest};

/// A policy as its file has it, and the prices it meets.
pub(super) struct Checked<'a> {
    pub(super) policy: &'a Policy,
    pub(super) places: &'a Places,
    pub(super) names: &'a Names,
    pub(super) book: &'a PriceBook,
}

impl Checked<'_> {
    /// Returns a remark for every model of a ladder without a price.
    ///
    /// # Errors
    /// Where the file's baseline has no price, and no other one was asked for.
    pub(super) fn against(
        &self,
        providers: Option<&ProvidersSpec>,
        other_baseline: bool,
    ) -> anyhow::Result<Vec<String>> {
        let baseline = self.names.model(self.policy.baseline);
        if !other_baseline && self.places.has("baseline") && self.book.find(baseline).is_none() {
            anyhow::bail!(
                "{}: baseline = \"{baseline}\": there is no price for it in book {}, so nothing can be measured against it\nhint: {}",
                self.places.of("baseline"),
                self.book.name,
                similar_models(baseline, self.book)
            );
        }
        let mut remarks = Vec::new();
        for route in &self.policy.routes {
            for (at, rung) in route.ladder.iter().enumerate() {
                let model = self.names.model(rung.model);
                if self.book.find(model).is_some() {
                    continue;
                }
                let provider = providers.and_then(|spec| serving(&spec.providers, model));
                let trouble = match provider {
                    Some(provider) => {
                        format!(
                            "provider {provider} may serve it, but it has no price: what it costs will be unknown"
                        )
                    }
                    None => "no price book and no provider knows it".to_owned(),
                };
                let place = self.places.of(&format!("route.{}.ladder[{at}]", route.name));
                let hint = similar_models(model, self.book);
                remarks.push(format!(
                    "{place}: route {}, model = \"{model}\": {trouble}\nhint: {hint}",
                    route.name
                ));
            }
        }
        Ok(remarks)
    }
}

/// Reads the providers; none where their file has a fault, which is told where it is used.
pub(super) fn providers_of(path: Option<&Path>) -> Option<ProvidersSpec> {
    match path {
        Some(path) => std::fs::read_to_string(path)
            .ok()
            .and_then(|text| providers::parse(&[(&path.display().to_string(), &text)]).ok()),
        None => providers::load(config::user_dir().as_deref()).ok(),
    }
}

/// Has a book know what providers call by a name that it does not list as the model that is called: it costs what that does, and
/// whoever limits the one limits the other. What policies promise of the one says nothing of who serves the other.
///
/// Returns these names, to be known from the start: they keep what is said of them, however many others come.
pub(super) fn know_renamed(book: &mut PriceBook, providers: &[ProviderSpec]) -> Vec<String> {
    let mut renamed = Vec::new();
    for provider in providers {
        let fallback = provider.fallback.as_deref();
        let fallback = providers.iter().find(|other| Some(other.name.as_str()) == fallback);
        for (name, upstream) in &provider.rename {
            // Whoever is asked in its place may call another model so.
            let is_one = fallback.is_none_or(|other| {
                other.rename.iter().all(|(known, theirs)| known != name || theirs == upstream)
            });
            let listed = book.find_named(upstream).map(|(listed, _)| listed.to_owned()).filter(|_| is_one);
            // Whatever is named first stands for all names of a model.
            renamed.extend(listed.clone());
            let serves = serving(providers, name) == Some(&*provider.name);
            let own = format!("{}/{name}", provider.name);
            for name in serves.then(|| name.clone()).into_iter().chain([own]) {
                if let Some(listed) = listed.clone().filter(|_| book.find(&name).is_none()) {
                    book.aliases.insert(name.clone(), listed);
                }
                renamed.push(name);
            }
        }
    }
    renamed
}

/// Labels models of a policy's ladders the region of the provider that serves them as a label, where the policy names none for them
/// and nobody elsewhere is asked in the provider's place.
pub(super) fn with_regions(policy: Policy, spec: Option<&ProvidersSpec>, names: &mut Names) -> Policy {
    let Some(spec) = spec else { return policy };
    if spec.providers.iter().all(|provider| provider.hosting.region.is_none()) {
        return policy;
    }
    let region_of = |model: &str| {
        let of = |name: &str| spec.providers.iter().find(|provider| provider.name == name);
        let provider = of(serving(&spec.providers, model)?)?;
        let region_at = |provider: &ProviderSpec| {
            let renamed = provider.rename.iter().find(|(name, _)| name == model);
            region(&provider.hosting, renamed.map_or(model, |(_, upstream)| upstream)).map(str::to_owned)
        };
        let region = region_at(provider)?;
        let elsewhere = provider.fallback.as_deref().and_then(of).map(region_at);
        let region = region.as_str();
        elsewhere.is_none_or(|other| other.as_deref() == Some(region)).then(|| format!("{REGION}{region}"))
    };
    let mut written = policy.spec(names);
    let models: BTreeSet<String> =
        written.routes.iter().flat_map(|route| &route.ladder).map(|rung| rung.model.clone()).collect();
    for model in models {
        let Some(label) = region_of(&model) else { continue };
        let at = written.models.iter().position(|(name, _)| *name == model).unwrap_or_else(|| {
            written.models.push((model.clone(), FactsSpec::default()));
            written.models.len() - 1
        });
        if let Some((_, facts)) = written.models.get_mut(at)
            && !facts.labels.iter().any(|label| label.starts_with(REGION))
        {
            facts.labels.push(label);
        }
    }
    Policy::compile(&written, policy.version, names).unwrap_or(policy)
}

/// Says which models of a book are called most alike.
pub(super) fn similar_models(wanted: &str, book: &PriceBook) -> String {
    let near = nearest(wanted, book.models.keys().map(String::as_str));
    match near.as_slice() {
        [] => {
            "`pointsman prices list` names the models with prices; --prices adds a book of yours".to_owned()
        }
        near => format!("did you mean {}? `pointsman prices list` names all with prices", near.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::policy;

    #[test]
    fn a_providers_region_is_a_label_of_its_models_unless_the_policy_or_a_fallback_says_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("providers.toml");
        let cloud = |name: &str, models: &str, more: &str| {
            format!(
                "[[provider]]\nname = \"{name}\"\nplatform = \"bedrock\"\ndialect = \"anthropic\"\nregion = \"eu-central-1\"\n\
                 models = [\"{models}\"]\n{more}"
            )
        };
        let profile = |model: &str, upstream: &str| {
            cloud(
                &format!("of-{model}"),
                model,
                &format!("rename = {{ \"{model}\" = \"{upstream}.anthropic.claude\" }}\n"),
            )
        };
        let text = cloud("here", "claude-opus-4-6", "")
            + &profile("c-global", "global")
            + &profile("c-eu", "eu")
            + &cloud("both", "claude-sonnet-4-6", "fallback = \"else\"\n")
            + &cloud("else", "claude-else", "").replace("eu-central-1", "us-east-1");
        std::fs::write(&path, text).unwrap();
        let mut names = Names::default();
        let ladder = "[model.\"claude-else\"]\nregion = \"own\"\n[[route]]\nname = \"r\"\nladder = [\n\
            { model = \"claude-else\", threshold = 900 },\n{ model = \"claude-sonnet-4-6\", threshold = 500 },\n{ model = \"c-global\", threshold = 400 },\n\
            { model = \"c-eu\", threshold = 300 },\n{ model = \"claude-opus-4-6\" },\n]\n";
        let policy = policy::parse(ladder, "p.toml", &mut names).unwrap();
        let policy = with_regions(policy, providers_of(Some(&path)).as_ref(), &mut names);
        let labels: Vec<Vec<String>> =
            policy.routes[0].ladder.iter().map(|rung| rung.facts.labels.names(&names)).collect();
        // A call of a profile may run wherever that is.
        let want = [vec!["region=own"], vec![], vec![], vec!["region=eu"], vec!["region=eu-central-1"]];
        assert_eq!(labels, want.map(|labels| labels.into_iter().map(str::to_owned).collect::<Vec<_>>()));
    }
}
