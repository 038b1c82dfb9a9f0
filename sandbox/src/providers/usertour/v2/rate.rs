//! The limit of version 2: 1000 calls a minute for a token, as a self-hosted server has it, and
//! 100 for all callers together whose token is not known.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue};

use crate::behaviour::Behaviour;
use crate::emulation::Throttle;
use crate::rate::{self, RateLimiter, RateStatus, RateWindow};

const LIMIT: u64 = 1000;
const LIMIT_OF_UNKNOWN_CALLERS: u64 = 100;
const SECONDS: i64 = 60;

/// The calls counted: those with the token, and those without.
#[derive(Debug, Default)]
pub(in crate::providers::usertour) struct TokenLimiter {
    of_token: RateLimiter,
    of_unknown_callers: RateLimiter,
}

impl TokenLimiter {
    /// Counts a call. Unless the `rate` switch is on, nothing is ever used up.
    pub(super) fn take(&self, behaviour: &Behaviour, is_known: bool) -> RateStatus {
        let seconds = behaviour.number("rate_seconds");
        let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
        let limit = if is_known {
            behaviour.number("rate_limit").unwrap_or(LIMIT)
        } else {
            LIMIT_OF_UNKNOWN_CALLERS
        };
        let window = RateWindow {
            seconds: seconds.unwrap_or(SECONDS),
            limit,
        };
        if !behaviour.is("rate", "on") {
            return RateLimiter::default().take_within(&[window], rate::now());
        }
        let counted = if is_known {
            &self.of_token
        } else {
            &self.of_unknown_callers
        };
        counted.take_within(&[window], rate::now())
    }
}

/// Writes the rate into an answer; a refusal says when to come back.
pub(in crate::providers::usertour) fn show_rate(headers: &mut HeaderMap, rate: &RateStatus) {
    let left = rate.reset.saturating_sub(rate::now()).max(1);
    write(headers, rate.limit, rate.remaining, left);
    if !rate.granted {
        headers.insert(RETRY_AFTER, HeaderValue::from(left));
    }
}

/// Writes the rate into the answer of a fault.
pub(in crate::providers::usertour) fn show_refusal(headers: &mut HeaderMap, throttle: &Throttle) {
    write(headers, LIMIT, 0, throttle.reset.unwrap_or(SECONDS));
    if let Some(seconds) = throttle.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

fn write(headers: &mut HeaderMap, limit: u64, remaining: u64, seconds_left: i64) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(remaining));
    headers.insert("x-ratelimit-reset", HeaderValue::from(seconds_left));
}
