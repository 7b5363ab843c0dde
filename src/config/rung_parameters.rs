//! What a rung of a policy file writes into requests.

use serde::Deserialize;

use super::literal::quoted;
use crate::routing::{Effort, Parameters};
use crate::units::choice;

/// Parameters as they are written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ParametersFile {
    effort: Option<String>,
    service_tier: Option<String>,
    max_output: Option<u32>,
    temperature: Option<toml::Value>,
}

impl ParametersFile {
    /// Reads them.
    ///
    /// # Errors
    /// The key that is wrong, and how to mend it.
    pub(super) fn parameters(self) -> Result<Parameters, (&'static str, String)> {
        let Self { effort, service_tier, max_output, temperature } = self;
        let effort = effort.map(|word| {
            Effort::from_name(&word).ok_or_else(|| {
                let known: Vec<_> = Effort::ALL.iter().map(|effort| effort.name()).collect();
                ("effort", format!("`{word}` is no effort; {}", choice(&word, &known)))
            })
        });
        Ok(Parameters {
            effort: effort.transpose()?,
            service_tier: service_tier.map(Into::into),
            max_output,
            logprobs: false,
            temperature: temperature
                .map(|value| {
                    thousandths(&value.to_string()).ok_or_else(|| {
                        (
                            "temperature",
                            format!("{value} is no number from 0 to 2 with three decimals at most"),
                        )
                    })
                })
                .transpose()?,
        })
    }
}

/// Reads a number from 0 to 2 with three decimals at most, in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let rest = rest.trim_end_matches('0');
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u32 = format!("{rest:0<3}").parse().ok()?;
    let all = whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(part)?;
    (all <= 2000).then_some(all)
}

/// Writes what a rung writes into requests as it is read.
pub(super) fn parameters_toml(with: &Parameters) -> String {
    let all = [
        with.effort.map(|effort| format!("effort = {}", quoted(effort.name()))),
        with.service_tier.as_deref().map(|tier| format!("service_tier = {}", quoted(tier))),
        with.max_output.map(|most| format!("max_output = {most}")),
        with.temperature_text().map(|text| format!("temperature = {text}")),
    ];
    format!("{{ {} }}", all.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
