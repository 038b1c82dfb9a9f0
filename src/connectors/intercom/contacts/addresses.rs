//! Searches by address: one search names many addresses, and a failure of one does not affect the
//! others. Contacts that were just written are read by id, because the search index lags.

use std::collections::{HashMap, HashSet};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};

use super::{Contacts, capabilities::PAGINATION, query};
use crate::{
    client::Operation,
    connectors::{Incomplete, SearchBatch, SearchResult},
    context::RequestContext,
    error::{ErrorKind, Result},
    notice::{Notice, NoticeCode},
    recent_writes::KnownWrites,
    user::{Email, email::fold},
};

impl Contacts {
    /// The contacts of each of some addresses.
    pub(super) async fn search_in_batches(
        &self,
        context: &RequestContext,
        emails: &[Email],
    ) -> Vec<SearchBatch> {
        let mut groups: Vec<(usize, Vec<Email>)> = Vec::new();
        for email in emails {
            let spellings = email.spellings().len();
            match groups.last_mut() {
                Some((values, group)) if *values + spellings <= self.api.search_batch => {
                    *values += spellings;
                    group.push(email.clone());
                }
                _ => groups.push((spellings, vec![email.clone()])),
            }
        }
        let searches = groups
            .into_iter()
            .map(|(_, group)| self.search_batch(context, context.with_new_usage(), group));
        join_all(searches).await.into_iter().flatten().collect()
    }

    /// The contacts that have one of some addresses, as search knows them.
    pub(super) async fn search_by_emails(
        &self,
        context: &RequestContext,
        emails: &[Email],
    ) -> Result<SearchResult> {
        let values = query::spellings(emails);
        let searches = values.chunks(self.api.search_batch).map(|values| {
            let (operation, field) = (Operation::ByEmail, "email");
            async move {
                match emails {
                    [_] => {
                        self.search_bisecting(context, operation, field, values)
                            .await
                    }
                    _ => {
                        self.search_all_pages(context, operation, field, values)
                            .await
                    }
                }
            }
        });
        SearchResult::join(join_all(searches).await)
    }

    /// The contacts of addresses of which one search names all. What it cannot answer for all of
    /// them is asked for in parts: none of the addresses suffers from another one.
    fn search_batch<'a>(
        &'a self,
        context: &'a RequestContext,
        work: RequestContext,
        emails: Vec<Email>,
    ) -> BoxFuture<'a, Vec<SearchBatch>> {
        async move {
            let found = self.search_by_emails(&work, &emails).await;
            let parts = split_batch(&emails, &found);
            if parts.len() < 2 {
                return self.bisect_unreadable(context, work, emails, found).await;
            }
            let parts = parts
                .into_iter()
                .map(|part| self.search_batch(context, context.with_calls_of(&work), part));
            let answers = join_all(parts).await.into_iter().flatten().collect();
            fall_back_to(answers, context, &work, &found)
        }
        .boxed()
    }

    /// The answers to addresses that were searched for together. Where a record among them cannot
    /// be read, the address that it is of is looked for by halves, unless both halves have one.
    fn bisect_unreadable<'a>(
        &'a self,
        context: &'a RequestContext,
        work: RequestContext,
        emails: Vec<Email>,
        found: Result<SearchResult>,
    ) -> BoxFuture<'a, Vec<SearchBatch>> {
        async move {
            if emails.len() < 2 || work.unreadable() == 0 {
                return self.batch_results(context, work, emails, found).await;
            }
            let halves = emails.chunks(emails.len().div_ceil(2)).map(|half| {
                let work = context.with_calls_of(&work);
                async move { (self.search_by_emails(&work, half).await, work) }
            });
            let halves = join_all(halves).await;
            let is_everywhere = halves.iter().all(|(_, work)| work.unreadable() > 0);
            let halves = emails.chunks(emails.len().div_ceil(2)).zip(halves).map(
                |(half, (found, work))| async move {
                    match is_everywhere {
                        true => {
                            self.batch_results(context, work, half.to_vec(), found)
                                .await
                        }
                        false => {
                            self.bisect_unreadable(context, work, half.to_vec(), found)
                                .await
                        }
                    }
                },
            );
            let answers = join_all(halves).await.into_iter().flatten().collect();
            fall_back_to(answers, context, &work, &found)
        }
        .boxed()
    }

    /// The answers to addresses that were searched for together: those of which somebody was just
    /// written are settled one by one.
    async fn batch_results(
        &self,
        context: &RequestContext,
        shared: RequestContext,
        emails: Vec<Email>,
        found: Result<SearchResult>,
    ) -> Vec<SearchBatch> {
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                return vec![SearchBatch {
                    emails,
                    found: Err(error),
                    work: shared,
                }];
            }
        };
        let written = self.recent_writes_for(&found, &emails).await;
        let doubts = emails
            .iter()
            .map(|email| (email, stale_ids(&found, email, &written)));
        let (plain, doubts): (Vec<_>, Vec<_>) = doubts.partition(|(_, ids)| ids.is_empty());
        let settled = doubts.into_iter().map(|(email, ids)| {
            let (found, shared) = (found.clone(), &shared);
            async move {
                let work = context.with_usage_of(shared);
                let found = self.reread_contacts(&work, found, &ids).await;
                SearchBatch {
                    emails: vec![email.clone()],
                    found: Ok(found),
                    work,
                }
            }
        });
        let mut answers = join_all(settled).await;
        let mut found = found;
        found.users.retain(|user| !written.is_outdated(user));
        answers.push(SearchBatch {
            emails: plain.into_iter().map(|(email, _)| email.clone()).collect(),
            found: Ok(found),
            work: shared,
        });
        answers
    }

    /// The contacts of one address, with those in doubt as they are.
    pub(super) async fn reread_contacts(
        &self,
        context: &RequestContext,
        mut found: SearchResult,
        doubtful: &HashSet<String>,
    ) -> SearchResult {
        found
            .users
            .retain(|user| !doubtful.contains(&user.remote_id));
        for answer in join_all(doubtful.iter().map(|id| self.get(context, id))).await {
            match answer {
                Ok(user) => found.users.extend(user),
                Err(error) => {
                    found.incomplete = Some(Incomplete {
                        notice: Notice::new(
                            NoticeCode::PartialFailure,
                            "a contact that was just written could not be read",
                        ),
                        error: Some(error),
                    });
                }
            }
        }
        // A merged contact may also be listed as the contact it was merged into.
        let mut seen = HashSet::new();
        found
            .users
            .retain(|user| seen.insert(user.remote_id.clone()));
        found
    }
}

