//! Web pages: none may call a gateway unless gateway.toml names its origin; what its browser is told; and that the
//! operator's paths stay closed.

use crate::client::{Answer, Ask};
use crate::front::{Front, Sandbox, Setup};
use crate::stage::{Speaks, chat, messages};
use crate::upstream::{Reply, Upstream};

const PAGE: &str = "https://tools.example";

fn preflight(front: &Front<'_>, path: &str, origin: &str) -> Answer {
    Ask::get(path)
        .method("OPTIONS")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,x-stainless-lang")
        .send(front.address())
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

#[test]
fn a_page_whose_origin_is_named_may_call_and_reads_what_was_decided() {
    let upstream =
        Upstream::with(|call| if call.model == "gpt-4.1" { Reply::default() } else { Reply::status(500) });
    let setup = Setup::of(&upstream.url())
        .gateway(&format!("[cors]\norigins = [\"{PAGE}\", \"http://localhost:3000\"]\nmax-age = 77"));
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for path in ["/v1/chat/completions", "/v1/messages", "/openai/deployments/x/chat/completions"] {
        let answer = preflight(&front, path, PAGE);
        assert_eq!((answer.status(), allowed(&answer)), (204, Some(PAGE)), "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("authorization,content-type,x-stainless-lang")
        );
        assert_eq!(answer.header("access-control-max-age"), Some("77"));
        assert!(answer.header("vary").unwrap().contains("origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let refused = preflight(&front, "/v1/chat/completions", "https://evil.example");
    assert_eq!((refused.status(), allowed(&refused)), (403, None));
    for (speaks, stream) in Speaks::ALL.iter().flat_map(|speaks| [(speaks, false), (speaks, true)]) {
        let answer = speaks.ask("gpt-4.1", stream).header("origin", PAGE).send(front.address());
        assert_eq!((answer.status(), allowed(&answer)), (200, Some(PAGE)), "{}", answer.text());
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for (name, _) in answer.head.headers.iter().filter(|(name, _)| name.starts_with("pointsman-")) {
            assert!(exposed.split(", ").any(|known| known == name), "{name} cannot be read by a page");
        }
    }
    // An error that a page cannot read looks like no answer at all.
    let failed = messages("claude-opus-4-6", false).header("origin", PAGE).send(front.address());
    assert!(failed.status() >= 500 && allowed(&failed) == Some(PAGE));
    let unknown = Ask::get("/v1/nothing").header("origin", PAGE).send(front.address());
    assert_eq!((unknown.status(), allowed(&unknown)), (404, Some(PAGE)));
    // Other pages are strangers as before, and what is the operator's is closed to all.
    let stranger = chat("gpt-4.1", false).header("origin", "https://evil.example").send(front.address());
    assert_eq!((stranger.status(), allowed(&stranger)), (403, None));
    assert!(stranger.header("vary").unwrap().contains("origin"), "a cache must not give it to others");
    let two = chat("gpt-4.1", false).header("origin", PAGE).header("origin", "https://evil.example");
    assert_eq!(two.send(front.address()).status(), 403);
    for path in ["/metrics", "/operator/v1/policy", "/operator/v1/feed"] {
        assert_eq!(Ask::get(path).header("origin", PAGE).send(front.address()).status(), 403, "{path}");
        assert_ne!(preflight(&front, path, PAGE).status(), 204, "{path}");
    }
    // Nothing changes for programs.
    let program = chat("gpt-4.1", false).send(front.address());
    assert_eq!((program.status(), allowed(&program)), (200, None));
    front.settle();
}

#[test]
fn every_origin_is_let_in_only_where_that_is_written_and_then_with_a_key() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway("[cors]\norigins = [\"*\"]");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let answer = chat("gpt-4.1", false).header("origin", PAGE).send(front.address());
    assert_eq!(answer.status(), 403, "without keys any page could spend");
    assert_eq!(allowed(&answer), Some("*"), "the page may read why");
    let key = sandbox.key(&["page"]);
    let bearer = format!("Bearer {key}");
    assert_eq!(preflight(&front, "/v1/chat/completions", PAGE).status(), 204);
    let answer = chat("gpt-4.1", false).header("origin", PAGE).header("authorization", &bearer);
    let answer = answer.send(front.address());
    assert_eq!((answer.status(), allowed(&answer)), (200, Some("*")));
    let without = chat("gpt-4.1", false).header("origin", PAGE).send(front.address());
    assert_eq!((without.status(), allowed(&without)), (401, Some("*")));
    front.settle();
}
