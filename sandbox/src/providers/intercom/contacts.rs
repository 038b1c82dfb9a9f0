//! Intercom from 2.0 on: users and leads as contacts of two roles, as
//! `developers.intercom.com/docs/references/2.17/rest-api/contacts` tells.
//!
//! Where the public documents are silent: the list is at once what was written, only the search
//! lags; an archived contact is 404 by its identifier; a merged one is 410 in every 2.x.

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

use self::shape::Shape;
use super::refusal::Refusal;
use super::store::{Contact, Store};
use super::version::Version;
use super::{Params, classic};
use crate::behaviour::Behaviour;

/// The merges that the link of a merged contact passes over.
const HOPS: usize = 3;

/// A request, with all that its answer depends on but the store.
pub(super) struct Call<'a> {
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

impl Call<'_> {
    /// How contacts are shown to this request.
    fn shape<'a>(&'a self, store: &'a Store) -> Shape<'a> {
        Shape {
            store,
            version: self.version,
            behaviour: self.behaviour,
        }
    }

    /// The body, which must be a JSON object.
    fn fields(&self) -> Result<Map<String, Value>, Refusal> {
        serde_json::from_slice(self.body)
            .map_err(|_| Refusal::invalid("the body is not a JSON object"))
    }

    fn minds_case(&self) -> bool {
        self.behaviour.is("email", "case_sensitive")
    }
}

/// Whatever is asked in 2.x.
pub(super) fn answer(call: &Call<'_>, store: &mut Store, path: &[&str]) -> Result<Value, Refusal> {
    match (call.method, path) {
        (_, ["users", ..] | ["user_delete_requests"]) => Err(Refusal::version()),
        (_, ["contacts", rest @ ..]) => contacts(call, store, rest),
        (_, ["companies", rest @ ..]) => company::answer(call, store, rest),
        (_, ["tags"]) => tag::answer(call, store),
        ("GET", ["segments"]) => Ok(classic::labels("segment", &store.segment_names())),
        _ => Err(Refusal::no_resource()),
    }
}

fn contacts(call: &Call<'_>, store: &mut Store, path: &[&str]) -> Result<Value, Refusal> {
    match (call.method, path) {
        ("GET", []) => list::everybody(call, store),
        ("POST", []) => write::create(call, store),
        ("POST", ["search"]) => search::answer(call, store),
        ("POST", ["merge"]) => merge::answer(call, store),
        ("GET", ["find_by_external_id", external_id]) => by_external_id(call, store, external_id),
        ("GET", [id]) => Ok(call.shape(store).contact(present(call, store, id)?)),
        ("PUT", [id]) => write::update(call, store, id),
        ("DELETE", [id]) => write::delete(call, store, id),
        ("POST", [id, "archive"]) => write::archive(call, store, id),
        ("POST", [id, "unarchive"]) => write::unarchive(call, store, id),
        (_, [id, "tags", rest @ ..]) => tag::of_contact(call, store, id, rest),
        (_, [id, "companies", rest @ ..]) => company::of_contact(call, store, id, rest),
        ("GET", [id, "segments"]) => Ok(sublist::segments(present(call, store, id)?)),
        _ => Err(Refusal::no_resource()),
    }
}

/// The contact, if it is neither archived nor merged.
fn present<'a>(call: &Call<'_>, store: &'a Store, id: &str) -> Result<&'a Contact, Refusal> {
    store.contact(id).ok_or_else(|| absent(call, store, id))
}

/// Why there is no contact: 410 with a link where it was merged, 404 elsewhere.
fn absent(call: &Call<'_>, store: &Store, id: &str) -> Refusal {
    let next = |from: &str| store.merged.get(from).map(String::as_str);
    let unknown = Refusal::not_found("User Not Found");
    if call.behaviour.is("merged", "404") {
        return unknown;
    }
    let hops = if call.behaviour.is("merged", "next_hop") {
        1
    } else {
        HOPS
    };
    let chain = std::iter::successors(next(id), |reached| next(reached));
    chain.take(hops).last().map_or(unknown, Refusal::merged)
}

/// Users alone; there is no lag as in a search.
fn by_external_id(call: &Call<'_>, store: &Store, asked: &str) -> Result<Value, Refusal> {
    if call.version < Version::V2_13 {
        return Err(Refusal::no_resource());
    }
    let external_id = percent_decode_str(asked).decode_utf8_lossy();
    let place = store.users.place_of_user_id(&external_id);
    let user = place.and_then(|place| store.users.at(place));
    let user = user.ok_or_else(|| Refusal::not_found("User Not Found"))?;
    Ok(call.shape(store).contact(user))
}
