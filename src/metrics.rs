//! The names of all metrics; `/metrics` shows them.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::account::Account;

const PROVIDER_CALLS: &str = "roster_provider_calls_total";
const PROVIDER_SECONDS: &str = "roster_provider_call_duration_seconds";
const ANSWERS: &str = "roster_answers_total";
const PROVIDER_UNSENT: &str = "roster_provider_calls_unsent_total";
const CIRCUIT: &str = "roster_provider_circuit_state";
const CIRCUIT_CHANGES: &str = "roster_provider_circuit_changes_total";
const CONCURRENCY: &str = "roster_provider_concurrency_limit";
const IN_FLIGHT: &str = "roster_provider_calls_in_flight";
const BUDGET_REMAINING: &str = "roster_provider_budget_remaining_calls";
const BUDGET_SECONDS: &str = "roster_provider_budget_wait_seconds";
const BUDGET_REFUSED: &str = "roster_provider_budget_refused_total";
const BUDGET_LIMIT: &str = "roster_provider_budget_limit_calls";
const SOURCES: &str = "roster_sources_total";
const CACHE_BYTES: &str = "roster_cache_bytes";
const CACHE_MAX_BYTES: &str = "roster_cache_max_bytes";
const CACHE_ENTRIES: &str = "roster_cache_entries";
const CACHE_EVICTIONS: &str = "roster_cache_evictions_total";
const AUDIT_FAILURES: &str = "roster_audit_failures_total";
const BUILD_INFO: &str = "roster_build_info";
const SHARED_STORE: &str = "roster_shared_store_up";
const REQUESTS: &str = "roster_graphql_requests_total";
const GRAPHQL_ERRORS: &str = "roster_graphql_errors_total";
const SOCKETS: &str = "roster_websockets";
const REQUEST_SECONDS: &str = "roster_graphql_request_duration_seconds";

/// The upper bounds of the histograms' buckets, in seconds: from a cached response to the longest
/// usual deadline. They are the same everywhere, so that the histograms of many replicas can be
/// added.
pub const BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0,
];

/// Describes every metric; called once, at start.
pub fn describe() {
    describe_providers();
    describe_gauge!(BUILD_INFO, "The running version; always 1");
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1);
    describe_counter!(
        SOURCES,
        "Sources of answers by provider and status (complete, partial, failed, disabled, skipped)"
    );
    describe_gauge!(CACHE_BYTES, "Bytes of the cached responses");
    describe_gauge!(CACHE_MAX_BYTES, "The largest size of the cache in bytes");
    describe_gauge!(CACHE_ENTRIES, "Number of cached responses");
    describe_counter!(
        CACHE_EVICTIONS,
        "Answers that left the cache, by cause (expired, size)"
    );
    describe_counter!(
        AUDIT_FAILURES,
        "Lines of the audit log that its file did not accept"
    );
    describe_gauge!(
        SHARED_STORE,
        "Whether the shared store is available (1), or this gateway works alone (0)"
    );
    describe_counter!(
        REQUESTS,
        "GraphQL requests by operation type and outcome (ok, partial, sources_failed, write_failed, failed, refused)"
    );
    describe_histogram!(REQUEST_SECONDS, "Seconds of a GraphQL request");
    describe_gauge!(SOCKETS, "Open WebSockets");
    describe_counter!(
        GRAPHQL_ERRORS,
        "Errors, failed sources and errors of writes in answers, by code"
    );
}

fn describe_providers() {
    describe_gauge!(
        BUDGET_LIMIT,
        "Calls that a window of a provider's budget allows (window as in the remaining calls)"
    );
    describe_counter!(
        PROVIDER_CALLS,
        "Calls to providers by provider, operation and outcome; retries are one call"
    );
    describe_histogram!(
        PROVIDER_SECONDS,
        "Seconds of a provider call, retries included"
    );
    describe_gauge!(
        BUDGET_REMAINING,
        "Calls left in a window of a provider's budget (window in seconds, or \"provider\" where only its headers tell)"
    );
    describe_histogram!(
        BUDGET_SECONDS,
        "Seconds that an attempt waited to be admitted"
    );
    describe_counter!(
        BUDGET_REFUSED,
        "Attempts not made because the provider's budget is used up until after their deadline"
    );
    describe_counter!(
        ANSWERS,
        "Answers to reads of providers by provider, operation and origin (provider, cache_hit, stale, coalesced)"
    );
    describe_counter!(
        PROVIDER_UNSENT,
        "Calls that ended before they were sent, by provider, operation and code: the circuit was open, or time or budget ran out"
    );
    describe_gauge!(
        CIRCUIT,
        "The state of a provider's circuit: 0 closed, 1 half open, 2 open"
    );
    describe_counter!(
        CIRCUIT_CHANGES,
        "Changes of a provider's circuit, by provider and the state that it came to"
    );
    describe_gauge!(
        CONCURRENCY,
        "The current limit on calls in flight to a provider; at most the configured one"
    );
    describe_gauge!(IN_FLIGHT, "Calls to a provider in flight");
}

