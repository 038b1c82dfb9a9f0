//! Writing: find, then create or update, unless the vendor does that itself in one call that may be
//! repeated. A blind create is never repeated, and two records for one address are nobody's guess.

use std::sync::Arc;

use super::Directory;
use crate::{
    error::{Error, ErrorCode, Kind, Result},
    http::{Freshness, Scope},
    user::{Change, Draft, DraftField, Identity, Outcome, User, UserKind},
    vendor::{Expand, Lookups, Upserted, Vendor},
};

/// Why a write was not, or not wholly, done.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The field of the input at fault, or the vendor's name of one.
    pub field: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
    /// Its code.
    pub code: ErrorCode,
    /// How many seconds to wait before the next attempt, where the vendor said so.
    pub retry_after: Option<u64>,
}

/// What became of a draft.
#[derive(Clone, Debug)]
pub struct Written {
    /// The record as it is now.
    pub user: Option<Arc<User>>,
    /// What was done; `None` when the vendor failed and that cannot be known.
    pub outcome: Option<Outcome>,
    /// What stood in the way.
    pub problems: Vec<Problem>,
}

impl Problem {
    fn input(field: &str, message: impl Into<String>) -> Self {
        let field = Some(field.to_owned());
        Self {
            field,
            message: message.into(),
            code: ErrorCode::BadUserInput,
            retry_after: None,
        }
    }
}

impl Problem {
    /// An error as problems: one for each reason where there are reasons, in words fit for a client.
    fn of(error: &Error) -> Vec<Self> {
        let problem = |field: Option<String>, message: String| Self {
            field,
            message,
            code: error.kind().code(),
            retry_after: error.wait().map(|wait| wait.as_secs_f64().ceil() as u64),
        };
        // Only a refusal's reasons are about the input; what else a vendor says stays here.
        let is_about_input = matches!(
            error.kind(),
            Kind::Rejected | Kind::Conflict | Kind::Invalid
        );
        match error.why() {
            reasons @ [_, ..] if is_about_input => reasons
                .iter()
                .map(|reason| problem(reason.field.clone(), presentable(&reason.message)))
                .collect(),
            _ => vec![problem(None, error.message().to_owned())],
        }
    }
}

impl Written {
    fn skipped(problems: Vec<Problem>) -> Self {
        Self {
            user: None,
            outcome: Some(Outcome::Skipped),
            problems,
        }
    }

    fn done(upserted: Upserted) -> Self {
        Self {
            user: upserted.user.map(Arc::new),
            outcome: Some(upserted.outcome),
            problems: upserted.remarks.iter().flat_map(Problem::of).collect(),
        }
    }

    /// A failure as problems. Refused is not written; what failed otherwise may have been written.
    #[must_use]
    pub fn failed(error: &Error) -> Self {
        Self {
            user: None,
            outcome: (!error.is_unsettled()).then_some(Outcome::Skipped),
            problems: Problem::of(error),
        }
    }
}

