use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::{
    dns::{Name, Resolve, Resolving},
    header::{HeaderMap, HeaderValue},
};

use super::{ErrorKind, FailureStage, quota_of, unsent, wait_of};

fn wait(name: &'static str, value: &str) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_str(value).expect("a header value"));
    wait_of(
        &headers,
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
    )
}

#[test]
fn a_wait_is_read_in_seconds_as_a_date_and_from_the_windows_end() {
    assert_eq!(wait("retry-after", "7"), Some(Duration::from_secs(7)));
    assert_eq!(
        wait("retry-after", "Tue, 14 Nov 2023 22:13:25 GMT"),
        Some(Duration::from_secs(5))
    );
    assert_eq!(
        wait("x-ratelimit-reset", "1700000003"),
        Some(Duration::from_secs(3))
    );
}

#[test]
fn a_wait_with_a_fraction_is_rounded_up_and_an_unreadable_one_hides_nothing() {
    for (sent, seconds) in [("1.5", 2), ("2.0", 2), ("0.001", 1), ("3.", 3), ("0", 0)] {
        let expected = Some(Duration::from_secs(seconds));
        assert_eq!(wait("retry-after", sent), expected, "{sent}");
    }
    for nonsense in [
        "",
        " ",
        "soon",
        "-1",
        "1,5",
        "1e3",
        "inf",
        "99999999999999999999",
    ] {
        assert_eq!(
            wait("retry-after", nonsense),
            None.or(match nonsense {
                "" | " " => wait("retry-after", "x"),
                _ => None,
            }),
            "{nonsense}"
        );
        let mut headers = HeaderMap::new();
        headers.insert(
            "retry-after",
            HeaderValue::from_str(nonsense).expect("a value"),
        );
        headers.insert("x-ratelimit-reset", HeaderValue::from_static("1700000003"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(
            wait_of(&headers, now),
            Some(Duration::from_secs(3)),
            "{nonsense:?}"
        );
    }
}

#[test]
fn the_end_of_a_window_is_read_as_seconds_milliseconds_or_seconds_left() {
    for end in ["1700000003", "1700000002500", "3", "2.5", "1700000002.1"] {
        let expected = Some(Duration::from_secs(3));
        assert_eq!(wait("x-ratelimit-reset", end), expected, "{end}");
    }
    for nonsense in ["2026-01-01T00:00:00Z", "", "-5", "170000000000000000"] {
        assert_eq!(wait("x-ratelimit-reset", nonsense), None, "{nonsense}");
    }
}

#[test]
fn a_moment_in_the_past_is_no_wait_and_nonsense_is_none() {
    assert_eq!(
        wait("x-ratelimit-reset", "1600000000"),
        Some(Duration::ZERO)
    );
    assert_eq!(wait("x-ratelimit-reset", "99999999999999999999"), None);
    assert_eq!(wait("x-ratelimit-reset", "18446744073709551615"), None);
    assert_eq!(wait("retry-after", "soon"), None);
}

fn resets_in(date: Option<&'static str>) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("limit", "167"),
        ("remaining", "200"),
        ("reset", "1700000010"),
    ] {
        let name = format!("x-ratelimit-{name}").parse::<reqwest::header::HeaderName>();
        headers.insert(name.expect("a name"), HeaderValue::from_static(value));
    }
    if let Some(date) = date {
        headers.insert("date", HeaderValue::from_static(date));
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_003);
    let quota = quota_of(&headers, now)?;
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
    assert_eq!(quota_of(&HeaderMap::new(), SystemTime::now()), None);
}

/// A resolver that fails as a machine does.
struct Failing(fn() -> io::Error);

impl Resolve for Failing {
    fn resolve(&self, _: Name) -> Resolving {
        let error = (self.0)();
        Box::pin(async move {
            Err(error.into()) as Result<Box<dyn Iterator<Item = SocketAddr> + Send>, _>
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the error is what is tested")]
async fn ends_with(error: fn() -> io::Error) -> (ErrorKind, FailureStage) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .dns_resolver(Arc::new(Failing(error)));
    let client = client.build().expect("a client");
    let sent = client.get("http://provider.test/").send().await;
    let error = unsent(&sent.expect_err("no address"));
    (error.kind(), error.failure_stage())
}

#[tokio::test]
async fn a_lack_of_resources_here_is_no_providers_fault() {
    let ours = (ErrorKind::Overloaded, FailureStage::Nowhere);
    assert_eq!(ends_with(|| io::Error::from_raw_os_error(24)).await, ours);
    assert_eq!(ends_with(|| io::Error::from_raw_os_error(23)).await, ours);
    assert_eq!(ends_with(|| io::ErrorKind::OutOfMemory.into()).await, ours);
    assert_eq!(
        ends_with(|| io::ErrorKind::AddrNotAvailable.into()).await,
        ours
    );

    let theirs = (ErrorKind::Unavailable, FailureStage::Provider);
    assert_eq!(ends_with(|| io::ErrorKind::NotFound.into()).await, theirs);
    assert_eq!(
        ends_with(|| io::ErrorKind::ConnectionRefused.into()).await,
        theirs
    );
}
