//! Searches for contacts by keys: ids, external ids and addresses.

use futures_util::{
    FutureExt,
    future::{BoxFuture, join},
};
use percent_encoding::percent_decode_str;

use super::{
    Contacts, FINDS_EXTERNAL_IDS_FROM, HOPS, SEARCH_PAGES, capabilities::PAGINATION, query, search,
};
use crate::{
    client::{Operation, Request},
    connectors::{Filter, SearchResult, decode, rows},
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    pagination::ScanLimits,
    recent_writes::{KnownWrites, WriteKey},
    user::{Email, User},
};

impl Contacts {
    /// `…/contacts/show-contact`; one that was merged is the contact that it became.
    pub(super) async fn get(&self, context: &RequestContext, id: &str) -> Result<Option<User>> {
        let mut id = id.to_owned();
        for _ in 0..=HOPS {
            let call = Request::get(Operation::ById, &["contacts", &id]);
            match self.api.fetch_user(context, call, &id).await {
                Err(error) if error.kind() == ErrorKind::Moved => {
                    match self.merged_into_id(&error)? {
                        Some(other) => id = other,
                        None => return Ok(None),
                    }
                }
                answer => return answer,
            }
        }
        Err(Error::malformed(format!(
            "the provider says that the contact became another one, more than {HOPS} times in a row"
        )))
    }

    /// The id of the contact that a merged one became; `None` when the provider does not say.
    fn merged_into_id(&self, error: &Error) -> Result<Option<String>> {
        let Some(link) = error.moved_to() else {
            return Ok(None);
        };
        let elsewhere = "the provider leads from a merged contact to something that is no contact";
        let path = self.api.http.own_path(link);
        let id = path.as_deref().and_then(|path| {
            let (before, id) = path.rsplit_once('/')?;
            let is_contact = before.rsplit('/').next() == Some("contacts") && !id.is_empty();
            let id = percent_decode_str(id).decode_utf8().ok()?;
            is_contact.then(|| id.into_owned())
        });
        id.map(Some).ok_or_else(|| Error::malformed(elsewhere))
    }

    /// Every page of a search for one of many values.
    pub(super) async fn search_all_pages(
        &self,
        context: &RequestContext,
        operation: Operation,
        field: &'static str,
        values: &[String],
    ) -> Result<SearchResult> {
        let query = &query::any_of(field, values.iter().cloned());
        let limits = ScanLimits {
            pages: SEARCH_PAGES,
            until: context.deadline(),
        };
        let found = rows::scan(
            context,
            &PAGINATION,
            limits,
            |_| true,
            |request| async move {
                let call = search(operation, query, &Filter::default(), &request);
                let page = self.page(context, &request, call).await?;
                if field == "email" {
                    rows::note_unreadable_emails(context, &page.rows);
                }
                Ok(page)
            },
        );
        SearchResult::from_scans(
            [found.await],
            "Intercom's answer",
            "1,500 contacts a search",
        )
    }

    /// Every page of a search for one of many values. What the provider refuses whole it may take
    /// in halves: how many values it takes is not documented, nor what it thinks of each.
    pub(super) fn search_bisecting<'a>(
        &'a self,
        context: &'a RequestContext,
        operation: Operation,
        field: &'static str,
        values: &'a [String],
    ) -> BoxFuture<'a, Result<SearchResult>> {
        async move {
            match self
                .search_all_pages(context, operation, field, values)
                .await
            {
                Err(error) if error.kind() == ErrorKind::Rejected && values.len() > 1 => {
                    let (some, others) = values.split_at(values.len() / 2);
                    let some = self.search_bisecting(context, operation, field, some);
                    let others = self.search_bisecting(context, operation, field, others);
                    let (some, others) = join(some, others).await;
                    SearchResult::join([some, others])
                }
                answer => answer,
            }
        }
        .boxed()
    }

    /// The contacts that a search by keys finds, without those whose last write it does not show
    /// yet.
    pub(super) async fn search_by_keys(
        &self,
        context: &RequestContext,
        operation: Operation,
        field: &'static str,
        keys: &[String],
    ) -> Result<Vec<User>> {
        let found = self
            .search_bisecting(context, operation, field, keys)
            .await?;
        let written = self.recent_writes_for(&found, &[]).await;
        let mut users = found.users;
        users.retain(|user| !written.is_outdated(user));
        Ok(users)
    }

    /// The recent writes of the contacts that a search found, and of those with some addresses.
    pub(super) async fn recent_writes_for(
        &self,
        found: &SearchResult,
        emails: &[Email],
    ) -> KnownWrites {
        let ids = found.users.iter().map(|user| WriteKey::id(&user.remote_id));
        let emails = emails.iter().map(|email| WriteKey::email(email.folded()));
        self.recent.look_up(ids.chain(emails)).await
    }

    /// `…/contacts/show-contact-by-external-id`, or a search where the version has no such lookup.
    pub(super) async fn with_external_id(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Option<User>> {
        if self.api.version.is_from(FINDS_EXTERNAL_IDS_FROM) {
            let path = ["contacts", "find_by_external_id", id];
            let call = Request::get(Operation::ByExternalId, &path);
            let is_it = |user: &User| super::super::has_external_id(user, id);
            return self.api.user(context, call, is_it).await;
        }
        let has_it = |user: &User| user.external_id.as_deref() == Some(id);
        let written = self.recent.look_up([WriteKey::external_id(id)]).await;
        for written in written.with_external_id(id) {
            let user = self.get(context, &written).await?;
            if let Some(user) = user.filter(has_it) {
                return Ok(Some(user));
            }
        }
        let ids = vec![id.to_owned()];
        let work = context.with_new_usage();
        let found = self
            .search_all_pages(&work, Operation::ByExternalId, "external_id", &ids)
            .await?;
        let is_unclear = found.incomplete.is_some()
            || work.unreadable() > 0
            || found.users.iter().any(has_unreadable_external_id);
        let written = self.recent_writes_for(&found, &[]).await;
        let outdated = found.users.iter().filter(|user| written.is_outdated(user));
        let outdated = outdated.map(|user| user.remote_id.clone()).collect();
        let found = self.reread_contacts(context, found, &outdated).await;
        match found.users.into_iter().find(has_it) {
            None if is_unclear => Err(Error::malformed(
                "the provider's answer does not tell whether there is a contact with this external id",
            )),
            user => Ok(user),
        }
    }
}

fn has_unreadable_external_id(user: &User) -> bool {
    decode::external_id(&user.raw, "external_id").is_err()
}
