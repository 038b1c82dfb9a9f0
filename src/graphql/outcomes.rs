//! The results of a request beside its errors: of each source that it asked, and of each write.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_graphql::Context;

use crate::{
    account::Account,
    directory::{Report, SourceStatus, WriteResult},
    error::ErrorCode,
    user::WriteOutcome,
};

/// The results of a request's sources and writes.
#[derive(Debug, Default)]
pub struct RequestOutcomes(Mutex<RequestOutcomesInner>);

#[derive(Debug, Default)]
struct RequestOutcomesInner {
    /// By account and what it was asked for: a field that is read twice is one source.
    sources: BTreeMap<(Account, String), SourceOutcome>,
    writes: usize,
    failed_writes: usize,
    codes_of_writes: Vec<ErrorCode>,
}

#[derive(Debug)]
struct SourceOutcome {
    is_failed: bool,
    code: Option<ErrorCode>,
}

impl RequestOutcomes {
    /// Notes what a source did for what it was asked for, unless it was not to be asked.
    pub(super) fn note(&self, asked: &str, report: &Report) {
        let is_failed = report.status == SourceStatus::Failed;
        let is_answer = matches!(
            report.status,
            SourceStatus::Complete | SourceStatus::Partial
        );
        if is_failed || is_answer {
            let code = report.error.as_ref().map(|error| error.kind().code());
            let key = (report.account, asked.to_owned());
            let source = SourceOutcome { is_failed, code };
            self.lock().sources.insert(key, source);
        }
    }

    /// Notes what a source did for the field at hand.
    pub(super) fn note_source_of_field(ctx: &Context<'_>, report: &Report) {
        let path = ctx.path_node.map(|path| path.to_string_vec().join("."));
        if let Some(outcomes) = ctx.data_opt::<std::sync::Arc<Self>>() {
            outcomes.note(&path.unwrap_or_default(), report);
        }
    }

    /// Notes what became of a write.
    pub(super) fn note_write(ctx: &Context<'_>, written: &WriteResult) {
        let Some(outcomes) = ctx.data_opt::<std::sync::Arc<Self>>() else {
            return;
        };
        let is_done = !matches!(written.outcome, None | Some(WriteOutcome::Skipped));
        let mut noted = outcomes.lock();
        noted.writes += 1;
        // A write to a disabled account is skipped, and nothing is wrong.
        noted.failed_writes += usize::from(!is_done && !written.errors.is_empty());
        let codes = written.errors.iter().map(|problem| problem.code);
        noted.codes_of_writes.extend(codes);
    }

    /// How an answer without errors ended, in a word for the log and the metrics.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        let noted = self.lock();
        if noted.failed_writes > 0 && noted.failed_writes == noted.writes {
            return "write_failed";
        }
        let failed = noted.sources.values().filter(|source| source.is_failed);
        if !noted.sources.is_empty() && failed.count() == noted.sources.len() {
            return "sources_failed";
        }
        match noted.codes().next() {
            Some(_) => "partial",
            None => "ok",
        }
    }

    /// How many sources failed.
    #[must_use]
    pub fn failed_sources(&self) -> usize {
        let noted = self.lock();
        let failed = noted.sources.values().filter(|source| source.is_failed);
        failed.count()
    }

    /// How many writes were not done, or perhaps not.
    #[must_use]
    pub fn failed_writes(&self) -> usize {
        self.lock().failed_writes
    }

    /// The codes of all that failed, which stand in `sources` and `userErrors`.
    #[must_use]
    pub fn codes(&self) -> Vec<ErrorCode> {
        self.lock().codes().collect()
    }

    fn lock(&self) -> MutexGuard<'_, RequestOutcomesInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestOutcomesInner {
    fn codes(&self) -> impl Iterator<Item = ErrorCode> {
        let of_writes = self.codes_of_writes.iter().copied();
        of_writes.chain(self.sources.values().filter_map(|source| source.code))
    }
}
