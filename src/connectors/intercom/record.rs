//! The user object of versions 1.x and the contact object of versions 2.x, field by field, and the
//! [`User`] that they become.

mod fields;
mod parts;

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, SimpleObject};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

pub(super) use fields::user;
use fields::{avatar, listed, role};
pub use parts::{
    IntercomCompany, IntercomContactLocation, IntercomLocation, IntercomSegment,
    IntercomSocialProfile, IntercomTag,
};

use crate::{
    account::Account,
    connectors::{
        ProviderRecord, Subresource, SubresourceData, SubresourceLoader, decode, int::Int,
        json::RawJson,
    },
    error::Result,
    user::{Company, Label, MaybeDeferred},
};

/// A user, lead or contact at Intercom, field by field. What only versions 1.x or 2.x know says so; it
/// is null in the others.
#[derive(Deserialize, SimpleObject)]
#[graphql(complex)]
pub struct IntercomUser {
    /// The account that holds the record.
    #[serde(skip)]
    #[graphql(skip)]
    account: Option<Account>,
    /// Intercom's id.
    #[serde(deserialize_with = "decode::id")]
    id: String,
    /// 1.x: `user`, or `contact`, which is a lead. 2.x: `contact`.
    #[serde(default, rename = "type", deserialize_with = "decode::text")]
    #[graphql(name = "type")]
    record_type: Option<String>,
    /// 2.x: `user` or `lead`.
    #[serde(default, deserialize_with = "role")]
    role: Option<String>,
    /// 2.x: the id that your systems gave; for leads one that Intercom made up.
    #[serde(default, deserialize_with = "decode::text")]
    external_id: Option<String>,
    /// 1.x: the id that your systems gave; for leads one that Intercom made up.
    #[serde(default, deserialize_with = "decode::text")]
    user_id: Option<String>,
    /// The email address; not unique.
    #[serde(default, deserialize_with = "decode::text")]
    email: Option<String>,
    /// 2.x: the address's domain.
    #[serde(default, deserialize_with = "decode::text")]
    email_domain: Option<String>,
    /// The telephone number.
    #[serde(default, deserialize_with = "decode::text")]
    phone: Option<String>,
    /// 2.x: the telephone number as it is shown.
    #[serde(default, deserialize_with = "decode::text")]
    formatted_phone: Option<String>,
    /// The whole name.
    #[serde(default, deserialize_with = "decode::text")]
    name: Option<String>,
    /// 1.x: the nickname that Intercom gives to leads and visitors.
    #[serde(default, deserialize_with = "decode::text")]
    pseudonym: Option<String>,
    /// 1.x: true for leads.
    #[serde(default, deserialize_with = "decode::flag")]
    anonymous: Option<bool>,
    /// The address of a picture.
    #[serde(default, rename = "avatar", deserialize_with = "avatar")]
    avatar_url: Option<String>,
    /// 2.x: the workspace.
    #[serde(default, deserialize_with = "decode::text")]
    workspace_id: Option<String>,
    /// 1.x: the workspace.
    #[serde(default, deserialize_with = "decode::text")]
    app_id: Option<String>,
    #[serde(default, deserialize_with = "listed")]
    #[graphql(skip)]
    companies: MaybeDeferred<Vec<IntercomCompany>>,
    /// 2.x: where the person was last seen.
    #[serde(default, deserialize_with = "decode::record")]
    location: Option<IntercomContactLocation>,
    /// 1.x: where the person was last seen.
    #[serde(default, deserialize_with = "decode::record")]
    location_data: Option<IntercomLocation>,
    /// 2.x: when the person was last seen.
    #[serde(default, deserialize_with = "decode::moment")]
    last_seen_at: Option<Timestamp>,
    /// 2.x: when the person last wrote to you.
    #[serde(default, deserialize_with = "decode::moment")]
    last_replied_at: Option<Timestamp>,
    /// 2.x: when you last wrote to the person.
    #[serde(default, deserialize_with = "decode::moment")]
    last_contacted_at: Option<Timestamp>,
    /// 2.x: when the person last opened an email.
    #[serde(default, deserialize_with = "decode::moment")]
    last_email_opened_at: Option<Timestamp>,
    /// 2.x: when the person last followed a link in an email.
    #[serde(default, deserialize_with = "decode::moment")]
    last_email_clicked_at: Option<Timestamp>,
    /// 1.x: when the person last made a request.
    #[serde(default, deserialize_with = "decode::moment")]
    last_request_at: Option<Timestamp>,
    /// 1.x: the last IP address; not answered since version 1.2.
    #[serde(default, deserialize_with = "decode::text")]
    last_seen_ip: Option<String>,
    /// 1.x: the last browser; not answered since version 1.2.
    #[serde(default, deserialize_with = "decode::text")]
    user_agent_data: Option<String>,
    /// When the record was made.
    #[serde(default, deserialize_with = "decode::moment")]
    created_at: Option<Timestamp>,
    /// When the record last changed.
    #[serde(default, deserialize_with = "decode::moment")]
    updated_at: Option<Timestamp>,
    /// 1.x: when the person signed up with you; another name of `signedUpAt`.
    #[serde(default, deserialize_with = "decode::moment")]
    remote_created_at: Option<Timestamp>,
    /// When the person signed up with you.
    #[serde(default, deserialize_with = "decode::moment")]
    signed_up_at: Option<Timestamp>,
    /// 1.x: how many sessions were counted.
    #[serde(default, deserialize_with = "decode::int")]
    session_count: Option<Int>,
    /// The teammate who owns the record.
    #[serde(default, deserialize_with = "decode::text")]
    owner_id: Option<String>,
    /// Whether the person takes no more email.
    #[serde(default, deserialize_with = "decode::flag")]
    unsubscribed_from_emails: Option<bool>,
    /// Whether the person called an email spam.
    #[serde(default, deserialize_with = "decode::flag")]
    marked_email_as_spam: Option<bool>,
    /// Whether the address refused an email for good.
    #[serde(default, deserialize_with = "decode::flag")]
    has_hard_bounced: Option<bool>,
    /// 2.x: whether the person takes push messages.
    #[serde(default, deserialize_with = "decode::flag")]
    enabled_push_messaging: Option<bool>,
    /// 2.x: the language that was set for the person.
    #[serde(default, deserialize_with = "decode::text")]
    language_override: Option<String>,
    /// 2.x: the browser.
    #[serde(default, deserialize_with = "decode::text")]
    browser: Option<String>,
    /// 2.x: the browser's version.
    #[serde(default, deserialize_with = "decode::text")]
    browser_version: Option<String>,
    /// 2.x: the browser's language.
    #[serde(default, deserialize_with = "decode::text")]
    browser_language: Option<String>,
    /// 2.x: the operating system.
    #[serde(default, deserialize_with = "decode::text")]
    os: Option<String>,
    /// 2.x: the Android app.
    #[serde(default, deserialize_with = "decode::text")]
    android_app_name: Option<String>,
    /// 2.x: the Android app's version.
    #[serde(default, deserialize_with = "decode::text")]
    android_app_version: Option<String>,
    /// 2.x: the Android device.
    #[serde(default, deserialize_with = "decode::text")]
    android_device: Option<String>,
    /// 2.x: the version of Android.
    #[serde(default, deserialize_with = "decode::text")]
    android_os_version: Option<String>,
    /// 2.x: the version of the Android SDK.
    #[serde(default, deserialize_with = "decode::text")]
    android_sdk_version: Option<String>,
    /// 2.x: when the person was last seen in the Android app.
    #[serde(default, deserialize_with = "decode::moment")]
    android_last_seen_at: Option<Timestamp>,
    /// 2.x: the iOS app.
    #[serde(default, deserialize_with = "decode::text")]
    ios_app_name: Option<String>,
    /// 2.x: the iOS app's version.
    #[serde(default, deserialize_with = "decode::text")]
    ios_app_version: Option<String>,
    /// 2.x: the iOS device.
    #[serde(default, deserialize_with = "decode::text")]
    ios_device: Option<String>,
    /// 2.x: the version of iOS.
    #[serde(default, deserialize_with = "decode::text")]
    ios_os_version: Option<String>,
    /// 2.x: the version of the iOS SDK.
    #[serde(default, deserialize_with = "decode::text")]
    ios_sdk_version: Option<String>,
    /// 2.x: when the person was last seen in the iOS app.
    #[serde(default, deserialize_with = "decode::moment")]
    ios_last_seen_at: Option<Timestamp>,
    /// 1.x: whether the browser asked not to be tracked.
    #[serde(default, deserialize_with = "decode::flag")]
    do_not_track: Option<bool>,
    /// The page that the person came from.
    #[serde(default, deserialize_with = "decode::text")]
    referrer: Option<String>,
    /// The campaign that the person came by.
    #[serde(default, deserialize_with = "decode::text")]
    utm_campaign: Option<String>,
    /// The campaign's content.
    #[serde(default, deserialize_with = "decode::text")]
    utm_content: Option<String>,
    /// The campaign's medium.
    #[serde(default, deserialize_with = "decode::text")]
    utm_medium: Option<String>,
    /// The campaign's source.
    #[serde(default, deserialize_with = "decode::text")]
    utm_source: Option<String>,
    /// The campaign's search term.
    #[serde(default, deserialize_with = "decode::text")]
    utm_term: Option<String>,
    /// Profiles in social networks; several may have one name.
    #[serde(default, deserialize_with = "profiles")]
    social_profiles: Option<Vec<IntercomSocialProfile>>,
    #[serde(default, deserialize_with = "listed")]
    #[graphql(skip)]
    tags: MaybeDeferred<Vec<IntercomTag>>,
    #[serde(default, deserialize_with = "listed")]
    #[graphql(skip)]
    segments: MaybeDeferred<Vec<IntercomSegment>>,
    /// Custom fields: flat.
    custom_attributes: Option<RawJson>,
}