/// A vendor's words without links, control characters or excess.
fn presentable(words: &str) -> String {
    let words = words
        .split_whitespace()
        .filter(|word| !word.contains("://"));
    let text: String = words.collect::<Vec<_>>().join(" ");
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

impl Directory {
    /// Creates or updates a user. Disabled vendors are skipped without an error and without a call.
    pub async fn upsert(&self, scope: &Scope, draft: &Draft) -> Written {
        let Ok(vendor) = self.vendor() else {
            return Written::skipped(Vec::new());
        };
        let problems = self.problems(vendor, draft);
        if !problems.is_empty() {
            return Written::skipped(problems);
        }
        // What is looked at before a write must be what is there.
        let scope = &scope.with_freshness(Freshness::Now).fresh();
        match self.write(vendor, scope, draft).await {
            Ok(written) => written,
            Err(error) => Written::failed(&error),
        }
    }

    fn problems(&self, vendor: &dyn Vendor, draft: &Draft) -> Vec<Problem> {
        let writes = vendor.profile().writes;
        let unwritable = draft
            .fields()
            .into_iter()
            .filter(|field| !writes.contains(field));
        let mut problems: Vec<_> = unwritable
            .map(|field| Problem::input(field.name(), self.unwritable(field, writes)))
            .collect();
        if draft.identity().is_none() {
            let message =
                "one of `vendorId`, `externalId` and `email` must say which user is meant";
            problems.push(Problem::input("email", message));
        }
        problems
    }

    /// What is said of a field that cannot be written: which can, in its place.
    fn unwritable(&self, field: DraftField, writes: &[DraftField]) -> String {
        let instead: &[DraftField] = match field {
            DraftField::Name => &[DraftField::FirstName, DraftField::LastName],
            DraftField::FirstName | DraftField::LastName => &[DraftField::Name],
            _ => &[],
        };
        let is_instead = !instead.is_empty() && instead.iter().all(|field| writes.contains(field));
        let (verb, fields) = if is_instead {
            ("write", instead)
        } else {
            ("it takes", writes)
        };
        let names = fields.iter().map(|field| format!("`{}`", field.name()));
        let names = names.collect::<Vec<_>>();
        let names = names.join(if is_instead { " and " } else { ", " });
        let title = self.provider.title();
        format!("{title} does not take `{}`: {verb} {names}", field.name())
    }

    async fn write(&self, vendor: &dyn Vendor, scope: &Scope, draft: &Draft) -> Result<Written> {
        let Some(identity) = draft.identity() else {
            return Ok(Written::skipped(Vec::new()));
        };
        if vendor.profile().upserts.contains(&identity) {
            return Ok(Written::done(vendor.upsert(scope, draft).await?));
        }
        let meant = match self.meant(vendor, scope, draft, identity).await {
            Ok(meant) => meant,
            // Nothing was sent yet but reads.
            Err(error) => {
                return Ok(Written {
                    outcome: Some(Outcome::Skipped),
                    ..Written::failed(&error)
                });
            }
        };
        match meant {
            Meant::One(user) if user.kind == UserKind::Lead && !vendor.profile().writes_leads => {
                let message = "this is a lead, which cannot be changed here: only users can";
                Ok(Written::skipped(vec![Problem::input("vendorId", message)]))
            }
            Meant::One(user) if user.kind == UserKind::Lead && draft.external_id.is_change() => {
                let message = "this is a lead, whose external id is the provider's own: only a user's can be set";
                Ok(Written::skipped(vec![Problem::input(
                    "externalId",
                    message,
                )]))
            }
            Meant::One(user) if changes(draft, identity) => {
                let draft = &without_identity(draft, identity);
                let updated = vendor.update(scope, &user.vendor_id, draft).await?;
                Ok(updated.map_or_else(missing, Written::done))
            }
            Meant::One(user) => Ok(Written::done(Upserted::whole(*user, Outcome::Matched))),
            Meant::Nobody if identity == Identity::VendorId => Ok(missing()),
            Meant::Nobody => Ok(Written::done(vendor.create(scope, draft).await?)),
            Meant::Unclear(message) => Ok(Written::skipped(vec![Problem::input("email", message)])),
        }
    }

    /// Which record a draft means.
    async fn meant(
        &self,
        vendor: &dyn Vendor,
        scope: &Scope,
        draft: &Draft,
        identity: Identity,
    ) -> Result<Meant> {
        let expand = Expand::default();
        let mut users = match identity {
            Identity::VendorId => {
                let id = draft.vendor_id.as_slice();
                known(vendor.by_id(scope, id, expand).await)?
            }
            Identity::ExternalId => {
                let id: Vec<_> = draft.external_id.set().cloned().into_iter().collect();
                known(vendor.by_external_id(scope, &id, expand).await)?
            }
            Identity::Email => {
                let Some(email) = draft.email.set() else {
                    return Ok(Meant::Nobody);
                };
                let mut found = vendor
                    .by_email(scope, std::slice::from_ref(email), expand)
                    .await?;
                if let Some(shortfall) = found.shortfall {
                    return match shortfall.error {
                        Some(error) => Err(error),
                        None => Ok(Meant::Unclear(format!(
                            "whether a user with this email exists cannot be told: {}; give `vendorId` or `externalId`",
                            shortfall.notice
                        ))),
                    };
                }
                if scope.unreadable() > 0 {
                    return Ok(Meant::Unclear(UNREADABLE.to_owned()));
                }
                found.users.retain(|user| {
                    user.email
                        .as_deref()
                        .is_some_and(|spelling| email.is(spelling))
                });
                found.users
            }
        };
        if vendor.profile().lags.contains(&identity) {
            users = as_they_are(vendor, scope, users).await?;
            users.retain(|user| draft.means(user));
        }
        // A user before the leads that share the address, where both could be written.
        let is_user = |user: &User| user.kind == UserKind::User;
        if vendor.profile().writes_leads && users.iter().any(is_user) {
            users.retain(is_user);
        }
        Ok(match <[User; 1]>::try_from(users) {
            Ok([user]) => Meant::One(Box::new(user)),
            Err(users) if users.is_empty() => Meant::Nobody,
            Err(users) => Meant::Unclear(format!(
                "{} users have this email: say with `vendorId` which one is meant",
                users.len()
            )),
        })
    }
}

/// Why a record is not written that may be there already.
const UNREADABLE: &str = "whether a user with this email exists cannot be told: the provider sent records that cannot be read; give `vendorId` or `externalId`";

/// Users as they are now, each once: one may have become another, or have gone.
async fn as_they_are(vendor: &dyn Vendor, scope: &Scope, users: Vec<User>) -> Result<Vec<User>> {
    let mut now: Vec<User> = Vec::new();
    for user in users {
        let id = std::slice::from_ref(&user.vendor_id);
        let found = known(vendor.by_id(scope, id, Expand::default()).await)?;
        let is_new = |user: &User| now.iter().all(|known| known.vendor_id != user.vendor_id);
        let found: Vec<_> = found.into_iter().filter(is_new).collect();
        now.extend(found);
    }
    Ok(now)
}

/// A draft without what says who is meant: a record keeps its own spelling of it.
fn without_identity(draft: &Draft, identity: Identity) -> Draft {
    let mut draft = draft.clone();
    match identity {
        Identity::VendorId => {}
        Identity::ExternalId => draft.external_id = Change::Keep,
        Identity::Email => draft.email = Change::Keep,
    }
    draft
}

/// The users that a lookup found.
fn known(lookups: Lookups) -> Result<Vec<User>> {
    let found = lookups.into_values().filter_map(Result::transpose);
    found.collect()
}

/// Which record a draft means.
enum Meant {
    Nobody,
    One(Box<User>),
    Unclear(String),
}

fn missing() -> Written {
    Written::skipped(vec![Problem::input(
        "vendorId",
        "there is no user with this id",
    )])
}

/// Whether anything but what says who is meant is to change.
fn changes(draft: &Draft, identity: Identity) -> bool {
    draft.fields().iter().any(|&field| match identity {
        Identity::VendorId => true,
        Identity::ExternalId => field != DraftField::ExternalId,
        Identity::Email => field != DraftField::Email,
    })
}
