//! The providers that Roster knows, and the accounts that are configured for them. Everything is keyed by
//! account: two accounts of one provider share nothing.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize, Serializer};

/// Hands the table of the providers to a macro that makes something of each row. A new provider is a row
/// here and the folder in `connectors` that its module is: everything else follows.
///
/// The rows are in the order in which answers are joined: the provider with what it is, its name (in the
/// configuration, in cursors, logs and metrics), its title (in texts for people, as the provider writes
/// it), its module in `connectors`, and there the type of its own record with what that is.
macro_rules! for_each_provider {
    ($make:ident) => {
        $make! {
            "Ada, the customer service agent: its end users."
            Ada, "ada", "Ada", ada, AdaEndUser, "The record at Ada.";

            "DigitalChalk, the learning platform: its users."
            DigitalChalk, "digitalchalk", "DigitalChalk", digital_chalk, DigitalChalkUser,
            "The record at DigitalChalk.";

            "Intercom, the messenger: its users and leads."
            Intercom, "intercom", "Intercom", intercom, IntercomUser, "The record at Intercom.";

            "SCIM 2.0: the users of any server that speaks it."
            Scim, "scim", "SCIM", scim, ScimUser, "The record at a SCIM server.";

            "Usertour, the product tours: its users."
            Usertour, "usertour", "Usertour", usertour, UsertourUser, "The record at Usertour.";
        }
    };
}
pub(crate) use for_each_provider;

/// Makes the enum of the providers.
macro_rules! provider_enum {
    ($(
        $what:literal $provider:ident, $name:literal, $title:literal, $module:ident, $record:ident,
        $which:literal;
    )+) => {
        /// The providers that Roster knows.
        #[derive(
            async_graphql::Enum,
            Clone,
            Copy,
            Debug,
            Deserialize,
            Eq,
            Hash,
            Ord,
            PartialEq,
            PartialOrd,
            Serialize,
        )]
        pub enum Provider {
            $(
                #[doc = $what]
                #[serde(rename = $name)]
                $provider,
            )+
        }

        impl Provider {
            /// All of them, in the order in which answers are joined.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$provider,)+];

            /// The name in the configuration, in cursors, logs and metrics.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$provider => $name,)+
                }
            }

            /// The name in texts for people, as the provider writes it.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$provider => $title,)+
                }
            }
        }
    };
}

for_each_provider!(provider_enum);

impl Provider {
    /// The provider of a name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name)
    }
}

/// A configured account of a provider. Accounts are ordered by provider, then by name: the order in which
/// answers are joined.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Account {
    provider: Provider,
    name: &'static str,
}

/// The most characters of an account's name.
const MAX_NAME: usize = 31;

impl Account {
    /// The account of a provider with a name.
    #[must_use]
    pub fn new(provider: Provider, name: &str) -> Self {
        Self {
            provider,
            name: interned(name),
        }
    }

    /// The account that is named after its provider.
    #[must_use]
    pub fn default_for(provider: Provider) -> Self {
        Self {
            provider,
            name: provider.name(),
        }
    }

    /// The provider.
    #[must_use]
    pub fn provider(self) -> Provider {
        self.provider
    }

    /// The name: in the configuration, in ids, cursors, logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The account in texts for people: `Intercom`, or `Intercom (intercom-eu)` where its name is not the
    /// provider's.
    #[must_use]
    pub fn title(self) -> String {
        let title = self.provider.title();
        match self.name == self.provider.name() {
            true => title.to_owned(),
            false => format!("{title} ({})", self.name),
        }
    }

    /// Whether a text can be the name of an account: `[a-z][a-z0-9-]{0,30}`.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase());
        starts_well && text.len() <= MAX_NAME && text.chars().all(is_plain)
    }
}

/// A name from outside, for a message. What no account can be called is not repeated: it may be long.
#[must_use]
pub fn shown_name(name: &str) -> String {
    match Account::is_name(name) {
        true => format!("`{name}`"),
        false => "this name".to_owned(),
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider.name(), self.name)
    }
}

/// An account is its name: names are unique in a configuration.
impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// The one copy of a name. A configuration has few names, so that none is ever freed.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.into());
    names.insert(name);
    name
}

#[cfg(test)]
mod tests {
    use super::{Account, Provider};

    #[test]
    fn names_have_one_form() {
        for name in [
            "a",
            "intercom",
            "intercom-eu-2",
            "a234567890123456789012345678901",
        ] {
            assert!(Account::is_name(name), "{name}");
        }
        for name in [
            "",
            "2a",
            "-a",
            "a_b",
            "A",
            "é",
            "a234567890123456789012345678901x",
        ] {
            assert!(!Account::is_name(name), "{name}");
        }
    }

    #[test]
    fn equal_names_are_one_account() {
        let (one, other) = ("eu".to_owned(), "eu".to_owned());
        let account = Account::new(Provider::Ada, &one);

        assert_eq!(account, Account::new(Provider::Ada, &other));
        assert_ne!(account, Account::new(Provider::Intercom, &one));
        assert_eq!(
            Account::default_for(Provider::Ada),
            Account::new(Provider::Ada, "ada")
        );
        assert_eq!(account.title(), "Ada (eu)");
    }
}
