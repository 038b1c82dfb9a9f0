//! The providers that the sandbox emulates.
//!
//! A new provider is a new file below `providers/`, its `mod` line, and one row in the table of
//! this file. Everything else follows from the row: the variant of [`Provider`], its name in paths
//! and in the control API, its addresses and tokens, its router and its store. A module without a
//! row does not compile.

#![deny(dead_code, reason = "a module without a row in the table is a mistake")]

mod ada;
mod digitalchalk;
mod intercom;
mod scim;
mod usertour;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::emulation::Emulation;

/// One row of the table.
pub(crate) struct ProviderSpec {
    /// The name in paths and in the control API. The hash that decides which people the provider
    /// has is made from it, too, so a new name means other people.
    name: &'static str,
    /// Where the API starts, after the base path.
    api_path: &'static str,
    /// The prefixes that tokens may have. A client gets the first one.
    token_prefixes: &'static [&'static str],
    /// How the provider answers.
    pub(crate) emulation: &'static Emulation,
}

macro_rules! providers {
    ($($(#[$doc:meta])+ $variant:ident => $spec:expr,)+) => {
        /// A provider of the sandbox.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Provider {
            $($(#[$doc])+ $variant,)+
        }

        impl Provider {
            /// All providers, in the order of their names.
            pub const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];
        }

        /// The rows, in the order of [`Provider::ALL`].
        static SPECS: [ProviderSpec; Provider::ALL.len()] = [$($spec),+];
    };
}

providers! {
    /// Ada, End Users API v2.
    Ada => ProviderSpec {
        name: "ada",
        api_path: "/api",
        token_prefixes: &[""],
        emulation: &ada::EMULATION,
    },
    /// DigitalChalk, REST API v5.
    DigitalChalk => ProviderSpec {
        name: "digitalchalk",
        api_path: "/dc/api/v5",
        token_prefixes: &[""],
        emulation: &digitalchalk::EMULATION,
    },
    /// Intercom, REST 1.x and 2.x.
    Intercom => ProviderSpec {
        name: "intercom",
        api_path: "",
        token_prefixes: &[""],
        emulation: &intercom::EMULATION,
    },
    /// A SCIM 2.0 service provider.
    Scim => ProviderSpec {
        name: "scim",
        api_path: "/scim/v2",
        token_prefixes: &[""],
        emulation: &scim::EMULATION,
    },
    /// Usertour, REST v1 with keys `ak_...` and v2 with tokens `utp_...`.
    Usertour => ProviderSpec {
        name: "usertour",
        api_path: "",
        token_prefixes: &["ak_", "utp_"],
        emulation: &usertour::EMULATION,
    },
}

impl Provider {
    /// The name in paths and in the sandbox's own JSON.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The address that a client is configured with, for a sandbox that listens at `sandbox`.
    pub fn base_url(self, sandbox: SocketAddr) -> String {
        let spec = self.spec();
        format!("http://{sandbox}/{}{}", spec.name, spec.api_path)
    }

    /// The token that a client sends, for a sandbox with this [`token`](crate::Options::token).
    pub fn token(self, token: &str) -> String {
        let prefix = self.spec().token_prefixes.first();
        format!("{}{token}", prefix.copied().unwrap_or_default())
    }

    /// Every form of the token that the provider accepts in one of its versions.
    pub fn tokens(self, token: &str) -> Vec<String> {
        let prefixes = self.spec().token_prefixes.iter();
        prefixes.map(|prefix| format!("{prefix}{token}")).collect()
    }

    pub(crate) fn spec(self) -> &'static ProviderSpec {
        &SPECS[self as usize]
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|known| known.name() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("unknown provider {text:?}; known: {known}")
        })
    }
}

impl Serialize for Provider {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Provider;

    #[test]
    fn names_are_unique_and_in_order_and_parse_back() {
        let names = Provider::ALL.map(Provider::name);
        let sorted: BTreeSet<&str> = names.into();

        assert_eq!(sorted.into_iter().collect::<Vec<_>>(), names);
        for provider in Provider::ALL {
            assert_eq!(provider.name().parse(), Ok(provider));
        }
    }

    #[test]
    fn a_client_gets_the_first_of_the_tokens_that_are_accepted() {
        for provider in Provider::ALL {
            let tokens = provider.tokens("secret");
            assert_eq!(tokens.first(), Some(&provider.token("secret")));
        }
    }
}
