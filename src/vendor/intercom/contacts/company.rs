//! A company's contacts. Search knows no companies, so they are a list of their own, by Intercom's id of
//! the company, which is looked up by yours
//! (`developers.intercom.com/docs/references/2.17/rest-api/companies/list-attached-contacts`).

use std::time::Duration;

use moka::sync::Cache;
use serde::Deserialize;

use super::Contacts;
use crate::{
    error::{Error, Kind, Result},
    http::{Call, Operation, Reply, Scope},
    page::{Ask, Next, Page},
    vendor::{Filter, FilterField, intercom::Api, wire},
};

/// For how long Intercom's id of a company is remembered. It never changes while there is the company.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// How many ids of companies are remembered.
const MOST: u64 = 10_000;

/// Remembers ids of companies.
pub(super) fn ids() -> Cache<String, String> {
    let ids = Cache::builder().max_capacity(MOST);
    ids.time_to_live(KNOWN_FOR).build()
}

#[derive(Deserialize)]
struct Company {
    #[serde(default, deserialize_with = "wire::text")]
    id: Option<String>,
    /// The vendor's text says that a lookup answers one company, its schema that it answers a list.
    #[serde(default, deserialize_with = "wire::records")]
    data: Option<Vec<Self>>,
}

/// Intercom's id of the company that an answer holds.
pub(super) fn id_in(reply: &Reply) -> Result<String> {
    let company: Company = reply.object()?;
    let listed = company.data.into_iter().flatten().next();
    let id = company.id.or_else(|| listed?.id);
    id.ok_or_else(|| Error::malformed("the vendor answered a company without an id"))
}

/// Intercom's id of a company, by the id that your systems gave it.
pub(super) async fn found(
    api: &Api,
    scope: &Scope,
    operation: Operation,
    company: &str,
) -> Result<Option<String>> {
    let call = Call::get(operation, &["companies"]);
    let call = call.query([("company_id", company.to_owned())]);
    let reply = api.find(scope, call).await?;
    reply.map(|reply| id_in(&reply)).transpose()
}

impl Contacts {
    /// One page of a company's contacts; none where there is no such company.
    pub(super) async fn of_company(
        &self,
        scope: &Scope,
        ask: &Ask,
        filter: &Filter,
        company: &str,
    ) -> Result<Page> {
        if filter.fields() != [FilterField::CompanyId] || filter.sort.is_some() {
            return Err(Error::new(
                Kind::Unsupported,
                "Intercom lists a company's contacts as they are: drop `companyId`, or the other filters and `sort`",
            ));
        }
        let id = match self.companies.get(company) {
            Some(id) => Some(id),
            None => found(&self.api, scope, Operation::List, company).await?,
        };
        if let Some(id) = id {
            let path = ["companies", &id, "contacts"];
            let call = Call::get(Operation::List, &path)
                .query(ask.params())
                .page(&ask.place);
            if let Some(reply) = self.api.find(scope, call).await? {
                self.companies.insert(company.to_owned(), id);
                return super::page_in(&reply);
            }
            self.companies.invalidate(company);
        }
        Ok(Page {
            users: Vec::new(),
            next: Next::Token {
                next: None,
                total: Some(0),
            },
        })
    }
}
