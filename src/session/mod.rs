//! Drives an engine: from a log at any pace, or headless over a stream.
//!
//! Invariants: a log has two readings, recorded and routed, and every number says which; seeking gives the same state as
//! playing there; a moved threshold is answered from the frontier and confirmed by a full re-run.

mod adapted;
mod advice;
mod aim;
mod aimed;
mod alerts;
mod all_on;
mod anomalies;
mod arrivals;
mod assigned;
mod automations;
mod branches;
mod branching;
mod budgeted;
mod budgets;
mod changed;
mod command;
mod constraints;
mod difference;
mod drifted;
mod events;
mod explain;
mod feed;
mod fold;
mod follow;
mod following;
mod frontiers;
mod growth;
mod ingest;
mod inserts;
mod judged;
mod limited;
pub mod listing;
mod live;
mod log;
mod met;
mod news;
mod pace;
mod parse;
mod picture;
mod plan;
mod played;
mod player;
mod portion;
mod preview;
mod proof;
mod queueing;
mod readers;
mod reason;
mod reclassified;
mod repriced;
mod rerun;
mod rollouts;
mod runaways;
mod saved;
mod second;
mod seconded;
mod settled;
mod shadowed;
mod side_by_side;
mod slow;
mod snapshot;
mod speed;
mod spending;
mod status;
mod steering;
mod stream;
mod stretch;
mod strip;
mod study;
mod sureness;
mod switching;
mod trial;
mod tried;
mod trying;
mod view;
mod wanted;
mod warm_at;
mod warmed;
mod whatif;
mod whose;
mod worker;
mod worlds;
mod written;

pub use adapted::learnt;
pub use advice::{Advice, Asked, Candidate, InUse, PriceNews, Verdict, advise};
pub use aim::{Aim, AimBounds, AimError};
pub use alerts::{AlertFeed, AlertsView, Watcher, alerts};
pub use all_on::{AllOn, all_on};
pub use anomalies::{Surveyed, survey};
pub use assigned::{assigned, staged_by};
pub use automations::{AutomationRow, Automations, AutomationsTried, automate_over};
pub use branches::{BranchPlan, BranchRun, BranchState, Branched, BranchesFound, Idle};
pub use budgeted::budgeted;
pub use budgets::{BudgetRow, BudgetsView};
pub use changed::{Compared, compare};
pub use command::{AlertDeed, Command};
pub use constraints::{Broken, Constraints};
pub use drifted::{Drifted, drifted, first_half};
pub use events::LogEvents;
pub use explain::{Answered, Explanation, cost_text, cost_text_of, explain, tokens_text};
pub use feed::{Feed, LiveControl, spawn_live};
pub use fold::{Fold, any_remembers};
pub use follow::{KEEP, LiveStart};
pub use following::Outgoing;
pub use frontiers::{Frontiers, carried, moved_along, with_earlier};
pub use ingest::{Ingest, IngestOptions};
pub use inserts::Inserts;
pub use judged::Judged;
pub use limited::{LimitAim, TriedLimit};
pub use live::{
    Applied, Arriving, Aside, Bell, Called, Deed, Dispatch, Follow, Live, LiveSetup, Near, Placed, Reader,
    Refusal, SIMULATED, Ticket, Uncounted, Waiting, Wants, WarmModel,
};
pub use log::{
    LoadError, Log, LogNote, NoteKind, PolicySpan, Skipped, SkippedLine, meter_text, recharge_text,
};
pub use pace::{Pace, pace, spent_at};
pub use plan::{GOOD, Keeping, Plan, PlannedRoute, Target};
pub use player::Player;
pub use preview::{Preview, preview};
pub use proof::{Graded, Proofs, Quality, RungProof, Verdicts};
pub use reclassified::{Flip, Reclassified, rechecked, reclassified};
pub use repriced::{Repriced, Twice, reprice};
pub use rerun::{Rerun, RerunJob, rerun};
pub use rollouts::{ArmRow, RolloutRow, RolloutStep, RolloutTried, Rollouts, roll_over};
pub use runaways::{Tripped, Watched, watched, would_trip, would_trip_at_once};
pub use saved::{savings, settle_all, unit_costs};
pub use settled::settle_one;
pub use shadowed::Shadowed;
pub use side_by_side::{BranchError, BranchesOf, branch_out};
pub use slow::{SlowStreams, SlowTally};
pub use snapshot::{
    Change, Consequences, Play, Reading, RerunState, RouteConsequences, Snapshot, WINDOWS, WindowScope,
    is_within_error, window_label,
};
pub use speed::Speed;
pub use spending::{Budgeted, Spending, Turned};
pub use status::{
    Answer, Breaker, Headroom, LedgerState, LiveStatus, LiveView, ModelHealth, Question, QuotaWindow, Reply,
    Severity, TurnedAway,
};
pub use steering::{Course, Heading, MoveRow, Moved, SteerRow, SteeredWindow, Steering, Steps, steer_over};
pub use stream::{Asks, One, StreamOptions, StreamResult, stream};
pub use stretch::Stretch;
pub use strip::StripCell;
pub use study::{Beside, Found, Studies, Topic};
pub use sureness::{Scored, scored};
pub use switching::switching;
pub use trial::Trial;
pub use tried::{BudgetsTried, Switching, TriedAlert, TriedRow, TriedRun, TriedSide, Tries};
pub use trying::{try_beside, try_budgets};
pub use view::View;
pub use wanted::{Search, Wanted};
pub use warm_at::warm_sessions;
pub use worker::{Worker, spawn};
pub use worlds::{Other, WorldError, branched};
