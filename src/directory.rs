//! A vendor's users as callers see them: what is not declared is refused, keys are cut into batches,
//! every email filter is checked again, and an answer says how far it can be trusted.

mod write;

use std::{collections::HashMap, hash::Hash, sync::Arc};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::value::RawValue;

pub use write::{Problem, Written};

use crate::{
    error::{Error, Kind, Result},
    http::{
        Scope,
        measure::{Health, Pulse, health},
    },
    page::{Span, Window, window},
    user::{Email, Provider, User},
    vendor::{Batch, Expand, Filter, Found, Profile, SINGLE, Selection, Vendor},
};

/// How many batches of one request are under way at one vendor; its own limit is lower.
const BATCHES: usize = 64;

/// How far an answer can be trusted.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceStatus {
    /// The whole answer: who is not in it does not exist there.
    Complete,
    /// An answer that may lack somebody, or hold too many: `notice` says whom and why.
    Partial,
    /// No answer; `error` says why.
    Failed,
    /// The provider is switched off in this gateway's configuration.
    Disabled,
    /// The provider was not asked, because it cannot answer this; `notice` says why.
    Skipped,
}

/// What a source did for an answer.
#[derive(Clone, Debug)]
pub struct Report {
    /// The source.
    pub provider: Provider,
    /// How far the answer can be trusted.
    pub status: SourceStatus,
    /// What went wrong.
    pub error: Option<Error>,
    /// What may be missing and why.
    pub notice: Option<String>,
    /// When the data was read; `None` when none was.
    pub as_of: Option<Timestamp>,
    /// How many requests were sent to the vendor for it.
    pub calls: u32,
}

impl Report {
    fn of(provider: Provider, status: SourceStatus, calls: u32) -> Self {
        let as_of = match status {
            SourceStatus::Complete | SourceStatus::Partial => Some(Timestamp::now()),
            SourceStatus::Failed | SourceStatus::Disabled | SourceStatus::Skipped => None,
        };
        Self {
            provider,
            status,
            error: None,
            notice: None,
            as_of,
            calls,
        }
    }

    /// A source that is switched off.
    #[must_use]
    pub fn disabled(provider: Provider) -> Self {
        Self::of(provider, SourceStatus::Disabled, 0)
    }

    /// A source that was not asked.
    #[must_use]
    pub fn skipped(provider: Provider, notice: &str) -> Self {
        Self {
            notice: Some(notice.to_owned()),
            ..Self::of(provider, SourceStatus::Skipped, 0)
        }
    }

    /// A source that did not answer.
    #[must_use]
    pub fn failed(provider: Provider, error: Error, calls: u32) -> Self {
        Self {
            error: Some(error),
            ..Self::of(provider, SourceStatus::Failed, calls)
        }
    }

    fn answered(
        provider: Provider,
        notice: Option<String>,
        error: Option<Error>,
        calls: u32,
    ) -> Self {
        let status = if notice.is_some() {
            SourceStatus::Partial
        } else {
            SourceStatus::Complete
        };
        Self {
            error,
            notice,
            ..Self::of(provider, status, calls)
        }
    }
}

/// Who was found by one address, and how far that can be trusted.
#[derive(Clone, Debug)]
pub struct Search {
    /// The users whose address it is, each once, by their vendor ids.
    pub users: Vec<Arc<User>>,
    /// What the vendor did for it.
    pub report: Report,
}

/// Part of a vendor's list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The rows.
    pub window: Window,
    /// What the vendor did for it.
    pub report: Report,
}

/// A vendor's users.
pub struct Directory {
    provider: Provider,
    vendor: Option<Box<dyn Vendor>>,
    pulse: Pulse,
}

impl Directory {
    /// The users behind an adapter; without one the vendor is disabled.
    #[must_use]
    pub fn new(provider: Provider, vendor: Option<Box<dyn Vendor>>, pulse: Pulse) -> Self {
        Self {
            provider,
            vendor,
            pulse,
        }
    }

    /// The vendor.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// What the vendor can do; `None` when it is disabled.
    #[must_use]
    pub fn profile(&self) -> Option<&Profile> {
        self.vendor.as_deref().map(Vendor::profile)
    }

    /// How the vendor fares.
    #[must_use]
    pub fn health(&self) -> Health {
        health(&self.pulse)
    }

    fn vendor(&self) -> Result<&dyn Vendor> {
        self.vendor.as_deref().ok_or_else(|| {
            let name = self.provider.name();
            let message = format!(
                "{name} is disabled in this gateway's configuration (vendor.{name}.enabled)"
            );
            Error::new(Kind::Disabled, message).at(name, "any")
        })
    }

