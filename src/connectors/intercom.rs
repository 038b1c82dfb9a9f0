//! Intercom: two APIs at one address, chosen by version.
//!
//! | version | people are | connector |
//! |---|---|---|
//! | 1.0 to 1.4 | users, and leads beside them | `users` |
//! | 2.0 to 2.17 | contacts, of the role user or lead | `contacts` |
//!
//! # Credentials
//! An access token as a bearer token. The version is always sent: without it the answer's shape
//! hangs on a setting of the app that nobody here can see (`developers.intercom.com`, "Update your
//! API version").
//!
//! # Limits
//! Buckets of ten seconds, told by `X-RateLimit-*`; no `Retry-After`.
//!
//! # Quirks
//! Errors are an `error.list`, now and then under status 200. A merged contact is 410 with the way
//! to the one that it became in `Link`; such a link is followed on the configured host only.

mod contacts;
mod labels;
mod pages;
mod record;
mod users;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue, LINK},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, value::RawValue};

pub use record::{
    IntercomCompany, IntercomContactLocation, IntercomLocation, IntercomSegment,
    IntercomSocialProfile, IntercomTag, IntercomUser,
};

use super::{
    ConnectContext, Connector, ConnectorSpec, QuotaWindow, RecordKeys, check_identity, check_range,
    decode,
};
use crate::{
    client::{
        AuthScheme, Client, Decoded, DecodedBody, ErrorDetails, HttpSpec, QuotaHeaders, Request,
        ResetKind, Response,
    },
    context::RequestContext,
    error::{Error, ErrorKind, RejectionReason, Result, shown_value},
    user::{FieldChange, User, UserPatch},
};

/// How to reach Intercom; a workspace lives in one of three regions.
pub const SPEC: ConnectorSpec = ConnectorSpec {
    base_url: Some("https://api.intercom.io"),
    regions: &[
        ("us", "https://api.intercom.io"),
        ("eu", "https://api.eu.intercom.io"),
        ("au", "https://api.au.intercom.io"),
    ],
    http: HttpSpec {
        auth: AuthScheme::Bearer,
        quota_headers: Some(QuotaHeaders::x_rate_limit(ResetKind::UnixSeconds)),
        read_error,
        idle: Duration::from_secs(4),
    },
    record_keys: KEYS,
    concurrency: 8,
    timeout: Duration::from_secs(5),
    // 10,000 a minute for an app, counted by ten seconds; its headers say what an app really has,
    // https://developers.intercom.com/docs/references/rest-api/errors/rate-limiting
    budget: &[QuotaWindow {
        calls: 1667,
        seconds: 10,
    }],
    connect: |connection| {
        let api = IntercomApi::connect(&connection)?;
        Ok(match api.version.major {
            1 => Box::new(users::Users::new(api)) as Box<dyn Connector>,
            _ => Box::new(contacts::Contacts::new(api, connection.recent)),
        })
    },
};

/// The fields that tell records and persons apart.
const KEYS: RecordKeys = RecordKeys {
    id: "id",
    deciding: &["company_id", "email", "external_id", "user_id"],
};

/// Options of this provider.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct IntercomOptions {
    /// The API version that is asked for.
    #[serde(deserialize_with = "quoted")]
    version: String,
    /// How many addresses or ids one search of contacts names: Intercom documents no bound.
    search_batch: u64,
    /// For how many seconds a contact that was written here is read by its id rather than found by
    /// search, whose index lags.
    index_lag_seconds: u64,
}

impl Default for IntercomOptions {
    fn default() -> Self {
        Self {
            version: "2.17".to_owned(),
            search_batch: 50,
            index_lag_seconds: 600,
        }
    }
}

/// A version in quotes: 2.10 as a number would be 2.1.
fn quoted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(version) => Ok(version),
        other => Err(D::Error::custom(format!(
            "`version` must be in quotes: \"{other}\", not {other}"
        ))),
    }
}

/// A version of the API: two whole numbers, so that 2.10 is later than 2.9.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct ApiVersion {
    major: u8,
    minor: u8,
}

impl ApiVersion {
    /// Whether the version is at least 2.`minor`.
    fn is_from(self, minor: u8) -> bool {
        self >= Self { major: 2, minor }
    }
}

