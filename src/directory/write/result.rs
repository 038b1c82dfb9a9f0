//! The result of a write and its problems, in words fit for a client.

use std::sync::Arc;

use crate::{
    account::Account,
    audit::{AuditEntry, RequestId},
    connectors::ConnectorWrite,
    context::WriteProgress,
    error::{Error, ErrorCode, ErrorKind},
    user::{User, WriteOutcome},
};

/// The most problems of one write that a client gets.
const PROBLEMS: usize = 20;
/// The longest message of a problem, in characters.
const MESSAGE: usize = 500;
/// The longest name of a field, in characters: a provider's own names come back in it.
const FIELD: usize = 100;

/// Why a write, or a part of it, was not done.
#[derive(Clone, Debug)]
pub struct WriteError {
    /// The field of the input at fault, or the provider's name of one.
    pub field: Option<String>,
    /// The problem, and what to do.
    pub message: String,
    /// Its code.
    pub code: ErrorCode,
    /// How many seconds to wait before the next attempt, where the provider said so.
    pub retry_after: Option<u64>,
}

impl WriteError {
    /// A mistake in a field of the input.
    pub(super) fn input(field: &str, message: impl Into<String>) -> Self {
        let field = Some(field.to_owned());
        Self {
            field,
            ..Self::without_field(ErrorCode::BadUserInput, message)
        }
    }

    /// A problem of the whole write.
    fn without_field(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            field: None,
            message: message.into(),
            code,
            retry_after: None,
        }
    }

    /// An error as problems: one for each reason where there are reasons, in words fit for a
    /// client.
    pub(super) fn from_error(error: &Error) -> Vec<Self> {
        let problem = |field: Option<String>, message: String| Self {
            field,
            message,
            code: error.kind().code(),
            retry_after: error
                .retry_after()
                .map(|wait| wait.as_secs_f64().ceil() as u64),
        };
        // Only a refusal's reasons are about the input; what else a provider says stays here.
        let is_about_input = matches!(
            error.kind(),
            ErrorKind::Rejected | ErrorKind::Conflict | ErrorKind::Invalid
        );
        match error.reasons() {
            reasons @ [_, ..] if is_about_input => reasons
                .iter()
                .map(|reason| problem(reason.field.clone(), sanitize_message(&reason.message)))
                .collect(),
            _ => vec![problem(None, error.message().to_owned())],
        }
    }

    fn truncate(mut self) -> Self {
        self.message = self.message.chars().take(MESSAGE).collect();
        self.field = self.field.map(|field| {
            let harmless = field.chars().filter(|c| !c.is_control());
            harmless.take(FIELD).collect()
        });
        self
    }
}

/// A provider's words without links, control characters or excess.
fn sanitize_message(words: &str) -> String {
    let words = words
        .split_whitespace()
        .filter(|word| !word.contains("://"));
    let text: String = words.collect::<Vec<_>>().join(" ");
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The result of a patch.
#[derive(Clone, Debug)]
pub struct WriteResult {
    /// The record as it is now.
    pub user: Option<Arc<User>>,
    /// The outcome; `None` when it cannot be known.
    pub outcome: Option<WriteOutcome>,
    /// The problems.
    pub errors: Vec<WriteError>,
}

impl WriteResult {
    /// The audit entry of a write.
    pub(super) fn audit_entry(&self, account: Account, request: Option<RequestId>) -> AuditEntry {
        let outcome = self.outcome.map(|outcome| format!("{outcome:?}"));
        let code = self.errors.first().map(|problem| problem.code.as_str());
        AuditEntry {
            provider: account.provider().name(),
            account: account.name(),
            operation: "upsert",
            outcome: outcome.map_or_else(|| "unknown".to_owned(), |outcome| outcome.to_lowercase()),
            record_id: self.user.as_ref().map(|user| user.remote_id.clone()),
            code,
            request_id: request.map(|RequestId(id)| id),
        }
    }

    /// The audit entry of a write that is cut off.
    pub(super) fn interrupted_entry(
        progress: Arc<WriteProgress>,
        account: Account,
        request: Option<RequestId>,
    ) -> impl FnOnce() -> AuditEntry {
        move || {
            let nothing = Self::skipped(Vec::new());
            let outcome = nothing.outcome.filter(|_| progress.abandon());
            let written = Self { outcome, ..nothing };
            written.for_client().audit_entry(account, request)
        }
    }

    pub(super) fn skipped(errors: Vec<WriteError>) -> Self {
        Self {
            user: None,
            outcome: Some(WriteOutcome::Skipped),
            errors,
        }
    }

    pub(super) fn done(upserted: ConnectorWrite) -> Self {
        Self {
            user: upserted.user.map(Arc::new),
            outcome: upserted.outcome,
            errors: upserted
                .warnings
                .iter()
                .flat_map(WriteError::from_error)
                .collect(),
        }
    }

    /// A failure as problems. Refused is not written; what failed otherwise may have been written.
    #[must_use]
    pub fn failed(error: &Error) -> Self {
        Self {
            user: None,
            outcome: (!error.is_unsettled()).then_some(WriteOutcome::Skipped),
            errors: WriteError::from_error(error),
        }
    }

    /// A failure before anything was sent but reads.
    pub(super) fn not_sent(error: &Error) -> Self {
        Self {
            outcome: Some(WriteOutcome::Skipped),
            ..Self::failed(error)
        }
    }

    /// A failure after something was sent.
    pub(super) fn unknown(error: &Error) -> Self {
        Self {
            outcome: None,
            ..Self::failed(error)
        }
    }

    /// The same, with a warning where other gateways may have written beside it.
    pub(super) fn with_lease_warning(mut self, is_guarded: bool) -> Self {
        if !is_guarded && self.outcome != Some(WriteOutcome::Skipped) {
            let message = "the store that the gateways share was away, or lost the lease on this user: an equal write \
                           through another gateway at the same time may have made a second record";
            self.errors
                .push(WriteError::without_field(ErrorCode::Unguarded, message));
        }
        self
    }

    /// As clients see it: a user that is missing has its reason, and the problems are bounded.
    pub(super) fn for_client(mut self) -> Self {
        if self.outcome.is_none() {
            let message = "whether the user was written, or what was done to it, is not known: look the user up before \
                           you write again";
            self.errors.push(WriteError::without_field(
                ErrorCode::OutcomeUnknown,
                message,
            ));
        }
        let is_skipped = self.outcome == Some(WriteOutcome::Skipped);
        if self.user.is_none() && self.errors.is_empty() && !is_skipped {
            let message = "the user was written, but it could not be read afterwards";
            self.errors.push(WriteError::without_field(
                ErrorCode::ProviderBadResponse,
                message,
            ));
        }
        let more = self.errors.len().saturating_sub(PROBLEMS);
        if more > 0 {
            let code = self.errors[PROBLEMS - 1].code;
            self.errors.truncate(PROBLEMS - 1);
            let message = format!("{} more problems are not told", more + 1);
            self.errors.push(WriteError::without_field(code, message));
        }
        let problems = self.errors.into_iter();
        Self {
            errors: problems.map(WriteError::truncate).collect(),
            ..self
        }
    }
}
