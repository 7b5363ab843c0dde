//! Proves an export of a ledger, wherever it lies: every line against its link, and the links against each other.
//!
//! Invariants: nothing here needs the ledger; what a file cannot prove is counted and told, never taken for proved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use super::chain::{Cursor, Kind, noted};
use super::check::{QUOTED, tell_findings};
use super::corrections;
use super::encoding::{Encoding, Hash, chained, parse_hash};
use super::proof::{self, Member, Stretch};
use super::row::{STRIDE, plain};
use super::runs::Run;
use super::{Head, LedgerError};
use crate::config;
use crate::record::{self, Entry};
use crate::units::{Names, hex};

/// The longest line that is read.
const LONGEST: u64 = 64 << 20;

/// What proving an export found.
#[derive(Clone, Debug, Default)]
pub struct ExportReport {
    /// What is wrong, in words; at most the first fifty.
    pub findings: Vec<String>,
    /// How many things are wrong.
    pub wrong: u64,
    /// Lines that were proved by their links.
    pub proved: u64,
    /// Lines that no link covers: prices, a run or policy of before the stretch, judgements and corrections that came after it.
    pub unproved: u64,
    /// Links told by their digest alone, by kind.
    pub by_digest: BTreeMap<String, u64>,
    /// What is proved to be there, without a gap: after which link, and up to which with its hash.
    pub stretches: Vec<(u64, Head)>,
}

impl ExportReport {
    fn find(&mut self, text: impl Into<String>) {
        self.wrong += 1;
        if self.findings.len() < QUOTED {
            self.findings.push(text.into());
        }
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "lines       {} proved, {} that no link covers", self.proved, self.unproved)?;
        for (kind, count) in &self.by_digest {
            writeln!(f, "by digest   {count} of kind {kind}")?;
        }
        for (after, head) in &self.stretches {
            writeln!(f, "links       {} to {head}", after + 1)?;
        }
        let sound = "every proved line is what was chained, and none between them is missing";
        tell_findings(f, &self.findings, self.wrong, sound)
    }
}

/// What is asked of a line beside its entry.
#[derive(Deserialize)]
struct Line {
    event: Option<String>,
    pointsman: Option<String>,
    ledger: Option<Member>,
    chain: Option<Stretch>,
    run: Option<Run>,
}

/// A link as the file tells it.
struct Link {
    digest: Hash,
    kind: Kind,
    /// None where only its digest is told.
    hash: Option<Hash>,
}

/// What is known of one gateway's chain.
#[derive(Default)]
struct Chain {
    links: BTreeMap<i64, Link>,
    claimed: Vec<Stretch>,
    /// How its lines follow each other: by operation, and by link.
    order: (Order, Order),
}

/// Numbers as they came.
#[derive(Default)]
struct Order {
    last: i64,
    broken: bool,
}

impl Order {
    fn follow(&mut self, number: i64) {
        self.broken |= number <= self.last;
        self.last = number;
    }
}

#[derive(Default)]
struct Proof {
    report: ExportReport,
    chains: BTreeMap<String, Chain>,
    /// Whether a header stood here and no line of its export yet.
    begins: bool,
}

/// Proves an export, packed or plain, against a hash that was noted where there is one. `tick` hears how many lines are
/// done, and may cancel by answering false.
///
/// # Errors
/// Where the file cannot be read, or the work was cancelled; what is wrong in it is in the report.
pub fn check_export(
    path: &Path,
    noted_head: Option<&str>,
    mut tick: impl FnMut(u64) -> bool,
) -> Result<ExportReport, LedgerError> {
    let to_error = |source| LedgerError::Folder { path: path.to_owned(), source };
    let mut lines = open(path).map_err(to_error)?;
    let mut proof = Proof::default();
    let (mut text, mut number) = (String::new(), 0);
    loop {
        text.clear();
        let read = (&mut lines).take(LONGEST).read_line(&mut text);
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                proof.report.find(format!("line {}: the file cannot be read on: {error}", number + 1));
                break;
            }
        }
        number += 1;
        if number % STRIDE == 0 && !tick(number) {
            return Err(LedgerError::Cancelled);
        }
        let line = text.trim();
        if !line.is_empty()
            && let Err(problem) = proof.line(line)
        {
            proof.report.find(format!("line {number}: {problem}"));
        }
    }
    Ok(proof.finish(noted_head))
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    let start = file.fill_buf()?;
    Ok(if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(BufReader::new(zstd::stream::read::Decoder::with_buffer(file)?))
    } else if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    })
}

