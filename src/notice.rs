//! Why an answer may lack somebody, or hold too many: a code for programs, a message for people.

/// The kind of gap that a notice tells of. A code says what kind of gap the answer has, `message` says
/// which one.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum NoticeCode {
    /// A limit was reached, of this gateway or of the provider: there is more than was read.
    LimitReached,
    /// The time was over before all was read: there is more.
    DeadlineExceeded,
    /// A part of what was asked of the provider failed; `error` says how.
    PartialFailure,
    /// Records that the provider sent cannot be read, or cannot be told apart, and are left out.
    RowsUnreadable,
    /// The list changed while it was read: some users may be missing, or come twice.
    ListChanged,
    /// The provider counts another number of users than it gave.
    CountMismatch,
    /// The provider's pages contradict one another: some users may be missing.
    PagesInconsistent,
    /// The provider lists users of one moment in no fixed order: some may be missing, or come twice.
    UnstableOrder,
    /// The provider's search passes somebody over though it was read to its end: other letter case,
    /// other spellings, leads.
    SearchIncomplete,
    /// The provider does not have the segment, tag or company of the filter, so the list is empty.
    UnknownFilterValue,
    /// The list is empty, and whether the provider has the segment, tag or company of the filter could
    /// not be told.
    FilterValueUnverified,
    /// The provider fails: this is its answer of an earlier time (`asOf`), and may be outdated.
    Stale,
    /// A field of rows could not be read: null there does not mean none.
    SubresourceFailed,
    /// The provider cannot answer this, and was not asked.
    Unsupported,
    /// The query wants no rows (`first: 0`), and the provider was not asked: nothing is known of it.
    NoRowsAsked,
}

/// Why an answer may lack somebody, or hold too many.
#[derive(async_graphql::SimpleObject, Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Notice {
    /// The kind of gap, for programs.
    pub code: NoticeCode,
    /// A sentence for people: the gap and its cause.
    pub message: String,
}

impl Notice {
    /// A notice of a kind.
    #[must_use]
    pub fn new(code: NoticeCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
