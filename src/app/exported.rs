//! What a database holds, written as a log on a thread of its own and read from a pipe.

use std::io::{self, PipeReader, Read, Write};
use std::thread::JoinHandle;

/// Writes what a database holds as a log.
pub(super) type Export = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// A database's export while it is read.
pub(super) struct Exported {
    lines: PipeReader,
    /// Taken when it has ended.
    writer: Option<JoinHandle<io::Result<()>>>,
}

impl Exported {
    pub(super) fn start(export: Export) -> io::Result<Self> {
        let (lines, into) = io::pipe()?;
        let writer = std::thread::Builder::new().name("export".to_owned()).spawn(move || {
            let mut into = io::BufWriter::with_capacity(1 << 16, into);
            export(&mut into)?;
            into.flush()
        })?;
        Ok(Self { lines, writer: Some(writer) })
    }
}

impl Read for Exported {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.lines.read(into)?;
        if count > 0 || into.is_empty() {
            return Ok(count);
        }
        match self.writer.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(0),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(io::Error::other("the export failed")),
        }
    }
}
