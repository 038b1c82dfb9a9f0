//! The lists that a contact only begins: at most ten ids of each come with it, whole they are calls of
//! their own (`developers.intercom.com/docs/references/2.17/rest-api/contacts`, the lists of companies,
//! segments and tags of a contact).

use serde::Deserialize;
use serde_json::Value;

use crate::{
    client::{Operation, Request, RequestContext, Response},
    connectors::{Subresource, SubresourceData, decode, intercom::IntercomApi},
    error::{Error, ErrorKind, Result},
    user::{Company, Label},
};

/// The largest page of a contact's companies.
pub(super) const SIZE: &str = "60";

/// What stands before a page's number where a token could be: no token of base64 has it.
const PAGE: &str = "page:";

/// How many pages of such a list are read at most.
const PAGES: usize = 100;

/// Where a list goes on, as the provider says it: of a link only what names the place is read.
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

    /// The place as one text, which [`SubresourceNext::from_text`] reads.
    pub(super) fn text(self) -> String {
        match self {
            Self::Token(token) => token,
            Self::Page(page) => format!("{PAGE}{page}"),
        }
    }

    /// Reads the place from one text.
    pub(super) fn from_text(text: &str) -> Self {
        match text.strip_prefix(PAGE) {
            Some(page) => Self::Page(page.to_owned()),
            None => Self::Token(text.to_owned()),
        }
    }

    /// Whether a text that [`SubresourceNext::text`] made names a numbered page.
    pub(super) fn is_number(text: &str) -> bool {
        text.starts_with(PAGE)
    }

    /// The query parameter that names the place.
    pub(super) fn param(self) -> (&'static str, String) {
        match self {
            Self::Token(token) => ("starting_after", token),
            Self::Page(page) => ("page", page),
        }
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

#[derive(Deserialize)]
struct SubresourceItem {
    #[serde(default, deserialize_with = "decode::text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    company_id: Option<String>,
    #[serde(default, deserialize_with = "decode::text")]
    name: Option<String>,
}

/// A part of a contact; `None` when there is no such contact.
pub(super) async fn part(
    api: &IntercomApi,
    context: &RequestContext,
    id: &str,
    part: Subresource,
) -> Result<Option<SubresourceData>> {
    // Segments and tags are answered whole: of them no size can be asked for.
    let (operation, path, size) = match part {
        Subresource::Companies => (Operation::Companies, "companies", Some(SIZE)),
        Subresource::Segments => (Operation::Segments, "segments", None),
        Subresource::Tags => (Operation::Tags, "tags", None),
        Subresource::Attributes => {
            let message = "a contact's custom attributes are part of it";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    };
    let mut items: Vec<SubresourceItem> = Vec::new();
    let mut onward: Option<SubresourceNext> = None;
    for _ in 0..PAGES {
        let at = onward.clone().map(SubresourceNext::param);
        let call = Request::get(operation, &["contacts", id, path])
            .query(size.map(|size| ("per_page", size.to_owned())))
            .query(at);
        let Some(response) = api.find(context, call).await? else {
            return Ok(None);
        };
        let (some, next) = read(&response)?;
        items.extend(some);
        if next.is_none() {
            return Ok(Some(held(items, part)));
        }
        if next == onward {
            return Err(Error::malformed("the provider's list runs in a circle"));
        }
        onward = next;
    }
    Err(Error::malformed(format!(
        "the provider's list of {path} has more than {PAGES} pages"
    )))
}

fn read(response: &Response) -> Result<(Vec<SubresourceItem>, Option<SubresourceNext>)> {
    let list: SubresourceList = response.object()?;
    let Some(items) = list.data else {
        return Err(Error::malformed(
            "the provider answered a list without items",
        ));
    };
    let next = list.pages.map(|pages| pages.next);
    let next = match next.filter(|next| !next.is_null()) {
        Some(next) => Some(SubresourceNext::of(&next).ok_or_else(|| {
            Error::malformed("the provider says that there is more, and not where")
        })?),
        None => None,
    };
    Ok((items, next))
}

fn held(items: Vec<SubresourceItem>, part: Subresource) -> SubresourceData {
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
