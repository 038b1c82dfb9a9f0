//! The audit log: one line for each write, in the log under the target `roster.audit`, or in a
//! separate file. A full disk stops no write: the line goes to the log then, which says so.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;
use tracing::Span;

use crate::metrics;

/// The shortest time between two log lines about a file that cannot be written.
const SILENCE: Duration = Duration::from_secs(60);

/// The id of the request that a write belongs to, in the request's data.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The record of a write: never an address, a name or another value.
#[derive(Clone, Debug, Serialize)]
pub struct AuditEntry {
    /// The provider.
    pub provider: &'static str,
    /// The account.
    pub account: &'static str,
    /// The operation.
    pub operation: &'static str,
    /// The outcome; `unknown` when nobody knows.
    pub outcome: String,
    /// The provider's id of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
    /// The code of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Records writes. Clones share the log.
#[derive(Clone, Debug, Default)]
pub struct AuditLog(Option<Arc<AuditFile>>);

#[derive(Debug)]
struct AuditFile {
    path: PathBuf,
    state: Mutex<AuditState>,
}

#[derive(Debug, Default)]
struct AuditState {
    file: Option<File>,
    /// True after a line that may have been written only in part.
    is_torn: bool,
    /// When the last failure to write was logged.
    failure_logged_at: Option<Instant>,
}

#[derive(Serialize)]
struct AuditLine<'a> {
    timestamp: Timestamp,
    #[serde(flatten)]
    entry: &'a AuditEntry,
}

impl AuditLog {
    /// A log in a file, which the first line opens; without a path, a part of the program's log.
    #[must_use]
    pub fn new(path: Option<&Path>) -> Self {
        let file = path.map(|path| AuditFile {
            path: path.to_owned(),
            state: Mutex::default(),
        });
        Self(file.map(Arc::new))
    }

    /// Opens the file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self) -> io::Result<()> {
        match &self.0 {
            Some(file) => file.open(),
            None => Ok(()),
        }
    }

    /// Opens the file again, because another program may have moved it, and logs that.
    pub fn reopen(&self) {
        let Some(file) = &self.0 else {
            return;
        };
        let path = file.path.display();
        match file.open() {
            Ok(()) => tracing::info!(file = %path, "the audit file is opened again"),
            Err(error) => {
                let why = error.to_string();
                tracing::error!(file = %path, why, "the audit file cannot be opened again");
            }
        }
    }

    /// Records a write.
    pub async fn record(&self, entry: AuditEntry) {
        let (log, span) = (self.clone(), Span::current());
        // A disk may be slow.
        let write = move || span.in_scope(|| log.write(&entry));
        let written = tokio::task::spawn_blocking(write).await;
        if written.is_err() {
            tracing::error!("a line of the audit log is lost: its writer panicked");
        }
    }

    /// Records a write even if its end is never recorded, because it panics or the program ends
    /// first.
    #[must_use]
    pub fn guard(&self, cut_off: impl FnOnce() -> AuditEntry + Send + 'static) -> AuditGuard {
        AuditGuard {
            log: self.clone(),
            on_interrupt: Some(Box::new(cut_off)),
        }
    }

    fn write(&self, entry: &AuditEntry) {
        let Some(file) = &self.0 else {
            return write_to_log(entry);
        };
        if let Err(error) = file.append(entry) {
            metrics::audit_failure();
            file.log_failure(&error);
            write_to_log(entry);
        }
    }
}

/// A write in flight. Dropping this before the end of the write is recorded writes a record itself.
pub struct AuditGuard {
    log: AuditLog,
    on_interrupt: Option<Box<dyn FnOnce() -> AuditEntry + Send>>,
}

impl AuditGuard {
    /// Notes that the end of the write is recorded.
    pub fn disarm(mut self) {
        self.on_interrupt = None;
    }
}

impl Drop for AuditGuard {
    fn drop(&mut self) {
        if let Some(cut_off) = self.on_interrupt.take() {
            self.log.write(&cut_off());
        }
    }
}

/// Writes an entry to the program's log.
fn write_to_log(entry: &AuditEntry) {
    tracing::info!(
        target: "roster.audit",
        provider = entry.provider,
        account = entry.account,
        operation = entry.operation,
        outcome = entry.outcome,
        record.id = entry.record_id,
        code = entry.code,
        request.id = entry.request_id,
        "write"
    );
}

impl AuditFile {
    fn open(&self) -> io::Result<()> {
        let file = open_file(&self.path)?;
        self.state().file = Some(file);
        Ok(())
    }

    fn append(&self, entry: &AuditEntry) -> io::Result<()> {
        let timestamp = Timestamp::now();
        let line = serde_json::to_string(&AuditLine { timestamp, entry })?;
        let mut state = self.state();
        let begin = if state.is_torn { "\n" } else { "" };
        if state.file.is_none() {
            state.file = Some(open_file(&self.path)?);
        }
        let written = match &mut state.file {
            Some(file) => file.write_all(format!("{begin}{line}\n").as_bytes()),
            None => Ok(()),
        };
        state.is_torn = written.is_err();
        written
    }

    fn log_failure(&self, error: &io::Error) {
        let mut state = self.state();
        if state
            .failure_logged_at
            .is_none_or(|at| at.elapsed() > SILENCE)
        {
            state.failure_logged_at = Some(Instant::now());
            let (file, why) = (self.path.display(), error.to_string());
            tracing::error!(%file, why, "the audit file cannot be written");
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, AuditState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether lines can be appended at a path: to a file, a new file, or a device. Opening a pipe
/// would wait for its reader; those under /dev are the program's own streams, which are open.
#[must_use]
pub fn is_appendable(path: &Path) -> bool {
    let is_fit = |metadata: Metadata| {
        let kind = metadata.file_type();
        kind.is_file() || kind.is_char_device() || path.starts_with("/dev")
    };
    fs::metadata(path).map_or(true, is_fit)
}

fn open_file(path: &Path) -> io::Result<File> {
    if !is_appendable(path) {
        return Err(io::Error::other("this is no regular file"));
    }
    OpenOptions::new().create(true).append(true).open(path)
}