impl FromStr for ApiVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = text.split_once('.').and_then(|(major, minor)| {
            let version = Self {
                major: major.parse().ok()?,
                minor: minor.parse().ok()?,
            };
            // `2.07` and `+2.7` read as numbers, and are no versions.
            let is_known = matches!((version.major, version.minor), (1, 0..=4) | (2, 0..=17));
            (is_known && version.to_string() == text).then_some(version)
        });
        known.ok_or_else(|| {
            Error::invalid(format!(
                "`version` is {}; expected 1.0 to 1.4 (users) or 2.0 to 2.17 (contacts), in quotes",
                shown_value(text)
            ))
        })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The API at one version.
struct IntercomApi {
    http: Client,
    version: ApiVersion,
    header: HeaderValue,
    search_batch: usize,
    index_lag: Duration,
}

impl IntercomApi {
    fn connect(connection: &ConnectContext) -> Result<Self> {
        let options: IntercomOptions = connection.options()?;
        check_range("search_batch", options.search_batch, 150)?;
        if options.index_lag_seconds > 0 {
            check_range("index_lag_seconds", options.index_lag_seconds, 86_400)?;
        }
        let version: ApiVersion = options.version.parse()?;
        let header = HeaderValue::from_str(&version.to_string())
            .map_err(|_| Error::invalid("`version` cannot be sent"))?;
        Ok(Self {
            http: connection.http.clone(),
            version,
            header,
            // At most 150, so it fits.
            search_batch: usize::try_from(options.search_batch).unwrap_or(1),
            index_lag: Duration::from_secs(options.index_lag_seconds),
        })
    }

    fn versioned(&self, call: Request) -> Request {
        static VERSION: HeaderName = HeaderName::from_static("intercom-version");
        call.header(VERSION.clone(), self.header.clone())
    }

    async fn send<T: DecodedBody>(
        &self,
        context: &RequestContext,
        call: Request,
    ) -> Result<Decoded<T>> {
        self.http.send(context, self.versioned(call)).await
    }

    async fn find<T: DecodedBody>(
        &self,
        context: &RequestContext,
        call: Request,
    ) -> Result<Option<Decoded<T>>> {
        self.http.find(context, self.versioned(call)).await
    }

    async fn write(&self, context: &RequestContext, call: Request) -> Result<Response> {
        self.http.write(context, self.versioned(call)).await
    }

    /// The user that a call asks for.
    async fn user(
        &self,
        context: &RequestContext,
        call: Request,
        is_it: impl FnOnce(&User) -> bool,
    ) -> Result<Option<User>> {
        let found = self.find::<IntercomRecord>(context, call).await?;
        let user = found.map(|found| Arc::unwrap_or_clone(found.body).0);
        user.map(|user| check_identity(user, is_it)).transpose()
    }

    /// The user of Intercom's id that a call asks for.
    async fn fetch_user(
        &self,
        context: &RequestContext,
        call: Request,
        id: &str,
    ) -> Result<Option<User>> {
        self.user(context, call, |user| user.remote_id == id).await
    }
}

/// A response with one user.
#[derive(Clone)]
struct IntercomRecord(User);

impl DecodedBody for IntercomRecord {
    fn decode(response: &Response) -> Result<Self> {
        user_in(response).map(Self)
    }
}

fn user_in(response: &Response) -> Result<User> {
    let raw: Box<RawValue> = response.json()?;
    record::user(response.account, raw.into())
        .map_err(|error| refused_under_200(response).unwrap_or(error))
}

/// Whether a record has this external id. A lead has one too, which Intercom made.
fn has_external_id(user: &User, id: &str) -> bool {
    let names = ["external_id", "user_id"];
    let mut ids = names
        .into_iter()
        .filter_map(|name| decode::text_of(decode::member(&user.raw, name)?));
    ids.next().is_some_and(|known| known == id)
}

/// An `error.list` under status 200, which the provider's own SDK expects.
fn refused_under_200(response: &Response) -> Option<Error> {
    let refusal = read_error(response.status, &response.headers, &response.body);
    let is_refusal = !refusal.reasons.is_empty();
    is_refusal.then(|| {
        Error::malformed("the provider answered errors under status 200")
            .with_reasons(refusal.reasons)
    })
}

/// Refuses what the API would refuse without a useful reason.
fn check(patch: &UserPatch) -> Result<()> {
    let is_nested = |value: &Value| value.is_array() || value.is_object();
    if !patch.attributes.values().any(is_nested) {
        return Ok(());
    }
    let message = "Intercom takes texts, numbers, truth values and nulls only";
    let reason = RejectionReason {
        field: Some("attributes".to_owned()),
        message: message.to_owned(),
    };
    let refused = Error::new(ErrorKind::Rejected, "Intercom's custom attributes are flat");
    Err(refused.with_reasons(vec![reason]))
}

