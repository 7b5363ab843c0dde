//! `pointsman certify`: the thresholds that labels prove safe, with the numbers behind them.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::args::{EngineArgs, input, one_input, per_mille};
use super::output;
use crate::app::load_trial;
use crate::calibration::{Bin, Diagram};
use crate::certificate::{Finding, Judge, Label, Loss, Promise, Scope, Test, certify};
use crate::record::Judgements;
use crate::report::{Format, Sheet, count, render};
use crate::session::Trial;
use crate::telemetry::Pair;
use crate::units::{PerMille, counted, members};

/// Finds the lowest thresholds that labels prove safe.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  pointsman certify labels.jsonl --epsilon .02 --delta .05\n  pointsman certify gateway.jsonl --route extraction --format json\n\nA line of labels is {\"confidence\":812,\"cheap\":1000,\"strong\":1000}: how sure the classifier was, and how good both answers were, 0 to 1000. Of a log those requests count whose labels tell both. A request is lost where the strong answer would have been acceptable and the cheap one was not; with --graded, by as much as the cheap one was worse.\n\nThresholds are tested from 1000 down, and the first that fails ends it; so what is certified holds with a chance of 1 - delta whatever the traffic is like, as long as the labels are a fair sample of it."
)]
pub struct CertifyArgs {
    /// Labels as JSON lines, or a log with labels; plain, gzip or zstd; `-` is standard input.
    #[arg(value_name = "LABELS")]
    pub labels: PathBuf,
    /// Files with more labels of the same requests, as `pointsman label` writes them.
    #[arg(long = "labels", value_name = "FILE")]
    pub more: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) promise: PromiseArgs,
    /// Bound the loss among the requests that the cheap model serves, instead of that of all requests.
    #[arg(long)]
    pub selective: bool,
    /// The threshold at which testing begins; 1000, and with --selective the first that enough labels reach, where absent.
    #[arg(long, value_name = "PERMILLE", value_parser = per_mille)]
    pub start: Option<PerMille>,
    /// Judgements that people looked at again, and those among them that had called a bad cheap answer good.
    #[arg(long, value_name = "WRONG/CHECKED", value_parser = judge)]
    pub judge: Option<Judge>,
    /// Of a log: only this route.
    #[arg(long, value_name = "ROUTE")]
    pub route: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// What is promised.
#[derive(Args, Debug, Clone)]
pub struct PromiseArgs {
    /// The most loss.
    #[arg(long, value_name = "SHARE", default_value = "0.02", value_parser = share, allow_negative_numbers = true)]
    pub epsilon: f64,
    /// The chance that the promise is wrong.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = share, allow_negative_numbers = true)]
    pub delta: f64,
    /// Answers of this quality or better are acceptable.
    #[arg(long, value_name = "PERMILLE", default_value = "500", value_parser = per_mille)]
    pub acceptable: PerMille,
    /// Count as much as the cheap answer was worse, instead of whether it was acceptable.
    #[arg(long, conflicts_with = "acceptable")]
    pub graded: bool,
}

