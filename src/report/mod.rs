//! Reports for people and programs: table, JSON, CSV and Markdown of the same figures.
//!
//! Invariant: money leaves as decimal strings, unknown is said and never written as zero.

mod anomalies;
mod branches;
mod cache;
mod chart;
mod explain;
mod figures;
mod focus;
mod json;
mod mine;
mod page;
mod parquet;
mod reconcile;
mod replay;
mod requests;
mod savings;
mod series;
mod sheet;
mod spend;
mod text;
mod unit;

pub use anomalies::{AnomalyReport, CauseRow, ChangedRow, Figure, IncidentRow, Naming};
pub use branches::{BranchReport, BranchRow, BranchScope, Figures, StretchRow, TripRow};
pub use cache::{CacheReport, CacheScope};
pub use explain::{
    AlsoRow, ExplainReport, ExplainScope, FailingRow, HitRow, MixRow, NoteRow, PartsRow, SliceRow, WindowRow,
};
pub use focus::{FocusOptions, FocusVersion, FocusWritten, focus};
pub use json::to_json;
pub use mine::{AgentCall, AgentPlace, MineReport, OtherPolicy, PlanState, Spend};
pub use reconcile::{Amounts, Matching, ReconcileReport, ReconcileScope, Side};
pub use replay::{
    BrokenConstraint, ConstraintCheck, Latency, NewsRow, RecordedCharges, ReplayReport, Row, Scope,
    StreamLimitRow, Tokens, Undated, UnknownMeter,
};
pub(crate) use replay::{error_text, quality};
pub use requests::{RequestRow, RequestsScope, RequestsWriter};
pub use savings::{SavingsReport, SavingsScope};
pub use series::{ScoredPoint, SeriesReport, series_text};
pub(crate) use sheet::cell;
pub use sheet::{Column, Format, Sheet, aligned, render};
pub use spend::{SpendReport, SpendRow, SpendScope, spend_rows};
pub(crate) use text::{count, dollars_rounded};
pub use text::{left_out, replay_text, simulated};
pub use unit::{UnitReport, UnitRow, UnitScope};