/// Label values are in lower case, however clients see them.
fn lower(value: &str) -> String {
    value.to_ascii_lowercase()
}

/// Counts a call to a provider.
pub fn provider_call(
    account: Account,
    operation: &'static str,
    outcome: &'static str,
    took: Duration,
) {
    counter!(PROVIDER_CALLS, "provider" => account.provider().name(), "account" => account.name(), "operation" => operation, "outcome" => lower(outcome))
        .increment(1);
    histogram!(PROVIDER_SECONDS, "provider" => account.provider().name(), "account" => account.name(), "operation" => operation).record(took);
}

/// Counts a response to a read, by its origin.
pub fn answer(account: Account, operation: &'static str, origin: &'static str) {
    counter!(ANSWERS, "provider" => account.provider().name(), "account" => account.name(), "operation" => operation, "origin" => lower(origin))
        .increment(1);
}

/// Counts a call that ended before it was sent.
pub fn provider_call_unsent(account: Account, operation: &'static str, code: &'static str) {
    counter!(PROVIDER_UNSENT, "provider" => account.provider().name(), "account" => account.name(), "operation" => operation, "code" => lower(code))
        .increment(1);
}

/// Sets the state of an account's circuit.
pub fn circuit(account: Account, level: u8) {
    gauge!(CIRCUIT, "provider" => account.provider().name(), "account" => account.name())
        .set(f64::from(level));
}

/// Counts a change of an account's circuit.
pub fn circuit_change(account: Account, to: &'static str) {
    counter!(CIRCUIT_CHANGES, "provider" => account.provider().name(), "account" => account.name(), "to" => to).increment(1);
}

/// Sets the limit on an account's calls in flight, and their number.
pub fn concurrency(account: Account, limit: u32, in_flight: u32) {
    gauge!(CONCURRENCY, "provider" => account.provider().name(), "account" => account.name())
        .set(limit);
    gauge!(IN_FLIGHT, "provider" => account.provider().name(), "account" => account.name())
        .set(in_flight);
}

/// Sets the limit of a window of an account's budget, and the calls left in it.
pub fn budget(account: Account, seconds: Option<u32>, limit: u32, remaining: u32) {
    let window = seconds.map_or_else(|| "provider".to_owned(), |seconds| seconds.to_string());
    gauge!(BUDGET_LIMIT, "provider" => account.provider().name(), "account" => account.name(), "window" => window.clone()).set(limit);
    gauge!(BUDGET_REMAINING, "provider" => account.provider().name(), "account" => account.name(), "window" => window).set(remaining);
}

/// Records how long an attempt waited for budget.
pub fn budget_waited(account: Account, took: Duration) {
    histogram!(BUDGET_SECONDS, "provider" => account.provider().name(), "account" => account.name()).record(took);
}

/// Counts an attempt that could not get budget before its deadline.
pub fn budget_refused(account: Account) {
    counter!(BUDGET_REFUSED, "provider" => account.provider().name(), "account" => account.name())
        .increment(1);
}

/// Sets whether the shared store is available.
pub fn shared_store(is_up: bool) {
    gauge!(SHARED_STORE).set(u8::from(is_up));
}

/// Counts a GraphQL request.
pub fn request(operation: &'static str, outcome: &'static str, took: Duration) {
    counter!(REQUESTS, "operation" => operation, "outcome" => outcome).increment(1);
    histogram!(REQUEST_SECONDS, "operation" => operation).record(took);
}

/// Counts a WebSocket that opens.
pub fn socket_opened(protocol: &'static str) {
    gauge!(SOCKETS, "protocol" => protocol).increment(1);
}

