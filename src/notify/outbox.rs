//! The outbox: tells receivers what waits for them, again and again until they have it.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use super::job::Job;
use super::notifier::Notifier;
use super::send::{self, Outcome};
use crate::ledger::{Alerting, Delivery, DeliveryState, Entry, now};
use futures::FutureExt;

/// How often a delivery is tried: over about a quarter of an hour.
const TRIES: u32 = 12;
/// The pause after the first failure; it doubles up to the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// The longest pause that a receiver may ask for.
const MOST: Duration = Duration::from_secs(3600);
/// How long nothing happens at most: a receiver that is written down anew is noticed within it.
const NAP: Duration = Duration::from_secs(60);

/// Returns the pause after so many failures, a quarter more or less, so that many gateways do not come at once.
fn pause(tries: u32) -> Duration {
    let plain = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST);
    let mut byte = [128];
    // Without chance it is the middle.
    let _ = getrandom::fill(&mut byte);
    plain.mul_f32(0.75 + f32::from(byte[0]) / 512.0)
}

impl Notifier {
    /// Tells receivers, for as long as the gateway runs.
    pub async fn deliver(self: Arc<Self>) {
        loop {
            let next = self.start_due();
            let wait = next.map_or(NAP, |next| next.saturating_duration_since(Moment::now()).min(NAP));
            let _ = tokio::time::timeout(wait, self.wake.notified()).await;
        }
    }

    /// Starts what is due, one at a time for each receiver, in order; says when the next is.
    fn start_due(self: &Arc<Self>) -> Option<Moment> {
        let mut state = self.lock();
        let (mut busy, mut next, mut start): (Vec<Arc<str>>, Option<Moment>, Vec<Job>) = Default::default();
        let now = Moment::now();
        for job in &mut state.jobs {
            // One that waits for its next try lets no later one pass: its receiver hears things in order.
            if busy.contains(&job.receiver) {
                continue;
            }
            busy.push(Arc::clone(&job.receiver));
            if job.under_way {
                continue;
            }
            if job.due <= now {
                job.under_way = true;
                start.push(job.clone());
            } else {
                next = Some(next.map_or(job.due, |next| next.min(job.due)));
            }
        }
        drop(state);
        for job in start {
            let notifier = Arc::clone(self);
            tokio::spawn(FutureExt::boxed(async move { notifier.tell(job).await }));
        }
        next
    }

    async fn tell(self: Arc<Self>, job: Job) {
        if job.tries == 0 {
            // What is told stands in the ledger; one that cannot be written keeps nobody in the dark.
            let _ = self.ledger.commit().await;
        }
        let settings = Arc::clone(&self.lock().settings);
        let receiver = settings.receivers.iter().find(|receiver| receiver.name == job.receiver);
        let outcome = match receiver {
            Some(receiver) => {
                Some(send::send(self.client.as_ref(), receiver, (&job.alert, job.news), false).await)
            }
            None => None,
        };
        self.ended(&job, outcome);
        self.wake.notify_one();
    }

    /// Writes down what came of a try.
    fn ended(&self, job: &Job, outcome: Option<Outcome>) {
        let mut state = self.lock();
        let tries = job.tries + 1;
        let (delivered, answer, after) = match outcome {
            Some(Outcome { delivered, answer, after }) => (delivered, answer, after),
            None => (false, "there is no such receiver any more".to_owned(), None),
        };
        let is_gone = answer.starts_with("there is no such receiver");
        let given_up = !delivered && (tries >= TRIES || is_gone);
        let place = state.jobs.iter().position(|one| one.is(job));
        if delivered || given_up {
            place.map(|place| state.jobs.remove(place));
        } else if let Some(waiting) = place.and_then(|place| state.jobs.get_mut(place)) {
            waiting.tries = tries;
            waiting.under_way = false;
            waiting.due = Moment::now() + after.map_or_else(|| pause(tries), |after| after.min(MOST));
        }
        state.trouble.retain(|name| *name != job.receiver);
        let what = match (delivered, given_up) {
            (true, _) => {
                state.counts.delivered += 1;
                DeliveryState::Delivered
            }
            (false, true) => {
                state.counts.failed += 1;
                state.counts.given_up += 1;
                let words = format!(
                    "alert {} could not be told to {} in {tries} tries and is given up: {answer}",
                    job.alert.id, job.receiver
                );
                tracing::error!("{words}");
                state.remarks.push(words);
                DeliveryState::GivenUp
            }
            (false, false) => {
                state.counts.failed += 1;
                tracing::warn!(receiver = &*job.receiver, tries, "an alert could not be told: {answer}");
                DeliveryState::Waiting
            }
        };
        if !delivered && !is_gone {
            state.trouble.push(Arc::clone(&job.receiver));
        }
        let delivery = Delivery {
            alert: job.alert.id.clone(),
            news: job.news,
            receiver: Arc::clone(&job.receiver),
            state: what,
            tries,
            at: now(),
            answer,
        };
        state.note(delivery.clone());
        drop(state);
        self.ledger.record(Entry::Alerting(Box::new(Alerting::Tried(delivery))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        for tries in 1..40 {
            let plain = Duration::from_secs(1 << (tries - 1).min(9)).min(LONGEST);
            let pause = pause(tries);
            assert!(pause >= plain.mul_f32(0.74) && pause <= plain.mul_f32(1.26), "{tries}: {pause:?}");
        }
    }
}
