//! GraphQL over server-sent events: `graphql-sse`, distinct connections mode. Each response of the
//! operation is an event `next`, and `complete` is the last.

use std::{convert::Infallible, time::Duration};

use async_graphql::Response as Answer;
use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{StreamExt, stream, stream::BoxStream};
use serde_json::json;

use super::{
    VARY,
    recorder::OperationRecorder,
    render::{LARGE, encode},
};
use crate::{
    error::Error,
    graphql::{executor::Execution, trace::RequestTrace},
};

/// How often a comment keeps a quiet connection alive: more often than proxies close one.
const HEARTBEAT: Duration = Duration::from_secs(12);

/// Asks nginx not to collect events before it sends them.
static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The response to a request that cannot run. `graphql-sse` takes every status but 200 for a failure of
/// the network, which it tries again; so the errors come as an event.
pub(super) fn refused(refused: Execution) -> Response {
    OperationRecorder::new("sse").note(&refused);
    respond(stream::once(async move { refused }).boxed())
}

/// The response that carries the responses of an operation as events. The memory of each is held until the
/// next is asked for: then the socket has taken it.
pub(super) fn respond(executions: BoxStream<'static, Execution>) -> Response {
    let next = stream::unfold((executions, None), |(mut executions, sent)| async move {
        drop::<Option<RequestTrace>>(sent);
        let Execution {
            response,
            refusal,
            trace,
            ..
        } = executions.next().await?;
        let event = event(response, refusal.is_some(), &trace).await;
        Some((event, (executions, Some(trace))))
    });
    events(next.boxed())
}

/// An event with a response, or with the errors of a request that did not run.
async fn event(
    response: Answer,
    is_refusal: bool,
    trace: &RequestTrace,
) -> Result<Event, Infallible> {
    let text = encode(response, is_refusal, trace.bytes() > LARGE).await;
    let text = text.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.unwrap_or_else(|| {
        tracing::error!("an answer cannot be written as JSON");
        let failed = Execution::failed(&Error::internal("the gateway failed; its log says why"));
        json!({ "errors": failed.response.errors }).to_string()
    });
    Ok(Event::default().event("next").data(text))
}

fn events(next: BoxStream<'static, Result<Event, Infallible>>) -> Response {
    let complete = stream::once(async { Ok(Event::default().event("complete").data("")) });
    let events = Sse::new(next.chain(complete))
        .keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat"));
    let mut response = events.into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static(VARY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING.clone(), HeaderValue::from_static("no"));
    response
}