/// Counts a WebSocket that closes.
pub fn socket_closed(protocol: &'static str) {
    gauge!(SOCKETS, "protocol" => protocol).decrement(1);
}

/// Counts an error in a response, or the code of a failed source or write.
pub fn graphql_error(code: &'static str) {
    counter!(GRAPHQL_ERRORS, "code" => lower(code)).increment(1);
}

/// Counts a source of a response.
pub fn source(account: Account, status: &'static str) {
    counter!(SOURCES, "provider" => account.provider().name(), "account" => account.name(), "status" => status).increment(1);
}

/// Sets the size of the cache.
pub fn cache(entries: u64, bytes: u64) {
    gauge!(CACHE_ENTRIES).set(entries as f64);
    gauge!(CACHE_BYTES).set(bytes as f64);
}

/// Counts a response that left the cache.
pub fn cache_eviction(cause: &'static str) {
    counter!(CACHE_EVICTIONS, "cause" => cause).increment(1);
}

/// Counts a line that the audit log's file did not accept.
pub fn audit_failure() {
    counter!(AUDIT_FAILURES).increment(1);
}

/// Starts the series of an account's calls.
pub fn init_calls(
    account: Account,
    operation: &'static str,
    outcomes: impl IntoIterator<Item = &'static str>,
    unsent: impl IntoIterator<Item = &'static str>,
) {
    for outcome in outcomes {
        counter!(PROVIDER_CALLS, "provider" => account.provider().name(), "account" => account.name(), "operation" => operation, "outcome" => lower(outcome))
            .increment(0);
    }
    for code in unsent {
        counter!(PROVIDER_UNSENT, "provider" => account.provider().name(), "account" => account.name(), "operation" => operation, "code" => lower(code))
            .increment(0);
    }
    let _ = histogram!(PROVIDER_SECONDS, "provider" => account.provider().name(), "account" => account.name(), "operation" => operation);
}

/// Starts the series of responses to an account's reads.
pub fn init_answers(
    account: Account,
    operation: &'static str,
    origins: impl IntoIterator<Item = &'static str>,
) {
    for origin in origins {
        counter!(ANSWERS, "provider" => account.provider().name(), "account" => account.name(), "operation" => operation, "origin" => lower(origin))
            .increment(0);
    }
}

/// Starts the series of an account's circuit.
pub fn init_circuit(account: Account, states: impl IntoIterator<Item = &'static str>) {
    circuit(account, 0);
    for to in states {
        counter!(CIRCUIT_CHANGES, "provider" => account.provider().name(), "account" => account.name(), "to" => to).increment(0);
    }
}

/// Starts the series of an account's budget.
pub fn init_budget(account: Account) {
    counter!(BUDGET_REFUSED, "provider" => account.provider().name(), "account" => account.name())
        .increment(0);
    let _ = histogram!(BUDGET_SECONDS, "provider" => account.provider().name(), "account" => account.name());
}

/// Starts the series of an account's sources.
pub fn init_sources(account: Account, statuses: impl IntoIterator<Item = &'static str>) {
    for status in statuses {
        counter!(SOURCES, "provider" => account.provider().name(), "account" => account.name(), "status" => status).increment(0);
    }
}

/// Starts the series of requests and of their errors' codes.
pub fn init_requests(codes: impl Iterator<Item = &'static str>) {
    for operation in ["query", "mutation", "subscription", "unknown"] {
        for outcome in [
            "ok",
            "partial",
            "sources_failed",
            "write_failed",
            "failed",
            "refused",
        ] {
            counter!(REQUESTS, "operation" => operation, "outcome" => outcome).increment(0);
        }
        let _ = histogram!(REQUEST_SECONDS, "operation" => operation);
    }
    for code in codes {
        counter!(GRAPHQL_ERRORS, "code" => lower(code)).increment(0);
    }
}

/// Starts the series of the cache and of the audit log.
pub fn init_cache(max_bytes: u64) {
    gauge!(CACHE_MAX_BYTES).set(max_bytes as f64);
    for cause in ["expired", "size"] {
        counter!(CACHE_EVICTIONS, "cause" => cause).increment(0);
    }
    cache(0, 0);
    counter!(AUDIT_FAILURES).increment(0);
}
