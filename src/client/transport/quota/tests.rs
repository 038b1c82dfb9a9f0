use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{QuotaHeaders, ResetKind, requested_wait};

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().expect("a name");
        (name, HeaderValue::from_str(value).expect("a value"))
    });
    pairs.collect()
}

/// The wait in seconds that some headers ask for.
fn wait(pairs: &[(&str, &str)], reset: Option<ResetKind>) -> Option<u64> {
    let names = reset.map(QuotaHeaders::x_rate_limit);
    let wait = requested_wait(
        &headers(pairs),
        names.as_ref(),
        SystemTime::UNIX_EPOCH + NOW,
    );
    wait.map(|wait| wait.as_secs())
}

/// The wait in seconds that the end of a window asks for.
fn reset(value: &str, kind: ResetKind) -> Option<u64> {
    wait(&[("x-ratelimit-reset", value)], Some(kind))
}

#[test]
fn retry_after_is_read_in_seconds_rounded_up_and_as_a_date() {
    for (sent, seconds) in [
        ("7", 7),
        ("1.5", 2),
        ("2.0", 2),
        ("0.001", 1),
        ("3.", 3),
        ("0", 0),
        ("Tue, 14 Nov 2023 22:13:25 GMT", 5),
    ] {
        let wait = wait(&[("retry-after", sent)], None);
        assert_eq!(wait, Some(seconds), "{sent}");
    }
}

#[test]
fn an_unreadable_retry_after_hides_no_end_of_a_window() {
    let unreadable = ["soon", "-1", "1,5", "1e3", "inf", "99999999999999999999"];
    for sent in unreadable {
        let after = ("retry-after", sent);
        let end = ("x-ratelimit-reset", "1700000003");
        let moment = Some(ResetKind::UnixSeconds);
        assert_eq!(wait(&[after], moment), None, "{sent}");
        assert_eq!(wait(&[after, end], moment), Some(3), "{sent}");
        assert_eq!(wait(&[after, end], None), None, "{sent}");
    }
    let both = [("retry-after", " "), ("x-ratelimit-reset", "1700000003")];
    assert_eq!(wait(&both, Some(ResetKind::UnixSeconds)), Some(3));
}

#[test]
fn the_end_of_a_window_is_read_as_its_provider_writes_it() {
    for (sent, moment, left) in [
        ("1700000003", Some(3), None),
        ("1700000002.1", Some(3), None),
        ("1700000002500", Some(3), None),
        ("1600000000", Some(0), None),
        ("3", None, Some(3)),
        ("2.5", None, Some(3)),
        ("86401", None, None),
        ("2026-01-01T00:00:00Z", None, None),
        ("", None, None),
        ("-5", None, None),
        ("170000000000000000", None, None),
        ("18446744073709551615", None, None),
        ("99999999999999999999", None, None),
    ] {
        assert_eq!(reset(sent, ResetKind::UnixSeconds), moment, "{sent}");
        assert_eq!(reset(sent, ResetKind::SecondsLeft), left, "{sent}");
    }
}

fn resets_in(date: Option<&str>) -> Option<Duration> {
    let date = date.map(|date| ("date", date));
    let sent = [
        ("x-ratelimit-limit", "167"),
        ("x-ratelimit-remaining", "200"),
        ("x-ratelimit-reset", "1700000010"),
    ];
    let sent: Vec<_> = sent.into_iter().chain(date).collect();
    let now = SystemTime::UNIX_EPOCH + NOW + Duration::from_secs(3);
    let names = QuotaHeaders::x_rate_limit(ResetKind::UnixSeconds);
    let quota = names.read(&headers(&sent), now)?;
    assert_eq!((quota.limit, quota.remaining), (167, 167));
    Some(quota.resets_in)
}

#[test]
fn a_window_ends_by_the_providers_clock() {
    let seven = Some(Duration::from_secs(7));
    assert_eq!(resets_in(None), seven);
    assert_eq!(resets_in(Some("Tue, 14 Nov 2023 22:13:22 GMT")), seven);
    let slow = resets_in(Some("Tue, 14 Nov 2023 22:12:20 GMT"));
    assert_eq!(slow, Some(Duration::from_secs(70)));
}

#[test]
fn a_quota_needs_all_of_its_headers() {
    let names = QuotaHeaders::x_rate_limit(ResetKind::SecondsLeft);
    let sent = headers(&[("x-ratelimit-limit", "167"), ("x-ratelimit-reset", "3")]);
    for sent in [HeaderMap::new(), sent] {
        assert_eq!(names.read(&sent, SystemTime::now()), None);
    }
}
