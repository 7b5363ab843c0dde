//! The logs that a command names: files as they are, and ledgers as the log that they export.
//!
//! Invariant: a ledger that cannot be read to its end is an error, never a shorter log.

use std::io::{self, PipeReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::ledger::{self, ExportOptions, LedgerError, LedgerFile, Range};
use crate::record::Input;

/// Gives the input for a list of logs; a ledger among them is read as the log it holds.
pub fn input(logs: &[PathBuf]) -> Input {
    logs.iter().fold(Input::default(), |all, path| {
        all.and(if ledger::is_ledger(path) { exported(path) } else { Input::paths([path]) })
    })
}

fn exported(path: &Path) -> Input {
    let (name, path) = (path.display().to_string(), path.to_owned());
    Input::made(&name, Arc::new(move || Ok(Box::new(Export::start(&path)?))))
}

/// A ledger's export while it is read.
struct Export {
    lines: PipeReader,
    /// Taken when it has ended.
    writer: Option<JoinHandle<Result<(), LedgerError>>>,
}

impl Export {
    fn start(path: &Path) -> io::Result<Self> {
        // What is wrong with the file as a whole is told before anything is read.
        let file = LedgerFile::open(path).map_err(io::Error::other)?;
        let (lines, into) = io::pipe()?;
        let writer = std::thread::Builder::new().name("export".to_owned()).spawn(move || {
            let into = io::BufWriter::with_capacity(1 << 16, into);
            file.export(&Range::default(), ExportOptions::default(), into, |_, _| true).map(drop)
        })?;
        Ok(Self { lines, writer: Some(writer) })
    }
}

impl Read for Export {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.lines.read(into)?;
        if count > 0 || into.is_empty() {
            return Ok(count);
        }
        match self.writer.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(0),
            Some(Ok(Err(error))) => Err(io::Error::other(error)),
            Some(Err(_)) => Err(io::Error::other("the export failed")),
        }
    }
}
