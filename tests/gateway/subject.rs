//! The subjects of the tests of one provider: a provider, and where it has two APIs, one of them in one
//! version.

mod ada;
mod digital_chalk;
mod intercom;
mod scim;
mod usertour;

use roster::{account::Provider, config::Settings};
use roster_sandbox::Person;
use serde_json::{Value, json};

use crate::world::{FOUR, World, usertour_v2};

/// Makes something of every subject: the one list that the tests of each provider are made from. The first
/// subject of a provider is the one that the demo talks to.
macro_rules! for_each_subject {
    ($make:ident) => {
        $make!(ada, Subject::Ada);
        $make!(digital_chalk, Subject::DigitalChalk);
        $make!(
            intercom_contacts,
            Subject::IntercomContacts { version: "2.17" }
        );
        $make!(intercom_users, Subject::IntercomUsers { version: "1.1" });
        $make!(scim, Subject::Scim);
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
    Scim,
    /// Usertour, version 1.
    Usertour,
    /// Usertour, version 2.
    UsertourV2,
}

/// All subjects.
pub(crate) fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    macro_rules! push {
        ($name:ident, $subject:expr) => {
            subjects.push($subject);
        };
    }
    for_each_subject!(push);
    subjects
}

/// The expectations of a provider in the version that the demo talks to.
pub(crate) fn expected(provider: Provider) -> &'static Expected {
    let expected = subjects().into_iter().map(Subject::expected);
    let mut expected = expected.filter(|expected| expected.provider == provider);
    expected.next().expect("every provider has a subject")
}

impl Subject {
    pub(crate) fn expected(self) -> &'static Expected {
        match self {
            Self::Ada => &ada::EXPECTED,
            Self::DigitalChalk => &digital_chalk::EXPECTED,
            Self::IntercomUsers { .. } => &intercom::USERS,
            Self::IntercomContacts { version: "2.17" } => &intercom::CONTACTS,
            Self::IntercomContacts { .. } => &intercom::CONTACTS_BY_DAYS,
            Self::Scim => &scim::EXPECTED,
            Self::Usertour => &usertour::V1,
            Self::UsertourV2 => &usertour::V2,
        }
    }

    pub(crate) fn provider(self) -> Provider {
        self.expected().provider
    }

    /// The provider's name in the graph.
    pub(crate) fn word(self) -> &'static str {
        self.expected().graph_name
    }

    /// How many users the provider's largest page holds.
    pub(crate) fn page(self) -> usize {
        self.expected().page
    }

    /// How many pages hold a number of rows; an empty list is a page, too.
    pub(crate) fn pages(self, rows: usize) -> usize {
        rows.div_ceil(self.page()).max(1)
    }

    /// How many calls go before the first sorted list: a SCIM server tells whether it can sort.
    pub(crate) fn sort_lookups(self) -> usize {
        usize::from(self == Self::Scim)
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
        let mut providers = FOUR.to_vec();
        if !providers.contains(&self.provider()) {
            providers.push(self.provider());
        }
        World::with_providers(&providers, users, |settings| {
            if let Self::IntercomUsers { version } | Self::IntercomContacts { version } = self {
                crate::world::intercom(settings, version);
            }
            if self == Self::UsertourV2 {
                usertour_v2(settings);
            }
            change(settings);
        })
        .await
    }
}

/// All expectations of a subject in worlds of the sandbox. Each provider has a file for them.
pub(crate) struct Expected {
    pub(crate) provider: Provider,
    /// The provider's name in the graph.
    pub(crate) graph_name: &'static str,
    /// The provider's name in texts for people.
    pub(crate) title: &'static str,
    /// The path of the users, below the address of the API.
    pub(crate) users_path: fn() -> String,
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
    /// Whether records have external ids.
    pub(crate) has_external_ids: bool,
    /// Whether the search by address compares letter case, so that its answer is partial.
    pub(crate) compares_case: bool,
    /// Whether the provider holds the address that is the 101st of those that contain it.
    pub(crate) finds_position_101: bool,
    /// Whether filters by moments compare days, so that they cost more rows than they find.
    pub(crate) compares_days: bool,
    /// Sorts the seeded people, who come in the order of their creation, as the list does.
    pub(crate) sort: fn(&mut [Person]),
    /// The field of the graph that a write of a name sets.
    pub(crate) name_field: &'static str,
    /// Whether reading the attributes of a record takes a call.
    pub(crate) attributes_cost_a_call: bool,
    /// How the provider opens a page.
    pub(crate) paging: Paging,
    /// How many calls the queries of the conformance suite take.
    pub(crate) calls: ExpectedCalls,
    /// How many calls return some rows behind a number of rows before them.
    pub(crate) list_calls: fn(usize, usize) -> usize,
    /// The account's capabilities in the graph.
    pub(crate) capabilities: fn() -> Value,
    /// Behaviour switches of the sandbox that change the shape of an answer, and nothing else.
    pub(crate) shapes: &'static [(&'static str, &'static str)],
    /// The fragment that selects every field of the provider's own record.
    pub(crate) details: &'static str,
    /// The known record, with every field of the conformance suite.
    pub(crate) record: fn() -> Value,
    /// Asserts that attributes with numbers beyond doubles are as the provider keeps them.
    pub(crate) assert_big_numbers: fn(&Value),
}

impl Expected {
    /// The status of a search by address.
    pub(crate) fn search_status(&self) -> &'static str {
        if self.compares_case {
            "PARTIAL"
        } else {
            "COMPLETE"
        }
    }
}

/// How a provider opens a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Paging {
    /// At any row.
    Row,
    /// By its number.
    Number,
    /// With a token that the page before it ends with.
    Token,
}

/// How many calls a query takes.
pub(crate) struct ExpectedCalls {
    /// An address, in a list of 200 users.
    pub(crate) email_among_200: usize,
    /// An address as it is written.
    pub(crate) email: usize,
    /// An address in other letter case than the record's.
    pub(crate) other_case: usize,
    /// An address that is the 101st of those that contain it.
    pub(crate) position_101: usize,
    /// Three addresses in one request, one of them twice.
    pub(crate) three_emails: usize,
    /// Two ids that no user has.
    pub(crate) two_unknown_ids: usize,
    /// Three ids.
    pub(crate) three_ids: usize,
    /// The id of a company, before the list that it narrows.
    pub(crate) company_lookup: usize,
    /// The id of a segment, before the list that it narrows.
    pub(crate) segment_lookup: usize,
}

/// Attributes with numbers beyond doubles, kept exactly.
fn assert_exact_numbers(user: &Value) {
    let expected = json!({
        "account": 9_007_199_254_740_993_i64,
        "largest": 9_223_372_036_854_775_807_i64,
        "visits": 4_294_967_296_i64,
    });
    assert_eq!(user["attributes"], expected);
}
