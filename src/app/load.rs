//! From options to engines: policy, prices, classifier and sources put together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::known::{Checked, similar_models};
use super::{Cancel, Progress, file_name};
use crate::classifier::Classifier;
use crate::config::{self, policy};
use crate::pricing::{PriceBook, Recharge};
use crate::record::{self, Input, ReadOptions};
use crate::report::{
    BrokenConstraint, ConstraintCheck, NewsRow, RecordedCharges, ReplayReport, Scope, StreamLimitRow,
    Undated, UnknownMeter,
};
use crate::routing::Policy;
use crate::session::{
    Answered, Asks, Broken, Constraints, Ingest, IngestOptions, LoadError, Log, Reading, StreamOptions,
    StreamResult, Stretch, Trial, Wanted, meter_text, recharge_text, stream,
};
use crate::units::{Instant, Names};

/// What a run rests on, as asked for.
#[derive(Clone, Debug, Default)]
pub struct SetupOptions {
    /// The policy file; the user's own or the built-in one where absent.
    pub policy: Option<PathBuf>,
    /// The price book's name or path.
    pub prices: Option<String>,
    /// The model that savings are measured against, instead of the policy's.
    pub baseline: Option<String>,
    /// A classifier file instead of the built-in one.
    pub classifier: Option<PathBuf>,
    /// Ask the classifier even where the log carries a confidence.
    pub reclassify: bool,
    /// Charge by the price book even where the log tells what was charged.
    pub reprice: bool,
    /// How to read logs.
    pub read: ReadOptions,
    /// The stretch of a log to keep to.
    pub stretch: Stretch,
    /// A providers file instead of the operator's own.
    pub providers: Option<PathBuf>,
}

/// Everything a session starts from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The policy.
    pub policy: Arc<Policy>,
    /// The prices.
    pub book: PriceBook,
    /// How they were named.
    pub prices: String,
    /// Names, classifier.
    pub ingest: Ingest,
    /// What a person should know before anything runs.
    pub remarks: Vec<String>,
    /// Whether logs are read without progress on stderr and Ctrl-C cancels nothing.
    pub quiet: bool,
}

impl Setup {
    /// Reads policy, prices and classifier.
    ///
    /// # Errors
    /// Where one of the files cannot be used; the message says where and how to mend it.
    pub fn new(options: &SetupOptions) -> anyhow::Result<Self> {
        let prices = options.prices.as_deref().unwrap_or("list").to_owned();
        let mut book = config::prices::layered(&prices, config::user_dir().as_deref())?;
        let providers = super::known::providers_of(options.providers.as_deref());
        let renamed = providers.as_ref().map(|spec| super::known::know_renamed(&mut book, &spec.providers));
        let mut names = Names::default().knowing(Arc::new(book.clone()));
        for name in renamed.iter().flatten() {
            names.intern_model(name);
        }
        let own = config::own_file("policy.toml");
        let policy_path = options.policy.clone().or(own);
        let (mut policy, places) = match &policy_path {
            Some(path) => policy::load_placed(path, &mut names)?,
            None => policy::parse_placed(policy::BUILTIN, "built-in policy", &mut names)?,
        };
        if let Some(baseline) = &options.baseline {
            if book.find(baseline).is_none() {
                anyhow::bail!(
                    "--baseline {baseline}: not in price book {}\nhint: {}",
                    book.name,
                    similar_models(baseline, &book)
                );
            }
            policy.baseline = names.intern_model(baseline);
        }
        policy = super::known::with_regions(policy, providers.as_ref(), &mut names);
        let mut remarks = if policy_path.is_some() {
            let checked = Checked { policy: &policy, places: &places, names: &names, book: &book };
            checked.against(providers.as_ref(), options.baseline.is_some())?
        } else {
            Vec::new()
        };
        if let Some(model) = options.read.assume_model.as_deref().filter(|model| book.find(model).is_none()) {
            let (book_name, near) = (&book.name, similar_models(model, &book));
            remarks.push(format!(
                "--assume-model {model}: not in price book {book_name}, so its costs are unknown; {near}"
            ));
        }
        let classifier = classifier(options.classifier.as_deref())?;
        if let Some(named) = policy.classifier.as_deref().filter(|named| !classifier.is_named(named)) {
            anyhow::bail!(
                "{}: `classifier`: its thresholds were fitted on {named}, and the classifier is {} {:016x}\nhint: name the weights it was fitted on (--classifier FILE), or fit the thresholds again and name this hash",
                places.of("classifier"),
                classifier.name(),
                classifier.hash()
            );
        }
        let ingest = Ingest::new(
            names,
            classifier,
            &IngestOptions {
                reclassify: options.reclassify,
                reprice: options.reprice,
                own_policy: options.policy.is_some(),
                baseline: options.baseline.clone(),
                stretch: options.stretch,
            },
        );
        let ingest = ingest.caching(config::caching::layered(config::user_dir().as_deref())?);
        Ok(Self { policy: Arc::new(policy), book, prices, ingest, remarks, quiet: false })
    }