impl Proof {
    fn line(&mut self, text: &str) -> Result<(), String> {
        let line: Line =
            serde_json::from_str(text).map_err(|error| format!("no line of an export: {error}"))?;
        if let (Some(_), Some(run)) = (&line.pointsman, &line.run) {
            return self.run(run, line.ledger);
        }
        if line.pointsman.is_some() {
            self.begins = true;
            if let Some(stretch) = line.chain {
                self.stretch(stretch)?;
            }
            return Ok(());
        }
        let Some(member) = line.ledger else {
            // Prices, the policy that was in force before the first line, and judgements that came after a stretch.
            match line.event.as_deref() {
                None => return Err("a request that no link covers".to_owned()),
                Some("price" | "label" | "correction") => {}
                Some("policy") if self.begins => {}
                Some(event) => return Err(format!("a {event} event that no link covers")),
            }
            self.report.unproved += 1;
            return Ok(());
        };
        self.begins = false;
        let kind = match line.event.as_deref() {
            None => Kind::Operation,
            Some("label") => Kind::Label,
            Some("correction") => Kind::Correction,
            Some("signal") => Kind::Signal,
            Some("policy") => Kind::Policy,
            Some(_) => Kind::Note,
        };
        let digest = entry(text, &member)?;
        self.link(&member, kind, digest, true)
    }

    /// Takes a line that tells of a run.
    fn run(&mut self, run: &Run, member: Option<Member>) -> Result<(), String> {
        let Some(member) = member else {
            self.report.unproved += 1;
            return Ok(());
        };
        let mut form = Encoding::of("");
        run.form(&mut form)?;
        let cursor: Cursor = member.cursor.parse()?;
        if cursor.gateway != run.gateway {
            return Err("the run is another gateway's than its link".to_owned());
        }
        // It stands before the first request of its run, wherever its link is.
        self.link(&member, Kind::Run, form.digest(), false)
    }

    /// Takes the link of a line.
    fn link(&mut self, member: &Member, kind: Kind, digest: Hash, in_order: bool) -> Result<(), String> {
        let cursor: Cursor = member.cursor.parse()?;
        let number = i64::try_from(cursor.link).map_err(|_| "its cursor is none".to_owned())?;
        let hash = parse_hash(&member.hash).ok_or("its hash is none")?;
        let chain = self.chains.entry(cursor.gateway).or_default();
        if in_order {
            chain.order.1.follow(number);
        }
        if let Some(rest) = &member.operation {
            chain.order.0.follow(rest.0);
        }
        if chain.links.insert(number, Link { digest, kind, hash: Some(hash) }).is_some() {
            return Err(format!("link {number} stands there twice"));
        }
        self.report.proved += 1;
        Ok(())
    }

    fn stretch(&mut self, stretch: Stretch) -> Result<(), String> {
        let chain = self.chains.entry(stretch.gateway.clone()).or_default();
        for (number, kind, digest) in &stretch.besides {
            let digest = parse_hash(digest).ok_or("a digest is none")?;
            let Some(kind) = Kind::from_name(kind) else {
                return Err(format!("`{kind}` is no kind of entry"));
            };
            if chain.links.insert(*number, Link { digest, kind, hash: None }).is_some() {
                return Err(format!("link {number} stands there twice"));
            }
            *self.report.by_digest.entry(kind.name().to_owned()).or_default() += 1;
        }
        chain.claimed.push(Stretch { besides: Vec::new(), ..stretch });
        Ok(())
    }

    fn finish(mut self, noted_head: Option<&str>) -> ExportReport {
        let report = &mut self.report;
        if self.chains.values().any(|chain| chain.order.0.broken && chain.order.1.broken) {
            report.find("the lines stand in no order: neither as requests arrived nor as they ended");
        }
        let wanted = noted_head.map(noted);
        let mut seen = wanted.is_none();
        if self.chains.is_empty() {
            report.find("nothing here is chained: it is no export of a ledger, or an old one");
        }
        for (gateway, chain) in self.chains {
            let hashes = chain.prove(&gateway, report);
            seen |= hashes.into_iter().any(|hash| wanted == Some(Some(hash)));
        }
        if !seen {
            report.find("no link that is proved here has the hash that was noted");
        }
        self.report
    }
}

