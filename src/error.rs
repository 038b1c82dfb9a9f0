//! The closed set of failures: [`ErrorKind`] decides whether a call is repeated, which code a
//! client sees, and where the message comes from. "Not found" is not an error: absence is `None`.

mod shown;

use std::{fmt, sync::Arc, time::Duration};

use async_graphql::resolver_utils::EnumType;

pub use shown::{is_harmless, shown_value};

use crate::account::Account;

/// A result with our error type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that all waiters of a batch can share: cloning it is cheap.
#[derive(Clone)]
pub struct Error(Arc<ErrorInner>);

#[derive(Clone)]
struct ErrorInner {
    kind: ErrorKind,
    message: String,
    account: Option<Account>,
    operation: Option<&'static str>,
    retry_after: Option<Duration>,
    request_id: Option<String>,
    reasons: Vec<RejectionReason>,
    is_unsettled: bool,
    failure_stage: FailureStage,
    moved_to: Option<String>,
    status: Option<u16>,
    is_renewed: bool,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorKind {
    /// An argument or a cursor is invalid.
    Invalid,
    /// The provider cannot do what was requested.
    Unsupported,
    /// The provider no longer knows the position that a cursor names.
    Expired,
    /// The account is disabled in the configuration.
    Disabled,
    /// The provider answered 404 where a record must exist.
    Missing,
    /// The provider understood the request and refused it, with reasons.
    Rejected,
    /// The record already exists, or two records conflict.
    Conflict,
    /// The record was merged into another one.
    Moved,
    /// The provider refused our credentials, or what they permit.
    Denied,
    /// The provider's rate limit is used up.
    Throttled,
    /// The request has made as many calls to the account as one request may.
    CallLimit,
    /// The provider did not respond in time.
    TimedOut,
    /// The provider cannot be reached, or reports that it is unavailable.
    Unavailable,
    /// The provider's response cannot be read.
    Malformed,
    /// Our own deadline came before the response.
    DeadlineExceeded,
    /// The request needs more memory than one request may use.
    TooLarge,
    /// All requests together need more memory than the gateway has.
    Overloaded,
    /// A fault of the gateway.
    Internal,
}

/// The codes in `extensions.code`: the contract with clients.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq)]
#[graphql(name = "RosterErrorCode")]
pub enum ErrorCode {
    /// The document cannot be parsed; `locations` say where.
    GraphqlParseFailed,
    /// The document does not fit the schema; `locations` say where.
    GraphqlValidationFailed,
    /// The request is wrong: a variable, an argument, a cursor. The message says what to change.
    BadUserInput,
    /// The request has the hash of a document and no document: send the document, documents are not
    /// kept here.
    PersistedQueryNotSupported,
    /// The client did not say who it is.
    Unauthenticated,
    /// The client may not do this.
    Forbidden,
    /// The account is disabled in this gateway's configuration.
    AccountDisabled,
    /// The provider refused the gateway's credentials; its operator must look at them.
    ProviderAuth,
    /// The provider's rate limit is used up, or the part of it that one request may use; `retryAfter`
    /// says for how many seconds, where known.
    ProviderRateLimited,
    /// The provider did not answer within the time that one attempt may take.
    ProviderTimeout,
    /// The provider cannot be reached or answers server errors.
    ProviderUnavailable,
    /// The provider answered something that is not what its API promises.
    ProviderBadResponse,
    /// The provider understood the request and refused it.
    ProviderRejected,
    /// The client does more at a time than one client may.
    RateLimited,
    /// The query asks for more than one request may.
    QueryTooComplex,
    /// The request's own deadline came first: the gateway's limit, or how long the client waits.
    DeadlineExceeded,
    /// The gateway has too much to do; try again after `retryAfter` seconds.
    Overloaded,
    /// Of a write: what was done cannot be known, for the provider's answer was lost. Look the user up
    /// before you write again.
    OutcomeUnknown,
    /// Of a write, as a warning: it was done, but the store that the gateways share was away. An equal
    /// write through another gateway may have made a second record.
    Unguarded,
    /// The gateway failed; its log says why.
    Internal,
}

impl ErrorCode {
    /// All codes.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::items().iter().map(|item| item.value)
    }

