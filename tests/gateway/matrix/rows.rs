//! The expected outcomes.

use crate::world::FOUR;
use roster::account::Provider;
use serde_json::{Value, json};

use super::{
    Outcome, Outcomes, Patience, Query, Row,
    When::{AfterRetries, AtOnce, ByAttempts, ByDeadline},
};

const UNAVAILABLE: &str = "PROVIDER_UNAVAILABLE";
const UNREADABLE: &str = "PROVIDER_BAD_RESPONSE";
const THROTTLED: &str = "PROVIDER_RATE_LIMITED";
const TIMED_OUT: &str = "PROVIDER_TIMEOUT";
const LATE: &str = "DEADLINE_EXCEEDED";
const DENIED: &str = "PROVIDER_AUTH";

const MB: u64 = 1 << 20;

/// The same at each provider.
fn everywhere(outcome: Outcome) -> Outcomes {
    FOUR.map(|of| (of, outcome)).into()
}

/// It is as if nothing had happened.
fn well() -> Outcomes {
    Outcomes::from([
        (Provider::Ada, found("COMPLETE", 2)),
        (Provider::DigitalChalk, found("COMPLETE", 1)),
        (Provider::Intercom, found("COMPLETE", 1)),
        (Provider::Usertour, found("PARTIAL", 1)),
    ])
}

/// One call more.
fn second_time() -> Outcomes {
    let usual = well().into_iter();
    let again = usual.map(|(of, outcome)| (of, again(outcome.status, outcome.calls + 1)));
    again.collect()
}

const fn found(status: &'static str, calls: u64) -> Outcome {
    Outcome {
        status,
        code: None,
        calls,
        when: AtOnce,
    }
}

const fn again(status: &'static str, calls: u64) -> Outcome {
    Outcome {
        when: AfterRetries,
        ..found(status, calls)
    }
}

/// It fails after so many calls: at once after the first, else after retries.
const fn failed(code: &'static str, calls: u64) -> Outcome {
    Outcome {
        status: "FAILED",
        code: Some(code),
        calls,
        when: if calls == 1 { AtOnce } else { AfterRetries },
    }
}

fn by_email(name: &'static str, fault: Value, expected: Outcomes) -> Row {
    Row {
        name,
        fault,
        query: Query::Email,
        patience: Patience::Long,
        expected,
    }
}

fn list(name: &'static str, fault: Value, expected: Outcomes) -> Row {
    Row {
        query: Query::List,
        ..by_email(name, fault, expected)
    }
}

/// A provider that is too slow for an attempt, or for the request.
fn slow(name: &'static str, fault: Value, patience: Patience) -> Row {
    let (code, calls, when) = match patience {
        Patience::ShortDeadline => (LATE, 1, ByDeadline),
        Patience::Long | Patience::ShortAttempt => (TIMED_OUT, 2, ByAttempts),
    };
    let late = Outcome {
        when,
        ..failed(code, calls)
    };
    Row {
        patience,
        ..by_email(name, fault, everywhere(late))
    }
}

fn status(status: u16) -> Value {
    json!({ "kind": "status", "status": status, "body": { "message": "No." } })
}

