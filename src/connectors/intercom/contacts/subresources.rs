//! The lists that a contact holds only in part: at most ten ids of each come with it; the whole
//! lists take separate calls (`developers.intercom.com/docs/references/2.17/rest-api/contacts`, the
//! lists of companies, segments and tags of a contact).

use serde::Deserialize;
use serde_json::Value;

use crate::{
    client::{Decoded, DecodedBody, Operation, Request, Response},
    connectors::{Subresource, SubresourceData, decode, intercom::IntercomApi, rows},
    context::RequestContext,
    error::{Error, ErrorKind, Result},
    pagination::{
        NextPage, Page, PageAddress, PaginationSpec, PaginationStrategy, Row, ScanLimits,
        Truncation,
    },
    user::{Company, Label},
};

/// How the lists of a contact and of a company are paged. The provider's documents disagree whether
/// pages have tokens or numbers, so all pages have one size.
pub(super) const ATTACHED: PaginationSpec = PaginationSpec {
    strategy: PaginationStrategy::Token,
    position_param: "starting_after",
    size_param: "per_page",
    min_page_size: 60,
    max_page_size: 60,
    max_rows: None,
    is_counted: false,
};

/// The prefix of a page number in place of a token: no base64 token contains it.
const PAGE: &str = "page:";

/// The largest number of pages that are read of such a list.
const PAGES: u32 = 100;

/// The next page of a list. Of a link only the parameter that names the page is read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum SubresourceNext {
    /// After a token.
    Token(String),
    /// At a page of a number.
    Page(String),
}

impl SubresourceNext {
    /// Reads `{"starting_after":…}`, `{"page":…}` and links with either.
    pub(super) fn of(next: &Value) -> Option<Self> {
        let text = |value: &Value| match value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        match next {
            Value::Object(next) => {
                let token = next.get("starting_after").and_then(text).map(Self::Token);
                token.or_else(|| next.get("page").and_then(text).map(Self::Page))
            }
            Value::String(link) => {
                let (_, query) = link.split_once('?')?;
                let value = |wanted: &str| {
                    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
                    let pair = pairs.find(|(name, _)| name == wanted);
                    pair.map(|(_, value)| value.into_owned())
                };
                let token = value("starting_after").map(Self::Token);
                token.or_else(|| value("page").map(Self::Page))
            }
            _ => None,
        }
    }

    /// The token, for lists that know no page numbers.
    pub(super) fn token(self) -> Option<String> {
        match self {
            Self::Token(token) => Some(token),
            Self::Page(_) => None,
        }
    }

    /// The page as the token of a [`PageAddress`], which [`SubresourceNext::from_text`] reads.
    pub(super) fn text(self) -> String {
        match self {
            Self::Token(token) => token,
            Self::Page(page) => format!("{PAGE}{page}"),
        }
    }

    /// Reads what [`SubresourceNext::text`] wrote.
    fn from_text(text: &str) -> Self {
        match text.strip_prefix(PAGE) {
            Some(page) => Self::Page(page.to_owned()),
            None => Self::Token(text.to_owned()),
        }
    }

    /// Whether a text of [`SubresourceNext::text`] names a numbered page.
    pub(super) fn is_number(text: &str) -> bool {
        text.starts_with(PAGE)
    }
}

/// The query parameter that names the page at an address; `None` at the start.
pub(super) fn param(address: &PageAddress) -> Option<(&'static str, String)> {
    match address {
        PageAddress::Token(Some(token)) => Some(match SubresourceNext::from_text(token) {
            SubresourceNext::Token(token) => (ATTACHED.position_param, token),
            SubresourceNext::Page(page) => ("page", page),
        }),
        PageAddress::Token(None)
        | PageAddress::Key(_)
        | PageAddress::Page(_)
        | PageAddress::Offset(_) => None,
    }
}

#[derive(Deserialize)]
struct SubresourceList {
    #[serde(
        default,
        alias = "companies",
        alias = "segments",
        alias = "tags",
        deserialize_with = "decode::records"
    )]
    data: Option<Vec<SubresourceItem>>,
    #[serde(default, deserialize_with = "decode::deciding")]
    pages: Option<SubresourcePages>,
}

#[derive(Deserialize)]
struct SubresourcePages {
    #[serde(default)]
    next: Value,
}

#[derive(Clone, Deserialize)]
struct SubresourceItem {
    #[serde(default, deserialize_with = "decode::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    company_id: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    name: Option<String>,
    /// The key of the item in its list.
    #[serde(skip)]
    key: String,
}

impl Row for SubresourceItem {
    const PLURAL: &'static str = "items";

    fn key(&self) -> &str {
        &self.key
    }
}

