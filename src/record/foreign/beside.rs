//! Service tiers and meters that rows of gateways tell beside their usage: in parameters, metadata, and the bodies they keep.
//!
//! Invariant: nothing here refuses an entry; what cannot be read says nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::bodies::Body;
use super::otel::ADDRESS;
use super::served::{by_address, by_prefix};
use super::terms::{self, TIER, TIER_ASKED, Tier, part, serve_first, serve_or_ask};
use crate::pricing::Terms;
use crate::record::json::{Embedded, Num, Word, nullable};
use crate::record::usage::Said;
use crate::record::{InputFormat, Record};

/// Adds to the last attempt of an entry what its text says of tier and meters outside the usage block.
pub(super) fn complete(format: InputFormat, text: &str, record: &mut Record<'_>) {
    use InputFormat as F;
    let read = match format {
        F::Langfuse => langfuse,
        F::Helicone => helicone,
        F::Portkey | F::TensorZero => |_: &str, _: &mut Terms| (Vec::new(), false),
        F::OpenRouter => openrouter,
        _ => return terms::of_answer(format, text, record),
    };
    if format != F::OpenRouter && !terms::is_hinted(text) {
        return;
    }
    terms::add(record, |last, terms| {
        let (went, mut is_guess) = read(text, terms);
        if !matches!(format, F::Langfuse | F::OpenRouter) {
            // Without the word there is no tier in them.
            is_guess |= text.contains("tier") && part::<Bodies>(text).serve(terms);
        }
        for address in &went {
            by_address(last, address.as_str());
        }
        is_guess
    });
}

/// The bodies that a row keeps of a call.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Bodies {
    #[serde(alias = "raw_request", alias = "request", alias = "proxy_server_request")]
    pub(super) request_body: Body,
    #[serde(alias = "raw_response", alias = "response")]
    pub(super) response_body: Body,
}

/// A body, or what holds it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    service_tier: Said,
    body: Embedded<Tier>,
}

impl Bodies {
    /// Takes the tier that was asked for, unless the answer tells one, the ordinary one included; says whether it did.
    pub(super) fn serve(&self, terms: &mut Terms) -> bool {
        let answer = self.response_body.text();
        let is_told = !part::<Tier>(answer).service_tier.as_str().is_empty()
            || ["\"service_tier\":\"", "\"service_tier\": \""].iter().any(|told| answer.contains(told));
        if is_told {
            return false;
        }
        let asked = part::<Asked>(self.request_body.text());
        serve_first(terms, [asked.service_tier, asked.body.0.service_tier].into_iter())
    }
}

/// A row, which may tell by itself what its metadata tell. Had serde to flatten that into it, it would copy every row.
#[derive(Default, Deserialize)]
#[serde(default)]
struct LiteLlmRow {
    model_parameters: Embedded<Tier>,
    metadata: Embedded<Around>,
    response: Embedded<Tier>,
    service_tier: Said,
    cost_breakdown: Embedded<Breakdown>,
    hidden_params: Embedded<Hidden>,
    optional_params: Embedded<Tier>,
    usage_object: Embedded<Tier>,
    api_base: Word,
}

