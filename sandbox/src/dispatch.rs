//! Leads each call to the provider that its path names: the call log, the latency and the faults
//! stand around the provider's router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::Options;
use crate::behaviour::BehaviourRegistry;
use crate::calls::{CallLog, CallRecord};
use crate::emulation::{ListRecords, MountedAt, Record, Throttle};
use crate::faults::{self, FaultList};
use crate::people::Person;
use crate::providers::Provider;

/// The whole sandbox: its providers, and the controls that act on all of them.
pub(crate) struct SandboxState {
    pub(crate) behaviours: BehaviourRegistry,
    pub(crate) calls: CallLog,
    pub(crate) faults: FaultList,
    latency: Duration,
    /// In the order of [`Provider::ALL`].
    mounted: [Mounted; Provider::ALL.len()],
}

/// A provider below its base path.
pub(crate) struct Mounted {
    pub(crate) provider: Provider,
    pub(crate) throttled: fn(&Throttle) -> Response,
    records: ListRecords,
    router: Router,
}

impl SandboxState {
    pub(crate) fn new(options: &Options, people: &[Person]) -> Self {
        let behaviours = BehaviourRegistry::default();
        let mounted = Provider::ALL.map(|provider| {
            let emulation = provider.spec().emulation;
            let behaviour = behaviours.of_provider(provider);
            let running = (emulation.start)(people, &options.token, behaviour);
            Mounted {
                provider,
                throttled: emulation.throttled,
                records: running.records,
                router: running.router,
            }
        });
        Self {
            behaviours,
            calls: CallLog::default(),
            faults: FaultList::new(options.seed),
            latency: options.latency,
            mounted,
        }
    }

    pub(crate) fn mounted(&self, provider: Provider) -> &Mounted {
        &self.mounted[provider as usize]
    }
}

impl Mounted {
    pub(crate) fn records(&self) -> Vec<Record> {
        (self.records)()
    }

    /// The provider's own answer.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        match self.router.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }
}

/// Answers a call of the provider that the path names.
pub(crate) async fn dispatch(
    State(sandbox): State<Arc<SandboxState>>,
    mut request: Request,
) -> Response {
    let Some((provider, inner)) = split(request.uri()) else {
        return unknown_path();
    };
    let mounted = sandbox.mounted(provider);
    let call = sandbox.calls.arrived(describe(provider, &inner, &request));
    let path = inner.path().to_owned();
    *request.uri_mut() = inner;
    request.extensions_mut().insert(MountedAt(provider));

    if !sandbox.latency.is_zero() {
        tokio::time::sleep(sandbox.latency).await;
    }
    let fault = sandbox
        .faults
        .take_matching(provider, request.method(), &path);
    let answer = match fault {
        Some(fault) => faults::apply(&fault, mounted, request).await,
        None => Some(mounted.answer(request).await),
    };
    match answer {
        Some(answer) => {
            sandbox.calls.answered(call, answer.status());
            answer
        }
        None => faults::close_connection(),
    }
}

/// The provider named by the first segment, and the rest of the path as sent.
fn split(uri: &Uri) -> Option<(Provider, Uri)> {
    let path = uri.path().strip_prefix('/')?;
    let (first, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let provider = first.parse().ok()?;
    let rest = if rest.is_empty() { "/" } else { rest };
    let inner = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    Some((provider, inner.parse().ok()?))
}

fn describe(provider: Provider, inner: &Uri, request: &Request) -> CallRecord {
    let version = request.headers().get("intercom-version");
    CallRecord {
        provider,
        at: jiff::Timestamp::now().as_millisecond(),
        method: request.method().to_string(),
        path: inner.path().to_owned(),
        query: inner.query().unwrap_or_default().to_owned(),
        status: None,
        version: version.and_then(|version| version.to_str().ok().map(str::to_owned)),
    }
}

fn unknown_path() -> Response {
    let known = Provider::ALL
        .map(|provider| format!("/{provider}"))
        .join(" ");
    let message = format!("The sandbox serves {known} /_sandbox\n");
    (StatusCode::NOT_FOUND, message).into_response()
}