    /// Has a second classifier judge whatever is read besides, where one is named.
    ///
    /// # Errors
    /// Where its file cannot be used.
    pub fn beside(self, path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(self) };
        let second = classifier(Some(path))?;
        Ok(Self { ingest: self.ingest.beside(second), ..self })
    }

    /// Returns the same for a stretch of time.
    pub(super) fn within(&self, stretch: Stretch) -> Self {
        Self { ingest: self.ingest.clone().within(stretch), ..self.clone() }
    }
}

/// Reads a classifier: from a file, by the name of one that comes with the program, or the built-in one.
///
/// # Errors
/// Where the file cannot be read or used; the message says where and how to mend it.
pub fn classifier(path: Option<&Path>) -> anyhow::Result<Classifier> {
    let Some(path) = path else { return Ok(Classifier::builtin()) };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let shipped = path.to_str().and_then(Classifier::shipped);
            return shipped.ok_or(error).with_context(|| path.display().to_string());
        }
    };
    Classifier::from_toml(&text).with_context(|| path.display().to_string())
}

/// Names logs for a title.
fn title(paths: &[PathBuf]) -> String {
    match paths {
        [] => String::new(),
        [only] if only.as_os_str() == "-" => "standard input".to_owned(),
        [only] => file_name(only),
        [first, rest @ ..] => format!("{} +{}", file_name(first), rest.len()),
    }
}

/// Loads logs into memory, with progress on stderr.
///
/// # Errors
/// Where a log cannot be read, is empty, or Ctrl-C cancels.
pub fn load_log(
    input: &Input,
    name: &[PathBuf],
    setup: Setup,
    read: &ReadOptions,
    shown_title: Option<&str>,
) -> anyhow::Result<Log> {
    let source = record::open(input, read)?;
    let watch = source.progress();
    let mut progress = Progress::new("loading", watch.total);
    let cancel = Cancel::on_interrupt();
    let title = shown_title.map_or_else(|| title(name), str::to_owned);
    let log = Log::load(title, source, setup.ingest, setup.policy, &setup.book, |requests| {
        progress.update(watch.read(), requests as u64);
        !cancel.is_raised()
    });
    progress.finish();
    let log = log?;
    tracing::info!(
        log = log.title,
        requests = log.len(),
        skipped = log.skipped.count,
        reordered = log.reordered,
        classified = log.classified,
        "loaded"
    );
    for damage in &log.skipped.damaged {
        tracing::warn!(damage, "broke off");
    }
    Ok(log)
}

/// Says what a report is about.
pub fn report_scope(
    logs: Vec<String>,
    reading: &'static str,
    policies: &[Arc<Policy>],
    book: &str,
    classifier: &str,
    names: &Names,
) -> Scope {
    Scope {
        logs,
        reading,
        policy: policies_text(policies),
        prices: book.to_owned(),
        classifier: classifier.to_owned(),
        baseline_model: baselines(policies, names),
    }
}

/// Names the models that savings are measured against, policy by policy.
pub(super) fn baselines(policies: &[Arc<Policy>], names: &Names) -> String {
    let mut baselines: Vec<&str> = policies.iter().map(|policy| names.model(policy.baseline)).collect();
    baselines.dedup();
    baselines.join(", then ")
}