fn profiles<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<IntercomSocialProfile>>, D::Error> {
    Ok(decode::items_within(Deserialize::deserialize(deserializer)?).map(read))
}

/// Items of a list; those that cannot be read are left out.
fn read<T: DeserializeOwned>(items: Vec<&RawValue>) -> Vec<T> {
    items.into_iter().filter_map(decode::record_of).collect()
}

impl ProviderRecord for IntercomUser {
    /// The parts that are kept apart from the record are asked for at its account.
    fn read(account: Account, raw: &RawValue) -> Result<Self> {
        let record: Self = decode::read(raw)?;
        Ok(Self {
            account: Some(account),
            ..record
        })
    }
}

impl IntercomUser {
    /// Whether the record is a contact of 2.x, whose lists are kept apart from it.
    fn is_contact(&self) -> bool {
        self.role.is_some()
    }

    /// A list of the record, or the one that is kept apart from it.
    async fn list<T: Clone>(
        &self,
        ctx: &Context<'_>,
        list: &MaybeDeferred<Vec<T>>,
        part: Subresource,
        read: impl Fn(&SubresourceData) -> Option<Vec<T>>,
    ) -> Option<async_graphql::Result<Vec<T>>> {
        match list {
            MaybeDeferred::Inline(items) => Some(Ok(items.clone())),
            MaybeDeferred::None if !self.is_contact() => None,
            MaybeDeferred::None | MaybeDeferred::Deferred => {
                let account = self.account?;
                let parts = ctx.data_unchecked::<Arc<dyn SubresourceLoader>>();
                let held = parts.load(ctx, account, &self.id, part).await;
                held.map(|held| held.as_deref().and_then(read)).transpose()
            }
        }
    }
}

