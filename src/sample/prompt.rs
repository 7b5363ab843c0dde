//! Short prompts of our own: templates with slots, a few hundred different ones for each kind of work.

use super::draw::{Draws, Purpose};
use crate::classifier::TaskClass;

const THINGS: [&str; 12] = [
    "invoice",
    "refund",
    "delivery",
    "subscription",
    "password reset",
    "duplicate charge",
    "gift card",
    "bank transfer",
    "warranty claim",
    "booking",
    "login code",
    "export",
];
const TONES: [&str; 8] =
    ["calm", "short and friendly", "formal", "plain", "warm", "matter-of-fact", "cheerful", "apologetic"];
const TONGUES: [&str; 8] =
    ["German", "French", "Spanish", "Italian", "Polish", "Dutch", "Portuguese", "Swedish"];
const PLACES: [&str; 8] = [
    "the checkout service",
    "the search index",
    "the nightly import",
    "the payment webhook",
    "the image resizer",
    "the session store",
    "the rate limiter",
    "the mail queue",
];
const TOPICS: [&str; 10] = [
    "returns after 30 days",
    "tax on digital goods",
    "opening hours on holidays",
    "two-factor login",
    "shipping to islands",
    "cancelling a trial",
    "data retention",
    "loyalty points",
    "bulk discounts",
    "storing cards",
];

fn templates(class: TaskClass) -> &'static [&'static str] {
    match class {
        TaskClass::Classification => &[
            "Label this message as billing, technical, account or other: my {thing} has not arrived.",
            "Is the intent of this query to buy, to compare or to get help? Query: {topic}",
            "Sort the ticket about a {thing} into urgent, normal or low.",
            "Does this text complain, ask or praise? It is about a {thing}. Answer with one word.",
            "Which team should get this dispute over a {thing}: fraud, refunds or support?",
        ],
        TaskClass::Extraction => &[
            "Pull date, amount and currency out of this {thing} and return JSON.",
            "List every order number in the mail about the {thing}.",
            "Extract sender, receiver and reason from this note on a {thing} as JSON with those keys.",
            "Find the postal addresses in the attached {thing}; leave out anything unsure.",
        ],
        TaskClass::Summarisation => &[
            "Summarise the thread about the {thing} in three sentences for the next shift.",
            "Give the main points of this report on {topic} as five bullets.",
            "Shorten the call notes about a {thing} to what was promised and by when.",
            "What changed in {place} this week? Sum up the commit messages.",
        ],
        TaskClass::Translation => &[
            "Translate the answer about {topic} into {tongue}; keep the product names.",
            "Say this notice on a {thing} in {tongue}, {tone}.",
            "Translate the query into {tongue} without explaining: {topic}",
        ],
        TaskClass::Question => &[
            "What do we promise about {topic}?",
            "A customer asks about {topic}. What is the rule, and where is it written?",
            "How long does a {thing} take, and who can speed it up?",
            "Where do I see the state of my {thing}?",
        ],
        TaskClass::Generation => &[
            "Write a {tone} reply to a customer who waits for a {thing}.",
            "Draft a help page on {topic}, {tone}, no more than 200 words.",
            "Write three subject lines for a mail about {topic}.",
            "Compose a {tone} notice that {place} will be down tonight.",
        ],
        TaskClass::Code => &[
            "Why does {place} time out under load? Here is the handler; suggest a fix.",
            "Write a unit test for the retry logic in {place}.",
            "Refactor this function of {place} so that it returns early instead of nesting.",
            "Complete the migration that adds a column for the {thing}.",
        ],
        TaskClass::Reasoning => &[
            "Two regions differ in returns by 4 points after the change to {topic}. Work out step by step what explains it.",
            "Given the limits of {place}, how many workers keep the queue below one minute? Show the steps.",
            "Compare three ways to handle {topic} and argue for one.",
        ],
        _ => &[
            "Find out why {place} failed its last deploy and mend it.",
            "Go through the open items on {topic} and close what is done.",
            "Fetch the pages about {topic}, collect the prices and write a table.",
        ],
    }
}

/// Writes a prompt for a kind of work.
pub(super) fn write(class: TaskClass, draws: Draws) -> String {
    let pick = |at: u64, list: &[&'static str]| {
        let index = draws.at(at).below(Purpose::Text, list.len() as u64);
        usize::try_from(index).ok().and_then(|index| list.get(index)).copied().unwrap_or_default()
    };
    pick(1, templates(class))
        .replace("{thing}", pick(2, &THINGS))
        .replace("{tone}", pick(3, &TONES))
        .replace("{tongue}", pick(4, &TONGUES))
        .replace("{place}", pick(5, &PLACES))
        .replace("{topic}", pick(6, &TOPICS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_filled_and_prompts_vary() {
        let mut seen = std::collections::BTreeSet::new();
        for class in TaskClass::ALL {
            for n in 0..400 {
                let text = write(class, Draws::new(1).at(n));
                assert!(!text.contains(['{', '}']), "{text}");
                seen.insert(text);
            }
        }
        assert!(seen.len() > 300, "{}", seen.len());
    }
}