/// Names the policies that decided: `company v3`, `company v3, company v4` or `company v1 to company v9 (9 policies)`.
pub fn policies_text(policies: &[Arc<Policy>]) -> String {
    let name = |policy: &Arc<Policy>| format!("{} v{}", policy.name, policy.version);
    match policies {
        [first, .., last] if policies.len() > 3 => {
            format!("{} to {} ({} policies)", name(first), name(last), policies.len())
        }
        few => few.iter().map(name).collect::<Vec<_>>().join(", "),
    }
}

/// What is wrong where events come late in what can be read only once.
pub(super) const LATE: &str = "prices or policies came after requests of their time, which were counted without them; a file instead of standard input is read in order of time";

/// Streams logs: once more where events came behind requests of their time, if that can be done.
pub(super) fn streamed(
    input: &Input,
    setup: &Setup,
    read: &ReadOptions,
    options: &StreamOptions,
) -> anyhow::Result<StreamResult> {
    let quiet = setup.quiet;
    let cancel = if quiet { Cancel::default() } else { Cancel::on_interrupt() };
    let reading = |doing: &'static str, options: &StreamOptions| {
        let source = record::open(input, read)?;
        let watch = source.progress();
        let mut progress = Progress::new(doing, watch.total);
        let ingest = setup.ingest.clone();
        let found = stream(source, ingest, &setup.policy, &setup.book, options, |requests| {
            if !quiet {
                progress.update(watch.read(), requests);
            }
            !cancel.is_raised()
        });
        progress.finish();
        found
    };
    let mut found = reading("replaying", options)?;
    // Prices and policies count from their own moment on, wherever they stand. Now that they are known: once more.
    if let Some(events) = found.late.take_if(|_| input.can_be_read_again()) {
        found = reading("once more, by time", &StreamOptions { events: Some(events), ..options.clone() })?;
    }
    Ok(found)
}

/// Reads a log on which thresholds are to be tried: streams it where that tells all, else holds it in memory.
///
/// # Errors
/// Where the log cannot be read, is empty, or Ctrl-C cancels.
pub fn load_trial(
    input: &Input,
    name: &[PathBuf],
    setup: Setup,
    read: &ReadOptions,
) -> anyhow::Result<Trial> {
    if input.can_be_read_again() && !setup.policy.remembers() {
        let options = StreamOptions { asks: Asks::Frontiers, ..Reading::Routed.into() };
        let found = streamed(input, &setup, read, &options)?;
        let book = format!("{} {}", setup.book.name, setup.book.dated);
        if let Some(trial) = Trial::streamed(title(name), book, found) {
            return Ok(trial);
        }
    }
    Ok(Trial::loaded(&Arc::new(load_log(input, name, setup, read, None)?)))
}

/// Looks for one request in a log that streams, by its id or, with a `#`, by its number; `None` where it is not found so.
///
/// # Errors
/// Where the log cannot be read, or Ctrl-C cancels.
pub fn find_request(
    input: &Input,
    name: &[PathBuf],
    setup: &Setup,
    read: &ReadOptions,
    request: &str,
) -> anyhow::Result<Option<Answered>> {
    if !input.can_be_read_again() || setup.policy.remembers() {
        return Ok(None);
    }
    let look = |wanted| {
        let options = StreamOptions { asks: Asks::One(wanted), ..Reading::Routed.into() };
        streamed(input, setup, read, &options)
    };
    let about = || (format!("{} {}", setup.book.name, setup.book.dated), setup.ingest.classifier_tag());
    let found = look(Wanted::Named(request.into()))?;
    let number =
        request.strip_prefix('#').and_then(|n| n.parse::<usize>().ok()).and_then(|n| n.checked_sub(1));
    let search = found.one.as_ref().map(|one| &one.search);
    let placed = search.filter(|search| !search.has_found()).zip(number).and_then(|(all, n)| all.placed(n));
    let found = placed.map_or(Ok(found), look)?;
    Ok(Answered::streamed(title(name), about(), found))
}

