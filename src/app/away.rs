//! A console on a gateway elsewhere that lost its connection for longer than the feed's backlog reaches, on a real gateway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Mutex, watch};

use self::assembled::gateway;
use super::remote::Remote;
use super::told::Told;
use crate::gateway::{Server, now};
use crate::ledger::{Entry, Note};
use crate::session::{Deed, Feed};

#[path = "../gateway/assembled.rs"]
mod assembled;

/// More lines than the backlog holds.
const MANY: usize = 10_100;
const PATIENCE: Duration = Duration::from_secs(60);

/// What came, each line with how often it did.
#[derive(Default)]
struct Came {
    requests: BTreeMap<String, usize>,
    others: BTreeMap<String, usize>,
    gaps: u64,
    states: usize,
}

impl Came {
    /// Takes what comes until it is enough.
    fn until(&mut self, feed: &Receiver<Feed>, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            match feed.recv_timeout(PATIENCE).unwrap() {
                Feed::Lines(text) => {
                    for line in text.lines() {
                        let read: serde_json::Value = serde_json::from_str(line).unwrap();
                        let others = || (&read["event"], &read["at"], &read["text"]);
                        let (to, key) = match read["event"].as_str() {
                            None => (&mut self.requests, read["id"].as_str().unwrap().to_owned()),
                            Some(_) => (&mut self.others, format!("{:?}", others())),
                        };
                        *to.entry(key).or_default() += 1;
                    }
                }
                Feed::Gap(lines) => self.gaps += lines,
                Feed::Status(_) => self.states += 1,
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_console_that_was_away_for_longer_than_the_backlog_reaches_has_every_request_once() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let gateway = gateway(&folder);
    let server = Server::bind(Arc::clone(&gateway), "127.0.0.1:0").await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let done = tokio::spawn(FutureExt::boxed(server.run(stopped)));
    let url = gateway.address().to_owned();
    let remote = Remote { client: reqwest::Client::new(), url: url.clone(), key: None };
    let ask = |count: usize| {
        let (client, url) = (remote.client.clone(), format!("{url}/v1/chat/completions"));
        async move {
            let body = r#"{"model":"auto","messages":[{"role":"user","content":"What is due?"}]}"#;
            for _ in 0..count {
                let request = client.post(&url).header("content-type", "application/json").body(body);
                assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
            }
        }
    };
    let rights = remote.rights().await.unwrap();
    assert!(rights.may_operate() && rights.cursor.is_some());
    let told = Arc::new(Mutex::new(Told::from(rights.cursor)));
    let (send, feed) = sync_channel(100_000);
    let follow = || {
        let (remote, told, send) = (remote.clone(), Arc::clone(&told), send.clone());
        tokio::spawn(FutureExt::boxed(async move { remote.follow(&mut *told.lock().await, &send).await }))
    };
    let mut came = Came::default();
    let reader = follow();
    ask(3).await;
    tokio::task::block_in_place(|| came.until(&feed, |came| came.requests.len() == 3 && came.states > 0));
    reader.abort();
    let _ = reader.await;

    ask(20).await;
    let (_, mut spec) = gateway.live().policy_spec();
    spec.name = "another".to_owned();
    gateway.apply(&spec, "test", Deed::Change("while nobody looked")).unwrap();
    for n in 0..MANY {
        let text = format!("note {n}");
        let at = gateway.live().note(&text, now());
        let note = Note { at, text: text.into(), simulated: false };
        gateway.ledger().record(Entry::Note(Box::new(note)));
    }
    ask(2).await;
    gateway.ledger().commit().await.unwrap();

    let reader = follow();
    let all = |came: &Came| came.requests.len() == 25 && came.others.len() >= MANY + 2;
    tokio::task::block_in_place(|| came.until(&feed, all));
    ask(1).await;
    tokio::task::block_in_place(|| came.until(&feed, |came| came.requests.len() == 26));
    reader.abort();
    let _ = reader.await;
    assert!(came.requests.values().all(|&times| times == 1), "{:?}", came.requests);
    let twice: Vec<_> = came.others.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!((came.others.len(), came.gaps), (MANY + 2, 0), "the notes and two policies");
    stop.send(true).unwrap();
    done.await.unwrap();
}
