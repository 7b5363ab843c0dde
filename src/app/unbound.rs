//! Limits that bind nothing: on routes or models that nobody has, as a slip of the pen makes them.

use crate::budget::{Dimension, Limit};
use crate::session::Log;
use crate::units::choice;

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
