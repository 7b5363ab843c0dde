//! Tags of requests: those that budgets or gateway.toml name, as key, client and body tell them.
//!
//! Invariants: no other tag is kept, nor more values of them than can be told apart; what the key says goes before what a client
//! says, so nobody spends in another's name.

use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;

use super::roll::Roll;
use crate::access::Caller;
use crate::budget::{Dimension, Limit};
use crate::units::{OTHERS, tag, tag_set};
use crate::wire::Ask;

/// The header in which clients tag requests: `env=prod, feature=search`.
const HEADERS: [&str; 2] = ["pointsman-tags", "x-pointsman-tags"];
/// The tag that says whose results a request brings, where neither key nor client says it.
const TOOL: &str = "tool";
/// The most names of tags that are looked for.
const NAMES: usize = 16;

/// The tags that are kept.
#[derive(Debug)]
pub(super) struct Tagged {
    /// Those of gateway.toml.
    always: Vec<Arc<str>>,
    names: RwLock<Arc<[Arc<str>]>>,
    values: Roll,
}

impl Tagged {
    /// Begins with those of gateway.toml.
    pub(super) fn new(always: &[String], values: usize) -> Self {
        let always: Vec<Arc<str>> = always.iter().map(|name| name.as_str().into()).collect();
        Self { names: RwLock::new(always.clone().into()), always, values: Roll::new(values) }
    }

    /// Takes those that limits are about, too; the values that they name keep their place.
    pub(super) fn learn<'a>(&self, limits: impl IntoIterator<Item = &'a Limit>) {
        let mut names = self.always.clone();
        for limit in limits {
            let dimensions =
                limit.scope.lists.iter().map(|(dimension, _)| dimension).chain(&limit.scope.each);
            for dimension in dimensions {
                if let Dimension::Tag(name) = dimension {
                    names.push(Arc::clone(name));
                }
            }
            for (dimension, value) in limit.named() {
                if let Dimension::Tag(name) = dimension {
                    self.values.learn([format!("{name}={value}")]);
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        names.truncate(NAMES);
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names.into();
    }

    /// Reads the tags of a request.
    pub(super) fn read(&self, headers: &HeaderMap, caller: &Caller, ask: &Ask) -> Arc<str> {
        let names = Arc::clone(&self.names.read().unwrap_or_else(PoisonError::into_inner));
        if names.is_empty() {
            return Arc::default();
        }
        let header = HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok()).unwrap_or_default();
        let in_body: Vec<_> = names.iter().filter_map(|name| Some((&**name, ask.metadata(name)?))).collect();
        let told = caller.tags.iter().map(|text| &**text).chain(header.split(',')).filter_map(tag);
        let body = in_body.iter().map(|(name, value)| (*name, &**value));
        let wanted = |(name, _): &(&str, &str)| names.iter().any(|known| **known == *name.trim());
        let tools = if names.iter().any(|name| **name == *TOOL) { ask.last_tools() } else { String::new() };
        let set = tag_set(told.chain(body).chain([(TOOL, &*tools)]).filter(wanted));
        if set.is_empty() {
            return Arc::default();
        }
        let placed = set.split('\n').map(|text| {
            let text: Arc<str> = text.into();
            let found = self.values.place(&text, |_| false);
            (text, *found == *OTHERS)
        });
        let placed: Vec<_> = placed.collect();
        if placed.iter().all(|(_, is_other)| !is_other) {
            return set.into();
        }
        let one = |(text, is_other): &'_ (Arc<str>, bool)| -> (String, String) {
            let (name, value) = tag(text).unwrap_or_default();
            (name.to_owned(), if *is_other { OTHERS } else { value }.to_owned())
        };
        let owned: Vec<_> = placed.iter().map(one).collect();
        tag_set(owned.iter().map(|(name, value)| (name.as_str(), value.as_str()))).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect;

    fn ask(metadata: &str) -> Ask {
        let body = format!(
            "{{\"model\":\"auto\",\"metadata\":{metadata},\"messages\":[{{\"role\":\"user\",\"content\":\"x\"}}]}}"
        );
        Ask::read_for(Dialect::OpenAiChat, body.into(), None).unwrap()
    }

    #[test]
    fn only_tags_that_are_asked_for_are_kept_and_the_key_goes_before_the_client() {
        let tagged = Tagged::new(&["env".to_owned(), "feature".to_owned()], 8);
        let mut headers = HeaderMap::new();
        headers.insert("pointsman-tags", "env=test, feature = search ,secret=x".parse().unwrap());
        let key = Caller { tags: ["env=prod".into()].into(), ..Caller::local() };
        let body = ask(r#"{"feature":"chat","env":"dev","mail":"a@b.example"}"#);
        assert_eq!(&*tagged.read(&headers, &key, &body), "env=prod\nfeature=search");
        assert_eq!(&*tagged.read(&HeaderMap::new(), &Caller::local(), &body), "env=dev\nfeature=chat");
        assert_eq!(&*Tagged::new(&[], 4).read(&headers, &key, &body), "");
        // Whose results a request brings, it says itself.
        let follows = r#"{"model":"auto","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[
            {"id":"1","type":"function","function":{"name":"search","arguments":"{}"}},
            {"id":"2","type":"function","function":{"name":"read","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"1","content":"y"}]}"#;
        let follows = Ask::read_for(Dialect::OpenAiChat, follows.into(), None).unwrap();
        let by_tool = Tagged::new(&["tool".to_owned()], 8);
        assert_eq!(&*by_tool.read(&HeaderMap::new(), &Caller::local(), &follows), "tool=read+search");
        assert_eq!(&*by_tool.read(&HeaderMap::new(), &Caller::local(), &body), "");
        // A flood of values is one value.
        for n in 0..200 {
            tagged.read(&HeaderMap::new(), &Caller::local(), &ask(&format!("{{\"env\":\"e{n}\"}}")));
        }
        assert_eq!(
            &*tagged.read(&HeaderMap::new(), &Caller::local(), &ask(r#"{"env":"new"}"#)),
            "env=(others)"
        );
        assert_eq!(&*tagged.read(&headers, &key, &ask("3")), "env=prod\nfeature=search");
    }
}
