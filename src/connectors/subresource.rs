//! The parts of a user that some providers answer by calls of their own.

use std::sync::Arc;

use async_graphql::Context;
use async_trait::async_trait;
use serde_json::value::RawValue;

use crate::{
    account::Account,
    user::{Company, Label},
};

/// A part of a user that takes further calls at some providers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subresource {
    /// Custom fields.
    Attributes,
    /// Companies.
    Companies,
    /// Segments.
    Segments,
    /// Labels.
    Tags,
}

impl Subresource {
    /// The field that it is.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Attributes => "attributes",
            Self::Companies => "companies",
            Self::Segments => "segments",
            Self::Tags => "tags",
        }
    }
}

/// The data of such a part.
#[derive(Clone, Debug)]
pub enum SubresourceData {
    /// Custom fields: a JSON object.
    Attributes(Arc<RawValue>),
    /// Companies.
    Companies(Vec<Company>),
    /// Labels or segments.
    Labels(Vec<Label>),
}

impl SubresourceData {
    /// Custom fields.
    #[must_use]
    pub fn attributes(&self) -> Option<&Arc<RawValue>> {
        match self {
            Self::Attributes(object) => Some(object),
            Self::Companies(_) | Self::Labels(_) => None,
        }
    }

    /// Companies.
    #[must_use]
    pub fn companies(&self) -> Option<&[Company]> {
        match self {
            Self::Companies(companies) => Some(companies),
            Self::Attributes(_) | Self::Labels(_) => None,
        }
    }

    /// Labels or segments.
    #[must_use]
    pub fn labels(&self) -> Option<&[Label]> {
        match self {
            Self::Labels(labels) => Some(labels),
            Self::Attributes(_) | Self::Companies(_) => None,
        }
    }
}

/// Gives typed records the subresources that need calls of their own. It is in the data of a GraphQL
/// request.
#[async_trait]
pub trait SubresourceLoader: Send + Sync {
    /// Loads a subresource of a user for the field that is resolved; clients may see the error. A
    /// subresource that fails may be `None`: then the answer reports the failure elsewhere.
    async fn load(
        &self,
        ctx: &Context<'_>,
        account: Account,
        id: &str,
        part: Subresource,
    ) -> async_graphql::Result<Option<Arc<SubresourceData>>>;
}
