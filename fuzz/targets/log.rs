//! See `log` in `entry.rs`.
#![no_main]

#[path = "../entry.rs"]
#[allow(dead_code, reason = "each target calls one of them")]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::log(data));
