//! What a source did for an answer, and how far the answer can be trusted.

use jiff::Timestamp;

use crate::{account::Account, client::RequestContext, error::Error, metrics};

/// What is said of an answer that was kept because the provider fails.
const OUTDATED: &str =
    "the provider fails: this is its answer of an earlier time (`asOf`), and may be outdated";

/// How far an answer can be trusted.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceStatus {
    /// The whole answer: who is not in it does not exist there.
    Complete,
    /// An answer that may lack somebody, or hold too many: `notice` says whom and why.
    Partial,
    /// No answer; `error` says why.
    Failed,
    /// The provider is switched off in this gateway's configuration.
    Disabled,
    /// The provider was not asked, because it cannot answer this; `notice` says why.
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

/// What a source did for an answer.
#[derive(Clone, Debug)]
pub struct Report {
    /// The account that was asked.
    pub account: Account,
    /// How far the answer can be trusted.
    pub status: SourceStatus,
    /// What went wrong.
    pub error: Option<Error>,
    /// What may be missing and why.
    pub notice: Option<String>,
    /// When the data was read; `None` when none was.
    pub as_of: Option<Timestamp>,
    /// How many requests were sent to the provider for it.
    pub calls: u32,
    /// Whether some of it is older than it should be, for the provider did not give anything newer yet.
    pub is_stale: bool,
    /// Whether the provider read all that it can be asked to read. A notice may still say that its
    /// search passes somebody over.
    pub is_whole: bool,
}

impl Report {
    /// Counts the report among the sources of answers.
    pub(super) fn counted(self) -> Self {
        metrics::source(self.account, self.status.name());
        self
    }

    pub(super) fn of(account: Account, status: SourceStatus, calls: u32) -> Self {
        let as_of = match status {
            SourceStatus::Complete | SourceStatus::Partial => Some(Timestamp::now()),
            SourceStatus::Failed | SourceStatus::Disabled | SourceStatus::Skipped => None,
        };
        Self {
            account,
            status,
            error: None,
            notice: None,
            as_of,
            calls,
            is_stale: false,
            is_whole: status == SourceStatus::Complete,
        }
    }

    /// A source that is switched off.
    #[must_use]
    pub fn disabled(account: Account) -> Self {
        Self::of(account, SourceStatus::Disabled, 0)
    }

    /// A source that was not asked.
    #[must_use]
    pub fn skipped(account: Account, notice: &str) -> Self {
        Self {
            notice: Some(notice.to_owned()),
            ..Self::of(account, SourceStatus::Skipped, 0)
        }
    }

    /// A source that did not answer.
    #[must_use]
    pub fn failed(account: Account, error: Error, calls: u32) -> Self {
        Self {
            error: Some(error),
            ..Self::of(account, SourceStatus::Failed, calls)
        }
    }

    pub(super) fn answered(
        account: Account,
        notice: Option<String>,
        error: Option<Error>,
        calls: u32,
    ) -> Self {
        let status = if notice.is_some() {
            SourceStatus::Partial
        } else {
            SourceStatus::Complete
        };
        Self {
            error,
            notice,
            ..Self::of(account, status, calls)
        }
    }

    /// Whether the users that came with it are all that can be found.
    #[must_use]
    pub fn is_countable(&self) -> bool {
        match self.status {
            SourceStatus::Complete | SourceStatus::Partial => self.is_whole,
            SourceStatus::Disabled | SourceStatus::Skipped => true,
            SourceStatus::Failed => false,
        }
    }

    /// The same report with a caveat on what the provider's search passes over, where there is one and
    /// nothing worse is said.
    pub(super) fn with_caveat(self, caveat: Option<&str>) -> Self {
        match (self.status, caveat) {
            (SourceStatus::Complete, Some(caveat)) => Self {
                status: SourceStatus::Partial,
                notice: Some(caveat.to_owned()),
                ..self
            },
            _ => self,
        }
    }

    /// The same report with what its work says of how old the data is.
    pub(super) fn of_work(self, scope: &RequestContext) -> Self {
        let is_read = self.as_of.is_some();
        let report = Self {
            as_of: scope.as_of().or(self.as_of).filter(|_| is_read),
            is_stale: scope.is_stale(),
            ..self
        };
        report.with_doubts(scope)
    }

    /// The same report with the work for the fields of its rows, what is said of those that failed, and
    /// the first of their errors.
    #[must_use]
    pub fn with_subresources(
        self,
        work: &RequestContext,
        notice: Option<String>,
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
        report.with_doubts(work).lacking(notice, true)
    }

    /// The same report with what its work says of why it may not be whole.
    fn with_doubts(self, scope: &RequestContext) -> Self {
        let report = self
            .with_unreadable(scope.unreadable())
            .lacking(scope.shortfall(), false)
            .lacking(scope.caveat(), true);
        match (report.status, scope.failure()) {
            (SourceStatus::Complete | SourceStatus::Partial, Some(error)) => Self {
                status: SourceStatus::Partial,
                notice: Some(report.notice.unwrap_or_else(|| OUTDATED.to_owned())),
                error: Some(report.error.unwrap_or(error)),
                ..report
            },
            _ => report,
        }
    }

    /// The same report with what is said of rows that could not be read.
    fn with_unreadable(self, rows: usize) -> Self {
        let is_answered = matches!(self.status, SourceStatus::Complete | SourceStatus::Partial);
        if rows == 0 || !is_answered {
            return self;
        }
        let unread = match rows {
            1 => "1 record that the provider sent cannot be read, and is left out".to_owned(),
            rows => {
                format!("{rows} records that the provider sent cannot be read, and are left out")
            }
        };
        Self {
            status: SourceStatus::Partial,
            notice: Some(match &self.notice {
                Some(notice) => format!("{notice}; {unread}"),
                None => unread,
            }),
            is_whole: false,
            ..self
        }
    }

    /// The same report of an answer that may lack somebody, though it may have been read to its end.
    fn lacking(self, why: Option<String>, is_whole: bool) -> Self {
        match (self.status, why) {
            (SourceStatus::Complete | SourceStatus::Partial, Some(why)) => Self {
                status: SourceStatus::Partial,
                notice: Some(match self.notice {
                    Some(notice) => format!("{notice}; {why}"),
                    None => why,
                }),
                is_whole: self.is_whole && is_whole,
                ..self
            },
            _ => self,
        }
    }
}
