//! What a behaviour is held against: a provider, and where it has two APIs, one of them in one version.

use roster::{account::Provider, config::Settings};

use crate::world::{World, intercom, usertour_v2, word};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    Ada,
    DigitalChalk,
    /// Intercom 1.x.
    IntercomUsers {
        version: &'static str,
    },
    /// Intercom 2.x.
    IntercomContacts {
        version: &'static str,
    },
    /// Usertour, version 1.
    Usertour,
    /// Usertour, version 2.
    UsertourV2,
}

impl Subject {
    pub(crate) fn provider(self) -> Provider {
        match self {
            Self::Ada => Provider::Ada,
            Self::DigitalChalk => Provider::DigitalChalk,
            Self::IntercomUsers { .. } | Self::IntercomContacts { .. } => Provider::Intercom,
            Self::Usertour | Self::UsertourV2 => Provider::Usertour,
        }
    }

    /// The provider's name in the graph.
    pub(crate) fn word(self) -> &'static str {
        word(self.provider())
    }

    /// How many users the provider's largest page holds.
    pub(crate) fn page(self) -> usize {
        match self {
            Self::Ada | Self::DigitalChalk | Self::Usertour | Self::UsertourV2 => 100,
            Self::IntercomUsers { .. } => 60,
            Self::IntercomContacts { .. } => 150,
        }
    }

    /// How many pages hold a number of rows; nobody is a page, too.
    pub(crate) fn pages(self, rows: usize) -> usize {
        rows.div_ceil(self.page()).max(1)
    }

    /// Picks what is this subject's, of Ada's, DigitalChalk's, Intercom's users', Intercom's contacts' and
    /// Usertour's.
    pub(crate) fn of<T: Copy>(self, each: [T; 5]) -> T {
        let [ada, digital_chalk, users, contacts, usertour] = each;
        match self {
            Self::Ada => ada,
            Self::DigitalChalk => digital_chalk,
            Self::IntercomUsers { .. } => users,
            Self::IntercomContacts { .. } => contacts,
            Self::Usertour | Self::UsertourV2 => usertour,
        }
    }

    /// A world whose gateway speaks the subject's version.
    pub(crate) async fn world(self, users: usize) -> World {
        self.world_with(users, |_| {}).await
    }

    /// The same, with settings that differ.
    pub(crate) async fn world_with(
        self,
        users: usize,
        change: impl FnOnce(&mut Settings),
    ) -> World {
        World::with(users, |settings| {
            match self {
                Self::IntercomUsers { version } | Self::IntercomContacts { version } => {
                    intercom(settings, version);
                }
                Self::UsertourV2 => usertour_v2(settings),
                Self::Ada | Self::DigitalChalk | Self::Usertour => {}
            }
            change(settings);
        })
        .await
    }
}
