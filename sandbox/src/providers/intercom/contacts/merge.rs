//! `POST /contacts/merge`: a lead becomes part of a user.

use super::{Call, absent};
use crate::providers::intercom::refusal::Refusal;
use crate::providers::intercom::store::{Contact, Store};
use crate::providers::intercom::version::Version;
use crate::providers::intercom::write::identifier;
use crate::rate;
use serde_json::Value;

/// Merges, and answers the user. Addresses that differ stand in the way; since 2.16 a flag of the
/// request overrules that.
pub(super) fn answer(call: &Call<'_>, store: &mut Store) -> Result<Value, Refusal> {
    let fields = call.fields()?;
    let named = |name| {
        let missing = || Refusal::missing("from and into are needed");
        identifier(&fields, name)?.ok_or_else(missing)
    };
    let (from, into) = (named("from")?, named("into")?);
    let any = call.behaviour.is("merge", "any");
    let source = store.contact(&from).cloned();
    let source = source.ok_or_else(|| absent(call, store, &from))?;
    let Some(target) = store.contact(&into).cloned() else {
        if any && store.merged.contains_key(&into) {
            gone(store, &from, &into);
            return Ok(call.shape(store).contact(&source));
        }
        return Err(absent(call, store, &into));
    };
    if from == into || !any && (!source.lead || target.lead) {
        return Err(Refusal::merge("Only a lead can be merged into a user"));
    }
    let flag = fields.get("skip_duplicate_validation");
    let is_skipped = flag == Some(&Value::Bool(true)) && call.version >= Version::V2_16;
    if !any && !is_skipped && differ(source.email.as_deref(), target.email.as_deref()) {
        return Err(Refusal::merge("The contacts have different emails"));
    }
    gone(store, &from, &into);
    store.amend(&into, |user| absorb(user, source));
    let user = store.contact(&into).cloned().unwrap_or_default();
    Ok(call.shape(store).contact(&user))
}

fn differ(one: Option<&str>, other: Option<&str>) -> bool {
    let folded = |email: Option<&str>| email.map(str::to_lowercase);
    one.is_some() && other.is_some() && folded(one) != folded(other)
}

fn gone(store: &mut Store, from: &str, into: &str) {
    if let Some((lead, place)) = store.find(from) {
        store.table_mut(lead).take(place);
    }
    store.merged.insert(from.to_owned(), into.to_owned());
}

/// The user keeps what it has, and takes the rest from the lead.
fn absorb(user: &mut Contact, lead: Contact) {
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