impl PromiseArgs {
    /// Returns the promise about all requests.
    pub fn promise(&self) -> Promise {
        Promise {
            epsilon: self.epsilon,
            delta: self.delta,
            scope: Scope::All,
            loss: if self.graded { Loss::Graded } else { Loss::Acceptable(self.acceptable) },
            from: None,
            judge: None,
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.trim().strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().ok().map(|number| number / unit);
    share
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| format!("`{text}` is no share between 0 and 1; write 0.02 or 2%"))
}

fn judge(text: &str) -> Result<Judge, String> {
    let parsed = text.split_once('/').and_then(|(wrong, checked)| {
        Some(Judge { wrong: wrong.trim().parse().ok()?, checked: checked.trim().parse().ok()? })
    });
    parsed
        .filter(|judge| judge.wrong <= judge.checked)
        .ok_or_else(|| format!("`{text}` is not WRONG/CHECKED, like 3/200: 3 wrong of 200 that were checked"))
}

members! {
    /// What labels say of one threshold.
    #[derive(Debug, Serialize)]
    struct Tested;
    fn from(test: &Test) {}
    threshold: u16 = test.threshold.get(),
    n: u64 = test.n,
    failures: u64 = test.failures,
    p_value: f64 = test.p_value,
    bound: f64 = test.bound,
    needed_labels: Option<u64> = test.needed,
    needed_labels_at_rate: Option<u64> = test.needed_at_rate,
}

members! {
    /// What was found of one set of labels.
    #[derive(Debug, Serialize)]
    struct Found;
    fn new(labels: &[Label], promise: &Promise) {
        let finding = certify(labels, promise);
        let Finding { certified, failed, base_loss, labels: count, hidden } = finding;
        let told = certified.or(failed);
        let threshold = certified.map(|test| test.threshold);
        let served = labels.iter().filter(|label| threshold.is_some_and(|from| label.confidence >= from)).count();
        let is_between = |quality: PerMille| quality > PerMille::ZERO && quality < PerMille::ONE;
        let graded = labels.iter().filter(|label| is_between(label.cheap) || is_between(label.strong)).count();
    }
        #[serde(skip_serializing_if = "Option::is_none")]
        route: Option<String> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        rung: Option<String> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        cheap: Option<String> = None,
        #[serde(skip_serializing_if = "Option::is_none")]
        strong: Option<String> = None,
        /// The threshold in force, of a log.
        #[serde(skip_serializing_if = "Option::is_none")]
        applied_threshold: Option<u16> = None,
        certified_threshold: Option<u16> = threshold.map(PerMille::get),
        /// Labels that count at that threshold, or where none is certified at the first that was tested.
        n: u64 = told.map_or(0, |test| test.n),
        failures: u64 = told.map_or(0, |test| test.failures),
        /// The same by weight, where losses are graded.
        #[serde(skip_serializing_if = "Option::is_none")]
        graded_loss: Option<f64> = (promise.loss == Loss::Graded)
            .then(|| told.map_or(0.0, |test| test.loss as f64 / 1000.0 / test.n.max(1) as f64)),
        p_value: f64 = told.map_or(1.0, |test| test.p_value),
        /// What it is held to, where a part of delta goes to the judge.
        #[serde(skip_serializing_if = "Option::is_none")]
        p_value_at_most: Option<f64> = promise.judge.map(|_| promise.budget().1),
        /// The least confidence of which answers were judged, where nobody judged any below.
        #[serde(skip_serializing_if = "Option::is_none")]
        judged_from: Option<u16> = labels.iter().map(|label| label.judged_from.get()).min().filter(|from| *from > 0),
        /// What the true loss stays below, but for a chance of delta.
        bound: f64 = told.map_or(1.0, |test| test.bound),
        /// Labels more, none of which may fail, until anything is certified; `null` where no number would do.
        needed_labels: Option<u64> = told.and_then(|test| test.needed),
        /// The same where failures go on at the rate seen.
        needed_labels_at_rate: Option<u64> = told.and_then(|test| test.needed_at_rate),
        /// The share of the labels that the cheap model would serve.
        served_share: f64 = served as f64 / labels.len().max(1) as f64,
        /// The first threshold that is not certified.
        next: Option<Tested> = certified.and(failed).as_ref().map(Tested::from),
        labels: u64 = count,
        /// The loss of serving every request cheaply.
        base_loss: f64 = base_loss as f64 / 1000.0 / count.max(1) as f64,
        /// The share of requests that has to be kept from the cheap model for this loss among the served, whatever the method.
        #[serde(skip_serializing_if = "Option::is_none")]
        least_kept_share: Option<f64> = (promise.scope == Scope::Served).then(|| finding.least_kept(promise.epsilon)),
        /// The loss that the judge may hide, which is taken off epsilon.
        #[serde(skip_serializing_if = "Option::is_none")]
        judge_may_hide: Option<f64> = promise.judge.map(|_| hidden),
        /// Labels with only one of the answers judged.
        half_labels: u64 = 0,
        /// Qualities between 0 and 1000.
        graded_labels: u64 = graded as u64,
        /// Labels whose strong answer is acceptable: only there can anything be lost. None where losses are graded.
        #[serde(skip_serializing_if = "Option::is_none")]
        strong_acceptable: Option<u64> = match promise.loss {
            Loss::Acceptable(floor) => {
                Some(labels.iter().filter(|label| label.strong >= floor).count() as u64)
            }
            Loss::Graded => None,
        },
        /// Whether confidences keep what they say of the cheap answer: that nothing is lost with it.
        calibration: Calibration = Calibration::new(labels, promise.loss),
}

members! {
    /// How far confidences are from what came.
    #[derive(Debug, Serialize)]
    struct Calibration;
    fn new(labels: &[Label], loss: Loss) {
        let diagram = Diagram::new(&mut labels.iter().map(|label| loss.judged(label)).collect::<Vec<_>>(), BINS);
    }
        ece: f64 = diagram.ece(),
        /// Less what chance alone adds to it.
        ece_debiased: f64 = diagram.ece_debiased(),
        brier: f64 = diagram.brier,
        bins: Vec<CalibrationBin> = diagram.bins.iter().map(CalibrationBin::from).collect(),
}

members! {
    #[derive(Debug, Serialize)]
    struct CalibrationBin;
    fn from(bin: &Bin) {
        let (low, high) = bin.interval();
    }
    from: u16 = bin.low.get(),
    to: u16 = bin.high.get(),
    n: u64 = bin.n,
    said: f64 = bin.mean_said(),
    did: f64 = bin.mean_did(),
    /// The 95% interval of what comes (Wilson).
    low: f64 = low,
    high: f64 = high,
}

/// Bins of a reliability diagram.
const BINS: usize = 10;

members! {
    #[derive(Debug, Serialize)]
    struct Report<'a>;
    fn new(args: &CertifyArgs, promise: &Promise, found: &'a [Found], bad: u64) {}
    schema: &'static str = "pointsman.certify/1",
    labels_from: String = args.labels.display().to_string(),
    epsilon: f64 = promise.epsilon,
    delta: f64 = promise.delta,
    promise: &'static str = match promise.scope {
        Scope::All => "of all requests",
        Scope::Served => "among the requests served by the cheap model",
    },
    loss: String = match promise.loss {
        Loss::Acceptable(floor) => {
            format!("the strong answer acceptable and the cheap one not: quality {floor} or better")
        }
        Loss::Graded => "as much as the cheap answer was worse".to_owned(),
    },
    #[serde(flatten)]
    first: Option<&'a Found> = found.iter().max_by_key(|found| found.labels),
    /// Lines that could not be used.
    bad_lines: u64 = bad,
    #[serde(skip_serializing_if = "<[Found]>::is_empty")]
    routes: &'a [Found] = if found.first().is_some_and(|found| found.route.is_some()) { found } else { &[] },
}

/// Runs the subcommand.
///
/// # Errors
/// Where the labels cannot be read, or there are none.
pub fn run(args: &CertifyArgs) -> anyhow::Result<()> {
    let promise = Promise {
        scope: if args.selective { Scope::Served } else { Scope::All },
        from: args.start,
        judge: args.judge,
        ..args.promise.promise()
    };
    let paths: Vec<PathBuf> = std::iter::once(&args.labels).chain(&args.more).cloned().collect();
    let part = if args.more.is_empty() { one_input(&args.labels)? } else { input(&paths) };
    let is_settled = !args.more.is_empty()
        || args.engine.input_format.is_some()
        || args.engine.map.is_some()
        || args.labels.is_dir();
    let judged = if is_settled { None } else { Judgements::open(&part, args.engine.strict)? };
    let (found, bad, damaged) = if let Some(judged) = judged {
        if let Some(route) = &args.route {
            anyhow::bail!("--route {route}: lines of labels have no routes; leave it away");
        }
        for told in &judged.told {
            output::remark(told);
        }
        let more = judged.bad.saturating_sub(judged.told.len() as u64);
        if more > 0 {
            output::remark(&format!("passed over: {} more like these", counted(more, "line")));
        }
        if judged.again > 0 {
            output::remark(&format!(
                "{} with an `id` told before: of each id the last counts",
                counted(judged.again, "line")
            ));
        }
        (vec![of_lines(&judged, &promise)?], judged.bad, Vec::new())
    } else {
        let setup = args.engine.start()?;
        let trial = load_trial(&part, &paths, setup, &args.engine.read())?;
        (of_log(&trial, &promise, args.route.as_deref())?, 0, trial.damaged)
    };
    for found in found.iter().filter(|found| found.labels > 0 && found.strong_acceptable == Some(0)) {
        let of = found.route.as_ref().zip(found.rung.as_ref());
        output::remark(&format!(
            "{}no strong answer is acceptable ({} or better), so none can be lost and the certificate says nothing",
            of.map_or_else(String::new, |(route, rung)| format!("route {route}, {rung}: ")),
            args.promise.acceptable
        ));
    }
    let report = Report::new(args, &promise, &found, bad);
    output::report(args.format, &report, || {
        if args.format == Format::Csv {
            return render(&[flat(&found)], args.format);
        }
        let sheets = found.iter().flat_map(|found| {
            // Of nothing there is no calibration.
            let drawn = (found.labels > 0).then(|| reliability(&found.calibration));
            std::iter::once(sheet(&report, found)).chain(drawn)
        });
        render(&sheets.collect::<Vec<_>>(), args.format)
    })?;
    output::damage(&damaged)
}

fn of_lines(judged: &Judgements, promise: &Promise) -> anyhow::Result<Found> {
    let mut labels = Vec::with_capacity(judged.lines.len());
    let (mut halves, mut unsure) = (0, 0u64);
    for line in &judged.lines {
        match (line.confidence, line.cheap, line.strong) {
            (Some(confidence), Some(cheap), Some(strong)) => {
                labels.push(Label::fair(confidence, cheap, strong));
            }
            (None, Some(_), Some(_)) => unsure += 1,
            _ => halves += 1,
        }
    }
    if labels.is_empty() {
        anyhow::bail!(
            "no label has all of `confidence`, `cheap` and `strong`; a line is {{\"confidence\":812,\"cheap\":1000,\"strong\":1000}}"
        );
    }
    let most = labels.iter().map(|label| label.cheap.max(label.strong)).max();
    if most == PerMille::new(1) {
        anyhow::bail!(
            "no quality is above 1 of 1000: these look like qualities from 0 to 1\nhint: write 1000 for a good answer, {{\"confidence\":812,\"cheap\":0,\"strong\":1000}}"
        );
    }
    if unsure > 0 {
        output::remark(&format!(
            "left out: {} without a confidence, which no threshold moves",
            counted(unsure, "label")
        ));
    }
    if halves > 0 {
        output::remark(&format!(
            "left out: {} with one of the two answers alone: both `cheap` and `strong` are needed",
            counted(halves, "label")
        ));
    }
    Ok(Found { half_labels: halves, ..Found::new(&labels, promise) })
}

fn of_log(trial: &Trial, promise: &Promise, only: Option<&str>) -> anyhow::Result<Vec<Found>> {
    let policy = trial.with_earlier();
    if let Some(name) = only.filter(|name| policy.find_route(name).is_none()) {
        let known: Vec<&str> = policy.routes.iter().map(|route| &*route.name).collect();
        anyhow::bail!("--route {name}: no such route; the policy has {}", known.join(", "));
    }
    let mut all = Vec::new();
    for route in policy.routes.iter().filter(|route| only.is_none_or(|only| only == &*route.name)) {
        let Some(last) = route.ladder.last() else { continue };
        for (at, rung) in route.movable().filter_map(|at| Some((at, route.ladder.get(at)?))) {
            let pairs = trial.pairs(route, at);
            if pairs.is_empty() && pairs.halves() == 0 {
                continue;
            }
            // Of the requests that it serves, those that the rung above takes are none.
            let above = route.movable().rfind(|above| *above < at).and_then(|at| route.ladder.get(at));
            let above = above.map(|rung| rung.threshold).filter(|_| promise.scope == Scope::Served);
            let is_its_own = |pair: &Pair| above.is_none_or(|above| pair.confidence < above);
            let labels = pairs.shuffled().into_iter().filter(is_its_own).map(Label::from).collect::<Vec<_>>();
            all.push(Found {
                route: Some(route.name.to_string()),
                rung: Some(rung.name.to_string()),
                cheap: Some(trial.names.model(rung.model).to_owned()),
                strong: Some(trial.names.model(last.model).to_owned()),
                applied_threshold: Some(rung.threshold.get()),
                half_labels: pairs.halves(),
                ..Found::new(&labels, promise)
            });
        }
    }
    if all.is_empty() {
        anyhow::bail!(
            "no request of the log has labels of a route's models\nhint: both the cheap and the strong answer of a request have to be judged: `labels` of a line, or label events (LOG-FORMAT.md); verdicts of a simulated judge count for nothing of real requests"
        );
    }
    Ok(all)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A row for each threshold, exact: what CSV is.
fn flat(found: &[Found]) -> Sheet {
    output::fields(
        found,
        "route rung cheap strong applied_threshold certified_threshold n failures p_value bound needed_labels \
         needed_labels_at_rate served_share next_threshold=next/threshold next_needed_labels=next/needed_labels labels \
         half_labels base_loss ece=calibration/ece ece_debiased=calibration/ece_debiased brier=calibration/brier",
    )
}

/// Draws what was said beside what came.
fn reliability(calibration: &Calibration) -> Sheet {
    let title = format!(
        "confidence beside how often the cheap answer was as good · calibration error {:.3}, {:.3} of it more than chance",
        calibration.ece, calibration.ece_debiased
    );
    Sheet::of(
        title,
        &calibration.bins,
        &[
            ("confidence", &|bin| format!("{} to {}", bin.from, bin.to)),
            (">labels", &|bin| count(bin.n)),
            (">said", &|bin| format!("{:.3}", bin.said)),
            (">did", &|bin| format!("{:.3}", bin.did)),
            (">95 %", &|bin| format!("{:.3} to {:.3}", bin.low, bin.high)),
        ],
    )
}

fn labels_text(needed: Option<u64>, never: &str) -> String {
    needed.map_or_else(|| never.to_owned(), |needed| format!("{} more", count(needed)))
}

/// Says how many labels are missing where losses go on as they were.
fn at_rate(found: &Found, needed: Option<u64>) -> String {
    let never =
        if found.graded_loss.is_some() { "a number that was not worked out" } else { "no number is enough" };
    needed.map_or_else(|| never.to_owned(), count)
}

fn sheet(report: &Report<'_>, found: &Found) -> Sheet {
    let about = match (&found.route, &found.rung, &found.cheap, &found.strong) {
        (Some(route), Some(rung), Some(cheap), Some(strong)) => {
            format!("route {route} · threshold of {rung}: {cheap} against {strong}")
        }
        _ if report.labels_from == "-" => "standard input".to_owned(),
        _ => report.labels_from.clone(),
    };
    let title = format!(
        "{about} · loss at most {} {} with a chance of {}",
        percent(report.epsilon),
        report.promise,
        percent(1.0 - report.delta)
    );
    let mut sheet = Sheet::new(title, &["", ">", ""]);
    let mut row = |what: &str, value: String, note: String| sheet.push(vec![what.to_owned(), value, note]);
    match (found.certified_threshold, found.needed_labels) {
        (Some(threshold), _) => row(
            "certified from",
            format!("{threshold}‰"),
            match found.judged_from {
                Some(from) if from == threshold => "no answer below it was judged".to_owned(),
                _ => format!("{} of the labels lie there", percent(found.served_share)),
            },
        ),
        (None, Some(needed)) => row(
            "not certifiable",
            format!("{} more labels", count(needed)),
            format!(
                "if none of them fails; {} at the rate seen",
                at_rate(found, found.needed_labels_at_rate)
            ),
        ),
        (None, None) => row("not certifiable", "-".into(), "no number of labels is enough".into()),
    }
    if let Some(applied) = found.applied_threshold {
        let is_inside = found.certified_threshold.is_some_and(|certified| applied >= certified);
        let note = if is_inside { "inside what is certified" } else { "not certified" };
        row("in force", format!("{applied}‰"), note.to_owned());
    }
    row("labels", count(found.n), format!("what is lost: {}", report.loss));
    row("failures", count(found.failures), String::new());
    row(
        "chance of so few by luck",
        format!("{:.4}", found.p_value),
        format!("at most {}", found.p_value_at_most.unwrap_or(report.delta)),
    );
    row("loss is at most", percent(found.bound), format!("but for a chance of {}", percent(report.delta)));
    if let Some(next) = &found.next {
        row(
            &format!("to certify {}‰", next.threshold),
            labels_text(next.needed_labels, "never"),
            format!("if none of them fails; {} at the rate seen", at_rate(found, next.needed_labels_at_rate)),
        );
    }
    row("loss of serving all cheaply", percent(found.base_loss), String::new());
    if let Some(kept) = found.least_kept_share {
        row("to be kept strong at least", percent(kept), "whatever the method".into());
    }
    if let Some(hidden) = found.judge_may_hide {
        row("the judge may hide", percent(hidden), "taken off the loss that labels may show".into());
    }
    if found.half_labels > 0 {
        row("left out", count(found.half_labels), "one of the two answers was not judged".into());
    }
    if report.bad_lines > 0 {
        row("bad lines", count(report.bad_lines), "passed over".into());
    }
    sheet
}