    /// Parses a code.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::all().find(|code| code.as_str() == text)
    }

    /// The code as it is written in `extensions.code`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::PersistedQueryNotSupported => "PERSISTED_QUERY_NOT_SUPPORTED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::AccountDisabled => "ACCOUNT_DISABLED",
            Self::ProviderAuth => "PROVIDER_AUTH",
            Self::ProviderRateLimited => "PROVIDER_RATE_LIMITED",
            Self::ProviderTimeout => "PROVIDER_TIMEOUT",
            Self::ProviderUnavailable => "PROVIDER_UNAVAILABLE",
            Self::ProviderBadResponse => "PROVIDER_BAD_RESPONSE",
            Self::ProviderRejected => "PROVIDER_REJECTED",
            Self::RateLimited => "RATE_LIMITED",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Overloaded => "OVERLOADED",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Unguarded => "UNGUARDED",
            Self::Internal => "INTERNAL",
        }
    }
}

/// One reason for a provider's refusal, in words fit for a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RejectionReason {
    /// The provider's name of the invalid field, if it names one.
    pub field: Option<String>,
    /// The provider's message.
    pub message: String,
}

/// How far a failed call got, where its kind does not say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FailureStage {
    /// To the provider, or as close as possible.
    #[default]
    Provider,
    /// It was never sent.
    NotSent,
    /// It was cancelled before the provider had a fair chance to respond.
    CancelledEarly,
    /// The provider's response broke off.
    ResponseInterrupted,
}

impl ErrorKind {
    /// The code that a client sees.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Invalid | Self::Unsupported | Self::Expired => ErrorCode::BadUserInput,
            Self::Disabled => ErrorCode::AccountDisabled,
            Self::Rejected | Self::Conflict => ErrorCode::ProviderRejected,
            Self::Denied => ErrorCode::ProviderAuth,
            Self::Throttled | Self::CallLimit => ErrorCode::ProviderRateLimited,
            Self::TimedOut => ErrorCode::ProviderTimeout,
            Self::Unavailable => ErrorCode::ProviderUnavailable,
            Self::Missing | Self::Moved | Self::Malformed => ErrorCode::ProviderBadResponse,
            Self::DeadlineExceeded => ErrorCode::DeadlineExceeded,
            Self::TooLarge => ErrorCode::QueryTooComplex,
            Self::Overloaded => ErrorCode::Overloaded,
            Self::Internal => ErrorCode::Internal,
        }
    }

    /// Whether the gateway or the request is at fault, and no provider is.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(
            self,
            Self::DeadlineExceeded | Self::TooLarge | Self::Overloaded | Self::Internal
        )
    }

    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::TimedOut | Self::Unavailable)
    }
}

