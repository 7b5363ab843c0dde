//! Writing to stdout: a reader that closes the pipe early is no error.

use std::io::{self, Write};

/// Writes text to stdout.
///
/// # Errors
/// Where stdout cannot be written, other than by a closed pipe.
pub fn text(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Says something on stderr that a person should know and that stops nothing.
pub fn remark(text: &str) {
    let text = crate::access::redact(text);
    // Where stderr is gone nobody misses it.
    let _ = writeln!(io::stderr().lock(), "warning: {text}");
}

/// Ends with an error where files broke off, after what was whole of them has been reported.
///
/// # Errors
/// Where anything is damaged.
pub fn damage(damaged: &[String]) -> anyhow::Result<()> {
    if damaged.is_empty() {
        return Ok(());
    }
    anyhow::bail!("{}", damaged.join("\n"))
}
