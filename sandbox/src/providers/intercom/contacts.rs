//! Intercom from 2.0 on: users and leads as contacts of two roles, as
//! documented at `developers.intercom.com/docs/references/2.17/rest-api/contacts`.
//!
//! Where the public documents are silent: the list shows writes at once, only the search lags; an
//! archived contact is 404 by its identifier; a merged one is 410 in every 2.x.

mod company;
mod cursor;
mod list;
mod merge;
mod query;
mod search;
mod shape;
mod sublist;
mod tag;
mod write;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use self::shape::ContactShape;
use super::error::IntercomError;
use super::store::{Contact, IntercomStore};
use super::version::Version;
use super::{Params, classic};
use crate::behaviour::Behaviour;

/// The largest number of merges that the link of a merged contact follows.
const HOPS: usize = 3;

/// A request, with everything but the store that its answer depends on.
pub(super) struct ContactRequest<'a> {
    /// The version of the request.
    pub(super) version: Version,
    /// The switches.
    pub(super) behaviour: &'a Behaviour,
    /// The query.
    pub(super) params: &'a Params,
    /// `GET`, `POST` and so on.
    pub(super) method: &'a str,
    /// The body, read to its end.
    pub(super) body: &'a [u8],
}

impl ContactRequest<'_> {
    /// How contacts are shown to this request.
    fn shape<'a>(&'a self, store: &'a IntercomStore) -> ContactShape<'a> {
        ContactShape {
            store,
            version: self.version,
            behaviour: self.behaviour,
        }
    }

    /// The body, which must be a JSON object.
    fn fields(&self) -> Result<Map<String, Value>, IntercomError> {
        serde_json::from_slice(self.body)
            .map_err(|_| IntercomError::invalid("the body is not a JSON object"))
    }

    fn is_case_sensitive(&self) -> bool {
        self.behaviour.is("email", "case_sensitive")
    }
}

/// Answers a request of 2.x.
pub(super) fn answer(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    path: &[&str],
) -> Result<Value, IntercomError> {
    match (request.method, path) {
        (_, ["users", ..] | ["user_delete_requests"]) => Err(IntercomError::version()),
        (_, ["contacts", rest @ ..]) => contacts(request, store, rest),
        (_, ["companies", rest @ ..]) => company::answer(request, store, rest),
        (_, ["tags"]) => tag::answer(request, store),
        ("GET", ["segments"]) => Ok(classic::labels("segment", &store.segment_names())),
        _ => Err(IntercomError::no_resource()),
    }
}

fn contacts(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
    path: &[&str],
) -> Result<Value, IntercomError> {
    match (request.method, path) {
        ("GET", []) => list::everybody(request, store),
        ("POST", []) => write::create(request, store),
        ("POST", ["search"]) => search::answer(request, store),
        ("POST", ["merge"]) => merge::answer(request, store),
        ("GET", ["find_by_external_id", external_id]) => {
            by_external_id(request, store, external_id)
        }
        ("GET", [id]) => Ok(request.shape(store).contact(present(request, store, id)?)),
        ("PUT", [id]) => write::update(request, store, id),
        ("DELETE", [id]) => write::delete(request, store, id),
        ("POST", [id, "archive"]) => write::archive(request, store, id),
        ("POST", [id, "unarchive"]) => write::unarchive(request, store, id),
        (_, [id, "tags", rest @ ..]) => tag::of_contact(request, store, id, rest),
        (_, [id, "companies", rest @ ..]) => company::of_contact(request, store, id, rest),
        ("GET", [id, "segments"]) => Ok(sublist::segments(present(request, store, id)?)),
        _ => Err(IntercomError::no_resource()),
    }
}

/// The contact, if it is neither archived nor merged.
fn present<'a>(
    request: &ContactRequest<'_>,
    store: &'a IntercomStore,
    id: &str,
) -> Result<&'a Contact, IntercomError> {
    store.contact(id).ok_or_else(|| absent(request, store, id))
}

/// The error for a missing contact: 410 with a link where it was merged, else 404.
fn absent(request: &ContactRequest<'_>, store: &IntercomStore, id: &str) -> IntercomError {
    let next = |from: &str| store.merged.get(from).map(String::as_str);
    let unknown = IntercomError::not_found("User Not Found");
    if request.behaviour.is("merged", "404") {
        return unknown;
    }
    let hops = if request.behaviour.is("merged", "next_hop") {
        1
    } else {
        HOPS
    };
    let chain = std::iter::successors(next(id), |reached| next(reached));
    chain
        .take(hops)
        .last()
        .map_or(unknown, IntercomError::merged)
}

/// Users alone. Unlike a search, this does not lag.
fn by_external_id(
    request: &ContactRequest<'_>,
    store: &IntercomStore,
    asked: &str,
) -> Result<Value, IntercomError> {
    if request.version < Version::V2_13 {
        return Err(IntercomError::no_resource());
    }
    let external_id = percent_decode_str(asked).decode_utf8_lossy();
    let serial = store.users.serial_of_user_id(&external_id);
    let user = serial.and_then(|serial| store.users.get(serial));
    let user = user.ok_or_else(|| IntercomError::not_found("User Not Found"))?;
    Ok(request.shape(store).contact(user))
}
