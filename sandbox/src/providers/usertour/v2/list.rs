//! `GET .../users`: the parameters, all of them checked, and the page.

use axum::http::request::Parts;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::providers::usertour::error::{Issue, UsertourError};
use crate::providers::usertour::segments::{Condition, Segment};
use crate::providers::usertour::shape::{self, MembershipIds};
use crate::providers::usertour::store::{Row, UsertourStore};
use crate::providers::usertour::{lists, moment, qs, rules};

/// The values of `expand` for a user.
const EXPANDS: [&str; 3] = ["companies", "memberships", "memberships.company"];
const ORDERS: [&str; 2] = ["createdAt", "-createdAt"];
const DEFAULT_LIMIT: usize = 20;

/// A valid request for a page.
pub(super) struct ListQuery<'a> {
    path: &'a str,
    raw: &'a str,
    limit: usize,
    cursor: Option<&'a str>,
    is_descending: bool,
    expand: Vec<&'a str>,
    filter: V2Filter<'a>,
}

struct V2Filter<'a> {
    email: Option<&'a str>,
    company: Option<&'a str>,
    segment: Option<&'a str>,
    created_after: Option<i64>,
    created_before: Option<i64>,
}

/// The problems found so far.
#[derive(Default)]
struct Issues(Vec<Issue>);

impl Issues {
    /// The value, or its default and one problem more.
    fn collect<T: Default>(&mut self, name: &str, checked: Result<T, String>) -> T {
        checked.unwrap_or_else(|message| {
            self.0.push(Issue::new(name, message));
            T::default()
        })
    }
}

/// `expand` of a request for one user.
pub(super) fn expand(query: &Map<String, Value>) -> Result<Vec<&str>, UsertourError> {
    words(query, "expand", &EXPANDS)
        .map_err(|message| UsertourError::Issues(vec![Issue::new("expand", message)]))
}

impl<'a> ListQuery<'a> {
    /// Reads the parameters, or says everything that is wrong with them.
    pub(super) fn parse(
        parts: &'a Parts,
        query: &'a Map<String, Value>,
    ) -> Result<Self, UsertourError> {
        let mut issues = Issues::default();
        let order = issues.collect("orderBy", words(query, "orderBy", &ORDERS));
        let parsed = Self {
            path: parts.uri.path(),
            raw: parts.uri.query().unwrap_or_default(),
            limit: issues.collect("limit", limit(query)),
            cursor: issues.collect("cursor", text(query, "cursor")),
            is_descending: order.first() == Some(&"-createdAt"),
            expand: issues.collect("expand", words(query, "expand", &EXPANDS)),
            filter: V2Filter {
                email: issues.collect("email", email(query)),
                company: issues.collect("companyId", text(query, "companyId")),
                segment: issues.collect("segmentId", text(query, "segmentId")),
                created_after: issues.collect("createdAfter", bound(query, "createdAfter", false)),
                created_before: issues
                    .collect("createdBefore", bound(query, "createdBefore", true)),
            },
        };
        if issues.0.is_empty() {
            Ok(parsed)
        } else {
            Err(UsertourError::Issues(issues.0))
        }
    }

    /// The page. Where users are tied, they share their `createdAt` with those of ten minutes.
    pub(super) fn page(
        &self,
        store: &UsertourStore,
        first: Option<&Segment>,
        is_tied: bool,
    ) -> Result<Value, UsertourError> {
        let moment_of = |row: &Row| {
            if is_tied {
                lists::tied(row.created_at)
            } else {
                row.created_at
            }
        };
        let mut found = self.filter.apply(store, first)?;
        found.sort_by(|(_, one), (_, other)| {
            (moment_of(one), &one.key).cmp(&(moment_of(other), &other.key))
        });
        if self.is_descending {
            found.reverse();
        }
        let Some(start) = self.start(&found)? else {
            return Ok(json!({"results": [], "next": null, "previous": null}));
        };
        let end = found.len().min(start + self.limit);
        let results = found[start..end].iter().map(|(serial, row)| {
            let ids = MembershipIds::External;
            let mut user = shape::user(store, *serial, row, &self.expand, ids);
            user["createdAt"] = json!(moment::text(moment_of(row)));
            user
        });
        let results: Vec<Value> = results.collect();
        let next = (end < found.len()).then(|| self.link(Some(&found[end - 1].1.key)));
        let previous = self.after().map(|_| {
            // The last row before the previous page; without one, that is the first page.
            let before = start.checked_sub(self.limit + 1);
            self.link(before.map(|index| found[index].1.key.as_str()))
        });
        Ok(json!({"results": results, "next": next, "previous": previous}))
    }

    fn after(&self) -> Option<&'a str> {
        self.cursor.filter(|cursor| !cursor.is_empty())
    }

    /// The first row of the page; none where the cursor is unknown or exhausted.
    fn start(&self, found: &[(u64, &Row)]) -> Result<Option<usize>, UsertourError> {
        let Some(cursor) = self.after() else {
            return Ok(Some(0));
        };
        rules::storable(cursor)?;
        let index = found.iter().position(|(_, row)| row.key == cursor);
        let start = index.map(|index| index + 1);
        Ok(start.filter(|start| *start < found.len()))
    }

    /// The request with another cursor: everything else in the query stays.
    fn link(&self, cursor: Option<&str>) -> String {
        let mut pairs = qs::pairs(self.raw);
        pairs.retain(|(name, _)| name != "cursor");
        if let Some(cursor) = cursor {
            pairs.push(("cursor".to_owned(), cursor.to_owned()));
        }
        qs::set(&mut pairs, "limit", self.limit.to_string());
        format!("{}?{}", self.path, qs::encode(&pairs))
    }
}