    /// One window of the list.
    ///
    /// # Errors
    /// `Disabled`, `Unsupported` for a filter, an order or a direction that the vendor does not have,
    /// `Invalid` for a mark of another list, and what the vendor answers.
    pub async fn list(&self, scope: &Scope, selection: &Selection, span: &Span) -> Result<Listed> {
        let vendor = self.vendor()?;
        let profile = vendor.profile();
        self.check(profile, &selection.filter)?;
        let scope = &scope.fresh();
        let accept = |user: &User| selection.filter.accepts(user);
        let accept: Option<&(dyn Fn(&User) -> bool + Sync)> =
            selection.filter.is_checked().then_some(&accept);
        let window = window(&profile.listing, span, accept, |ask| async move {
            vendor.list(scope, &ask, selection).await
        })
        .await
        .map_err(|error| error.at(self.provider.name(), "list"))?;
        let filter = &selection.filter;
        let email_caveat = filter.email.as_ref().and(profile.email_caveat);
        let segment_caveat = filter.segment_id.as_ref().and(profile.segment_caveat);
        let caveat = email_caveat.or(segment_caveat).map(str::to_owned);
        let cut = window.is_cut.then(|| {
            let reach = profile.listing.reach.unwrap_or_default();
            format!("this vendor refuses to page past {reach} users: there are more, narrow the list with a filter")
        });
        let report = Report::answered(self.provider, cut.or(caveat), None, scope.calls());
        Ok(Listed { window, report })
    }

    fn check(&self, profile: &Profile, filter: &Filter) -> Result<()> {
        let name = self.provider.name();
        let refused = |what: &str, having: Vec<&str>| {
            let can = if having.is_empty() {
                "it has no choice there".to_owned()
            } else {
                format!("it can by {}", having.join(", "))
            };
            let message =
                format!("{name} cannot {what}; {can} (see `providers {{ capabilities }}`)");
            Err(Error::new(Kind::Unsupported, message).at(name, "list"))
        };
        if let Some(field) = filter
            .fields()
            .into_iter()
            .find(|field| !profile.filters.contains(field))
        {
            let having = profile.filters.iter().map(|field| field.name()).collect();
            return refused(&format!("narrow its list by `{}`", field.name()), having);
        }
        match filter.sort {
            Some((field, _)) if !profile.sorts.contains(&field) => {
                let having = profile.sorts.iter().map(|field| field.name()).collect();
                refused(&format!("sort its list by {}", field.name()), having)
            }
            _ => Ok(()),
        }
    }

    /// Users by the vendor's own ids. One failing batch fails its own keys only.
    pub async fn by_id(
        &self,
        scope: &Scope,
        ids: Vec<String>,
        expand: Expand,
    ) -> HashMap<String, Result<Option<Arc<User>>>> {
        let vendor = match self.vendor() {
            Ok(vendor) => vendor,
            Err(error) => return refuse(ids, &error),
        };
        let batch = vendor.profile().by_id;
        in_batches(ids, batch, |ids| async move {
            let users = vendor.by_id(scope, &ids, expand).await;
            regroup(ids, users, |user| Some(user.vendor_id.as_str()))
        })
        .await
    }

    /// Users by the ids that your systems gave. One failing batch fails its own keys only.
    pub async fn by_external_id(
        &self,
        scope: &Scope,
        ids: Vec<String>,
        expand: Expand,
    ) -> HashMap<String, Result<Option<Arc<User>>>> {
        let vendor = match self.vendor() {
            Ok(vendor) => vendor,
            Err(error) => return refuse(ids, &error),
        };
        let name = self.provider.name();
        let Some(batch) = vendor.profile().by_external_id else {
            let message =
                format!("{name} keeps no ids of yours: look users up by `vendorId` or by email");
            return refuse(
                ids,
                &Error::new(Kind::Unsupported, message).at(name, "by_external_id"),
            );
        };
        in_batches(ids, batch, |ids| async move {
            let users = vendor.by_external_id(scope, &ids, expand).await;
            regroup(ids, users, |user| user.external_id.as_deref())
        })
        .await
    }

    /// The custom fields of users, where they are a call of their own, by vendor id.
    pub async fn attributes(
        &self,
        scope: &Scope,
        ids: Vec<String>,
    ) -> HashMap<String, Result<Option<Arc<RawValue>>>> {
        let vendor = match self.vendor() {
            Ok(vendor) => vendor,
            Err(error) => return refuse(ids, &error),
        };
        in_batches(ids, SINGLE, |ids| async move {
            let mut answers = HashMap::new();
            for id in ids {
                let attributes = vendor.attributes(scope, &id).await;
                answers.insert(id, attributes);
            }
            answers
        })
        .await
    }

