//! Limits that bind nothing, and settings of which nothing comes: on routes or models that nobody has, as a slip of the pen makes
//! them.

use anyhow::bail;

use crate::budget::{Dimension, Limit};
use crate::config::gateway::GatewaySettings;
use crate::pricing::PriceBook;
use crate::session::Log;
use crate::units::{Pico, choice};

/// Says which routes and models of limits are unknown; `among` says where they were looked for.
pub(super) fn unbound<'l>(
    limits: impl IntoIterator<Item = &'l Limit>,
    routes: &[&str],
    has_model: impl Fn(&str) -> bool,
    among: &str,
) -> Vec<String> {
    let mut told = Vec::new();
    for limit in limits {
        for (dimension, values) in &limit.scope.lists {
            for value in values {
                let hint = match dimension {
                    Dimension::Route if !routes.contains(&&**value) => choice(value, routes),
                    Dimension::Model if !has_model(value) => "a model is named as it is called".to_owned(),
                    _ => continue,
                };
                let words = format!(
                    "budget {} is about {dimension} `{value}`, which {among} has, so it limits nothing there; {hint}",
                    limit.budget
                );
                if !told.contains(&words) {
                    told.push(words);
                }
            }
        }
    }
    told
}

/// Says the same of limits that a log is played against.
pub fn unbound_in<'l>(log: &Log, limits: impl IntoIterator<Item = &'l Limit>) -> Vec<String> {
    let spans = log.spans();
    let of_policies = spans.iter().flat_map(|span| span.policy.routes.iter().map(|route| &*route.name));
    let mut routes: Vec<&str> = of_policies.chain(log.names.routes().iter().map(|name| &**name)).collect();
    routes.sort_unstable();
    routes.dedup();
    let has_model = |name: &str| {
        log.prices.listed(name).is_some() || log.names.models().iter().any(|known| **known == *name)
    };
    unbound(limits, &routes, has_model, "neither log nor policy")
}

/// Says of which shadow runs, second stages and kept prompts nothing can come, as their routes or models are unknown.
///
/// # Errors
/// Where a judge would judge its own answers under another name.
pub(super) fn unasked(
    settings: &GatewaySettings,
    routes: &[&str],
    has_model: impl Fn(&str) -> bool,
    book: &PriceBook,
) -> anyhow::Result<Vec<String>> {
    let mut told = Vec::new();
    let shadows = settings.shadow.iter().map(|(route, shadow)| {
        ("shadow", route, vec![&shadow.model, &shadow.judge], shadow.max_spend_per_day)
    });
    let seconds = settings
        .second
        .iter()
        .map(|(route, second)| ("second", route, vec![&second.model], second.max_spend_per_day));
    for (table, route, models, most) in shadows.chain(seconds) {
        let place = format!("[{table}.{route}] in gateway.toml");
        if !routes.contains(&&**route) {
            let hint = choice(route, routes);
            told.push(format!("{place}: the policy has no such route, so nobody is asked; {hint}"));
        }
        for model in models.into_iter().filter(|model| !has_model(model)) {
            told.push(format!(
                "{place}: neither policy nor price book has `{model}`, so it is not asked; a model is named as it is called"
            ));
        }
        if most == Pico::ZERO {
            told.push(format!("{place}: max-spend-per-day is 0, so nobody is asked"));
        }
    }
    for (route, shadow) in &settings.shadow {
        if book.are_one(&shadow.model, &shadow.judge) {
            bail!(
                "[shadow.{route}] in gateway.toml: judge {} would judge its own answers, for the price book has it and {} as one model\nhint: name another model as judge",
                shadow.judge,
                shadow.model
            );
        }
    }
    for route in settings.ledger.keep_prompts.iter().filter(|route| !routes.contains(&&***route)) {
        let hint = choice(route, routes);
        told.push(format!("keep-prompts in gateway.toml: the policy has no route `{route}`; {hint}"));
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::ModelPrices;

    /// A slip in a name would else cost the labels of a month.
    #[test]
    fn what_is_asked_of_nobody_is_said_and_no_judge_is_taken_under_another_name() {
        let asked = |text: &str| {
            let settings = crate::config::gateway::read("gateway.toml", text).unwrap();
            let mut book = PriceBook::default();
            for model in ["gpt-4.1", "claude-opus-4-6"] {
                book.models.insert(model.into(), ModelPrices::default());
            }
            unasked(&settings, &["general"], |name| book.find(name).is_some(), &book)
        };
        let shadow = |route: &str, model: &str, judge: &str, most: &str| {
            asked(&format!(
                "[shadow.{route}]\nshare = 1.0\nmodel = \"{model}\"\njudge = \"{judge}\"\nmax-spend-per-day = \"{most}\"\n"
            ))
        };
        assert_eq!(shadow("general", "gpt-4.1", "claude-opus-4-6", "1").unwrap(), Vec::<String>::new());
        for (told, part) in [
            (shadow("genral", "gpt-4.1", "claude-opus-4-6", "1"), "did you mean `general`"),
            (shadow("general", "nope", "claude-opus-4-6", "1"), "`nope`"),
            (shadow("general", "gpt-4.1", "claude-opus-4-6", "0"), "max-spend-per-day is 0"),
            (asked("[second.genral]\nmodel = \"gpt-4.1\"\nmax-spend-per-day = 1\n"), "no such route"),
            (asked("[ledger]\nkeep-prompts = [\"genral\"]\n"), "no route `genral`"),
        ] {
            let told = told.unwrap();
            assert!(told.len() == 1 && told[0].contains(part), "{told:?}");
        }
        let own = shadow("general", "gpt-4.1", "gpt-4.1-2025-04-14", "1").unwrap_err().to_string();
        assert!(own.contains("would judge its own answers"), "{own}");
    }
}
