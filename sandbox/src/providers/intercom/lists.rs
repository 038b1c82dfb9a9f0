//! The lists by page number.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::Params;
use super::error::IntercomError;
use super::shape::ClassicShape;
use super::store::{Contact, IntercomStore, label_id, merged};
use super::version::Version;
use crate::behaviour::Behaviour;
use crate::emulation::Origin;
use crate::rate;

const PER_PAGE: u64 = 50;
const MOST_PER_PAGE: u64 = 60;
/// The rows that can be reached by page number.
const CEILING: u64 = 10_000;
const DAY: i64 = 86_400;

/// A read of contacts, with all that its answer depends on.
pub(super) struct ReadRequest<'a> {
    /// The workspace.
    pub(super) store: &'a IntercomStore,
    /// The version of the request.
    pub(super) version: Version,
    /// The switches.
    pub(super) behaviour: &'a Behaviour,
    /// The query.
    pub(super) params: &'a Params,
    /// The path as it was sent.
    pub(super) path: &'a str,
    /// The address at which the caller reached the sandbox.
    pub(super) origin: &'a Origin,
}

/// The page of a list that a request asks for.
struct Paging {
    page: u64,
    per_page: u64,
}

impl ReadRequest<'_> {
    /// How contacts are shown to this request.
    pub(super) fn shape(&self) -> ClassicShape<'_> {
        ClassicShape {
            store: self.store,
            version: self.version,
            behaviour: self.behaviour,
        }
    }

    /// `GET /users`: a lookup by the first of `user_id`, `email`, `phone` that is given, a list by
    /// tag or segment, or the plain list.
    pub(super) fn users(&self) -> Result<Value, IntercomError> {
        let params = self.params;
        if let Some(user_id) = params.get("user_id") {
            return self.by_user_id(user_id, false);
        }
        if let Some(email) = params.get("email") {
            return self.by_email(email);
        }
        if let Some(phone) = params
            .get("phone")
            .filter(|_| self.version >= Version::V1_2)
        {
            let users = self.store.users.newest_first().map(|(_, user)| user);
            let found = users.filter(|user| user.phone.as_deref() == Some(phone));
            return self.list("user", &found.collect::<Vec<_>>());
        }
        match (params.get("tag_id"), params.get("segment_id")) {
            (Some(_), Some(_)) => Err(IntercomError::bad_request(
                "tag_id and segment_id cannot be combined",
            )),
            (Some(id), None) => self.contacts_with_label(id, |contact| &contact.tags),
            (None, Some(id)) => self.contacts_with_label(id, |contact| &contact.segments),
            (None, None) => self.plain(),
        }
    }

    /// `GET /contacts`, which means leads in 1.x.
    pub(super) fn leads(&self) -> Result<Value, IntercomError> {
        if let Some(user_id) = self.params.get("user_id") {
            return self.by_user_id(user_id, true);
        }
        let leads: Vec<&Contact> = match self.params.get("email") {
            Some(email) => contacts(self.store.leads.with_email(email, self.is_case_sensitive())),
            None => contacts(self.store.leads.newest_first()),
        };
        self.list("contact", &leads)
    }

    /// `GET /companies/{id}/users`.
    pub(super) fn company_users(&self, company_id: &str) -> Result<Value, IntercomError> {
        let users = self.store.users.newest_first().map(|(_, user)| user);
        let members = users.filter(|user| user.companies.iter().any(|id| id == company_id));
        self.list("user", &members.collect::<Vec<_>>())
    }

    /// `GET /users/{id}` and `GET /contacts/{id}`.
    pub(super) fn by_id(&self, id: &str, lead: bool) -> Result<Value, IntercomError> {
        let table = self.store.table(lead);
        let contact = table.serial_of(id).and_then(|serial| table.get(serial));
        self.one(contact, lead)
    }

    fn by_user_id(&self, user_id: &str, lead: bool) -> Result<Value, IntercomError> {
        let table = self.store.table(lead);
        let serial = table.serial_of_user_id(user_id);
        self.one(serial.and_then(|serial| table.get(serial)), lead)
    }

    fn one(&self, contact: Option<&Contact>, lead: bool) -> Result<Value, IntercomError> {
        let message = if lead {
            "Contact Not Found"
        } else {
            "User Not Found"
        };
        let contact = contact.ok_or_else(|| IntercomError::not_found(message))?;
        Ok(self.shape().contact(contact))
    }

    /// A bare user in 1.0, a list from 1.1, in which 1.1 mixes leads.
    fn by_email(&self, email: &str) -> Result<Value, IntercomError> {
        if self.behaviour.is("email_body", "error_list_200") {
            return Err(IntercomError::under_200());
        }
        let users = self.store.users.with_email(email, self.is_case_sensitive());
        match self.version {
            Version::V1_0 => match users[..] {
                [] => Err(IntercomError::not_found("User Not Found")),
                [(_, user)] => Ok(self.shape().contact(user)),
                _ => Err(IntercomError::ambiguous()),
            },
            Version::V1_1 => {
                let leads = self.store.leads.with_email(email, self.is_case_sensitive());
                self.list("user", &merged(users, leads))
            }
            _ => self.list("user", &contacts(users)),
        }
    }

    fn is_case_sensitive(&self) -> bool {
        self.behaviour.is("email", "case_sensitive")
    }

    /// Users and leads with a tag or segment.
    fn contacts_with_label(
        &self,
        id: &str,
        labels: fn(&Contact) -> &Vec<String>,
    ) -> Result<Value, IntercomError> {
        let mut everybody = self.store.everybody();
        everybody.retain(|contact| labels(contact).iter().any(|name| label_id(name) == id));
        self.list("user", &everybody)
    }

    /// The only list that can be sorted and bounded in time.
    fn plain(&self) -> Result<Value, IntercomError> {
        let mut users = contacts(self.store.users.newest_first());
        if let Some(days) = self.params.get("created_since") {
            let days: i64 = days
                .parse()
                .map_err(|_| IntercomError::invalid("created_since must be a number of days"))?;
            let since = rate::now().saturating_sub(days.saturating_mul(DAY));
            users.retain(|user| user.created_at >= since);
        }
        self.sort(&mut users)?;
        let paging = self.paging()?;
        let pages = self.pages(&paging, users.len(), false);
        Ok(json!({
            "type": "user.list",
            "total_count": users.len(),
            "pages": pages,
            "users": self.rows(&paging, &users),
        }))
    }

    fn sort(&self, users: &mut [&Contact]) -> Result<(), IntercomError> {
        let key: fn(&Contact) -> Option<i64> = match self.params.get("sort") {
            None | Some("created_at") => |user| Some(user.created_at),
            Some("last_request_at") => |user| user.last_request_at,
            Some("signed_up_at") => |user| user.signed_up_at,
            Some("updated_at") => |user| Some(user.updated_at),
            Some(_) => return Err(IntercomError::invalid("sort is unknown")),
        };
        match self.params.get("order") {
            None | Some("desc") => users.sort_by_key(|user| Reverse(key(user))),
            Some("asc") => {
                users.reverse();
                users.sort_by_key(|user| key(user));
            }
            Some(_) => return Err(IntercomError::invalid("order must be asc or desc")),
        }
        Ok(())
    }

    /// A list that cannot be sorted: `users` or `contacts`, in an envelope with all its members.
    fn list(&self, kind: &str, contacts: &[&Contact]) -> Result<Value, IntercomError> {
        let paging = self.paging()?;
        let mut envelope = json!({
            "type": format!("{kind}.list"),
            "limited": false,
            "total_count": contacts.len(),
            "pages": self.pages(&paging, contacts.len(), true),
        });
        envelope[format!("{kind}s")] = json!(self.rows(&paging, contacts));
        Ok(envelope)
    }

    fn rows(&self, paging: &Paging, contacts: &[&Contact]) -> Vec<Value> {
        let shape = self.shape();
        let skipped = (paging.page - 1).saturating_mul(paging.per_page);
        contacts
            .iter()
            .skip(usize::try_from(skipped).unwrap_or(usize::MAX))
            .take(usize::try_from(paging.per_page).unwrap_or_default())
            .map(|contact| shape.contact(contact))
            .collect()
    }

    fn paging(&self) -> Result<Paging, IntercomError> {
        let asked = self.params.get("per_page");
        let asked = asked.map(|text| text.parse::<u64>().unwrap_or_default());
        let fits = asked.is_none_or(|size| (1..=MOST_PER_PAGE).contains(&size));
        if !fits && self.behaviour.is("per_page", "reject") {
            return Err(IntercomError::invalid("per_page must be from 1 to 60"));
        }
        let per_page = asked
            .filter(|size| *size > 0)
            .map_or(PER_PAGE, |size| size.min(MOST_PER_PAGE));
        let page = self.params.get("page").map(str::parse::<u64>);
        let page = page.and_then(Result::ok).unwrap_or(1).max(1);
        let ceiling = self.behaviour.number("ceiling").unwrap_or(CEILING);
        if page.saturating_mul(per_page) > ceiling {
            return Err(IntercomError::bad_request(
                "page limit reached, please use the scroll API",
            ));
        }
        Ok(Paging { page, per_page })
    }

    /// `page` is 1 while `total_pages` is 0 in an empty list.
    fn pages(&self, paging: &Paging, total: usize, typed: bool) -> Value {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let total_pages = total.div_ceil(paging.per_page);
        let mut pages = Map::new();
        if typed {
            pages.insert("type".to_owned(), json!("pages"));
        }
        if !self.behaviour.is("next", "absent") {
            let next = (paging.page < total_pages).then(|| self.next(paging));
            pages.insert("next".to_owned(), json!(next));
        }
        pages.insert("page".to_owned(), json!(paging.page));
        pages.insert("per_page".to_owned(), json!(paging.per_page));
        pages.insert("total_pages".to_owned(), json!(total_pages));
        Value::Object(pages)
    }

    /// An absolute link, by default to the provider's own host whichever host was called.
    fn next(&self, paging: &Paging) -> String {
        let kept = self.params.others(&["page", "per_page"]);
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept)
            .append_pair("per_page", &paging.per_page.to_string())
            .append_pair("page", &(paging.page + 1).to_string())
            .finish();
        let link = format!("{}?{query}", self.path);
        if self.behaviour.is("next", "same_host") {
            self.origin.link(&link)
        } else {
            format!("https://api.intercom.io{link}")
        }
    }
}

fn contacts<'a>(rows: impl IntoIterator<Item = (u64, &'a Contact)>) -> Vec<&'a Contact> {
    rows.into_iter().map(|(_, contact)| contact).collect()
}
