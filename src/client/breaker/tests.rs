use std::time::Duration;

use super::{CallOutcome, Error, ErrorKind, FailureStage, refusal, verdict};

#[test]
fn only_what_is_the_providers_fault_counts_against_it() {
    let of = |kind, reach| verdict(Some(&Error::new(kind, "").reaching(reach)));

    for kind in [ErrorKind::TimedOut, ErrorKind::Late, ErrorKind::Unavailable] {
        assert_eq!(
            of(kind, FailureStage::Provider),
            CallOutcome::Fails,
            "{kind:?}"
        );
        assert_eq!(
            of(kind, FailureStage::Nowhere),
            CallOutcome::Nothing,
            "{kind:?}"
        );
        assert_eq!(
            of(kind, FailureStage::Hurried),
            CallOutcome::Nothing,
            "{kind:?}"
        );
    }
    assert_eq!(
        of(ErrorKind::Malformed, FailureStage::CutShort),
        CallOutcome::Fails
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
            CallOutcome::Answers,
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
            CallOutcome::Nothing,
            "{kind:?}"
        );
    }
    assert_eq!(verdict(None), CallOutcome::Answers);
}

#[test]
fn a_refusal_says_when_and_that_nothing_was_sent() {
    let refusal = refusal(Duration::from_millis(2_100));

    assert_eq!(
        (refusal.kind(), refusal.wait()),
        (ErrorKind::Unavailable, Some(Duration::from_millis(2_100)))
    );
    assert!(!refusal.is_unsettled());
    assert!(refusal.message().ends_with("in 3 s"), "{refusal}");
}
