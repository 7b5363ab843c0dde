//! Service tiers and meters that rows of gateways tell beside their usage: in parameters, metadata, and the bodies they keep.
//!
//! Invariant: nothing here refuses an entry; what cannot be read says nothing.

use super::bodies::body;
use super::otel::ADDRESS;
use super::served::{by_address, by_prefix};
use super::terms::{self, TIER, TIER_ASKED, serve_first, serve_or_ask, tier};
use crate::pricing::Terms;
use crate::record::usage::Said;
use crate::record::value::{FromValue, Object, Value};
use crate::record::{InputFormat, Record};

/// Adds to the last attempt of an entry what its text says of tier and meters outside the usage block.
pub(super) fn complete(format: InputFormat, text: &str, record: &mut Record<'_>) {
    use InputFormat as F;
    let read = match format {
        F::Langfuse => langfuse,
        F::Helicone => helicone,
        F::Portkey | F::TensorZero => |_: &Object<'_>, _: &mut Terms| Ok(Aside::default()),
        F::OpenRouter => openrouter,
        _ => return terms::of_answer(format, text, record),
    };
    if format != F::OpenRouter && !terms::is_hinted(text) {
        return;
    }
    terms::add(record, |last, terms| {
        let Ok(row) = Object::read(text) else { return false };
        let (went, mut is_guess) = read(&row, terms).unwrap_or_default();
        if !matches!(format, F::Langfuse | F::OpenRouter) {
            // Without the word there is no tier in them.
            is_guess |= text.contains("tier") && serve_bodies(&row, terms);
        }
        for address in &went {
            by_address(last, address);
        }
        is_guess
    });
}

/// Takes the tier that the bodies which a row keeps of a call tell; says whether it was only asked for.
fn serve_bodies(row: &Object<'_>, terms: &mut Terms) -> bool {
    let request = row.get("request_body|raw_request|request|proxy_server_request").map(body);
    let response = row.get("response_body|raw_response|response").map(body);
    request.is_ok_and(|request| response.is_ok_and(|response| serve_asked(&request, &response, terms)))
}

/// Takes the tier that was asked for, unless the answer tells one, the ordinary one included; says whether it did.
pub(super) fn serve_asked(request: &str, response: &str, terms: &mut Terms) -> bool {
    let answered = Object::read(response);
    let is_told = answered.is_ok_and(|answered| !tier(&answered).as_str().is_empty())
        || ["\"service_tier\":\"", "\"service_tier\": \""].iter().any(|told| response.contains(told));
    let Ok(asked) = Object::read(request) else { return false };
    // A body, or what holds it.
    let within = asked.get("body").and_then(embedded_tier).unwrap_or_default();
    !is_told && serve_first(terms, [tier(&asked), within].into_iter())
}

/// Returns the service tier that an object tells which may stand within text.
pub(super) fn embedded_tier(value: Value<'_>) -> Result<Said, String> {
    Ok(tier(&Object::read(&value.embedded()?)?))
}

/// What may stand in a row or in its metadata.
#[derive(Default)]
pub(super) struct Around {
    pub(super) service_tier: Said,
    pub(super) cost_breakdown: Breakdown,
    pub(super) hidden_params: Hidden,
    /// The tiers that its parameters ask for, and its usage tells.
    pub(super) optional_params: Said,
    pub(super) usage_object: Said,
    pub(super) api_base: String,
}

#[derive(Default)]
pub(super) struct Breakdown {
    pub(super) service_tier: Said,
    pub(super) is_tool_charged: bool,
}

#[derive(Default)]
pub(super) struct Hidden {
    service_tier: Said,
    optional_params: Said,
    batch_models: Vec<String>,
    api_base: String,
    litellm_model_name: String,
}

impl FromValue for Breakdown {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let text = value.embedded()?;
        let costs = Object::read(&text)?;
        Ok(Self { service_tier: tier(&costs), is_tool_charged: is_charge(&costs.word("tool_usage_cost")?) })
    }
}

impl FromValue for Hidden {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let text = value.embedded()?;
        let hidden = Object::read(&text)?;
        let models = hidden.items("batch_models")?.into_iter().map(|model| Ok(model.word()?.into_owned()));
        Ok(Self {
            service_tier: tier(&hidden),
            optional_params: embedded_tier(hidden.get("optional_params")?)?,
            batch_models: models.collect::<Result<_, String>>()?,
            api_base: hidden.word("api_base")?.into_owned(),
            litellm_model_name: hidden.word("litellm_model_name")?.into_owned(),
        })
    }
}

impl Around {
    fn read(object: &Object<'_>) -> Result<Self, String> {
        Ok(Self {
            service_tier: tier(object),
            cost_breakdown: Breakdown::from_value(object.get("cost_breakdown")?)?,
            hidden_params: Hidden::from_value(object.get("hidden_params")?)?,
            optional_params: embedded_tier(object.get("optional_params")?)?,
            usage_object: embedded_tier(object.get("usage_object")?)?,
            api_base: object.word("api_base")?.into_owned(),
        })
    }

    /// Returns the tiers that served, as it tells.
    fn tiers(&self) -> [Said; 4] {
        [
            self.usage_object,
            self.cost_breakdown.service_tier,
            self.service_tier,
            self.hidden_params.service_tier,
        ]
    }

