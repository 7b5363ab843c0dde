//! What calls of a stretch cost and who paid for them, so that budgets go on where they stood.

use rusqlite::Row;

use super::LedgerError;
use super::file::{LedgerFile, Range, WITHIN};
use super::row::{plain, read_list};
use super::schema::CHAINED;
use crate::outcome::is_stand_in;
use crate::pricing::Cost;
use crate::routing::{AtMost, TAG};
use crate::units::{Instant, members, tag, tag_set};

members! {
    /// A call that is over, and who paid for it.
    #[derive(Clone, Debug, PartialEq)]
    pub struct SpentCall;
    fn read(row: &Row<'_>, cost: Cost) -> Result<Self, rusqlite::Error> {
        let text = |at: usize| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
        let count = |at: usize| {
            row.get::<_, Option<i64>>(at).map(|count| count.and_then(|count| u64::try_from(count).ok()))
        };
    }
    /// Its request's place in the order of arrival.
    pub seq: u64 = plain(row.get(0)?),
    /// When its request arrived.
    pub at: Instant = Instant(row.get(1)?),
    /// The team.
    pub team: String = text(2)?,
    /// The project.
    pub project: String = text(3)?,
    /// The end user.
    pub user: String = text(4)?,
    /// The session.
    pub session: String = text(5)?,
    /// The key's name.
    pub key: String = text(6)?,
    /// The route.
    pub route: String = text(7)?,
    /// The kind of work; empty where nobody said.
    pub task: String = text(8)?,
    /// Its tags, as [`crate::units::tag_set`] puts them together.
    pub tags: String =
        tag_set(read_list(row.get(12)?).iter().filter_map(|word| tag(word.strip_prefix(TAG)?))),
    /// The most that it can be billed for, where its cost might have stayed unknown.
    pub at_most: Option<AtMost> = read_list(row.get(12)?).iter().find_map(|word| AtMost::parse(word)),
    /// The model called.
    pub model: String = text(9)?,
    /// The model billed.
    pub billed: String = text(13)?,
    /// What of its answer was made up, as the log has it.
    pub simulated: String = text(14)?,
    /// Whether rungs write into it.
    pub on_rung: bool = row.get::<_, Option<i64>>(16)?.is_some(),
    /// What it cost.
    pub cost: Cost = cost,
    /// The tokens of its prompt, as they were estimated.
    pub prompt: Option<u64> = count(10)?,
    /// The tokens that its answer might have, where that was limited.
    pub output: Option<u64> = count(11)?,
}

impl LedgerFile {
    /// Tells of every charged call of the requests that arrived in a stretch, in their order; what was refused was no call.
    ///
    /// # Errors
    /// Where the file cannot be read, or holds something unreadable.
    pub fn spent(&self, range: &Range, mut take: impl FnMut(SpentCall)) -> Result<(), LedgerError> {
        let fault = |source| self.failed(source);
        let output = if self.version < CHAINED { "NULL, NULL" } else { "o.max_output, o.down" };
        let mut all = self
            .conn
            .prepare(&format!(
                "SELECT o.seq, o.at, o.team, o.project, o.user, o.session, o.key_name, o.route, o.task, a.asked, a.prompt, \
                 {output}, a.model, o.simulated, a.n, a.rung, c.kind, c.why, {} FROM operations o CROSS JOIN charges c ON c.seq = o.seq \
                 CROSS JOIN attempts a ON a.seq = c.seq AND a.n = c.n WHERE {WITHIN} \
                 AND COALESCE(a.status, '') NOT IN ('refused', 'unavailable') ORDER BY o.seq, c.n",
                self.amounts()
            ))
            .map_err(fault)?;
        let mut rows = all.query(self.bounds(range)?).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let n: i64 = row.get(15).map_err(fault)?;
            let call = SpentCall::read(row, self.charge(row, 17)?).map_err(fault)?;
            // What was made up in the place of a provider beside real ones is nobody's money.
            if !is_stand_in(&call.simulated, usize::try_from(n).unwrap_or(usize::MAX)) {
                take(call);
            }
        }
        Ok(())
    }
}
