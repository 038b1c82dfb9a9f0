//! The report of a source on an answer: how far the answer can be trusted.

use jiff::Timestamp;

use crate::{
    account::Account,
    context::RequestContext,
    error::Error,
    metrics,
    notice::{Notice, NoticeCode},
};

/// The notice on a cached answer that is shown because the provider fails.
const OUTDATED: &str =
    "the provider fails: this is its answer of an earlier time (`asOf`), and may be outdated";

/// How far an answer can be trusted.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceStatus {
    /// The whole answer: a user who is not in it does not exist there.
    Complete,
    /// An answer that may lack users, or hold too many: `notices` say which and why.
    Partial,
    /// No answer; `error` says why.
    Failed,
    /// The account is disabled in this gateway's configuration.
    Disabled,
    /// The provider was not asked: it cannot answer this, or no rows are wanted. `notices` say which.
    Skipped,
}

impl SourceStatus {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Complete,
        Self::Partial,
        Self::Failed,
        Self::Disabled,
        Self::Skipped,
    ];

    /// Its name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
            Self::Skipped => "skipped",
        }
    }
}

/// The work of a source for an answer.
#[derive(Clone, Debug)]
pub struct Report {
    /// The account that was asked.
    pub account: Account,
    /// How far the answer can be trusted.
    pub status: SourceStatus,
    /// The failure.
    pub error: Option<Error>,
    /// The gaps of the answer.
    pub notices: Vec<Notice>,
    /// When the data was read; `None` when none was.
    pub as_of: Option<Timestamp>,
    /// How many requests were sent to the provider for it.
    pub calls: u32,
    /// Whether some of it is older than it should be, for the provider did not give anything newer
    /// yet.
    pub is_stale: bool,
    /// Whether the provider read all that it can be asked to read. A notice may still say that its
    /// search passes somebody over.
    pub is_whole: bool,
}

impl Report {
    /// Counts the report among the sources of answers.
    pub(super) fn record_metric(&self) {
        metrics::source(self.account, self.status.name());
    }

    pub(super) fn new(account: Account, status: SourceStatus, calls: u32) -> Self {
        let as_of = match status {
            SourceStatus::Complete | SourceStatus::Partial => Some(Timestamp::now()),
            SourceStatus::Failed | SourceStatus::Disabled | SourceStatus::Skipped => None,
        };
        Self {
            account,
            status,
            error: None,
            notices: Vec::new(),
            as_of,
            calls,
            is_stale: false,
            is_whole: status == SourceStatus::Complete,
        }
    }

    /// A source that is disabled.
    #[must_use]
    pub fn disabled(account: Account) -> Self {
        Self::new(account, SourceStatus::Disabled, 0)
    }

    /// A source that was not asked, for it cannot answer this.
    #[must_use]
    pub fn skipped(account: Account, why: &str) -> Self {
        Self {
            notices: vec![Notice::new(NoticeCode::Unsupported, why)],
            ..Self::new(account, SourceStatus::Skipped, 0)
        }
    }

    /// A source that was not asked, for no rows are wanted: nothing is known of it.
    #[must_use]
    pub fn no_rows_asked(account: Account) -> Self {
        let why = "`first` is 0, so that the provider was not asked: whether it has such users is not known";
        Self {
            notices: vec![Notice::new(NoticeCode::NoRowsAsked, why)],
            ..Self::new(account, SourceStatus::Skipped, 0)
        }
    }

    /// A source that did not answer.
    #[must_use]
    pub fn failed(account: Account, error: Error, calls: u32) -> Self {
        Self {
            error: Some(error),
            ..Self::new(account, SourceStatus::Failed, calls)
        }
    }

    pub(super) fn answered(account: Account, error: Option<Error>, calls: u32) -> Self {
        Self {
            error,
            ..Self::new(account, SourceStatus::Complete, calls)
        }
    }

    /// Whether the users that came with it are all that can be found.
    #[must_use]
    pub fn is_countable(&self) -> bool {
        match self.status {
            SourceStatus::Complete | SourceStatus::Partial => self.is_whole,
            SourceStatus::Disabled => true,
            SourceStatus::Skipped => self
                .notices
                .iter()
                .all(|notice| notice.code != NoticeCode::NoRowsAsked),
            SourceStatus::Failed => false,
        }
    }

    /// The same report of an answer that was not read to its end, or may lack somebody.
    #[must_use]
    pub(super) fn with_incomplete(self, why: impl IntoIterator<Item = Notice>) -> Self {
        self.with_notices(why, false)
    }

    /// The same report of an answer that was read to its end, though the provider's search passes
    /// somebody over.
    #[must_use]
    pub(super) fn with_caveat(self, caveats: impl IntoIterator<Item = Notice>) -> Self {
        self.with_notices(caveats, true)
    }

    /// Adds the age of the data and the doubts that the work has noted.
    pub(super) fn with_work(self, context: &RequestContext) -> Self {
        let is_read = self.as_of.is_some();
        let report = Self {
            as_of: context.as_of().or(self.as_of).filter(|_| is_read),
            is_stale: context.is_stale(),
            ..self
        };
        report.with_usage_notices(context)
    }

    /// Adds the work for the fields of its rows, the notices on those that failed, and the first of
    /// their errors.
    #[must_use]
    pub fn with_subresources(
        self,
        work: &RequestContext,
        notices: Vec<Notice>,
        error: Option<Error>,
    ) -> Self {
        let read = [self.as_of, work.as_of()].into_iter().flatten();
        let report = Self {
            as_of: read.min(),
            calls: self.calls + work.calls(),
            is_stale: self.is_stale || work.is_stale(),
            error: self.error.clone().or(error),
            ..self
        };
        report.with_usage_notices(work).with_notices(notices, true)
    }

    /// Adds the reasons why the answer may be incomplete that the work has noted.
    fn with_usage_notices(self, context: &RequestContext) -> Self {
        let failure = context.failure();
        let outdated = failure
            .as_ref()
            .map(|_| Notice::new(NoticeCode::Stale, OUTDATED));
        let report = self
            .with_incomplete(unreadable_notice(context.unreadable()))
            .with_incomplete(context.incomplete_notices())
            .with_caveat(context.caveats())
            .with_caveat(outdated);
        if report.is_answered() {
            let error = report.error.clone().or(failure);
            return Self { error, ..report };
        }
        report
    }

    /// The same report of an answer with notices, each once.
    fn with_notices(mut self, notices: impl IntoIterator<Item = Notice>, is_whole: bool) -> Self {
        let mut notices = notices.into_iter().peekable();
        if !self.is_answered() || notices.peek().is_none() {
            return self;
        }
        for notice in notices {
            if !self.notices.contains(&notice) {
                self.notices.push(notice);
            }
        }
        Self {
            status: SourceStatus::Partial,
            is_whole: self.is_whole && is_whole,
            ..self
        }
    }

    fn is_answered(&self) -> bool {
        matches!(self.status, SourceStatus::Complete | SourceStatus::Partial)
    }
}

/// The notice on rows that could not be read.
fn unreadable_notice(rows: usize) -> Option<Notice> {
    let message = match rows {
        0 => return None,
        1 => "1 record that the provider sent cannot be read, and is left out".to_owned(),
        rows => format!("{rows} records that the provider sent cannot be read, and are left out"),
    };
    Some(Notice::new(NoticeCode::RowsUnreadable, message))
}