/// Says why nothing was found in logs, where that is so.
pub(super) fn nothing_in(
    found: &StreamResult,
    logs: String,
    is_windowed: bool,
    read: &ReadOptions,
) -> Option<LoadError> {
    if found.totals.all.requests > 0 {
        return None;
    }
    let hint = match found.skipped.first.first() {
        _ if is_windowed => Stretch::EMPTY.to_owned(),
        Some(first) if read.mapping.is_some() || read.format.is_some() => {
            format!("line {}: {}", first.line, first.reason)
        }
        Some(first) => {
            format!("line {}: {}; name the format with --input-format", first.line, first.reason)
        }
        None => found.skipped.nothing_of_it().unwrap_or_else(|| "the log is empty".to_owned()),
    };
    Some(LoadError::Empty(logs, hint))
}

/// Streams logs through an engine and draws up the report, with progress on stderr.
///
/// # Errors
/// Where a log cannot be read, or Ctrl-C cancels.
pub fn stream_report(
    input: &Input,
    logs: Vec<String>,
    setup: &Setup,
    read: &ReadOptions,
    options: &StreamOptions,
) -> anyhow::Result<ReplayReport> {
    let is_windowed = setup.ingest.is_windowed();
    let (classifier, repriced) = (setup.ingest.classifier_tag(), setup.ingest.options.reprice);
    let shown = logs.join(", ");
    let mut found = streamed(input, setup, read, options)?;
    let late = found.late.take().map(|_| LATE);
    tracing::info!(
        logs = shown,
        requests = found.totals.all.requests,
        skipped = found.skipped.count,
        "replayed"
    );
    if let Some(nothing) = nothing_in(&found, shown, is_windowed, read) {
        return Err(nothing.into());
    }
    let book = format!("{} {}", setup.book.name, setup.book.dated);
    let scope = report_scope(logs, options.reading.name(), &found.policies, &book, &classifier, &found.names);
    let mut report = ReplayReport::new(scope, &found.totals, &found.names, found.first_at.zip(found.last_at));
    report.skipped_lines = found.skipped.count;
    report.passed_over = found.skipped.passed_over;
    report.skipped = found
        .skipped
        .first
        .iter()
        .take(20)
        .map(|line| format!("{}:{}: {}", line.source, line.line, line.reason))
        .collect();
    report.damaged = found.skipped.damaged;
    report.damaged.extend(late.map(str::to_owned));
    let Recharge { requests, differing, charged, priced } = found.recharge;
    report.recorded_charges = (requests > 0).then(|| RecordedCharges {
        requests,
        differing_requests: differing,
        charged_usd: charged.total().usd(),
        charged_unknown_requests: charged.unknown,
        book_usd: priced.total().usd(),
        book_unknown_requests: priced.unknown,
        repriced,
        remark: recharge_text(&found.recharge, &report.scope.prices, repriced),
    });
    report.constraints = (found.constraints.checked > 0).then(|| check(found.constraints, &found.names));
    for (meter, calls) in found.unknown_meters {
        tracing::warn!("{}", meter_text(&meter, calls));
        report.unknown_meters.push(UnknownMeter { meter, calls });
    }
    let row = |(at, text): (Instant, String)| NewsRow { at: at.rfc3339(), text };
    report.news = found.news.into_iter().map(row).collect();
    let kind = found.timing.word();
    report.timing = found.undated.map(|remark| Undated { kind, remark });
    report.simulated_requests = found.simulated;
    report.stream_limits = found
        .slow
        .rows()
        .map(|(route, limit, value, tally)| StreamLimitRow {
            route: route.to_owned(),
            limit: limit.name(),
            value,
            streams: tally.streams,
            cut: tally.stopped,
            unknown: tally.unknown,
        })
        .collect();
    report.classified_requests = found.classified;
    Ok(report)
}

/// Writes what became of constraints.
fn check(found: Constraints, names: &Names) -> ConstraintCheck {
    let written = |one: Broken| BrokenConstraint {
        request: one.id.into(),
        at: one.at.rfc3339(),
        route: one.route.to_string(),
        model: one.model.is_some().then(|| names.model(one.model).to_owned()),
        why: one.why.describe(names),
    };
    ConstraintCheck {
        checked: found.checked,
        broken_calls: found.broken,
        broken: found.list.into_iter().map(written).collect(),
    }
}
