//! `pointsman policy`: what differs between two policies; a lock of one, and whether it still holds.
//!
//! Invariant: policies that decide alike have one fingerprint, whatever file they came from and however it is written.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::args::{gateway_at, input};
use super::output;
use crate::app::{classifier, fingerprint, operator_get};
use crate::config::{self, PolicyDifference, policy, policy_differences};
use crate::record::{self, Entry, ReadOptions};
use crate::report::{Format, Sheet, render, to_json};
use crate::routing::PolicySpec;
use crate::units::{Names, counted, from_toml};

/// Compares policies, locks one, and checks it.
#[derive(Args, Debug)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Say what differs between two policies; exit code 1 where anything does
    #[command(
        after_help = "Examples:\n  pointsman policy diff policy.toml cheaper.toml\n  pointsman policy diff gateway.db@3 gateway.db      # version 3, and the newest\n  pointsman policy diff built-in http://127.0.0.1:4141 --format md\n\nA policy is a .toml file, a ledger or log (with @VERSION one of its versions, else its newest), the address of a running gateway, or `built-in`."
    )]
    Diff(Diff),
    /// Write a policy with its fingerprint, to be checked against later
    Lock(Lock),
    /// Say whether a policy is still the one that was locked; exit code 1 where it is not
    Check(Check),
}

#[derive(Args, Debug)]
struct Diff {
    /// The one before.
    #[arg(value_name = "A")]
    before: String,
    /// The one after.
    #[arg(value_name = "B")]
    after: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Args, Debug)]
struct Lock {
    /// The policy; your own policy.toml or the built-in one where absent.
    #[arg(value_name = "POLICY")]
    policy: Option<String>,
    /// The file to write; one that is there is replaced.
    #[arg(short, long, value_name = "FILE", default_value = "policy.lock")]
    output: PathBuf,
}

#[derive(Args, Debug)]
struct Check {
    /// The policy; your own policy.toml or the built-in one where absent.
    #[arg(value_name = "POLICY")]
    policy: Option<String>,
    /// The lock.
    #[arg(long, value_name = "FILE", default_value = "policy.lock")]
    lock: PathBuf,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Policies differ.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Differs(String);

/// A policy, with what it is called and what tells it apart.
struct Found {
    name: String,
    spec: PolicySpec,
}

/// What a lock has.
#[derive(Deserialize, Serialize)]
struct Locked {
    /// The policy's fingerprint.
    fingerprint: String,
    /// The classifier beside it: name and hash.
    classifier: String,
    /// The policy, as canonical text.
    policy: String,
}

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    before: Side<'a>,
    after: Side<'a>,
    differences: &'a [PolicyDifference],
}

#[derive(Serialize)]
struct Side<'a> {
    policy: &'a str,
    fingerprint: String,
}

/// Runs the subcommand.
///
/// # Errors
/// Where a policy cannot be read, or where policies differ.
pub fn run(args: &PolicyArgs) -> anyhow::Result<()> {
    match &args.command {
        Command::Diff(diff) => compare(&find(&diff.before)?, &find(&diff.after)?, diff.format),
        Command::Lock(lock) => write(lock),
        Command::Check(check) => hold(check),
    }
}

/// Finds a policy by what is said of it.
fn find(text: &str) -> anyhow::Result<Found> {
    let mut names = Names::default();
    let found = |spec| Found { name: text.to_owned(), spec };
    if text == "built-in" {
        let policy = policy::parse(policy::BUILTIN, "built-in policy", &mut names)?;
        return Ok(found(policy.spec(&names)));
    }
    if text.starts_with("http://") || text.starts_with("https://") {
        let line = operator_get(&gateway_at(text), "/operator/v1/policy")?;
        let mut specs = Vec::new();
        record::each_line(&line, |_, entry| {
            if let Ok(Entry::Policy(change)) = entry {
                specs.push(change.spec);
            }
        });
        let spec =
            specs.pop().with_context(|| format!("{text} does not answer like a gateway of this program"))?;
        return Ok(found(spec));
    }
    if Path::new(text).extension().is_some_and(|end| end.eq_ignore_ascii_case("toml")) {
        let policy = policy::load(Path::new(text), &mut names)?;
        return Ok(found(policy.spec(&names)));
    }
    logged(text).map(|(name, spec)| Found { name, spec })
}

