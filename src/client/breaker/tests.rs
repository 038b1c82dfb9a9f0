use std::time::Duration;

use super::{CallOutcome, Error, ErrorKind, FailureStage, outcome, refusal};

#[test]
fn only_the_providers_own_failures_count_against_it() {
    let of = |kind, failure_stage| outcome(Some(&Error::new(kind, "").at_stage(failure_stage)));

    for kind in [
        ErrorKind::TimedOut,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Unavailable,
    ] {
        assert_eq!(
            of(kind, FailureStage::Provider),
            CallOutcome::Failure,
            "{kind:?}"
        );
        assert_eq!(
            of(kind, FailureStage::NotSent),
            CallOutcome::Inconclusive,
            "{kind:?}"
        );
        assert_eq!(
            of(kind, FailureStage::CancelledEarly),
            CallOutcome::Inconclusive,
            "{kind:?}"
        );
    }
    assert_eq!(
        of(ErrorKind::Malformed, FailureStage::ResponseInterrupted),
        CallOutcome::Failure
    );
    for kind in [
        ErrorKind::Throttled,
        ErrorKind::Denied,
        ErrorKind::Rejected,
        ErrorKind::Missing,
        ErrorKind::Malformed,
    ] {
        assert_eq!(
            of(kind, FailureStage::Provider),
            CallOutcome::Success,
            "{kind:?}"
        );
    }
    for kind in [
        ErrorKind::Invalid,
        ErrorKind::TooLarge,
        ErrorKind::Overloaded,
        ErrorKind::Internal,
    ] {
        assert_eq!(
            of(kind, FailureStage::Provider),
            CallOutcome::Inconclusive,
            "{kind:?}"
        );
    }
    assert_eq!(outcome(None), CallOutcome::Success);
}

#[test]
fn a_refusal_says_when_and_that_nothing_was_sent() {
    let refusal = refusal(Duration::from_millis(2_100));

    assert_eq!(
        (refusal.kind(), refusal.retry_after()),
        (ErrorKind::Unavailable, Some(Duration::from_millis(2_100)))
    );
    assert!(!refusal.is_unsettled());
    assert!(refusal.message().ends_with("in 3 s"), "{refusal}");
}
