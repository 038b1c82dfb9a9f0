//! `POST /contacts/merge`: a lead becomes part of a user.

use super::{ContactRequest, absent};
use crate::providers::intercom::error::IntercomError;
use crate::providers::intercom::store::{Contact, IntercomStore};
use crate::providers::intercom::version::Version;
use crate::providers::intercom::write::identifier;
use crate::rate;
use serde_json::Value;

/// Merges, and returns the user. Different addresses are an error; since 2.16 a flag of the request
/// allows them.
pub(super) fn answer(
    request: &ContactRequest<'_>,
    store: &mut IntercomStore,
) -> Result<Value, IntercomError> {
    let fields = request.fields()?;
    let named = |name| {
        let missing = || IntercomError::missing_parameter("from and into are needed");
        identifier(&fields, name)?.ok_or_else(missing)
    };
    let (from, into) = (named("from")?, named("into")?);
    let any = request.behaviour.is("merge", "any");
    let source = store.contact(&from).cloned();
    let source = source.ok_or_else(|| absent(request, store, &from))?;
    let Some(target) = store.contact(&into).cloned() else {
        if any && store.merged.contains_key(&into) {
            move_references(store, &from, &into);
            return Ok(request.shape(store).contact(&source));
        }
        return Err(absent(request, store, &into));
    };
    if from == into || !any && (!source.lead || target.lead) {
        return Err(IntercomError::merge(
            "Only a lead can be merged into a user",
        ));
    }
    let flag = fields.get("skip_duplicate_validation");
    let is_skipped = flag == Some(&Value::Bool(true)) && request.version >= Version::V2_16;
    if !any && !is_skipped && are_different(source.email.as_deref(), target.email.as_deref()) {
        return Err(IntercomError::merge("The contacts have different emails"));
    }
    move_references(store, &from, &into);
    store.update(&into, |user| fill_from_lead(user, source));
    let user = store.contact(&into).cloned().unwrap_or_default();
    Ok(request.shape(store).contact(&user))
}

fn are_different(one: Option<&str>, other: Option<&str>) -> bool {
    let folded = |email: Option<&str>| email.map(str::to_lowercase);
    one.is_some() && other.is_some() && folded(one) != folded(other)
}

fn move_references(store: &mut IntercomStore, from: &str, into: &str) {
    if let Some((lead, serial)) = store.find(from) {
        store.table_mut(lead).take(serial);
    }
    store.merged.insert(from.to_owned(), into.to_owned());
}

/// The user keeps what it has, and takes the rest from the lead.
fn fill_from_lead(user: &mut Contact, lead: Contact) {
    user.email = user.email.take().or(lead.email);
    user.phone = user.phone.take().or(lead.phone);
    user.name = user.name.take().or(lead.name);
    user.avatar = user.avatar.take().or(lead.avatar);
    user.owner = user.owner.or(lead.owner);
    user.last_request_at = user.last_request_at.max(lead.last_request_at);
    for (name, value) in lead.custom {
        user.custom.entry(name).or_insert(value);
    }
    for (mine, theirs) in [
        (&mut user.tags, lead.tags),
        (&mut user.segments, lead.segments),
        (&mut user.companies, lead.companies),
    ] {
        for name in theirs {
            if !mine.contains(&name) {
                mine.push(name);
            }
        }
    }
    user.updated_at = rate::now();
}
