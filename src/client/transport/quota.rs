//! The headers in which a provider tells what is left of its rate limit, and how long to wait.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::client::attempt::RateLimitHeaders;

/// The names of the headers with a rate limit, and how the end of its window is written.
#[derive(Clone, Copy, Debug)]
pub struct QuotaHeaders {
    /// The number of calls in a window.
    pub limit: &'static str,
    /// The number of calls that are left in it.
    pub remaining: &'static str,
    /// The end of the window.
    pub reset: &'static str,
    /// How the end is written.
    pub reset_kind: ResetKind,
    /// Whether every answer has them, so that they alone can limit the calls.
    pub is_always_sent: bool,
}

/// How the end of a rate limit's window is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResetKind {
    /// As a moment, in seconds since 1970.
    UnixSeconds,
    /// As the number of seconds until then.
    SecondsLeft,
}

/// No moment of ours is earlier: March 1973. As a number of seconds left it would be three years.
const EARLIEST: u64 = 100_000_000;
/// A larger value is a moment in milliseconds: as seconds it would be three thousand years away.
const MILLISECONDS: u64 = 100_000_000_000;
/// A larger value has no known meaning.
const LATEST: u64 = 1_000 * MILLISECONDS;
/// No provider has a window longer than a day.
const LONGEST_WINDOW: u64 = 86_400;
/// The largest difference between the provider's clock and ours at which we use our own.
const SKEW: Duration = Duration::from_secs(2);

impl ResetKind {
    /// The end of a window in seconds since 1970. A value that makes no sense is ignored.
    fn end(self, text: &str, now: SystemTime) -> Option<u64> {
        let value = parse_rounded_up(text)?;
        match self {
            Self::UnixSeconds if (EARLIEST..MILLISECONDS).contains(&value) => Some(value),
            // The unit of other products; it cannot be mistaken.
            Self::UnixSeconds if (MILLISECONDS..LATEST).contains(&value) => {
                Some(value.div_ceil(1_000))
            }
            Self::SecondsLeft if value <= LONGEST_WINDOW => {
                let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
                let is_more = now.subsec_nanos() > 0;
                Some(now.as_secs() + u64::from(is_more) + value)
            }
            Self::UnixSeconds | Self::SecondsLeft => None,
        }
    }
}

impl QuotaHeaders {
    /// The names `X-RateLimit-Limit`, `-Remaining` and `-Reset`, which most providers use.
    #[must_use]
    pub const fn x_rate_limit(reset_kind: ResetKind) -> Self {
        Self {
            limit: "x-ratelimit-limit",
            remaining: "x-ratelimit-remaining",
            reset: "x-ratelimit-reset",
            reset_kind,
            is_always_sent: true,
        }
    }

    /// The same headers, which some answers lack.
    #[must_use]
    pub const fn sent_sometimes(self) -> Self {
        Self {
            is_always_sent: false,
            ..self
        }
    }

    /// Reads the provider's rate limit, if its headers give all of it.
    pub(super) fn read(&self, headers: &HeaderMap, now: SystemTime) -> Option<RateLimitHeaders> {
        let number = |name: &str| text(headers, name)?.parse::<u32>().ok();
        let limit = number(self.limit).filter(|limit| *limit > 0)?;
        let remaining = number(self.remaining)?.min(limit);
        // The provider's clock or ours may be wrong, so only the time left in the window counts.
        let now = provider_time(headers, now);
        let resets_at = self.end(headers, now)?;
        Some(RateLimitHeaders {
            limit,
            remaining,
            resets_at,
            resets_in: until(resets_at, now)?,
        })
    }

    /// The end of the window in seconds since 1970.
    fn end(&self, headers: &HeaderMap, now: SystemTime) -> Option<u64> {
        self.reset_kind.end(text(headers, self.reset)?, now)
    }
}

/// The wait that a provider asks for: `Retry-After` in seconds or as a date, else the end of the
/// rate limit's window. A moment in the past means no wait.
pub(super) fn requested_wait(
    headers: &HeaderMap,
    quota_headers: Option<&QuotaHeaders>,
    now: SystemTime,
) -> Option<Duration> {
    let after = text(headers, RETRY_AFTER.as_str()).and_then(|after| {
        let date = || {
            let date = jiff::fmt::rfc2822::parse(after).ok()?;
            until(u64::try_from(date.timestamp().as_second()).ok()?, now)
        };
        parse_rounded_up(after)
            .map(Duration::from_secs)
            .or_else(date)
    });
    // An unreadable header does not hide a readable one.
    after.or_else(|| until(quota_headers?.end(headers, now)?, now))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The time until a moment in seconds since 1970; zero when it is past.
fn until(moment: u64, now: SystemTime) -> Option<Duration> {
    let moment = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(moment))?;
    Some(moment.duration_since(now).unwrap_or_default())
}

/// The provider's time where its `Date` header and our clock disagree. The header has whole
/// seconds, so our clock is more exact while both agree.
fn provider_time(headers: &HeaderMap, now: SystemTime) -> SystemTime {
    let date = text(headers, DATE.as_str());
    let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let date = date.map(|date| SystemTime::from(date.timestamp()));
    let is_far = |date: &SystemTime| {
        let ahead = date.duration_since(now).unwrap_or_default();
        ahead > SKEW || now.duration_since(*date).unwrap_or_default() > SKEW
    };
    date.filter(is_far).unwrap_or(now)
}

/// Reads a number from a header, rounded up: some servers send seconds with a fraction.
fn parse_rounded_up(text: &str) -> Option<u64> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(digits) || !is_plain(fraction) {
        return None;
    }
    let is_more = fraction.bytes().any(|digit| digit != b'0');
    digits.parse::<u64>().ok()?.checked_add(u64::from(is_more))
}

#[cfg(test)]
mod tests;
