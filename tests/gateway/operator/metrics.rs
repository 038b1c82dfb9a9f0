//! `/metrics` of a gateway before and after its first request.

use std::collections::BTreeSet;

use roster::account::Provider;
use serde_json::json;

use super::{Setup, series};
use crate::{
    docs::page::{name, page, quoted},
    world::World,
};

/// Series that are zero before the first request: a name and labels per line.
const ZERO: &str = "\
roster_sources_total provider=intercom status=failed
roster_sources_total provider=ada status=complete
roster_graphql_errors_total code=provider_timeout
roster_graphql_errors_total code=internal
roster_graphql_requests_total operation=query outcome=ok
roster_graphql_request_duration_seconds_count operation=mutation
roster_provider_calls_total provider=usertour operation=list outcome=provider_auth
roster_provider_call_duration_seconds_count provider=digitalchalk operation=list
roster_provider_calls_unsent_total provider=ada operation=list code=provider_unavailable
roster_provider_circuit_state provider=ada
roster_provider_circuit_changes_total provider=ada to=open
roster_provider_budget_refused_total provider=ada
roster_provider_budget_wait_seconds_count provider=ada
roster_provider_calls_in_flight provider=ada
roster_answers_total provider=ada operation=list origin=cache_hit
roster_cache_bytes
roster_cache_entries
roster_cache_evictions_total cause=size
roster_audit_failures_total
";

#[tokio::test]
async fn every_series_exists_before_the_first_request() {
    let world = World::with(5, |_| {}).await;
    let gateway = Setup::over(world.sandbox, "metrics-start").start().await;
    let metrics = gateway.metrics().await;

    for line in ZERO.lines() {
        let mut words = line.split_whitespace();
        let name = words.next().expect("a name");
        let labels: Vec<_> = words.filter_map(|label| label.split_once('=')).collect();
        assert_eq!(series(&metrics, name, &labels), Some(0.0), "{line}");
    }
    assert_eq!(
        series(
            &metrics,
            "roster_build_info",
            &[("version", env!("CARGO_PKG_VERSION"))]
        ),
        Some(1.0)
    );
    assert_eq!(
        series(
            &metrics,
            "roster_provider_concurrency_limit",
            &[("provider", "intercom")]
        ),
        Some(8.0)
    );
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(series(&metrics, name, &[]).is_some(), "{name}");
    }
    assert!(series(&metrics, "roster_cache_max_bytes", &[]).is_some_and(|bytes| bytes > 0.0));
}

/// All label values are in lower case.
fn assert_plain_values(metrics: &str) {
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let labels = line.split_once('{').map_or("", |(_, rest)| rest);
        let labels = labels.rsplit_once('}').map_or("", |(labels, _)| labels);
        let values = labels.split(',').filter_map(|label| label.split_once('='));
        for (name, value) in values.filter(|(name, _)| *name != "le") {
            let is_plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.\"-".contains(c);
            assert!(value.chars().all(is_plain), "{name} of {line}");
        }
    }
}

#[tokio::test]
async fn the_content_type_has_a_version_and_values_have_one_style() {
    let world = World::with(20, |_| {}).await;
    let mut setup = Setup::over(world.sandbox, "metrics-style");
    setup.account += "timeout_seconds = 1.5\n";
    let gateway = setup.start().await;
    world.fault(Provider::Ada, json!({ "kind": "hang" })).await;
    let asked = "query ClientsOwnName { usersByEmail(email: \"a@x.test\") { totalCount } }";
    gateway.answer(asked).await;
    gateway.answer("{ nonsense }").await;
    gateway.list("ADA", 1).await;

    let answer = reqwest::get(format!("{}/metrics", gateway.address))
        .await
        .expect("an answer");
    let media = answer.headers()["content-type"]
        .to_str()
        .expect("ASCII")
        .to_owned();
    let metrics = answer.text().await.expect("text");

    assert_eq!(media, "text/plain; version=0.0.4; charset=utf-8");
    assert_plain_values(&metrics);
    assert!(!metrics.contains("ClientsOwnName") && !metrics.contains("x.test"));
    assert_eq!(
        series(
            &metrics,
            "roster_sources_total",
            &[("provider", "ada"), ("status", "failed")]
        ),
        Some(2.0)
    );
    assert_eq!(
        series(
            &metrics,
            "roster_sources_total",
            &[("provider", "intercom"), ("status", "complete")]
        ),
        Some(1.0)
    );
    assert_eq!(
        series(
            &metrics,
            "roster_graphql_errors_total",
            &[("code", "provider_timeout")]
        ),
        // One in `errors`, and one in `sources`.
        Some(2.0)
    );
    assert_eq!(
        series(
            &metrics,
            "roster_graphql_errors_total",
            &[("code", "graphql_validation_failed")]
        ),
        Some(1.0)
    );
}