    /// Users by address. A vendor that fails is a report, not an error.
    pub async fn by_email(
        &self,
        scope: &Scope,
        emails: Vec<Email>,
        expand: Expand,
    ) -> HashMap<Email, Search> {
        let Ok(vendor) = self.vendor() else {
            let report = Report::disabled(self.provider);
            let nobody = Search {
                users: Vec::new(),
                report,
            };
            return emails
                .into_iter()
                .map(|email| (email, nobody.clone()))
                .collect();
        };
        in_batches(emails, vendor.profile().by_email, |emails| async move {
            let scope = scope.fresh();
            let found = vendor.by_email(&scope, &emails, expand).await;
            let found = found.map_err(|error| error.at(self.provider.name(), "by_email"));
            let caveat = vendor.profile().email_caveat;
            emails
                .into_iter()
                .map(|email| {
                    let search = self.search(&email, &found, caveat, scope.calls());
                    (email, search)
                })
                .collect()
        })
        .await
    }

    fn search(
        &self,
        email: &Email,
        found: &Result<Found>,
        caveat: Option<&str>,
        calls: u32,
    ) -> Search {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                return Search {
                    users: Vec::new(),
                    report: Report::failed(self.provider, error.clone(), calls),
                };
            }
        };
        let mut users: Vec<_> = found
            .users
            .iter()
            .filter(|user| {
                user.email
                    .as_deref()
                    .is_some_and(|spelling| email.is(spelling))
            })
            .map(|user| Arc::new(user.clone()))
            .collect();
        users.sort_by(|one, other| one.vendor_id.cmp(&other.vendor_id));
        users.dedup_by(|one, other| one.vendor_id == other.vendor_id);
        let (notice, error) = match &found.shortfall {
            Some(shortfall) => (Some(shortfall.notice.clone()), shortfall.error.clone()),
            None => (caveat.map(str::to_owned), None),
        };
        let is_empty_handed = users.is_empty();
        let report = match error {
            Some(error) if is_empty_handed => Report {
                notice,
                ..Report::failed(self.provider, error, calls)
            },
            error => Report::answered(self.provider, notice, error, calls),
        };
        Search { users, report }
    }

    /// Users whose address holds a text, by the vendor's own search: one window of it. `None` when the
    /// vendor has no such search.
    pub async fn containing(
        &self,
        scope: &Scope,
        text: &str,
        count: u32,
        expand: Expand,
    ) -> Option<Search> {
        let vendor = self.vendor().ok()?;
        let profile = vendor.profile();
        if !profile.finds_substrings {
            return None;
        }
        let scope = &scope.fresh();
        let selection = &Selection {
            filter: Filter {
                email: Some(Email::fragment(text)),
                ..Filter::default()
            },
            expand,
        };
        let span = Span {
            count,
            ..Span::default()
        };
        let found = window(&profile.listing, &span, None, |ask| async move {
            vendor.list(scope, &ask, selection).await
        })
        .await;
        Some(match found {
            Ok(window) => {
                let notice = window.has_next.then(|| {
                    format!("there are more than {count} such users: search for a longer text")
                });
                let users = window
                    .rows
                    .into_iter()
                    .map(|row| Arc::new(row.user))
                    .collect();
                Search {
                    users,
                    report: Report::answered(self.provider, notice, None, scope.calls()),
                }
            }
            Err(error) => {
                let error = error.at(self.provider.name(), "list");
                Search {
                    users: Vec::new(),
                    report: Report::failed(self.provider, error, scope.calls()),
                }
            }
        })
    }
}

/// The same answer for every key.
fn refuse<K: Eq + Hash, V>(keys: Vec<K>, error: &Error) -> HashMap<K, Result<V>> {
    keys.into_iter()
        .map(|key| (key, Err(error.clone())))
        .collect()
}

/// Cuts keys into batches and answers them side by side.
async fn in_batches<K, V, R>(
    keys: Vec<K>,
    batch: Batch,
    answer: impl Fn(Vec<K>) -> R,
) -> HashMap<K, V>
where
    K: Clone + Eq + Hash,
    R: Future<Output = HashMap<K, V>>,
{
    let batches: Vec<Vec<K>> = keys.chunks(batch.max.max(1)).map(<[K]>::to_vec).collect();
    let answers = stream::iter(batches).map(answer).buffer_unordered(BATCHES);
    answers
        .fold(HashMap::new(), |mut all, batch| async move {
            all.extend(batch);
            all
        })
        .await
}

/// Gives every key its user. The answer to a single key is that key's, whatever spelling came back.
fn regroup(
    keys: Vec<String>,
    users: Result<Vec<User>>,
    key_of: impl Fn(&User) -> Option<&str>,
) -> HashMap<String, Result<Option<Arc<User>>>> {
    let users: Vec<Arc<User>> = match users {
        Ok(users) => users.into_iter().map(Arc::new).collect(),
        Err(error) => return refuse(keys, &error),
    };
    let is_single = keys.len() == 1;
    keys.into_iter()
        .map(|key| {
            let user = users
                .iter()
                .find(|user| is_single || key_of(user) == Some(key.as_str()))
                .cloned();
            (key, Ok(user))
        })
        .collect()
}