impl Error {
    /// An error of a kind, with a message that a client may read.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(ErrorInner {
            kind,
            message: message.into(),
            account: None,
            operation: None,
            retry_after: None,
            request_id: None,
            reasons: Vec::new(),
            is_unsettled: false,
            failure_stage: FailureStage::default(),
            moved_to: None,
            status: None,
            is_renewed: false,
        }))
    }

    /// An invalid argument; the message says what to change.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A fault of the gateway.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// A provider's response that cannot be read.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, message)
    }

    /// A provider that used up the time of one attempt.
    #[must_use]
    pub fn timed_out() -> Self {
        let message = "the provider did not answer in time; try again, or raise its timeout in the configuration";
        Self::new(ErrorKind::TimedOut, message)
    }

    /// Work that our own deadline ended: the request's, or that of a part of it.
    #[must_use]
    pub fn deadline_exceeded() -> Self {
        let message = "the request's deadline came before the answer; ask for less, wait longer (`Prefer: wait`), \
                       or raise `deadline_seconds` in [limits] of the gateway's configuration";
        Self::new(ErrorKind::DeadlineExceeded, message)
    }

    /// The gateway has no capacity for the work now.
    #[must_use]
    pub fn overloaded() -> Self {
        let message = "the gateway has too much to do; try again in a moment";
        Self::new(ErrorKind::Overloaded, message).with_retry_after(Some(Duration::from_secs(1)))
    }

    fn with(mut self, change: impl FnOnce(&mut ErrorInner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Adds the account and the operation that failed, unless they are set.
    #[must_use]
    pub fn with_operation(self, account: Account, operation: &'static str) -> Self {
        self.with(|inner| {
            inner.account.get_or_insert(account);
            inner.operation.get_or_insert(operation);
        })
    }

    /// Adds the wait before the next attempt.
    #[must_use]
    pub fn with_retry_after(self, wait: Option<Duration>) -> Self {
        self.with(|inner| inner.retry_after = wait)
    }

    /// Adds the provider's own id of the failed request.
    #[must_use]
    pub fn with_request_id(self, id: Option<String>) -> Self {
        self.with(|inner| inner.request_id = id)
    }

    /// Adds the provider's reasons.
    #[must_use]
    pub fn with_reasons(self, reasons: Vec<RejectionReason>) -> Self {
        self.with(|inner| inner.reasons = reasons)
    }

    /// Adds the HTTP status of the provider's response.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        self.with(|inner| inner.status = Some(status))
    }

    /// Notes that the refused credentials have been replaced.
    #[must_use]
    pub fn with_renewed_credentials(self) -> Self {
        self.with(|inner| inner.is_renewed = true)
    }

    /// Sets how far the call got.
    #[must_use]
    pub fn at_stage(self, failure_stage: FailureStage) -> Self {
        self.with(|inner| inner.failure_stage = failure_stage)
    }

    /// Adds the record that replaces this one, as the provider names it.
    #[must_use]
    pub fn with_moved_to(self, link: Option<String>) -> Self {
        self.with(|inner| inner.moved_to = link)
    }

    /// Sets whether an earlier attempt of the same call may have been carried out.
    #[must_use]
    pub fn with_unsettled(self, is_unsettled: bool) -> Self {
        self.with(|inner| inner.is_unsettled |= is_unsettled)
    }

    /// Whether the provider may have carried out the call despite this error.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        let may_be_done = matches!(
            self.0.kind,
            ErrorKind::TimedOut
                | ErrorKind::Unavailable
                | ErrorKind::Malformed
                | ErrorKind::DeadlineExceeded
                | ErrorKind::TooLarge
                | ErrorKind::Overloaded
                | ErrorKind::Internal
        );
        self.0.is_unsettled || (may_be_done && self.0.failure_stage != FailureStage::NotSent)
    }

    /// Whether the refused credentials have been replaced.
    #[must_use]
    pub fn has_renewed_credentials(&self) -> bool {
        self.0.is_renewed
    }

    /// How far the call got.
    #[must_use]
    pub fn failure_stage(&self) -> FailureStage {
        self.0.failure_stage
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message, in words fit for a client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The account at fault.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        self.0.account
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The wait before the next attempt, if the provider asked for one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The provider's own id of the failed request.
    #[must_use]
    pub fn provider_request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The HTTP status, if the provider responded.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The record that replaces this one, as the provider names it: never follow it as it is.
    #[must_use]
    pub fn moved_to(&self) -> Option<&str> {
        self.0.moved_to.as_deref()
    }

    /// The provider's reasons for a refusal.
    #[must_use]
    pub fn reasons(&self) -> &[RejectionReason] {
        &self.0.reasons
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(account), Some(operation)) = (self.0.account, self.0.operation) {
            write!(f, "{} {operation}: ", account.name())?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl std::error::Error for Error {}
