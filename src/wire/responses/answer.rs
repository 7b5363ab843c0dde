//! A finished response, read and written.

use super::finish_of;
use super::item::Item;
use super::object::{Frame, repeated, status};
use crate::record::usage::{Offered, OpenAiUsage, SESSIONS, ShownItem};
use crate::wire::Ask;
use crate::wire::json::{Value, object};
use crate::wire::reply::{Call, Choice, Finish, Part, Reply, block, buckets, ended};
use crate::wire::translate::own_id;

/// Reads a response.
pub(in crate::wire) fn read(root: Value<'_>) -> Reply<'_> {
    let mut parts = Vec::new();
    for item in root.get("output").into_iter().flat_map(Value::items) {
        match item.text_of("type").as_deref() {
            Some("message") => {
                let content = item.get("content").into_iter().flat_map(Value::items);
                parts.extend(content.filter_map(|part| match &*part.text_of("type")? {
                    "output_text" => part.text_of("text").filter(|text| !text.is_empty()).map(Part::Text),
                    "refusal" => part.text_of("refusal").map(Part::Refusal),
                    _ => None,
                }));
            }
            Some("function_call") => parts.push(Part::Call(Call {
                id: item.text_of("call_id").unwrap_or_default(),
                name: item.text_of("name").unwrap_or_default(),
                arguments: item.text_of("arguments").unwrap_or_default(),
            })),
            Some("reasoning") => {
                let summary = item.get("summary").into_iter().flat_map(Value::items);
                parts.extend(summary.filter_map(|part| part.text_of("text")).map(Part::Thought));
            }
            // Calls of hosted tools and custom tools are content too, though nothing here can check them.
            Some(kind) if kind.ends_with("_call") => parts.push(Part::Other),
            _ => {}
        }
    }
    let finish = finish_of(root);
    let status = root.text_of("status").filter(|_| finish == Finish::Failed);
    let fault = status.map(|status| ended("status", &status));
    Reply {
        id: root.text_of("id").unwrap_or_default(),
        model: root.text_of("model").filter(|model| !model.is_empty()),
        choices: vec![Choice { parts, finish, fault, ..Choice::default() }],
        usage: said(root).and_then(|usage| buckets(usage.counted())),
    }
}

/// Reads the usage of a response, with the tier that served and the tools that the provider ran.
pub(super) fn said(response: Value<'_>) -> Option<OpenAiUsage> {
    let mut usage = response.get("usage").and_then(block::<OpenAiUsage>)?;
    usage.serve(&response.text_of("service_tier").unwrap_or_default());
    let within = |value: Value<'_>, key: &str| -> String {
        value.get(key).and_then(|part| part.text_of("type")).unwrap_or_default().into_owned()
    };
    let (mut has_searched, mut is_cited) = (false, false);
    let mut offered = Offered::default();
    for tool in response.get("tools").into_iter().flat_map(Value::items) {
        offered.add(&tool.text_of("type").unwrap_or_default(), &within(tool, "environment"));
    }
    for item in response.get("output").into_iter().flat_map(Value::items) {
        let meter = offered.meter(ShownItem {
            kind: &item.text_of("type").unwrap_or_default(),
            action: &within(item, "action"),
            status: &item.text_of("status").unwrap_or_default(),
            place: &within(item, "environment"),
        });
        if let Some(meter) = meter {
            usage.show(meter, 1);
            has_searched |= meter.contains("search");
        }
        let said = item.get("content").into_iter().flat_map(Value::items);
        let sources = said.filter_map(|part| part.get("annotations")).flat_map(Value::items);
        for source in sources {
            match source.text_of("type").as_deref() {
                Some("container_file_citation") => usage.show(SESSIONS, 1),
                Some("url_citation") => is_cited = true,
                _ => {}
            }
        }
    }
    if is_cited && !has_searched {
        usage.cite();
    }
    Some(usage)
}

/// Writes a response.
pub(in crate::wire) fn write(ask: &Ask, reply: &Reply<'_>) -> Vec<u8> {
    let id = own_id("resp_", &reply.id, ask);
    let frame = Frame {
        id: &id,
        model: reply.model.as_deref().unwrap_or(ask.model()),
        created: ask.received(),
        repeated: &repeated(ask),
    };
    let choice = reply.choices.first();
    let parts = choice.map(|choice| choice.parts.as_slice()).unwrap_or_default();
    let finish = choice.map(|choice| choice.finish).unwrap_or_default();
    // What was cut off is the last.
    let last = parts.len().saturating_sub(1);
    let tools = ask.tool_kinds();
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        frame.write(o, Some(finish), reply.usage.as_ref(), |a| {
            for (at, part) in parts.iter().enumerate() {
                let status = if at == last { status(Some(finish)) } else { "completed" };
                if let Some(mut item) = Item::of(part, at, &id, &tools) {
                    if let (Part::Text(_), Some(told)) = (part, choice.and_then(|choice| choice.logprobs)) {
                        item.weigh(&told.json());
                    }
                    a.object(|o| item.write(o, status));
                }
            }
        });
    });
    out
}
