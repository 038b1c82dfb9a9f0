//! The one way into a vendor: the call log, the latency and the faults around
//! its router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::Options;
use crate::behaviour::Behaviours;
use crate::calls::{Call, Calls};
use crate::faults::{self, Faults};
use crate::vendor::{Base, Emulation, Name, Records, Throttle, Vendor};

/// The whole sandbox: the doors to its vendors, and what watches them.
pub(crate) struct House {
    pub(crate) behaviours: Behaviours,
    pub(crate) calls: Calls,
    pub(crate) faults: Faults,
    latency: Duration,
    doors: Vec<Door>,
}

/// The way to one vendor.
pub(crate) struct Door {
    pub(crate) name: Name,
    pub(crate) throttled: fn(&Throttle) -> Response,
    records: Records,
    router: Router,
}

impl House {
    pub(crate) fn new(options: &Options, behaviours: Behaviours, doors: Vec<Door>) -> Self {
        Self {
            behaviours,
            calls: Calls::default(),
            faults: Faults::new(options.seed),
            latency: options.latency,
            doors,
        }
    }

    pub(crate) fn door(&self, name: Name) -> Option<&Door> {
        self.doors.iter().find(|door| door.name == name)
    }
}

impl Door {
    pub(crate) fn new(emulation: &Emulation, vendor: Vendor) -> Self {
        Self {
            name: emulation.name,
            throttled: emulation.throttled,
            records: vendor.records,
            router: vendor.router,
        }
    }

    pub(crate) fn records(&self) -> Vec<crate::vendor::Record> {
        (self.records)()
    }

    /// The vendor's real answer.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        match self.router.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }
}

/// Leads a call through the door of the vendor that its path names.
pub(crate) async fn enter(State(house): State<Arc<House>>, mut request: Request) -> Response {
    let Some((door, inner)) = find(&house, request.uri()) else {
        return nobody();
    };
    let ticket = house.calls.arrived(describe(door.name, &inner, &request));
    let path = inner.path().to_owned();
    *request.uri_mut() = inner;
    request.extensions_mut().insert(Base(door.name));

    if !house.latency.is_zero() {
        tokio::time::sleep(house.latency).await;
    }
    let fault = house.faults.strike(door.name, request.method(), &path);
    let answer = match fault {
        Some(fault) => faults::suffer(&fault, door, request).await,
        None => Some(door.answer(request).await),
    };
    match answer {
        Some(answer) => {
            house.calls.answered(ticket, answer.status());
            answer
        }
        None => faults::cut(),
    }
}

/// The door named by the first segment, and the rest of the path as sent.
fn find<'a>(house: &'a House, uri: &Uri) -> Option<(&'a Door, Uri)> {
    let path = uri.path().strip_prefix('/')?;
    let (first, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let door = house.door(first.parse().ok()?)?;
    let rest = if rest.is_empty() { "/" } else { rest };
    let inner = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    Some((door, inner.parse().ok()?))
}

fn describe(vendor: Name, inner: &Uri, request: &Request) -> Call {
    let version = request.headers().get("intercom-version");
    Call {
        vendor,
        at: jiff::Timestamp::now().as_millisecond(),
        method: request.method().to_string(),
        path: inner.path().to_owned(),
        query: inner.query().unwrap_or_default().to_owned(),
        status: None,
        version: version.and_then(|version| version.to_str().ok().map(str::to_owned)),
    }
}

fn nobody() -> Response {
    let known = Name::ALL.map(|name| format!("/{name}")).join(" ");
    let message = format!("The sandbox serves {known} /_sandbox\n");
    (StatusCode::NOT_FOUND, message).into_response()
}