    /// Returns the tiers that were asked for.
    fn asked(&self) -> [Said; 2] {
        [self.hidden_params.optional_params, self.optional_params]
    }
}

/// What a row of LiteLLM's tells beside its usage.
#[derive(Default)]
pub(super) struct LiteLlm {
    pub(super) row: Around,
    pub(super) metadata: Around,
    pub(super) model_parameters: Said,
    pub(super) response: Said,
}

/// Adds what a row of LiteLLM's says.
pub(super) fn litellm(row: &Object<'_>, text: &str, record: &mut Record<'_>) {
    if terms::is_hinted(text) {
        let told = LiteLlm::read(row).unwrap_or_default();
        told.tell(record, |terms| text.contains("tier") && serve_bodies(row, terms));
    }
}

impl LiteLlm {
    fn read(row: &Object<'_>) -> Result<Self, String> {
        let metadata = row.get("metadata")?.embedded()?;
        Ok(Self {
            row: Around::read(row)?,
            metadata: Around::read(&Object::read(&metadata)?)?,
            model_parameters: embedded_tier(row.get("model_parameters")?)?,
            response: embedded_tier(row.get("response")?)?,
        })
    }

    /// Adds it to the last attempt; `bodies` adds what the bodies of the row say, and says whether that is a guess.
    pub(super) fn tell(&self, record: &mut Record<'_>, bodies: impl FnOnce(&mut Terms) -> bool) {
        terms::add(record, |last, terms| {
            let is_guess = self.terms(terms) | bodies(terms);
            for around in [&self.row, &self.metadata] {
                by_address(last, &around.api_base);
                by_address(last, &around.hidden_params.api_base);
                by_prefix(last, &around.hidden_params.litellm_model_name);
            }
            is_guess
        });
    }

    /// Tells the tier and meters, and says whether the tier was only asked for.
    fn terms(&self, terms: &mut Terms) -> bool {
        let around = [&self.row, &self.metadata];
        let told = std::iter::once(self.response).chain(around.iter().flat_map(|part| part.tiers()));
        let asked = around.iter().flat_map(|part| part.asked()).chain([self.model_parameters]);
        let is_guess = serve_or_ask(terms, told, asked);
        let mut models: Vec<_> = around.iter().flat_map(|part| &part.hidden_params.batch_models).collect();
        models.sort();
        models.dedup();
        if !models.is_empty() {
            terms.serve("batch");
        }
        if models.len() > 1 {
            // One row for calls of several models, each with a price of its own.
            terms.meter("batch_models", models.len() as u64);
        }
        let is_told = terms.meters().any(|(meter, _)| !meter.contains("audio") && !meter.contains("image"));
        if around.iter().any(|part| part.cost_breakdown.is_tool_charged) && !is_told {
            terms.meter("tool_usage", 1);
        }
        is_guess
    }
}

/// What a row says beside: the addresses of where the call went, and whether its tier was only asked for.
type Aside = (Vec<String>, bool);

/// Tells the tier of an observation, whose metadata may be anything.
fn langfuse(row: &Object<'_>, terms: &mut Terms) -> Result<Aside, String> {
    let metadata = body(row.get("metadata")?);
    let beside = Object::read(&metadata).unwrap_or_default();
    let attributes = beside.get("attributes")?.embedded()?;
    let attributes = Object::read(&attributes)?;
    let said = |names: &[&str]| attributes.first(names).map(|word| Said::new(&word));
    let told = [said(TIER)?, tier(&beside)].into_iter();
    let parameters = embedded_tier(row.get("model_parameters|modelParameters")?)?;
    let is_guess = serve_or_ask(terms, told, [said(TIER_ASKED)?, parameters].into_iter());
    let mut went = vec![beside.word("api_base|apiBase|base_url")?.into_owned()];
    for name in ADDRESS {
        went.push(attributes.word(name)?.into_owned());
    }
    Ok((went, is_guess))
}

fn helicone(row: &Object<'_>, terms: &mut Terms) -> Result<Aside, String> {
    let (heard, spoken) = (row.count("prompt_audio_tokens")?, row.count("completion_audio_tokens")?);
    terms.meter("audio_input", heard.or_zero());
    terms.meter("audio_output", spoken.or_zero());
    Ok(Aside::default())
}

fn openrouter(row: &Object<'_>, terms: &mut Terms) -> Result<Aside, String> {
    let within = row.says("data")?.then(|| row.object("data")).transpose()?;
    let row = within.as_ref().unwrap_or(row);
    terms.serve(tier(row).as_str());
    let (searches, fetches) =
        (row.count("num_search_results")?.or_zero(), row.count("num_fetches")?.or_zero());
    terms.meter("search_results", searches);
    terms.meter("audio_prompts", row.count("num_input_audio_prompt")?.or_zero());
    terms.meter("image_output", row.count("native_tokens_completion_images")?.or_zero());
    terms.meter("fetches", fetches);
    // What it charged for searches and files by itself: how many there were, it does not always say.
    if is_charge(&row.word("usage_web")?) && searches == 0 && fetches == 0 {
        terms.meter("web_plugin", 1);
    }
    if is_charge(&row.word("usage_file")?) {
        terms.meter("file_plugin", 1);
    }
    Ok(Aside::default())
}

/// Says whether an amount is more than nothing.
pub(super) fn is_charge(amount: &str) -> bool {
    amount.parse().is_ok_and(|amount: f64| amount > 0.0)
}