/// What may stand in a row or in its metadata.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Around {
    pub(super) service_tier: Said,
    pub(super) cost_breakdown: Embedded<Breakdown>,
    pub(super) hidden_params: Embedded<Hidden>,
    pub(super) optional_params: Embedded<Tier>,
    pub(super) usage_object: Embedded<Tier>,
    pub(super) api_base: Word,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Breakdown {
    pub(super) service_tier: Said,
    pub(super) tool_usage_cost: Word,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Hidden {
    service_tier: Said,
    optional_params: Embedded<Tier>,
    #[serde(deserialize_with = "nullable")]
    batch_models: Vec<Word>,
    api_base: Word,
    litellm_model_name: Word,
}

impl Around {
    /// Returns the tiers that served, as it tells.
    fn tiers(&self) -> [Said; 4] {
        let (used, billed) = (self.usage_object.0.service_tier, self.cost_breakdown.0.service_tier);
        [used, billed, self.service_tier, self.hidden_params.0.service_tier]
    }

    /// Returns the tiers that were asked for.
    fn asked(&self) -> [Said; 2] {
        [self.hidden_params.0.optional_params.0.service_tier, self.optional_params.0.service_tier]
    }
}

/// What a row of LiteLLM's tells beside its usage.
#[derive(Default)]
pub(super) struct LiteLlm {
    pub(super) row: Around,
    pub(super) metadata: Around,
    pub(super) model_parameters: Tier,
    pub(super) response: Tier,
}

impl From<LiteLlmRow> for LiteLlm {
    fn from(row: LiteLlmRow) -> Self {
        let LiteLlmRow { service_tier, cost_breakdown, hidden_params, optional_params, .. } = row;
        let (usage_object, api_base) = (row.usage_object, row.api_base);
        Self {
            row: Around {
                service_tier,
                cost_breakdown,
                hidden_params,
                optional_params,
                usage_object,
                api_base,
            },
            metadata: row.metadata.0,
            model_parameters: row.model_parameters.0,
            response: row.response.0,
        }
    }
}

/// Adds what the text of a row of LiteLLM's says.
pub(super) fn litellm(text: &str, record: &mut Record<'_>) {
    if terms::is_hinted(text) {
        let row: LiteLlm = part::<LiteLlmRow>(text).into();
        row.tell(record, |terms| text.contains("tier") && part::<Bodies>(text).serve(terms));
    }
}

impl LiteLlm {
    /// Adds it to the last attempt; `bodies` adds what the bodies of the row say, and says whether that is a guess.
    pub(super) fn tell(&self, record: &mut Record<'_>, bodies: impl FnOnce(&mut Terms) -> bool) {
        terms::add(record, |last, terms| {
            let is_guess = self.terms(terms) | bodies(terms);
            for around in [&self.row, &self.metadata] {
                let Hidden { api_base, litellm_model_name, .. } = &around.hidden_params.0;
                by_address(last, around.api_base.as_str());
                by_address(last, api_base.as_str());
                by_prefix(last, litellm_model_name.as_str());
            }
            is_guess
        });
    }

    /// Tells the tier and meters, and says whether the tier was only asked for.
    fn terms(&self, terms: &mut Terms) -> bool {
        let around = [&self.row, &self.metadata];
        let told =
            std::iter::once(self.response.service_tier).chain(around.iter().flat_map(|part| part.tiers()));
        let asked = around.iter().flat_map(|part| part.asked()).chain([self.model_parameters.service_tier]);
        let is_guess = serve_or_ask(terms, told, asked);
        let mut models: Vec<_> = around.iter().flat_map(|part| &part.hidden_params.0.batch_models).collect();
        models.sort_by_key(|model| model.as_str());
        models.dedup();
        if !models.is_empty() {
            terms.serve("batch");
        }
        if models.len() > 1 {
            // One row for calls of several models, each with a price of its own.
            terms.meter("batch_models", models.len() as u64);
        }
        let costs = |part: &&Around| is_charge(&part.cost_breakdown.0.tool_usage_cost);
        let is_told = terms.meters().any(|(meter, _)| !meter.contains("audio") && !meter.contains("image"));
        if around.iter().any(costs) && !is_told {
            terms.meter("tool_usage", 1);
        }
        is_guess
    }
}

/// What a row says beside: the addresses of where the call went, and whether its tier was only asked for.
type Aside = (Vec<Word>, bool);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Observation {
    #[serde(alias = "modelParameters")]
    model_parameters: Embedded<Tier>,
    metadata: Body,
}

/// What stands in an observation's metadata, which may be anything.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Beside {
    #[serde(alias = "serviceTier")]
    service_tier: Said,
    #[serde(alias = "apiBase", alias = "base_url")]
    api_base: Word,
    attributes: Embedded<BTreeMap<String, Word>>,
}

/// Tells the tier of an observation.
fn langfuse(text: &str, terms: &mut Terms) -> Aside {
    let row = part::<Observation>(text);
    let beside = part::<Beside>(row.metadata.text());
    let attributes = beside.attributes.0;
    let said = |names: &'static [&str]| {
        names.iter().filter_map(|name| attributes.get(*name)).map(|word| Said::new(word.as_str()))
    };
    let (told, asked) = (said(TIER).chain([beside.service_tier]), said(TIER_ASKED));
    let is_guess = serve_or_ask(terms, told, asked.chain([row.model_parameters.0.service_tier]));
    let addresses = ADDRESS.iter().filter_map(|name| attributes.get(*name)).cloned();
    (addresses.chain([beside.api_base]).collect(), is_guess)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HeliconeRow {
    prompt_audio_tokens: Num,
    completion_audio_tokens: Num,
}

fn helicone(text: &str, terms: &mut Terms) -> Aside {
    let row = part::<HeliconeRow>(text);
    terms.meter("audio_input", row.prompt_audio_tokens.or_zero());
    terms.meter("audio_output", row.completion_audio_tokens.or_zero());
    (Vec::new(), false)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Generation {
    service_tier: Said,
    num_search_results: Num,
    num_input_audio_prompt: Num,
    native_tokens_completion_images: Num,
    num_fetches: Num,
    usage_web: Word,
    usage_file: Word,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wrapped {
    data: Option<Generation>,
}

fn openrouter(text: &str, terms: &mut Terms) -> Aside {
    let row = part::<Wrapped>(text).data.unwrap_or_else(|| part(text));
    terms.serve(row.service_tier.as_str());
    terms.meter("search_results", row.num_search_results.or_zero());
    terms.meter("audio_prompts", row.num_input_audio_prompt.or_zero());
    terms.meter("image_output", row.native_tokens_completion_images.or_zero());
    terms.meter("fetches", row.num_fetches.or_zero());
    // What it charged for searches and files by itself: how many there were, it does not always say.
    let is_counted = row.num_search_results.or_zero() > 0 || row.num_fetches.or_zero() > 0;
    if is_charge(&row.usage_web) && !is_counted {
        terms.meter("web_plugin", 1);
    }
    if is_charge(&row.usage_file) {
        terms.meter("file_plugin", 1);
    }
    (Vec::new(), false)
}

/// Says whether an amount is more than nothing.
fn is_charge(amount: &Word) -> bool {
    amount.as_str().parse().is_ok_and(|amount: f64| amount > 0.0)
}