/// A part of a contact; `None` when there is no such contact.
pub(super) async fn part(
    api: &IntercomApi,
    context: &RequestContext,
    id: &str,
    part: Subresource,
) -> Result<Option<SubresourceData>> {
    let call = match part {
        Subresource::Companies => {
            Request::get(Operation::Companies, &["contacts", id, "companies"])
                .query([(ATTACHED.size_param, ATTACHED.max_page_size.to_string())])
        }
        // Segments and tags are answered whole: no size can be asked for.
        Subresource::Segments => Request::get(Operation::Segments, &["contacts", id, "segments"]),
        Subresource::Tags => Request::get(Operation::Tags, &["contacts", id, "tags"]),
        Subresource::Attributes => {
            let message = "a contact's custom attributes are part of it";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    };
    let call = &call;
    let limits = ScanLimits {
        pages: PAGES,
        until: context.deadline(),
    };
    let scan = rows::scan(
        context,
        &ATTACHED,
        limits,
        |_| true,
        |request| async move {
            let call = call.clone().query(param(&request.address));
            let found = api.find(context, call.no_older_than(request.since)).await?;
            page_in(&found.ok_or_else(no_contact)?, &request.address)
        },
    );
    let scan = scan.await;
    if let Some(incomplete) = scan.incomplete {
        context.add_incomplete_notice(incomplete.notice::<SubresourceItem>());
    }
    match scan.truncation {
        None => Ok(Some(data_of(scan.rows, part))),
        Some(Truncation::Failed(error)) if error.kind() == ErrorKind::Missing => Ok(None),
        Some(Truncation::Failed(error)) => Err(error),
        Some(Truncation::DeadlineReached { .. }) => Err(Error::deadline_exceeded()),
        Some(Truncation::PageLimit { .. }) => Err(Error::malformed(format!(
            "the provider's list of {} has more than {PAGES} pages",
            part.name()
        ))),
    }
}

/// Ends the scan of a list whose contact does not exist.
fn no_contact() -> Error {
    Error::new(ErrorKind::Missing, "there is no such contact")
}

impl DecodedBody for SubresourceList {
    fn decode(response: &Response) -> Result<Self> {
        let list: Self = response.object()?;
        match list.data {
            Some(_) => Ok(list),
            None => Err(Error::malformed(
                "the provider answered a list without items",
            )),
        }
    }

    fn row_count(&self) -> usize {
        self.data.as_ref().map_or(0, Vec::len)
    }
}

fn page_in(
    read: &Decoded<SubresourceList>,
    address: &PageAddress,
) -> Result<Page<SubresourceItem>> {
    let mut items = read.body.data.clone().unwrap_or_default();
    for (index, item) in items.iter_mut().enumerate() {
        // Nothing tells whether an item without an id has come before: it is a row of its own.
        let unique = || format!("{address:?} {index}");
        item.key = item.id.clone().unwrap_or_else(unique);
    }
    let next = read.body.pages.as_ref().map(|pages| &pages.next);
    let next = match next.filter(|next| !next.is_null()) {
        Some(next) => Some(SubresourceNext::of(next).ok_or_else(|| {
            Error::malformed("the provider says that there is more, and not where")
        })?),
        None => None,
    };
    let next = NextPage::Token {
        next: next.map(SubresourceNext::text),
        total: None,
    };
    Ok(Page::new(items, next).cached_at(read.response.cached_at))
}

fn data_of(items: Vec<SubresourceItem>, part: Subresource) -> SubresourceData {
    let items = items.into_iter();
    match part {
        Subresource::Companies => {
            let company = |item: SubresourceItem| Company {
                remote_id: item.id,
                external_id: item.company_id,
                name: item.name,
            };
            SubresourceData::Companies(items.map(company).collect())
        }
        Subresource::Attributes | Subresource::Segments | Subresource::Tags => {
            let label = |item: SubresourceItem| Label {
                id: item.id,
                name: item.name,
            };
            SubresourceData::Labels(items.map(label).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::SubresourceNext;

    #[test]
    fn where_a_list_goes_on_is_read_from_every_form_that_is_known() {
        let token = Some(SubresourceNext::Token("a+b=".to_owned()));
        let page = Some(SubresourceNext::Page("2".to_owned()));

        assert_eq!(
            SubresourceNext::of(&json!({ "page": 2, "starting_after": "a+b=" })),
            token
        );
        assert_eq!(
            SubresourceNext::of(&json!(
                "https://elsewhere.test/x?per_page=60&starting_after=a%2Bb%3D"
            )),
            token
        );
        assert_eq!(SubresourceNext::of(&json!({ "page": 2 })), page);
        assert_eq!(
            SubresourceNext::of(&json!("/contacts/1/companies?page=2")),
            page
        );
        assert_eq!(SubresourceNext::of(&json!("/contacts/1/companies")), None);
        assert_eq!(SubresourceNext::of(&json!({})), None);
    }
}
