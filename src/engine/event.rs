//! What goes into the engine and what comes out.

use std::sync::Arc;

use super::Claims;
use crate::outcome::{Attempt, Evidence, Operation, Settled};
use crate::pricing::{PriceRow, PriceTable};
use crate::prompt_cache::Prompt;
use crate::routing::{Circumstance, Decision, Policy};
use crate::runaway::Whose;
use crate::units::ModelId;

/// Names an operation within one engine.
pub type OperationKey = u64;

/// A request that arrived, classified.
#[derive(Clone, Debug)]
pub struct Arrival<'a> {
    /// Its key.
    pub key: OperationKey,
    /// Its tags, kind of work and confidence.
    pub operation: Operation,
    /// How things stood then.
    pub circumstance: &'a Circumstance,
    /// What it claims of budgets, where there are any.
    pub claims: Option<&'a Claims>,
    /// Whose it is, where anybody is watched.
    pub whose: Option<Box<Whose>>,
    /// Its prompt as caches see it, where anybody minds them, and the accounts that cannot be called.
    pub prompt: Option<Box<(Prompt, Arc<[u32]>)>>,
}

/// Something that happened.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "events are made and folded one at a time, never kept in numbers"
)]
pub enum Event<'a> {
    /// A request arrived.
    Arrived(Arrival<'a>),
    /// A call to a model ended.
    Attempted {
        /// The operation.
        key: OperationKey,
        /// The call.
        attempt: Attempt,
        /// What else is known of the operation (labels), where anything is.
        evidence: Option<Evidence<'a>>,
    },
    /// A call to a model ended badly and the same model is asked once more.
    Retried {
        /// The operation.
        key: OperationKey,
        /// The call.
        attempt: Attempt,
    },
    /// An operation of a log, accounted as it happened.
    Recorded {
        /// What the log says.
        evidence: Evidence<'a>,
        /// Its outcome.
        settled: &'a Settled,
    },
    /// A new policy version is in force.
    PolicyChanged(Arc<Policy>),
    /// A price changed.
    PriceChanged {
        /// The model.
        model: ModelId,
        /// The dated row.
        row: PriceRow,
    },
    /// Prices of newly named models were looked up.
    PricesLoaded(Arc<PriceTable>),
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "made and carried out one at a time, never kept in numbers")]
pub enum Effect {
    /// Call a model for this operation.
    Send {
        /// The operation.
        key: OperationKey,
        /// The rung.
        rung: u8,
        /// The model.
        model: ModelId,
    },
    /// Answer the client; the operation is settled.
    Answer {
        /// The operation.
        key: OperationKey,
        /// How it was decided, attempts and escalations included.
        decision: Decision,
        /// What became of it.
        settled: Settled,
    },
}

/// What one event brings about: one thing at most, so that none can be overlooked.
pub type Effects = Option<Effect>;
