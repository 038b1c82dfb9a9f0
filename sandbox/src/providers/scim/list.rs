//! Lists of users and groups, RFC 7644, section 3.4.2.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::error::ScimError;
use super::filter::{Filter, FilterError, FilterRules};
use super::path::AttributePath;
use super::view::{Selection, View};
use super::{Scim, ScimState, write};
use crate::emulation::Origin;

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

type Resource = Map<String, Value>;

/// `GET /Users`.
pub(super) async fn users(
    State(scim): ScimState,
    origin: Origin,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = parameters(query.as_deref().unwrap_or_default());
    answer(list_users(&View::new(&scim, &origin), &parameters))
}

/// `POST /Users/.search`: the parameters are in the body.
pub(super) async fn search(
    State(scim): ScimState,
    origin: Origin,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let view = View::new(&scim, &origin);
    let body = write::read(&headers, body, SEARCH).await;
    answer(body.and_then(|parameters| list_users(&view, &parameters)))
}

/// `GET /Groups`.
pub(super) async fn groups(
    State(scim): ScimState,
    origin: Origin,
    RawQuery(query): RawQuery,
) -> Response {
    let parameters = parameters(query.as_deref().unwrap_or_default());
    answer(list_groups(&View::new(&scim, &origin), &parameters))
}

fn answer(outcome: Result<Value, ScimError>) -> Response {
    outcome.map_or_else(IntoResponse::into_response, |page| {
        super::json(StatusCode::OK, &page)
    })
}

fn parameters(query: &str) -> Map<String, Value> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect()
}

fn list_users(view: &View, parameters: &Map<String, Value>) -> Result<Value, ScimError> {
    let request = ListRequest::read(view.scim(), parameters)?;
    let data = view.scim().store.lock();
    let users = data.users.iter().map(|user| view.user(&data, user));
    Ok(request.page(view.scim(), users.collect()))
}

fn list_groups(view: &View, parameters: &Map<String, Value>) -> Result<Value, ScimError> {
    let request = ListRequest::read(view.scim(), parameters)?;
    let data = view.scim().store.lock();
    let positions = 0..data.groups.len();
    let groups = positions.map(|position| view.group(&data, position));
    Ok(request.page(view.scim(), groups.collect()))
}

/// What a list is asked for.
struct ListRequest {
    /// From 1.
    start: u64,
    count: u64,
    filter: Option<Filter>,
    sort: Option<(AttributePath, bool)>,
    selection: Selection,
}

impl ListRequest {
    fn read(scim: &Scim, parameters: &Map<String, Value>) -> Result<Self, ScimError> {
        let text = |name: &str| match parameters.get(name) {
            Some(Value::Array(texts)) => {
                let texts = texts.iter().filter_map(Value::as_str);
                texts.collect::<Vec<_>>().join(",")
            }
            value => value.and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        let cap = scim.cap();
        let count = number(parameters, "count")?.map_or(cap, |count| count.min(cap));
        let start = number(parameters, "startIndex")?.unwrap_or(1).max(1);
        Ok(Self {
            start: if scim.behaviour.is("start_index", "ignored") {
                1
            } else {
                start
            },
            count,
            filter: read_filter(scim, parameters.get("filter").and_then(Value::as_str))?,
            sort: read_sort(scim, &text("sortBy"), &text("sortOrder"))?,
            selection: Selection::new(&text("attributes"), &text("excludedAttributes")),
        })
    }

    /// The page of these resources.
    fn page(&self, scim: &Scim, mut resources: Vec<Resource>) -> Value {
        if let Some(filter) = &self.filter {
            resources.retain(|resource| filter.selects(resource));
        }
        if let Some((path, is_descending)) = &self.sort {
            resources.sort_by_cached_key(|resource| sort_key(path, resource));
            if *is_descending {
                resources.reverse();
            }
        }
        let total = resources.len();
        let (start, mut count) = (index(self.start - 1), index(self.count));
        match scim.behaviour.get("short").as_deref() {
            // A page of one resource stays: a list of empty pages would have no end.
            Some("pages") if count > 1 => count -= 1,
            Some("last") => resources.truncate(total.saturating_sub(1)),
            _ => {}
        }
        let page = resources.into_iter().skip(start).take(count);
        let page = page.map(|resource| self.selection.apply(resource));
        self.response(scim, total, &page.collect::<Vec<_>>())
    }

    fn response(&self, scim: &Scim, total: usize, page: &[Resource]) -> Value {
        let behaviour = &scim.behaviour;
        let mut response = json!({"schemas": [LIST]});
        match behaviour.get("total_results").as_deref() {
            Some("absent") => {}
            Some("string") => response["totalResults"] = total.to_string().into(),
            _ => response["totalResults"] = total.into(),
        }
        match behaviour.get("start_index").as_deref() {
            Some("absent") => {}
            Some("one") => response["startIndex"] = 1.into(),
            _ => response["startIndex"] = self.start.into(),
        }
        if !behaviour.is("items_per_page", "absent") {
            response["itemsPerPage"] = page.len().into();
        }
        if self.count > 0 {
            response["Resources"] = json!(page);
        }
        response
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A whole number; negative ones are 0.
fn number(parameters: &Map<String, Value>, name: &str) -> Result<Option<u64>, ScimError> {
    let number = match parameters.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_i64(),
    };
    let number: i64 = number
        .ok_or_else(|| ScimError::bad("invalidValue", format!("{name} must be a whole number")))?;
    Ok(Some(u64::try_from(number).unwrap_or_default()))
}

/// What the service provider makes of filters.
pub(super) fn rules(scim: &Scim) -> FilterRules {
    FilterRules {
        are_emails_exact: scim.behaviour.is("emails", "case_exact"),
        or_limit: scim.behaviour.number("or_limit"),
    }
}

fn read_filter(scim: &Scim, text: Option<&str>) -> Result<Option<Filter>, ScimError> {
    let Some(text) = text else {
        return Ok(None);
    };
    match scim.behaviour.get("filter").as_deref() {
        Some("ignored") => return Ok(None),
        Some("unsupported") => {
            let detail = "Filters are not supported";
            return Err(ScimError::new(StatusCode::NOT_IMPLEMENTED, detail));
        }
        _ => {}
    }
    let filter = Filter::parse(text, rules(scim));
    filter.map(Some).map_err(|failure| match failure {
        FilterError::Invalid(why) => ScimError::bad("invalidFilter", why),
        FilterError::TooMany => {
            let is_413 = scim.behaviour.is("or_refusal", "413");
            let status = if is_413 {
                StatusCode::PAYLOAD_TOO_LARGE
            } else {
                StatusCode::BAD_REQUEST
            };
            ScimError::typed(status, "tooMany", "The filter has too many parts")
        }
    })
}

fn read_sort(
    scim: &Scim,
    by: &str,
    order: &str,
) -> Result<Option<(AttributePath, bool)>, ScimError> {
    if by.is_empty() || scim.behaviour.is("sort", "ignored") {
        return Ok(None);
    }
    let path = AttributePath::parse(by);
    let path =
        path.ok_or_else(|| ScimError::bad("invalidPath", format!("{by} is no attribute")))?;
    Ok(Some((path, order.eq_ignore_ascii_case("descending"))))
}

/// Resources without a value come last in an ascending order.
fn sort_key(path: &AttributePath, resource: &Resource) -> (bool, String) {
    let is_exact = path.leaf().is_some_and(|leaf| leaf.is_exact);
    let Some(value) = path.values(resource).first().copied() else {
        return (true, String::new());
    };
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    (false, if is_exact { text } else { text.to_lowercase() })
}
