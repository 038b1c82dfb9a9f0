//! Searches for many keys: as many as the server takes in one filter, and fewer where it refuses.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{FutureExt, future::BoxFuture, future::join, future::join_all};

use super::{
    Scim,
    errors::is_refused_filter,
    filter::{any_of, parameter},
};
use crate::{
    client::Operation,
    connectors::{Incomplete, SearchResult, rows},
    context::RequestContext,
    error::Result,
    notice::{Notice, NoticeCode},
    pagination::ScanLimits,
    user::User,
};

/// The notice on a search of which the server refused a part.
const REFUSED_TERMS: &str = "this SCIM server does not search everything that may hold the address, `emails.value` or `userName`: \
     users that have it there only may be missing";

/// The comparisons that find one key, of which one must hold.
pub(super) type Terms = Vec<String>;

/// How many keys a filter names: fewer, once the server has refused as many. None, where it takes one
/// comparison at a time.
pub(super) struct BatchLimit(AtomicUsize);

impl BatchLimit {
    pub(super) fn new(keys: usize) -> Self {
        Self(AtomicUsize::new(keys.max(1)))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn lower_to(&self, keys: usize) {
        self.0.fetch_min(keys, Ordering::Relaxed);
    }
}

impl Scim {
    /// The users of any of some keys, and perhaps others.
    ///
    /// # Errors
    /// A failure, where no search succeeded.
    pub(super) async fn search_keys(
        &self,
        context: &RequestContext,
        operation: Operation,
        keys: &[Terms],
        is_wanted: &(dyn Fn(&User) -> bool + Sync),
    ) -> Result<SearchResult> {
        let search = KeySearch {
            scim: self,
            context,
            operation,
            is_wanted,
        };
        let parts = keys.chunks(self.batch_limit.get().max(1));
        let parts = parts.map(|keys| search.bisect(keys));
        SearchResult::join(join_all(parts).await)
    }
}

/// A search under way.
#[derive(Clone, Copy)]
struct KeySearch<'a> {
    scim: &'a Scim,
    context: &'a RequestContext,
    operation: Operation,
    /// Whether a user may be one of those that are searched for.
    is_wanted: &'a (dyn Fn(&User) -> bool + Sync),
}

impl<'a> KeySearch<'a> {
    /// What the server refuses whole it may take in halves. Only where both halves were taken did the
    /// length matter, and is the next filter shorter.
    fn bisect(self, keys: &'a [Terms]) -> BoxFuture<'a, Result<SearchResult>> {
        async move {
            if let ([terms], 0) = (keys, self.scim.batch_limit.get()) {
                return self.apart(terms).await;
            }
            let error = match self.scan(any_of(keys.iter().flatten())).await {
                Err(error) if is_refused_filter(&error) => error,
                found => return found,
            };
            if let [terms] = keys {
                return match terms.len() {
                    0 | 1 => Err(error),
                    _ => self.apart(terms).await,
                };
            }
            let half = keys.len().div_ceil(2);
            let (first, second) = keys.split_at(half);
            let (first, second) = join(self.bisect(first), self.bisect(second)).await;
            if first.is_ok() && second.is_ok() {
                self.scim.batch_limit.lower_to(half);
            }
            SearchResult::join([first, second])
        }
        .boxed()
    }

    /// The comparisons of one key, each by itself: some servers take a single one, of some attributes
    /// only.
    async fn apart(self, terms: &'a Terms) -> Result<SearchResult> {
        let found = terms.iter().map(|term| self.scan(term.clone()));
        let found = join_all(found).await;
        let is_refused =
            |found: &Result<SearchResult>| found.as_ref().is_err_and(is_refused_filter);
        let (refused, found): (Vec<_>, Vec<_>) = found.into_iter().partition(is_refused);
        if found.is_empty() {
            return SearchResult::join(refused);
        }
        let mut found = SearchResult::join(found)?;
        if terms.len() > 1 {
            self.scim.batch_limit.lower_to(0);
        }
        if !refused.is_empty() && found.incomplete.is_none() {
            found.incomplete = Some(Incomplete {
                notice: Notice::new(NoticeCode::SearchIncomplete, REFUSED_TERMS),
                error: None,
            });
        }
        Ok(found)
    }

    /// Every page of the users that a filter finds.
    async fn scan(self, filter: String) -> Result<SearchResult> {
        let Self { scim, context, .. } = self;
        let limits = ScanLimits {
            pages: scim.options.search_pages,
            until: context.deadline(),
        };
        let filter = &filter;
        let found = rows::scan(
            context,
            &scim.capabilities.pagination,
            limits,
            self.is_wanted,
            |request| async move {
                let parameters = parameter(filter.clone());
                let page = scim
                    .page(context, self.operation, &request, parameters)
                    .await?;
                rows::note_unreadable_emails(context, &page.rows);
                Ok(page)
            },
        );
        SearchResult::from_scans([found.await], "the SCIM server's answer", "search_pages")
    }
}
