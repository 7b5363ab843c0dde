//! The composition root: the one place that knows every room. Turns what was asked for into sessions and reports.

mod alerting;
#[cfg(test)]
mod away;
mod branches;
mod cached;
pub mod candidate;
mod console;
mod created;
mod exported;
mod fault;
mod followed;
mod found;
mod known;
mod labelling;
mod lessons;
mod live;
mod load;
mod logs;
mod mine;
mod offer;
mod opencode;
mod panic;
mod plans;
mod presence;
mod progress;
mod reconcile;
mod remote;
mod requests;
mod scheduled;
mod serve;
mod spend;
mod tail;
mod told;
mod trace;
mod unbound;

pub use branches::{against, branch_report, read_world, with_policy};
pub use cached::{CacheOptions, Cached, cached};
pub use console::{ConsoleOptions, Dressing, run_console};
pub use fault::Internal;
pub use followed::follow;
pub use labelling::{Compared, LabelFile, Sitting, compare};
pub use lessons::{Contents, Lesson, Lessons, Taught, file_name, list, meant};
pub use live::{
    ALERTS, AUTOMATIONS, AttachOptions, BUDGETS, ROLLOUTS, RUNAWAYS, STEERING, attach, operator_get,
    order_at, read_at, rows_at, said_at, watch,
};
pub use load::{
    Setup, SetupOptions, classifier, find_request, load_log, load_trial, policies_text, report_scope,
    stream_report,
};
pub use logs::{input, input_within, same_log};
pub use mine::{AgentLogs, agent_logs, mine_report};
pub use offer::{Offered, offer};
pub use panic::install_panic_report;
pub use plans::codex_plans;
pub use presence::{Presence, ask_once, greet};
pub use progress::{Cancel, Progress};
pub use reconcile::reconciled;
pub use requests::write_requests;
pub use serve::{Ended, ServeOptions, Serving, fingerprint, read_settings, serve};
pub use spend::{Spent, spent};
pub use unbound::unbound_in;

pub use trace::{VARIABLE as LOG_VARIABLE, start as start_trace_log};
