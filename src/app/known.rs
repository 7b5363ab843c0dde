//! Whether the models that a policy names are known to anyone: a price book, or a provider.
//!
//! Invariant: a misspelt model is told with its place before a request meets it, never found as a row of unknown cost.

use std::path::Path;

use crate::config::{self, policy::Places, providers};
use crate::pricing::PriceBook;
use crate::providers::serving;
use crate::routing::Policy;
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
        providers: Option<&Path>,
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
        let mut providers_read = None;
        for route in &self.policy.routes {
            for (at, rung) in route.ladder.iter().enumerate() {
                let model = self.names.model(rung.model);
                if self.book.find(model).is_some() {
                    continue;
                }
                // A providers file with a fault is told where it is used; here it only knows no model.
                let spec = providers_read.get_or_insert_with(|| match providers {
                    Some(path) => std::fs::read_to_string(path)
                        .ok()
                        .and_then(|text| providers::parse(&[(&path.display().to_string(), &text)]).ok()),
                    None => providers::load(config::user_dir().as_deref()).ok(),
                });
                let provider = spec.as_ref().and_then(|spec| serving(&spec.providers, model));
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