/// Finds a version of a policy in a ledger or a log.
fn logged(text: &str) -> anyhow::Result<(String, PolicySpec)> {
    let (path, version) = match text.rsplit_once('@') {
        Some((path, version)) if !Path::new(text).exists() => {
            let number = version.trim_start_matches('v').parse::<u32>();
            (
                path,
                Some(number.ok().with_context(|| format!("{text}: `{version}` is no version of a policy"))?),
            )
        }
        _ => (text, None),
    };
    let logs = [PathBuf::from(path)];
    let mut source = record::open(&input(&logs), &ReadOptions::default())?;
    let mut versions: Vec<(u32, PolicySpec)> = Vec::new();
    while let Some(block) = source.next_block() {
        let _ = block?.for_each_new(source.known(), |_, entry| {
            if let Ok(Entry::Policy(change)) = entry {
                versions.retain(|(version, _)| *version != change.version);
                versions.push((change.version, change.spec));
            }
            std::ops::ControlFlow::Continue(())
        });
    }
    let known = || versions.iter().map(|(version, _)| version.to_string()).collect::<Vec<_>>().join(", ");
    let at = match version {
        None => versions.iter().enumerate().max_by_key(|(_, (version, _))| *version).map(|(at, _)| at),
        Some(wanted) => versions.iter().position(|(version, _)| *version == wanted),
    };
    let Some(at) = at else {
        if versions.is_empty() {
            bail!(
                "{path}: no policy stands in it\nhint: name a .toml file, a ledger, or the address of a gateway"
            );
        }
        bail!(
            "{path}: there is no version {} of the policy in it; there are {}",
            version.unwrap_or(0),
            known()
        );
    };
    let (version, spec) = versions.swap_remove(at);
    Ok((format!("{path}@{version}"), spec))
}

/// Returns the operator's own policy, or the built-in one.
fn own(named: Option<&String>) -> anyhow::Result<Found> {
    if let Some(named) = named {
        return find(named);
    }
    let own = config::own_file("policy.toml");
    own.map_or_else(|| find("built-in"), |path| find(&path.display().to_string()))
}

fn compare(before: &Found, after: &Found, format: Format) -> anyhow::Result<()> {
    let differences = policy_differences(&before.spec, &after.spec);
    let side = |found: &'_ Found| (found.name.clone(), fingerprint(&found.spec));
    let ((old, old_print), (new, new_print)) = (side(before), side(after));
    if format == Format::Json {
        let report = Report {
            schema: "pointsman.policy_diff/1",
            before: Side { policy: &old, fingerprint: old_print },
            after: Side { policy: &new, fingerprint: new_print },
            differences: &differences,
        };
        output::text(&to_json(&report)?)?;
    } else {
        let absent = |told: &Option<String>| told.clone().unwrap_or_else(|| "-".to_owned());
        let sheet = Sheet::of(
            format!("{old} → {new}"),
            &differences,
            &[
                ("setting", &|one| one.setting.clone()),
                ("before", &|one| absent(&one.before)),
                ("after", &|one| absent(&one.after)),
            ],
        );
        if !differences.is_empty() {
            output::text(&render(&[sheet], format))?;
        }
    }
    match differences.len() {
        0 => Ok(()),
        count => {
            Err(Differs(format!("{} between {old} and {new}", counted(count as u64, "difference"))).into())
        }
    }
}

fn write(lock: &Lock) -> anyhow::Result<()> {
    let own_file = config::own_file("policy.toml");
    let read: Vec<PathBuf> = lock.policy.iter().map(PathBuf::from).chain(own_file).collect();
    output::may_write(&lock.output, &read, true)?;
    let found = own(lock.policy.as_ref())?;
    let judge = classifier(None)?;
    let locked = Locked {
        fingerprint: fingerprint(&found.spec),
        classifier: format!("{} {:016x}", judge.name(), judge.hash()),
        policy: policy::spec_toml(&found.spec),
    };
    let mut text =
        String::from("# Written by `pointsman policy lock`; `pointsman policy check` compares with it.\n");
    let _ = write!(text, "{}", toml::to_string(&locked)?);
    config::write_whole(&lock.output, |file| std::io::Write::write_all(file, text.as_bytes()))
        .with_context(|| lock.output.display().to_string())?;
    output::say(&format!("locked {} as {} in {}", found.name, locked.fingerprint, lock.output.display()));
    Ok(())
}

fn hold(check: &Check) -> anyhow::Result<()> {
    let is_lock = |text: String| from_toml::<Locked>(&text).is_ok();
    let meant = check.policy.as_ref().filter(|policy| std::fs::read_to_string(policy).is_ok_and(is_lock));
    let hint = match meant {
        Some(lock) => format!("\nhint: {lock} is a lock itself: pointsman policy check --lock {lock}"),
        None => "\nhint: write one with `pointsman policy lock`, or name one with --lock".to_owned(),
    };
    let (path, text) = config::named_text(&check.lock, &hint)?;
    let locked: Locked = from_toml(&text).with_context(|| format!("{path} is no lock of a policy"))?;
    let mut names = Names::default();
    let before = policy::parse(&locked.policy, &path, &mut names)?.spec(&names);
    if fingerprint(&before) != locked.fingerprint {
        bail!(
            "{path}: its policy is not the one of its fingerprint; it was changed by hand, or by a program that reads policies otherwise"
        );
    }
    let judge = classifier(None)?;
    let here = format!("{} {:016x}", judge.name(), judge.hash());
    if here != locked.classifier {
        output::remark(&format!("it was locked beside the classifier {}; here is {here}", locked.classifier));
    }
    let after = own(check.policy.as_ref())?;
    compare(&Found { name: path, spec: before }, &after, check.format)?;
    output::say(&format!("{} is as it was locked: {}", after.name, locked.fingerprint));
    Ok(())
}
