use std::time::Duration;

use super::{Error, Kind, Reach, Verdict, refusal, verdict};

#[test]
fn only_what_is_the_vendors_fault_counts_against_it() {
    let of = |kind, reach| verdict(Some(&Error::new(kind, "").reaching(reach)));

    for kind in [Kind::TimedOut, Kind::Late, Kind::Unavailable] {
        assert_eq!(of(kind, Reach::Vendor), Verdict::Fails, "{kind:?}");
        assert_eq!(of(kind, Reach::Nowhere), Verdict::Nothing, "{kind:?}");
        assert_eq!(of(kind, Reach::Hurried), Verdict::Nothing, "{kind:?}");
    }
    assert_eq!(of(Kind::Malformed, Reach::CutShort), Verdict::Fails);
    for kind in [
        Kind::Throttled,
        Kind::Denied,
        Kind::Rejected,
        Kind::Missing,
        Kind::Malformed,
    ] {
        assert_eq!(of(kind, Reach::Vendor), Verdict::Answers, "{kind:?}");
    }
    for kind in [
        Kind::Invalid,
        Kind::TooLarge,
        Kind::Overloaded,
        Kind::Internal,
    ] {
        assert_eq!(of(kind, Reach::Vendor), Verdict::Nothing, "{kind:?}");
    }
    assert_eq!(verdict(None), Verdict::Answers);
}

#[test]
fn a_refusal_says_when_and_that_nothing_was_sent() {
    let refusal = refusal(Duration::from_millis(2_100));

    assert_eq!(
        (refusal.kind(), refusal.wait()),
        (Kind::Unavailable, Some(Duration::from_millis(2_100)))
    );
    assert!(!refusal.is_unsettled());
    assert!(refusal.message().ends_with("in 3 s"), "{refusal}");
}