fn attributes(patch: &UserPatch) -> Option<Value> {
    let attributes = &patch.attributes;
    (!attributes.is_empty()).then(|| Value::Object(attributes.clone()))
}

fn seconds(moment: &FieldChange<Timestamp>) -> Option<Value> {
    match moment {
        FieldChange::Set(moment) => Some(moment.as_second().into()),
        FieldChange::Clear => Some(Value::Null),
        FieldChange::Keep => None,
    }
}

/// The fields of a body that are there.
fn body<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect())
}

/// Intercom's errors: an `error.list` with codes; old ones name the code `type`. A 404 without such
/// a code is of another server, or of an address or a version where this path does not exist.
fn read_error(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ErrorDetails {
    #[derive(Default, Deserialize)]
    struct IntercomErrorBody {
        #[serde(default, deserialize_with = "decode::text")]
        request_id: Option<String>,
        #[serde(default, deserialize_with = "decode::records")]
        errors: Option<Vec<IntercomErrorItem>>,
    }
    #[derive(Deserialize)]
    struct IntercomErrorItem {
        #[serde(default, deserialize_with = "decode::text")]
        code: Option<String>,
        #[serde(default, rename = "type", deserialize_with = "decode::text")]
        kind: Option<String>,
        #[serde(default, deserialize_with = "decode::text")]
        message: Option<String>,
        #[serde(default, deserialize_with = "decode::text")]
        field: Option<String>,
    }
    let body: IntercomErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let errors = body.errors.unwrap_or_default();
    let has_code = |is_it: fn(&str) -> bool| {
        let codes = errors.iter().flat_map(|item| [&item.code, &item.kind]);
        codes.flatten().any(|code| is_it(code))
    };
    let is_conflict = has_code(|code| code == "conflict");
    let is_missing = has_code(|code| code.ends_with("not_found"));
    let reasons: Vec<_> = errors
        .into_iter()
        .filter_map(|item| {
            let message = item.message.or(item.code).or(item.kind)?;
            Some(RejectionReason {
                field: item.field,
                message,
            })
        })
        .collect();
    let is_of_cursor = |reason: &RejectionReason| reason.message.contains("starting_after");
    let kind = match status.as_u16() {
        400 if reasons.iter().any(is_of_cursor) => Some(ErrorKind::Expired),
        404 if !is_missing => Some(ErrorKind::Malformed),
        400 | 422 if is_conflict => Some(ErrorKind::Conflict),
        410 => Some(ErrorKind::Moved),
        _ => None,
    };
    ErrorDetails {
        kind,
        reasons,
        request_id: body.request_id,
        moved_to: headers.get(LINK).and_then(canonical),
    }
}

/// The target of `<…>; rel="canonical"` (RFC 8288).
fn canonical(link: &HeaderValue) -> Option<String> {
    let links = link.to_str().ok()?.split(',');
    let mut targets = links.filter_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_canonical = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
            let is_rel = name.trim().eq_ignore_ascii_case("rel");
            is_rel && relations.any(|relation| relation.eq_ignore_ascii_case("canonical"))
        };
        let mut parameters = parameters.split(';');
        parameters.any(is_canonical).then(|| target.to_owned())
    });
    targets.next()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::{ApiVersion, canonical};

    #[test]
    fn versions_are_numbers_and_no_fractions() {
        let version = |text: &str| text.parse::<ApiVersion>();

        assert!(version("2.10").expect("known") > version("2.9").expect("known"));
        for unknown in ["2.18", "3.0", "1.5", "2", "2.07", "2.9.1", "", "Preview"] {
            assert!(version(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn of_a_link_header_only_the_canonical_target_is_read() {
        let target = |text| canonical(&HeaderValue::from_static(text));

        assert_eq!(
            target("</a>; rel=\"next\", </contacts/b>; rel=\"canonical\""),
            Some("/contacts/b".to_owned())
        );
        for link in [
            "</contacts/b>;REL=Canonical",
            "</contacts/b>; title=x; rel=\"a canonical\"",
        ] {
            assert_eq!(target(link), Some("/contacts/b".to_owned()), "{link}");
        }
        assert_eq!(target("</contacts/b>; rel=\"alternate\""), None);
        assert_eq!(target("contacts/b"), None);
    }
}