impl V2Filter<'_> {
    fn apply<'s>(
        &self,
        store: &'s UsertourStore,
        first: Option<&Segment>,
    ) -> Result<Vec<(u64, &'s Row)>, UsertourError> {
        let texts = [self.email, self.company, self.segment];
        texts.into_iter().flatten().try_for_each(rules::storable)?;
        let company = self.company.filter(|id| !id.is_empty());
        let company = match company {
            Some(id) => Some(store.companies.find(id).ok_or(UsertourError::NoCompany)?),
            None => None,
        };
        let condition = self.condition(store, first)?;
        let found = store.users.iter().filter(|(serial, row)| {
            company.is_none_or(|company| store.is_member(*serial, company))
                && condition.holds(*serial, row)
                && self
                    .email
                    .is_none_or(|email| lists::is_email_of(row, email))
                && self
                    .created_after
                    .is_none_or(|bound| row.created_at >= bound)
                && self
                    .created_before
                    .is_none_or(|bound| row.created_at <= bound)
        });
        Ok(found.collect())
    }

    /// The segment: one of another project is as unknown as none at all; an empty one is no filter.
    fn condition<'s>(
        &self,
        store: &'s UsertourStore,
        first: Option<&'s Segment>,
    ) -> Result<Condition<'s>, UsertourError> {
        let condition = Condition::of(&store.segments, self.segment, first);
        match self.segment.filter(|segment| !segment.is_empty()) {
            Some(id) if !store.has_own_segment(id) => Err(UsertourError::NoSegment),
            _ => Ok(condition),
        }
    }
}

/// A whole number from 1 to 100, coerced as JavaScript's `Number` does.
fn limit(query: &Map<String, Value>) -> Result<usize, String> {
    let number = match query.get("limit") {
        None => return Ok(DEFAULT_LIMIT),
        Some(Value::String(text)) => rules::js_number(text),
        Some(_) => f64::NAN,
    };
    let whole = (1..=100_u8).find(|whole| f64::from(*whole) == number);
    whole
        .map(usize::from)
        .ok_or_else(|| "expected a whole number from 1 to 100".to_owned())
}

fn text<'a>(query: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match query.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("expected a string".to_owned()),
    }
}

fn words<'a>(
    query: &'a Map<String, Value>,
    name: &str,
    allowed: &[&str],
) -> Result<Vec<&'a str>, String> {
    rules::words(query, name, allowed)
        .map_err(|_| format!("expected one of {}", allowed.join(", ")))
}

fn email(query: &Map<String, Value>) -> Result<Option<&str>, String> {
    let email = text(query, "email")?;
    if email.is_some_and(|email| !is_email(email)) {
        return Err("expected an email address".to_owned());
    }
    Ok(email)
}

/// The pattern of the library that the server validates with: ASCII only.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let is_local = |c: char| c.is_ascii_alphanumeric() || "_'+-.".contains(c);
    let ends_well = local.ends_with(|c: char| c.is_ascii_alphanumeric() || "_+-".contains(c));
    let is_label = |label: &str| {
        label.starts_with(|c: char| c.is_ascii_alphanumeric())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let Some((labels, top)) = domain.rsplit_once('.') else {
        return false;
    };
    let is_top = top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic());
    let has_dots = local.starts_with('.') || text.contains("..");
    !has_dots
        && ends_well
        && local.chars().all(is_local)
        && is_top
        && labels.split('.').all(is_label)
}

/// A moment with its time zone, or a date, which is the whole day in UTC. Milliseconds since the
/// epoch: of a day the first, or as an upper bound the last.
fn bound(query: &Map<String, Value>, name: &str, is_upper: bool) -> Result<Option<i64>, String> {
    let Some(text) = text(query, name)? else {
        return Ok(None);
    };
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Some(moment.as_millisecond()));
    }
    let is_date = text.len() == "2026-02-03".len();
    let day = text.parse::<Date>().ok().filter(|_| is_date);
    let day = if is_upper {
        day.and_then(|day| day.tomorrow().ok())
    } else {
        day
    };
    let start = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    let start = start.map(|start| start.timestamp().as_millisecond());
    let start = start.ok_or_else(|| "expected a date, or a moment with its time zone".to_owned());
    start.map(|start| Some(start - i64::from(is_upper)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::{bound, is_email};

    #[test]
    fn only_ascii_addresses_can_be_searched_for() {
        for good in [
            "a@x.example",
            "A+b@X.Example",
            "o'hara@x.test",
            "un_der@x.test",
        ] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@localhost",
            "jörg@x.test",
            "info@bücher.example",
            "per%cent@x.test",
            "a..b@x.test",
            ".a@x.test",
            "a b@x.test",
            "\"q\"@x.test",
            "@x.test",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn a_bare_date_is_the_whole_day() {
        let at = |text: &str, is_upper: bool| {
            let query = Map::from_iter([("at".to_owned(), json!(text))]);
            bound(&query, "at", is_upper)
        };
        assert_eq!(at("1970-01-02", false), Ok(Some(86_400_000)));
        assert_eq!(at("1970-01-02", true), Ok(Some(2 * 86_400_000 - 1)));
        assert_eq!(at("1970-01-01T00:00:01Z", true), Ok(Some(1000)));
        assert_eq!(at("1970-01-01T02:00:01+02:00", false), Ok(Some(1000)));
        for bad in ["", "1970-01-01T00:00:01", "1970-02-30", "1970", "yesterday"] {
            assert!(at(bad, false).is_err(), "{bad}");
        }
    }
}
