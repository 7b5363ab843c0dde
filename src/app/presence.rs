//! Who stands at an address, asked before anything of worth is sent there; and one request, to see that all is well.
//!
//! Invariant: no key is sent to what has not said that it is a gateway of this program.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::AttachOptions;
use super::live::alone;
use super::remote::Remote;
use crate::gateway::IDENTITY;

/// How long an answer may take that needs no model.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for one that may.
const PATIENCE_WITH_A_MODEL: Duration = Duration::from_secs(60);

/// A gateway that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Its address, without a slash at its end.
    pub url: String,
    /// Its version.
    pub version: String,
}

/// Finds the gateway at an address, and sees that it serves and takes the key.
///
/// # Errors
/// Where nothing listens there, something else does, or it would not serve: each says so, and what to do.
pub fn greet(wanted: &AttachOptions) -> anyhow::Result<Presence> {
    let (runtime, remote) = alone(wanted)?;
    runtime.block_on(async {
        let url = remote.url.clone();
        let asked = remote.client.get(format!("{url}/healthz")).timeout(PATIENCE).send().await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => bail!(
                "nothing listens at {url}\nhint: start a gateway with `pointsman serve` or `pointsman --listen`, or name another with --url"
            ),
            Err(error) => bail!("{url} does not answer: {}", error.without_url()),
        };
        let version = answer.headers().get(IDENTITY).and_then(|version| version.to_str().ok());
        let Some(version) = version.map(str::to_owned) else {
            bail!(
                "what listens at {url} is no gateway of this program: its /healthz answers {} and does not say what it is\nhint: name the gateway with --url",
                answer.status()
            )
        };
        let ready = remote.client.get(format!("{url}/readyz")).timeout(PATIENCE).send().await;
        let ready = ready.map_err(reqwest::Error::without_url).with_context(|| url.clone())?;
        if !ready.status().is_success() {
            let why = ready.text().await.unwrap_or_default();
            bail!("the gateway at {url} would not serve now: {}", why.trim())
        }
        admitted(&remote).await?;
        Ok(Presence { url, version })
    })
}

async fn admitted(remote: &Remote) -> anyhow::Result<()> {
    let url = &remote.url;
    let asked = remote.keyed(remote.client.get(format!("{url}/v1/models"))).timeout(PATIENCE).send().await;
    let status = asked.map_err(reqwest::Error::without_url).with_context(|| url.clone())?.status();
    match status.as_u16() {
        200 => Ok(()),
        401 | 403 if remote.key.is_none() => bail!(
            "the gateway at {url} asks for a key\nhint: make one with `pointsman keys add NAME`, and put it into POINTSMAN_CLIENT_KEY"
        ),
        401 | 403 => bail!("the gateway at {url} does not take the key of POINTSMAN_CLIENT_KEY ({status})"),
        _ => bail!("the gateway at {url} does not say what it serves: {status}"),
    }
}

/// Sends one short request. Returns the model that served it and what it cost, as the gateway says; marked where it was simulated.
///
/// # Errors
/// Where no answer comes.
pub fn ask_once(wanted: &AttachOptions, model: &str) -> anyhow::Result<String> {
    let (runtime, remote) = alone(wanted)?;
    let body = serde_json::json!({
        "model": model,
        "max_tokens": 16,
        "messages": [{ "role": "user", "content": "Answer with the one word: ready" }],
    });
    runtime.block_on(async {
        let request = remote.keyed(remote.client.post(format!("{}/v1/chat/completions", remote.url)));
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string())
            .timeout(PATIENCE_WITH_A_MODEL);
        let answer = request.send().await.map_err(reqwest::Error::without_url).context("no answer came")?;
        let status = answer.status();
        let told = |name: &str| {
            answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (served, cost, simulated) =
            (told("pointsman-model"), told("pointsman-cost-usd"), told("pointsman-simulated"));
        if !status.is_success() {
            let why = answer.text().await.unwrap_or_default();
            bail!("{status}: {}", why.chars().take(400).collect::<String>().trim())
        }
        let cost = if cost.is_empty() { "cost not known".to_owned() } else { format!("${cost}") };
        let mark = if simulated.is_empty() { "" } else { ", SIMULATED for want of a key" };
        Ok(format!("{} served it, {cost}{mark}", if served.is_empty() { model } else { &served }))
    })
}