impl Chain {
    /// Follows what the file claims to have, link by link; returns the hashes that were reached.
    fn prove(mut self, gateway: &str, report: &mut ExportReport) -> BTreeSet<Hash> {
        let mut reached = BTreeSet::new();
        crate::units::sort_by_key(&mut self.claimed, |stretch| stretch.after);
        let mut next: Option<(i64, Hash)> = None;
        let mut began = 0;
        for stretch in &self.claimed {
            let (Some(follows), Some(ends)) = (parse_hash(&stretch.follows), parse_hash(&stretch.hash))
            else {
                report.find("a stretch of the chain has a hash that is none");
                continue;
            };
            if next != Some((stretch.after, follows)) {
                tell(report, gateway, began, next);
                began = stretch.after;
                if stretch.after == 0 && follows != super::encoding::origin(gateway) {
                    report.find(format!("the chain of {gateway} does not begin at its origin"));
                }
            }
            reached.insert(follows);
            let mut hash = follows;
            for number in stretch.after + 1..=stretch.to {
                let Some(link) = self.links.remove(&number) else {
                    report.find(format!("link {number} of {gateway} is missing"));
                    break;
                };
                let made = chained(&hash, &link.digest, link.kind.code());
                if link.hash.is_some_and(|told| told != made) {
                    report.find(format!("link {number} of {gateway}: the line is not what was chained"));
                    break;
                }
                hash = made;
                reached.insert(hash);
                if number == stretch.to && hash != ends {
                    report
                        .find(format!("the chain of {gateway} up to link {number} is not what was chained"));
                }
            }
            next = Some((stretch.to, ends));
        }
        tell(report, gateway, began, next);
        if self.claimed.is_empty() {
            report.find("the end of the export is missing, which tells what it has: nothing proves it whole");
        }
        // What follows from a fault was told with it; what was never claimed was not.
        let unexpected = self.links.keys().filter(|number| {
            !self.claimed.iter().any(|stretch| (stretch.after + 1..=stretch.to).contains(*number))
        });
        let unexpected = unexpected.count();
        if unexpected > 0 && !self.claimed.is_empty() {
            report.find(format!("{unexpected} lines have links that the export does not claim to have"));
        }
        reached
    }
}

/// Notes a stretch that is there.
fn tell(report: &mut ExportReport, gateway: &str, after: i64, to: Option<(i64, Hash)>) {
    let Some((link, hash)) = to else { return };
    let cursor = Cursor { gateway: gateway.to_owned(), link: plain(link) };
    report.stretches.push((plain(after), Head { cursor, hash: hex(&hash) }));
}

/// Makes the digest of an entry from its line.
fn entry(text: &str, member: &Member) -> Result<Hash, String> {
    let mut form = Encoding::of("");
    let mut made = Err("it is no entry".to_owned());
    let seq = member.seq.ok_or_else(|| "its place is not told".to_owned());
    record::each_line(text, |_, entry| {
        made = match entry {
            Ok(Entry::Request(record)) => request(&mut form, &record, member),
            Ok(Entry::Policy(change)) => policy(&mut form, &change, member),
            Ok(Entry::Label(late)) => seq.clone().map(|seq| proof::label(&mut form, &late, seq)),
            Ok(Entry::Correction(told)) => {
                seq.clone().and_then(|seq| corrections::form(&mut form, &told, seq))
            }
            Ok(Entry::Signal(told)) => seq.clone().map(|before| proof::signal(&mut form, &told, before)),
            Ok(Entry::Note { at, text, simulated }) => {
                seq.clone().map(|before| proof::note(&mut form, (at, &text, simulated), before))
            }
            Ok(_) => Err("entries of this kind have no link".to_owned()),
            Err(skip) => Err(skip.reason),
        };
    });
    made.map(|()| form.digest())
}

fn request(form: &mut Encoding, record: &record::Record<'_>, member: &Member) -> Result<(), String> {
    let rest = member.operation.as_ref().ok_or("what the ledger keeps besides is missing")?;
    if member.calls.len() != record.attempts.len() {
        return Err("it has other calls than its link says".to_owned());
    }
    if proof::says_more(record) {
        return Err("it says what no ledger writes".to_owned());
    }
    if !proof::agrees(record, rest, &member.calls) {
        return Err("its place, policy or calls are not those of its link".to_owned());
    }
    proof::operation(form, record, rest, &member.calls);
    Ok(())
}

fn policy(form: &mut Encoding, change: &record::PolicyChange<'_>, member: &Member) -> Result<(), String> {
    let rest = member.policy.as_ref().ok_or("its text is missing")?;
    let mut names = Names::default();
    let read = config::policy::parse(&rest.1, "policy", &mut names).map(|policy| policy.spec(&names));
    if read.ok().as_ref() != Some(&change.spec) {
        return Err("the policy is not what its text says".to_owned());
    }
    proof::policy(form, change, rest);
    Ok(())
}
