//! A test alone: it runs itself again in a network namespace of its own, which reaches nothing but its own loopback.

use std::fs;
use std::process::Command;

/// Set in the process that runs inside.
const INSIDE: &str = "POINTSMAN_AGENTS_ALONE";

/// Tells whether this is the inside, where the test does its work; outside, runs the test inside and hands on its fate.
pub(crate) fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        let devices = fs::read_to_string("/proc/net/dev").unwrap();
        let names: Vec<_> = devices.lines().filter_map(|line| line.trim().split_once(':')).collect();
        assert!(names.iter().all(|(name, _)| *name == "lo"), "not alone: {devices}");
        return true;
    }
    let Some(way) = way_in() else {
        crate::kit::missing("no network namespace can be made here (root, `unshare` and `ip` are needed)");
        return false;
    };
    let run = Command::new("unshare")
        .args(way)
        .args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && out.contains("1 passed"), "{}\n{out}\n{err}", run.status);
    print!("{out}");
    false
}

/// Finds how a namespace can be made: as root, or as root of a user namespace.
fn way_in() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--net", "--"], &["--map-root-user", "--net", "--"]];
    ways.into_iter().find(|way| {
        let tried = Command::new("unshare").args(*way).args(["ip", "link", "set", "lo", "up"]).output();
        tried.is_ok_and(|run| run.status.success())
    })
}
