//! Finds the record that a patch means, without the cache.

use super::Directory;
use crate::{
    connectors::{Connector, ConnectorCapabilities, Expand, LookupResults},
    context::RequestContext,
    error::Result,
    recent_writes::KnownWrites,
    user::{Identity, User, UserKind, UserPatch},
};

/// The record that a patch means.
pub(super) enum Target {
    NotFound,
    Found(Box<User>),
    Ambiguous(String),
}

/// Why we do not write a record that may exist already.
const UNREADABLE: &str = "whether a user with this email exists cannot be told: the provider sent records that cannot be read; give `remoteId` or `externalId`";

/// The users that a search found, and why there may be more.
enum Candidates {
    All(Vec<User>),
    /// All that were found; why there may be one all the same, where there is none.
    Some(Vec<User>, String),
    NotAll(String),
}

impl Directory {
    /// The record that a patch means.
    pub(super) async fn resolve_target(
        &self,
        connector: &dyn Connector,
        context: &RequestContext,
        (patch, identity): (&UserPatch, Identity),
        known: &KnownWrites,
    ) -> Result<Target> {
        let capabilities = connector.capabilities();
        let (mut users, incomplete) =
            match find_candidates(connector, context, (patch, identity)).await? {
                Candidates::All(users) => (users, None),
                Candidates::Some(users, why) => (users, Some(why)),
                Candidates::NotAll(why) => return Ok(Target::Ambiguous(why)),
            };
        if capabilities.eventually_consistent_by.contains(&identity) {
            let ids: Vec<_> = users.into_iter().map(|user| user.remote_id).collect();
            users = reread_users(connector, context, ids).await?;
            users.retain(|user| patch.matches_identity(user));
        }
        let mut ids = recently_written_ids(patch, identity, known);
        ids.retain(|id| users.iter().all(|user| user.remote_id != *id));
        let written = reread_users(connector, context, ids).await?;
        for user in written
            .into_iter()
            .filter(|user| patch.matches_identity(user))
        {
            // One may have become another.
            if users.iter().all(|known| known.remote_id != user.remote_id) {
                users.push(user);
            }
        }
        if users.is_empty() && identity == Identity::ExternalId {
            users = adoptable(connector, context, patch, known).await?;
        }
        // A user before the leads that share the address. Where leads cannot be written they do not
        // count.
        let is_user = |user: &User| user.kind == UserKind::User;
        let is_searched = identity == Identity::Email;
        let are_leads_apart = is_searched && !capabilities.writes_leads;
        if are_leads_apart || capabilities.writes_leads && users.iter().any(is_user) {
            users.retain(is_user);
        }
        Ok(match <[User; 1]>::try_from(users) {
            Ok([user]) => Target::Found(Box::new(user)),
            Err(users) if users.is_empty() => {
                incomplete.map_or(Target::NotFound, Target::Ambiguous)
            }
            Err(users) => Target::Ambiguous(format!(
                "{} users have this email: say with `remoteId` which one is meant",
                users.len()
            )),
        })
    }
}

/// The users that the provider finds.
async fn find_candidates(
    connector: &dyn Connector,
    context: &RequestContext,
    (patch, identity): (&UserPatch, Identity),
) -> Result<Candidates> {
    let expand = Expand::default();
    let email = match identity {
        Identity::RemoteId => {
            let id = patch.remote_id.as_slice();
            return found_users(connector.by_id(context, id, expand).await).map(Candidates::All);
        }
        Identity::ExternalId => {
            let id: Vec<_> = patch.external_id.set().cloned().into_iter().collect();
            return found_users(connector.by_external_id(context, &id, expand).await)
                .map(Candidates::All);
        }
        Identity::Email => patch.email.set(),
    };
    let Some(email) = email else {
        return Ok(Candidates::All(Vec::new()));
    };
    // A fresh context counts only the unreadable rows of this search.
    let context = &context.with_new_usage();
    let emails = std::slice::from_ref(email);
    let mut found = connector.by_email(context, emails, expand).await?;
    if let Some(incomplete) = found.incomplete {
        return match incomplete.error {
            Some(error) => Err(error),
            None => Ok(Candidates::NotAll(existence_unknown(
                &incomplete.notice.message,
            ))),
        };
    }
    if let Some(why) = context.incomplete_notices().first() {
        return Ok(Candidates::NotAll(existence_unknown(&why.message)));
    }
    if context.unreadable() > 0 {
        return Ok(Candidates::NotAll(UNREADABLE.to_owned()));
    }
    let answered = found.users.len();
    found.users.retain(|user| patch.has_email_of(user));
    let strangers = answered - found.users.len();
    Ok(
        match doubt_about_absence(connector.capabilities(), strangers) {
            Some(why) => Candidates::Some(found.users, existence_unknown(why)),
            None => Candidates::All(found.users),
        },
    )
}

/// Why a user may have the address though a complete search found nobody. Then we create nobody.
fn doubt_about_absence(
    capabilities: &ConnectorCapabilities,
    strangers: usize,
) -> Option<&'static str> {
    if strangers > 0 && capabilities.finds_shown_emails_only() {
        return Some("the provider answers users who show another address");
    }
    let caveat = capabilities
        .email_caveat
        .unwrap_or("its search may miss users");
    capabilities.email_misses_users.then_some(caveat)
}

fn existence_unknown(why: &str) -> String {
    format!(
        "whether a user with this email exists cannot be told: {why}; give `remoteId` or `externalId`"
    )
}

/// The ids of recently written users that the patch may mean: the provider's search may not find
/// them yet.
fn recently_written_ids(patch: &UserPatch, identity: Identity, known: &KnownWrites) -> Vec<String> {
    match (identity, patch.external_id.set(), patch.email.set()) {
        (Identity::ExternalId, Some(id), _) => known.with_external_id(id),
        (Identity::Email, _, Some(email)) => known.with_email(email.folded()),
        _ => Vec::new(),
    }
}

/// The recently written users with the patch's email and without an external id. One of them gets
/// the external id, so that no second user is made.
async fn adoptable(
    connector: &dyn Connector,
    context: &RequestContext,
    patch: &UserPatch,
    known: &KnownWrites,
) -> Result<Vec<User>> {
    let email = patch.email.set();
    let ids = email.map(|email| known.with_email(email.folded()));
    let mut users = reread_users(connector, context, ids.unwrap_or_default()).await?;
    users.retain(|user| patch.matches_unclaimed(user));
    Ok(users)
}

/// Reads users again, each once: one may have become another, or be gone.
async fn reread_users(
    connector: &dyn Connector,
    context: &RequestContext,
    ids: Vec<String>,
) -> Result<Vec<User>> {
    let mut now: Vec<User> = Vec::new();
    for id in ids {
        let id = std::slice::from_ref(&id);
        let found = found_users(connector.by_id(context, id, Expand::default()).await)?;
        let is_new = |user: &User| now.iter().all(|known| known.remote_id != user.remote_id);
        let found: Vec<_> = found.into_iter().filter(is_new).collect();
        now.extend(found);
    }
    Ok(now)
}

/// The users that a lookup found.
fn found_users(lookups: LookupResults) -> Result<Vec<User>> {
    let found = lookups.into_values().filter_map(Result::transpose);
    found.collect()
}