pub(super) fn rows() -> Vec<Row> {
    [
        silent(),
        refused(),
        throttled(),
        unreadable(),
        large(),
        led(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Providers that cannot be reached, are slow, or break off.
fn silent() -> Vec<Row> {
    vec![
        by_email(
            "answers 100 ms later",
            json!({ "kind": "latency", "milliseconds": 100 }),
            well(),
        ),
        by_email(
            "a body in small pieces, within a second",
            json!({ "kind": "drip", "milliseconds": 500 }),
            well(),
        ),
        slow(
            "a body in small pieces, over 20 s",
            json!({ "kind": "drip", "milliseconds": 20_000 }),
            Patience::ShortAttempt,
        ),
        slow("hangs", json!({ "kind": "hang" }), Patience::ShortAttempt),
        slow(
            "hangs, and an attempt may take as long as the request",
            json!({ "kind": "hang" }),
            Patience::ShortDeadline,
        ),
        by_email(
            "connection refused",
            json!({ "kind": "nobody" }),
            everywhere(failed(UNAVAILABLE, 2)),
        ),
        by_email(
            "connection closed before the answer",
            json!({ "kind": "reset" }),
            everywhere(failed(UNAVAILABLE, 2)),
        ),
        by_email(
            "connection closed before the answer, once",
            json!({ "kind": "reset", "count": 1 }),
            second_time(),
        ),
        by_email(
            "connection closed within the body",
            json!({ "kind": "reset", "at": "body" }),
            everywhere(failed(UNREADABLE, 1)),
        ),
        by_email(
            "a body shorter than its length",
            json!({ "kind": "truncate" }),
            everywhere(failed(UNREADABLE, 1)),
        ),
    ]
}

/// Providers that say that they are ill, or refuse us.
fn refused() -> Vec<Row> {
    let mut once = status(500);
    once["count"] = 1.into();
    vec![
        by_email("500 once", once, second_time()),
        by_email(
            "500 for good",
            status(500),
            everywhere(failed(UNAVAILABLE, 2)),
        ),
        by_email(
            "a gateway's page, 502 in HTML",
            json!({ "kind": "html" }),
            everywhere(failed(UNAVAILABLE, 2)),
        ),
        by_email("401", status(401), everywhere(failed(DENIED, 1))),
        by_email("403", status(403), everywhere(failed(DENIED, 1))),
    ]
}

/// Providers that have had enough.
fn throttled() -> Vec<Row> {
    let wait =
        |seconds: u64| json!({ "kind": "rate_limit", "retry_after": seconds, "reset": seconds });
    let mut once = wait(1);
    once["count"] = 1.into();
    let mute = json!({ "kind": "status", "status": 429 });
    let mut mute_once = mute.clone();
    mute_once["count"] = 1.into();
    let past = json!({ "kind": "rate_limit", "reset": -60 });
    vec![
        by_email("429 once, Retry-After of 1 s", once, second_time()),
        by_email(
            "429 for good, Retry-After of 1 s",
            wait(1),
            everywhere(failed(THROTTLED, 2)),
        ),
        by_email(
            "429, Retry-After past the deadline",
            wait(600),
            everywhere(failed(THROTTLED, 1)),
        ),
        by_email("429 once, without a word on when", mute_once, second_time()),
        by_email(
            "429 for good, without a word on when",
            mute,
            everywhere(failed(THROTTLED, 2)),
        ),
        by_email(
            "429 for good, a reset in the past",
            past,
            everywhere(failed(THROTTLED, 2)),
        ),
    ]
}

/// Providers that answer 200 and something else than their API promises.
fn unreadable() -> Vec<Row> {
    let unreadable = || everywhere(failed(UNREADABLE, 1));
    let html = json!({ "kind": "status", "status": 200, "body": "<html>Hello</html>", "headers": { "content-type": "text/html" } });
    let typed = json!({ "kind": "content_type", "value": "text/html" });
    vec![
        by_email("an empty 200", json!({ "kind": "empty" }), unreadable()),
        by_email(
            "200 and text that is no JSON",
            json!({ "kind": "not_json" }),
            unreadable(),
        ),
        by_email("200 and a page of HTML", html, unreadable()),
        by_email(
            "the provider's own errors under 200",
            json!({ "kind": "error_list" }),
            unreadable(),
        ),
        by_email("the right JSON as text/html", typed, well()),
    ]
}

/// Providers that answer too much.
fn large() -> Vec<Row> {
    let unreadable = || everywhere(failed(UNREADABLE, 1));
    let big = json!({ "kind": "big", "bytes": 100 * MB });
    let chunked = json!({ "kind": "big", "bytes": 100 * MB, "chunked": true });
    let bomb = json!({ "kind": "gzip_bomb", "bytes": 100 * MB });
    vec![
        by_email("100 MB", big, unreadable()),
        by_email(
            "100 MB in chunks, without their size",
            chunked,
            unreadable(),
        ),
        by_email("100 MB packed in gzip", bomb, unreadable()),
    ]
}

/// Providers that lead us elsewhere.
fn led() -> Vec<Row> {
    let redirect = json!({ "kind": "redirect", "location": "http://attacker.test/take/the/token" });
    let itself = json!({ "kind": "self_link" });
    let in_a_circle = Outcome {
        when: AtOnce,
        ..failed(UNREADABLE, 2)
    };
    vec![
        by_email(
            "302 to another host",
            redirect,
            everywhere(failed(UNREADABLE, 1)),
        ),
        list(
            "a list's next page is the page itself",
            itself,
            Outcomes::from([
                (Provider::Ada, found("COMPLETE", 5)),
                (Provider::DigitalChalk, found("COMPLETE", 5)),
                (Provider::Intercom, in_a_circle),
                (Provider::Usertour, failed(UNREADABLE, 1)),
            ]),
        ),
    ]
}
