//! What a behaviour is held against: a provider, and where it has two APIs, one of them in one version.

use roster::{account::Provider, config::Settings};

use crate::{
    conformance::USERS,
    world::{World, intercom, usertour_v2, word},
};

/// Makes something of every subject: the one list of those that each behaviour is held against.
macro_rules! for_each_subject {
    ($make:ident) => {
        $make!(ada, Subject::Ada);
        $make!(digital_chalk, Subject::DigitalChalk);
        $make!(intercom_users, Subject::IntercomUsers { version: "1.1" });
        $make!(
            intercom_contacts,
            Subject::IntercomContacts { version: "2.17" }
        );
        $make!(usertour, Subject::Usertour);
        $make!(usertour_v2, Subject::UsertourV2);
    };
}
pub(crate) use for_each_subject;

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

    /// What is expected of it.
    pub(crate) fn expected(self) -> &'static Expected {
        match self {
            Self::Ada => &ADA,
            Self::DigitalChalk => &DIGITAL_CHALK,
            Self::IntercomUsers { .. } => &INTERCOM_USERS,
            Self::IntercomContacts { .. } => &INTERCOM_CONTACTS,
            Self::Usertour => &USERTOUR,
            Self::UsertourV2 => &USERTOUR_V2,
        }
    }

    /// How many users the provider's largest page holds.
    pub(crate) fn page(self) -> usize {
        self.expected().page
    }

    /// How many pages hold a number of rows; nobody is a page, too.
    pub(crate) fn pages(self, rows: usize) -> usize {
        rows.div_ceil(self.page()).max(1)
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

/// What is expected of a subject in worlds of the sandbox: the only place where it is written down.
pub(crate) struct Expected {
    /// How many users the largest page holds.
    pub(crate) page: usize,
    /// Whether the list has a total.
    pub(crate) is_counted: bool,
    /// How many leads the list of the conformance suite holds.
    pub(crate) leads: usize,
    /// Whether records have tags.
    pub(crate) has_tags: bool,
    /// Whether records have companies.
    pub(crate) has_companies: bool,
    /// How many calls the questions of the conformance suite cost.
    pub(crate) calls: ExpectedCalls,
}

/// How many calls a question costs.
pub(crate) struct ExpectedCalls {
    /// An address as it is written.
    pub(crate) email: usize,
    /// An address that differs from the one that is held in letter case.
    pub(crate) other_case: usize,
    /// An address that is the 101st of those that hold it.
    pub(crate) position_101: usize,
    /// Three addresses that are asked for together, one of them in two places.
    pub(crate) three_emails: usize,
    /// Two ids that nobody has.
    pub(crate) two_unknown_ids: usize,
    /// Three ids.
    pub(crate) three_ids: usize,
    /// What the id of a company costs before the list that it narrows.
    pub(crate) company_lookup: usize,
    /// What the id of a segment costs before the list that it narrows.
    pub(crate) segment_lookup: usize,
}

/// A scan of Ada's list of the conformance suite, a hundred at a time.
const ADA_SCAN: usize = USERS.div_ceil(100);

const ADA: Expected = Expected {
    page: 100,
    is_counted: false,
    leads: 0,
    has_tags: false,
    has_companies: false,
    calls: ExpectedCalls {
        email: ADA_SCAN,
        other_case: ADA_SCAN,
        position_101: ADA_SCAN,
        three_emails: ADA_SCAN,
        two_unknown_ids: 2,
        three_ids: 3,
        company_lookup: 0,
        segment_lookup: 0,
    },
};

const DIGITAL_CHALK: Expected = Expected {
    page: 100,
    is_counted: false,
    leads: 0,
    has_tags: true,
    has_companies: false,
    calls: ExpectedCalls {
        email: 1,
        other_case: 1,
        // The search finds parts of addresses: the second page has it.
        position_101: 2,
        three_emails: 1,
        two_unknown_ids: 2,
        three_ids: 3,
        company_lookup: 0,
        segment_lookup: 0,
    },
};

const INTERCOM_USERS: Expected = Expected {
    page: 60,
    is_counted: true,
    leads: 0,
    has_tags: true,
    has_companies: true,
    calls: ExpectedCalls {
        email: 1,
        // Each spelling is a question of its own.
        other_case: 2,
        position_101: 1,
        three_emails: 3,
        // An id that is no user's may be a lead's, which is another question.
        two_unknown_ids: 4,
        three_ids: 3,
        company_lookup: 0,
        segment_lookup: 0,
    },
};

const INTERCOM_CONTACTS: Expected = Expected {
    page: 150,
    is_counted: true,
    leads: 2,
    has_tags: true,
    has_companies: true,
    calls: ExpectedCalls {
        email: 1,
        other_case: 1,
        position_101: 1,
        three_emails: 1,
        // One search asks for both; an id that it does not know is asked for by id.
        two_unknown_ids: 3,
        three_ids: 1,
        company_lookup: 1,
        segment_lookup: 0,
    },
};

const USERTOUR: Expected = Expected {
    page: 100,
    is_counted: false,
    leads: 0,
    has_tags: false,
    has_companies: true,
    calls: ExpectedCalls {
        email: 1,
        // Each spelling is a question of its own.
        other_case: 2,
        position_101: 1,
        three_emails: 3,
        two_unknown_ids: 2,
        three_ids: 3,
        company_lookup: 0,
        // Whether a segment leaves anybody out takes two.
        segment_lookup: 2,
    },
};

const USERTOUR_V2: Expected = Expected {
    calls: ExpectedCalls {
        // It says itself that there is no such segment.
        segment_lookup: 0,
        ..USERTOUR.calls
    },
    ..USERTOUR
};
