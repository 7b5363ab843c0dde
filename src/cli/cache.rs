//! `pointsman cache`: what prompt caches served, what they could have served, and whether a change of model pays.

use clap::Args;

use super::args::{Choice, LogsArgs, chosen, input, names};
use super::output;
use crate::app::{CacheOptions, Cached, cached};
use crate::config::{self, caching};
use crate::prompt_cache::{Study, Ttl};
use crate::report::{CacheReport, CacheScope, Format};
use crate::session::Stretch;
use crate::units::{PerMille, Span, counted};

/// Says what prompt caches served, what an ideal one would have, and what that is in dollars.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman cache gateway.jsonl\n  pointsman cache mooncake.jsonl.gz --ttl 5m --format json\n  pointsman cache ~/.claude/projects --switch claude-haiku-4-5\n\nPrompts are compared by the log's hashes of their beginnings; without, with the turn before in their session, which is taken to be their beginning; without either the ideal share is unknown. Reachable is what the provider's minimum, steps and time to live (caching.toml) leave of the ideal. Costs are of prompts, at the book's prices; the ideal cache pays for writing only what is read again.\n\n--switch routes the log's sessions three ways between their own model and a cheaper one: never switching, for each turn that may go there, and where expected dollars say so. Which turns may is told by the log's confidence (500 and more), else drawn (--easy)."
)]
pub struct CacheArgs {
    /// How long the ideal cache holds what was last used.
    #[arg(long, value_parser = chosen(LIVES), default_value = "inf")]
    ttl: Life,
    /// Try switching sessions to this cheaper model.
    #[arg(long, value_name = "MODEL", num_args = 0..=1, default_missing_value = "claude-haiku-4-5")]
    pub switch: Option<String>,
    /// The share of turns that the cheaper model may answer where the log has no confidences, in per mille.
    #[arg(long, value_name = "PERMILLE", default_value_t = 500, requires = "switch", value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub easy: u16,
    #[command(flatten)]
    pub(crate) input: LogsArgs,
}

/// How long a cache holds, and its word for that.
type Life = (Ttl, &'static str);

const LIVES: &[Choice<Life>] = &[
    ("inf", "For ever", (Ttl::Infinite, "inf")),
    ("5m", "Five minutes", (Ttl::For(Span::mins(5)), "5m")),
    ("1h", "An hour, written at the price of an hour", (Ttl::For(Span::hours(1)), "1h")),
];

/// Runs the subcommand.
///
/// # Errors
/// Where a log, price book or caching.toml cannot be used.
pub fn run(args: &CacheArgs) -> anyhow::Result<()> {
    let setup = args.input.engine.start()?;
    let rules = caching::layered(config::user_dir().as_deref())?;
    let (ttl, word) = args.ttl;
    let options = CacheOptions {
        ttl,
        rules,
        switch: args.switch.clone(),
        easy: PerMille::clamped(args.easy.into()),
        stretch: Stretch::new(args.input.engine.from, args.input.engine.to),
    };
    let found = cached(&input(&args.input.logs), &setup, &args.input.engine.read(), &options)?;
    let scope = CacheScope {
        logs: names(&args.input.logs),
        prices: format!("{} {}", setup.book.name, setup.book.dated),
        ttl: word.to_owned(),
        notes: notes(&found),
    };
    let mut report = CacheReport::new(scope, &found.study, &found.names, &options.rules);
    if let (Some(to), Some(trial)) = (&args.switch, &found.trial) {
        report = report.with_trial(to, trial, found.drawn);
    }
    output::report(args.input.format, &report, || report.text(args.input.format))?;
    if args.input.format != Format::Json {
        report.notes().iter().for_each(|note| output::say(note));
    }
    output::damage(&found.damaged)
}

/// Says what the figures rest on.
fn notes(found: &Cached) -> Vec<String> {
    let sum =
        |of: fn(&crate::prompt_cache::Sums) -> u64| -> u64 { found.study.models().values().map(of).sum() };
    let (by_session, unfounded) = (sum(|sums| sums.by_session), sum(|sums| sums.unfounded));
    let mut notes = Vec::new();
    if found.has_ceiling {
        notes.push("the trace tells the cached prefix of each prompt by its own hashes within the session: that is both what could be read and what was".to_owned());
    } else if by_session > 0 {
        notes.push(format!(
            "{} without hashes: the turn before in the session is taken to be the beginning of the prompt where that is no shorter (an assumption)",
            counted(by_session, "request")
        ));
    }
    if unfounded > 0 {
        notes.push(format!(
            "{} with neither hashes nor a session: in no ideal figure",
            counted(unfounded, "request")
        ));
    }
    if found.by_bytes {
        notes.push("hashes of a gateway stand at bytes of the prompt: their tokens are worked out by share, rounded down".to_owned());
    }
    let is_told = found.study.models().values().any(|sums| sums.told != [0, 0]);
    if !is_told {
        notes.push("the log does not tell what was read from a cache".to_owned());
    }
    if found.study.dropped() > 0 {
        notes.push(dropped(&found.study));
    }
    if found.simulated > 0 {
        notes.push(format!("{} of {} are simulated", found.simulated, counted(found.requests, "request")));
    }
    if found.summary.bad > 0 {
        let first = found.summary.first_bad.first().map_or("", String::as_str);
        notes.push(format!("{} skipped; the first: {first}", counted(found.summary.bad, "bad line")));
    }
    notes
}

fn dropped(study: &Study) -> String {
    format!(
        "more was warm than is kept in memory: {} forgotten, ideal shares are lower bounds",
        counted(study.dropped(), "prefix")
    )
}
