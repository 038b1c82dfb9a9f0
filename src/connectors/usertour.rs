//! Usertour: two versions of one REST API, chosen by the token.
//!
//! | token | version | connector |
//! |---|---|---|
//! | `ak_…` | 1, legacy: the token selects the environment | `v1` |
//! | `utp_…` | 2: the path names project and environment | `v2` |
//!
//! # API
//! `docs.usertour.io/api-reference` and `docs.usertour.io/api-reference-v2`; where they differ from
//! the server, the server counts (measured on the public source, 2026-08).
//!
//! # Paging
//! `cursor` is an internal id that appears nowhere but in the answer's `next`, so it is a token.
//!
//! # Quirks
//! The `id` of a user is the one that your systems gave. The email filter compares letter case,
//! whatever its documents say, so an address is asked for as given and lower-cased. Names and
//! addresses are conventions inside `attributes`.

mod errors;
mod list;
mod record;
mod search;
mod v1;
mod v2;
mod write;

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;

pub use record::{UsertourCompany, UsertourMembership, UsertourUser};

use self::{v1::UsertourV1, v2::UsertourV2};
use super::{ConnectContext, Connector, ConnectorSpec, Expand, RecordKeys, check_identity};
use crate::{
    client::{
        AuthScheme, Client, DecodedBody, HttpSpec, Operation, QuotaHeaders, Request, ResetKind,
        Response,
    },
    context::RequestContext,
    error::{Error, Result, shown_value},
    user::User,
};

/// How to reach Usertour.
pub const SPEC: ConnectorSpec = ConnectorSpec {
    base_url: Some("https://api.usertour.io"),
    regions: &[],
    http: HttpSpec {
        auth: AuthScheme::Bearer,
        // Version 1 sends none.
        quota_headers: Some(QuotaHeaders::x_rate_limit(ResetKind::SecondsLeft).sent_sometimes()),
        read_error: errors::read_error,
        // Its server closes a connection after five seconds; measured, its documents do not say so.
        idle: Duration::from_secs(4),
    },
    record_keys: KEYS,
    concurrency: 4,
    timeout: Duration::from_secs(10),
    // Version 1 documents none, and version 2 tells in its headers what the plan grants.
    budget: &[],
    connect: |connection| connect(&connection),
};

/// The fields that tell records and persons apart.
const KEYS: RecordKeys = RecordKeys {
    id: "id",
    deciding: &["attributes", "email"],
};

const EMAIL_CAVEAT: &str = "Usertour compares letter case: records that spell the address in other letter case may be missing";

/// The prefix of the tokens of version 1, which also takes them without it.
const V1_PREFIX: &str = "ak_";

/// The prefix of the tokens of version 2.
const V2_PREFIX: &str = "utp_";

/// Options of this provider.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct UsertourOptions {
    /// `v1` or `v2`; unless given, that of the token.
    version: Option<String>,
    /// The id of the project, on version 2.
    project: Option<String>,
    /// The id of the environment, on version 2.
    environment: Option<String>,
}

/// A version of the API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum UsertourVersion {
    V1,
    V2,
}

/// The connector of the version that the options and the token ask for.
///
/// # Errors
/// `Invalid` when they contradict each other, or an option is missing or unknown.
fn connect(context: &ConnectContext) -> Result<Box<dyn Connector>> {
    let options: UsertourOptions = context.options()?;
    let http = context.http.clone();
    match version(options.version.as_deref(), context)? {
        UsertourVersion::V1 => {
            if options.project.is_some() || options.environment.is_some() {
                return Err(Error::invalid(
                    "`project` and `environment` are for version 2: on version 1 the token selects the \
                     environment, so leave them out",
                ));
            }
            Ok(Box::new(UsertourV1::new(http)))
        }
        UsertourVersion::V2 => {
            let is_given = |id: &String| !id.trim().is_empty();
            let project = options.project.filter(is_given);
            let environment = options.environment.filter(is_given);
            let (project, environment) = project.zip(environment).ok_or_else(|| {
                Error::invalid(
                    "version 2 of Usertour's API needs the ids of a project and an environment: write `options = \
                     { project = \"...\", environment = \"...\" }`",
                )
            })?;
            Ok(Box::new(UsertourV2::new(http, project, environment)))
        }
    }
}

/// The version that is asked for, which must be that of the token.
fn version(given: Option<&str>, context: &ConnectContext) -> Result<UsertourVersion> {
    let of_token = if (context.token_starts_with)(V2_PREFIX) {
        UsertourVersion::V2
    } else {
        UsertourVersion::V1
    };
    let given = match given {
        None => return Ok(of_token),
        Some("v1") => UsertourVersion::V1,
        Some("v2") => UsertourVersion::V2,
        Some(other) => {
            return Err(Error::invalid(format!(
                "`version` is {}: expected \"v1\" or \"v2\"",
                shown_value(other)
            )));
        }
    };
    match (given, of_token) {
        (UsertourVersion::V2, UsertourVersion::V1) => Err(Error::invalid(format!(
            "`version` is \"v2\", and the token does not begin with `{V2_PREFIX}` as those of version 2 do"
        ))),
        (UsertourVersion::V1, UsertourVersion::V2) => Err(Error::invalid(format!(
            "`version` is \"v1\", and the token begins with `{V2_PREFIX}`: it is one of version 2, and those of \
             version 1 begin with `{V1_PREFIX}`"
        ))),
        _ => Ok(given),
    }
}

/// A response with one user.
#[derive(Clone)]
struct UsertourRecord(User);

impl DecodedBody for UsertourRecord {
    fn decode(response: &Response) -> Result<Self> {
        user_in(response).map(Self)
    }
}

fn user_in(response: &Response) -> Result<User> {
    record::user(response.account, response.json::<Box<RawValue>>()?.into())
}

/// The user at a path; `None` where there is none.
async fn find(
    http: &Client,
    context: &RequestContext,
    path: &[&str],
    (id, expand): (&str, Expand),
) -> Result<Option<User>> {
    let call = Request::get(Operation::ById, path).query(list::expansions(expand));
    let found = http.find::<UsertourRecord>(context, call).await?;
    let user = found.map(|found| Arc::unwrap_or_clone(found.body).0);
    user.map(|user| check_identity(user, |user| user.remote_id == id))
        .transpose()
}
