//! `/metrics`: counters that are updated as events happen, and gauges that are read at each scrape.

use std::{sync::OnceLock, time::Duration};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use crate::{
    graphql::{Executor, Graph},
    metrics::{self, BUCKETS},
};

/// The version of the text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The interval at which histograms are folded into their buckets, scraped or not.
const UPKEEP: Duration = Duration::from_secs(5);

/// The process's only metrics recorder.
pub(super) fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
        let recorder = builder.unwrap_or_default().build_recorder();
        let handle = recorder.handle();
        if ::metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("something else records this process's metrics: /metrics stays empty");
        }
        metrics::describe();
        Collector::default().describe();
        handle
    })
}

/// Keeps the metrics small while nobody scrapes them; runs beside the server and never ends.
pub async fn keep_metrics() {
    loop {
        tokio::time::sleep(UPKEEP).await;
        recorder().run_upkeep();
    }
}

/// Answers a scrape.
pub(super) async fn scrape(State(executor): State<Executor>) -> Response {
    update_gauges(executor.graph());
    Collector::default().collect();
    let content_type = [(header::CONTENT_TYPE, CONTENT_TYPE)];
    (content_type, recorder().render()).into_response()
}

/// Sets the gauges that change with the clock and not only with calls.
fn update_gauges(graph: &Graph) {
    for directory in graph.accounts.configured() {
        let account = directory.account();
        for window in directory.budget() {
            metrics::budget(account, window.seconds, window.limit, window.remaining);
        }
        if let Some((limit, in_flight)) = directory.concurrency() {
            metrics::concurrency(account, limit, in_flight);
        }
        if let Some(state) = directory.circuit_state() {
            metrics::circuit(account, state.level());
        }
    }
    graph.cache.observe();
}
