//! The purposes of calls.

/// The purpose of a call: its name in metrics, logs and errors.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// Reads a page of the list.
    List,
    /// Reads one user by the provider's id.
    ById,
    /// Reads one user by your systems' id.
    ByExternalId,
    /// Finds users by email address.
    ByEmail,
    /// Finds or creates a user in one call.
    Upsert,
    /// Creates a user.
    Create,
    /// Changes a user.
    Update,
    /// Reads a user's custom fields, where they need their own call.
    Attributes,
    /// Reads a user's companies, where they need their own call.
    Companies,
    /// Reads a user's segments, where they need their own call.
    Segments,
    /// Reads a user's labels, where they need their own call.
    Tags,
}

impl Operation {
    /// The operations that change nothing.
    pub const READS: [Self; 8] = [
        Self::List,
        Self::ById,
        Self::ByExternalId,
        Self::ByEmail,
        Self::Attributes,
        Self::Companies,
        Self::Segments,
        Self::Tags,
    ];

    /// All operations.
    pub(super) const ALL: [Self; 11] = [
        Self::List,
        Self::ById,
        Self::ByExternalId,
        Self::ByEmail,
        Self::Upsert,
        Self::Create,
        Self::Update,
        Self::Attributes,
        Self::Companies,
        Self::Segments,
        Self::Tags,
    ];

    /// The operation's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::ById => "by_id",
            Self::ByExternalId => "by_external_id",
            Self::ByEmail => "by_email",
            Self::Upsert => "upsert",
            Self::Create => "create",
            Self::Update => "update",
            Self::Attributes => "attributes",
            Self::Companies => "companies",
            Self::Segments => "segments",
            Self::Tags => "tags",
        }
    }
}