/// The lists of a record. Contacts (2.x) are asked for them only when they are read: a call for each
/// list of each contact that has some.
#[ComplexObject]
impl IntercomUser {
    /// The companies that the user belongs to.
    async fn companies(
        &self,
        ctx: &Context<'_>,
    ) -> Option<async_graphql::Result<Vec<IntercomCompany>>> {
        let read = |held: &SubresourceData| {
            let companies = held.companies()?.iter().cloned();
            let company = |company: Company| IntercomCompany {
                id: company.remote_id,
                company_id: company.external_id,
                name: company.name,
            };
            Some(companies.map(company).collect())
        };
        self.list(ctx, &self.companies, Subresource::Companies, read)
            .await
    }

    /// Labels.
    async fn tags(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Vec<IntercomTag>>> {
        let read = |held: &SubresourceData| {
            let labels = held.labels()?.iter().cloned();
            let tag = |label: Label| IntercomTag {
                id: label.id,
                name: label.name,
            };
            Some(labels.map(tag).collect())
        };
        self.list(ctx, &self.tags, Subresource::Tags, read).await
    }

    /// Segments that the user is in.
    async fn segments(
        &self,
        ctx: &Context<'_>,
    ) -> Option<async_graphql::Result<Vec<IntercomSegment>>> {
        let read = |held: &SubresourceData| {
            let labels = held.labels()?.iter().cloned();
            let segment = |label: Label| IntercomSegment {
                id: label.id,
                name: label.name,
            };
            Some(labels.map(segment).collect())
        };
        self.list(ctx, &self.segments, Subresource::Segments, read)
            .await
    }
}