/// The contacts of an address that search does not show as they are: it shows them as they were
/// before a recent write, or does not find them.
pub(super) fn stale_ids(
    found: &SearchResult,
    email: &Email,
    written: &KnownWrites,
) -> HashSet<String> {
    let outdated = found.users.iter().filter(|user| user.has_email(email));
    let outdated = outdated.filter(|user| written.is_outdated(user));
    let outdated = outdated.map(|user| user.remote_id.clone());
    let is_unknown = |id: &String| {
        let known = found.users.iter().find(|user| user.remote_id == *id);
        known.is_none_or(|user| written.is_outdated(user))
    };
    let unknown = written.with_email(email.folded()).into_iter();
    outdated.chain(unknown.filter(is_unknown)).collect()
}

/// Answers, where one failed with what an earlier search had found.
fn fall_back_to(
    answers: Vec<SearchBatch>,
    context: &RequestContext,
    work: &RequestContext,
    found: &Result<SearchResult>,
) -> Vec<SearchBatch> {
    let answers = answers.into_iter();
    let answers = answers.map(|answer| match (&answer.found, found) {
        (Err(_), Ok(found)) => SearchBatch {
            found: Ok(found.clone()),
            work: context.with_usage_of(work),
            ..answer
        },
        _ => answer,
    });
    answers.collect()
}

/// In which parts addresses are searched for again that one search was not enough for: an address
/// that many share goes by itself. One part, or none, when the answer stands.
fn split_batch(emails: &[Email], found: &Result<SearchResult>) -> Vec<Vec<Email>> {
    let is_short = match found {
        Ok(found) => found
            .incomplete
            .as_ref()
            .is_some_and(|incomplete| incomplete.error.is_none()),
        Err(error) => error.kind() == ErrorKind::Rejected,
    };
    if emails.len() < 2 || !is_short {
        return Vec::new();
    }
    let mut shares: HashMap<String, usize> = HashMap::new();
    for user in found.iter().flat_map(|found| &found.users) {
        for address in user.all_emails().map(fold) {
            *shares.entry(address).or_default() += 1;
        }
    }
    let is_shared =
        |email: &Email| shares.get(email.folded()) > Some(&(PAGINATION.max_page_size as usize));
    let (many, rest): (Vec<_>, Vec<_>) = emails.iter().cloned().partition(is_shared);
    if many.is_empty() {
        return rest
            .chunks(rest.len().div_ceil(2))
            .map(<[_]>::to_vec)
            .collect();
    }
    let alone = many.into_iter().map(|email| vec![email]);
    alone
        .chain([rest])
        .filter(|part| !part.is_empty())
        .collect()
}