#[tokio::test]
async fn a_refilled_budget_is_seen_without_a_call() {
    let world = World::with(5, |_| {}).await;
    let mut setup = Setup::over(world.sandbox, "metrics-budget");
    setup.account =
        "attempts = 1\nbudget = [{ calls = 5, seconds = 2 }, { calls = 90, seconds = 3600 }]\n"
            .to_owned();
    let gateway = setup.start().await;
    let short = [("provider", "ada"), ("window", "2")];
    let long = [("provider", "ada"), ("window", "3600")];
    let (limit, remaining) = (
        "roster_provider_budget_limit_calls",
        "roster_provider_budget_remaining_calls",
    );
    assert_eq!(gateway.metric(limit, &short).await, Some(5.0));
    assert_eq!(gateway.metric(limit, &long).await, Some(90.0));
    assert_eq!(gateway.metric(remaining, &short).await, Some(5.0));

    assert_eq!(gateway.list("ADA", 1).await, None);

    assert_eq!(gateway.metric(remaining, &long).await, Some(89.0));
    gateway.settles(remaining, &short, 5.0).await;
    assert_eq!(gateway.metric(remaining, &long).await, Some(89.0));
}

#[tokio::test]
async fn the_cache_reports_its_size_and_its_evictions() {
    let world = World::with(200, |_| {}).await;
    let mut setup = Setup::over(world.sandbox, "metrics-cache");
    setup.account += "[accounts.NAME.cache]\nseconds = 60.0\n";
    let gateway = setup.start().await;

    gateway.list("INTERCOM", 1).await;

    assert_eq!(gateway.metric("roster_cache_entries", &[]).await, Some(1.0));
    assert!(gateway.metric("roster_cache_bytes", &[]).await > Some(100.0));
}

#[tokio::test]
async fn a_disabled_account_is_counted_as_disabled() {
    let world = World::with(1, |_| {}).await;
    let mut setup = Setup::over(world.sandbox, "metrics-disabled");
    setup.account += "enabled = false\n";
    let gateway = setup.start().await;
    gateway.list("ADA", 1).await;

    let metrics = gateway.metrics().await;

    for (status, count) in [("disabled", 1.0), ("failed", 0.0)] {
        let labels = [("provider", "ada"), ("status", status)];
        let counted = series(&metrics, "roster_sources_total", &labels);
        assert_eq!(counted, Some(count), "{status}");
    }
}

/// The names of a series' labels, without the bound of a histogram's bucket.
fn labels(series: &str) -> BTreeSet<&str> {
    let (_, labels) = series.split_once('{').unwrap_or_default();
    let (labels, _) = labels.split_once('}').unwrap_or_default();
    let names = labels
        .split("\",")
        .filter_map(|label| label.split('=').next());
    names
        .filter(|name| !name.is_empty() && *name != "le")
        .collect()
}

#[tokio::test]
async fn every_metric_has_the_type_and_the_labels_of_the_operations_page() {
    let world = World::with(5, |_| {}).await;
    let mut setup = Setup::over(world.sandbox, "metrics-page");
    setup.account = "budget = [{ calls = 1000, seconds = 60 }]\n".to_owned();
    let metrics = setup.start().await.metrics().await;

    let mut number = 0;
    for row in page("docs/operations.md").rows("All metrics") {
        let metric = name(&row[0]);
        let of_series = |line: &&str| {
            let rest = line.strip_prefix(metric).map(|rest| {
                let ends = ["_bucket", "_sum", "_count"];
                let end = ends.iter().find_map(|end| rest.strip_prefix(end));
                end.unwrap_or(rest)
            });
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        let Some(series) = metrics.lines().find(of_series) else {
            continue;
        };
        let is_of_account = ["roster_provider_", "roster_answers_", "roster_sources_"];
        let is_of_account = is_of_account.iter().any(|start| metric.starts_with(start));
        let mut expected: BTreeSet<_> = quoted(&row[2]).into_iter().collect();
        expected.extend(
            ["provider", "account"]
                .into_iter()
                .filter(|_| is_of_account),
        );
        assert_eq!(labels(series), expected, "{series}");
        let kind = format!("# TYPE {metric} {}", row[1]);
        assert!(metrics.lines().any(|line| line == kind), "{kind}");
        number += 1;
    }
    assert!(number >= 21, "{number}");
}
