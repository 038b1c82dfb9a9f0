//! A company's contacts. Search knows no companies, so they are a list of their own, by Intercom's
//! id of the company, which is looked up by yours, anew as far as the request asks for what is now
//! (`developers.intercom.com/docs/references/2.17/rest-api/companies/list-attached-contacts`).

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    Contacts,
    subresources::{ATTACHED, SubresourceNext, param},
};
use crate::{
    client::{DecodedBody, Operation, Request, Response},
    connectors::{Filter, FilterField, decode, filter::unknown_notice, intercom::IntercomApi},
    context::{MaxAge, RequestContext},
    error::{Error, ErrorKind, Result},
    pagination::{IncompleteReason, NextPage, Page, PageAddress, PageRequest},
    user::User,
};

/// The time for which Intercom's id of a company is remembered. The id never changes while the
/// company exists.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// How many ids of companies are remembered.
const MOST: u64 = 10_000;

/// Intercom's id of a company, and when it was looked up.
#[derive(Clone)]
pub(super) struct CachedCompanyId {
    id: String,
    at: Instant,
}

impl CachedCompanyId {
    /// Whether it is as new as a page must be. A later page goes on where the first was.
    fn is_fresh_enough(&self, freshness: MaxAge, address: &PageAddress) -> bool {
        let is_first = matches!(address, PageAddress::Token(None));
        match freshness {
            MaxAge::Cached => true,
            MaxAge::Within(age) => !is_first || self.at.elapsed() <= age,
            MaxAge::Now => !is_first,
        }
    }
}

/// Remembers ids of companies.
pub(super) fn ids() -> Cache<String, CachedCompanyId> {
    let ids = Cache::builder().max_capacity(MOST);
    ids.time_to_live(KNOWN_FOR).build()
}

#[derive(Deserialize)]
struct CompanyRecord {
    #[serde(default, deserialize_with = "decode::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    company_id: Option<String>,
}

/// The companies that a lookup answers. The provider's text says that it is one company, its schema
/// that it is a list.
pub(super) struct CompanyLookupBody(Vec<Option<CompanyRecord>>);

impl DecodedBody for CompanyLookupBody {
    fn decode(response: &Response) -> Result<Self> {
        #[derive(Deserialize)]
        struct CompanyPage {
            #[serde(default, deserialize_with = "decode::rows_if_any")]
            data: Option<Vec<Arc<RawValue>>>,
        }
        let companies = match response.object::<CompanyPage>()?.data {
            Some(listed) => listed,
            None => vec![response.json::<Box<RawValue>>()?.into()],
        };
        let companies = companies.iter().map(|raw| decode::record_of(raw));
        Ok(Self(companies.collect()))
    }

    fn row_count(&self) -> usize {
        self.0.len()
    }
}

impl CompanyLookupBody {
    /// Intercom's id of the company; `None` when there is none. Only a company that shows the id
    /// that was asked for is taken.
    fn first_id(&self, asked: &str) -> Result<Option<String>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let is_asked = |company: &&CompanyRecord| company.company_id.as_deref() == Some(asked);
        let company = self.0.iter().flatten().find(is_asked).ok_or_else(|| {
            Error::malformed(
                "the provider answered another company than the one that was asked for",
            )
        })?;
        let bare = || Error::malformed("the provider answered a company without an id");
        company.id.clone().ok_or_else(bare).map(Some)
    }

    /// Intercom's id of the company that a write made or found.
    pub(super) fn id(&self, asked: &str) -> Result<String> {
        let none = || Error::malformed("the provider answered no company");
        self.first_id(asked)?.ok_or_else(none)
    }
}

/// Intercom's id of a company, by the id that your systems gave it.
pub(super) async fn find_company_id(
    api: &IntercomApi,
    context: &RequestContext,
    operation: Operation,
    company: &str,
) -> Result<Option<String>> {
    let call = Request::get(operation, &["companies"]);
    let call = call.query([("company_id", company.to_owned())]);
    match api.find::<CompanyLookupBody>(context, call).await? {
        Some(found) => found.body.first_id(company),
        None => Ok(None),
    }
}

/// The same page; where it is one of numbered pages, it is said to be: rows shift under them, and
/// only a total that stays the same says that none did.
fn mark_numbered(page: Page<User>, address: &PageAddress) -> Page<User> {
    let is_later =
        matches!(address, PageAddress::Token(Some(token)) if SubresourceNext::is_number(token));
    let names_number = matches!(&page.next, NextPage::Token { next: Some(next), .. } if SubresourceNext::is_number(next));
    let is_unsure = is_later && page.next.total().is_none();
    Page {
        is_numbered: is_later || names_number,
        incomplete: page
            .incomplete
            .or(is_unsure.then_some(IncompleteReason::Shifted)),
        ..page
    }
}

impl Contacts {
    /// One page of a company's contacts; none where there is no such company.
    pub(super) async fn list_company(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        filter: &Filter,
        company: &str,
    ) -> Result<Page<User>> {
        if filter.fields() != [FilterField::CompanyId] || filter.sort.is_some() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "Intercom lists a company's contacts as they are: drop `companyId`, or the other filters and `sort`",
            ));
        }
        let known = self.companies.get(company);
        let known =
            known.filter(|known| known.is_fresh_enough(context.max_age(), &request.address));
        let known = known.map(|known| known.id);
        let page = match &known {
            Some(id) => self.list_by_company_id(context, request, id).await?,
            None => None,
        };
        if let Some(page) = page {
            return Ok(page);
        }
        self.companies.invalidate(company);
        // The company may have been deleted, and made again.
        if let Some(id) = find_company_id(&self.api, context, Operation::List, company).await?
            && known.as_ref() != Some(&id)
            && let Some(page) = self.list_by_company_id(context, request, &id).await?
        {
            let at = Instant::now();
            self.companies
                .insert(company.to_owned(), CachedCompanyId { id, at });
            return Ok(page);
        }
        let field = FilterField::CompanyId;
        context.add_incomplete_notice(unknown_notice(self.api.http.account(), field, company));
        let next = NextPage::Token {
            next: None,
            total: Some(0),
        };
        Ok(Page::new(Vec::new(), next))
    }

    /// One page of the contacts of a company of Intercom's id; `None` when there is no such
    /// company.
    async fn list_by_company_id(
        &self,
        context: &RequestContext,
        request: &PageRequest,
        id: &str,
    ) -> Result<Option<Page<User>>> {
        let call = Request::get(Operation::List, &["companies", id, "contacts"])
            .query([(ATTACHED.size_param, ATTACHED.max_page_size.to_string())])
            .query(param(&request.address))
            .page(&request.address)
            .no_older_than(request.since);
        let found = self.api.find(context, call).await?;
        let page = found.map(|read| {
            let page = super::page_in(context, &read, &request.address, |next| Some(next.text()));
            page.map(|page| mark_numbered(page, &request.address))
        });
        page.transpose()
    }
}
