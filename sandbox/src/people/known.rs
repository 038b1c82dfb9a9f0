//! The hard cases by their addresses, so that tests and the demo can name them. All exist when each
//! provider has [`ENOUGH`] users or more.

/// With this number of users per provider, or more, every hard case exists.
pub const ENOUGH: usize = 200;

/// A person at every provider, with all fields filled.
pub const EVERYWHERE: &str = "ann@x.test";
/// The external id of [`EVERYWHERE`].
pub const EVERYWHERE_EXTERNAL_ID: &str = "crm-ann";
/// Another person at every provider, whose address contains [`EVERYWHERE`].
pub const JOANN: &str = "joann@x.test";
/// The plus-address of a third person, at every provider.
pub const PLUS: &str = "ann+news@x.test";

/// An address of two people at every provider: one is stored like this, one as [`SHARED_UPPER`].
pub const SHARED: &str = "help@trainco.test";
/// The other spelling of [`SHARED`].
pub const SHARED_UPPER: &str = "HELP@trainco.test";
/// A person whose address contains [`SHARED`], at every provider.
pub const SHARED_DECOY: &str = "selfhelp@trainco.test";

/// A person at every provider, whose address Usertour stores as [`MIXED_CASE_AT_USERTOUR`].
pub const MIXED_CASE: &str = "mixed.case@usertour.test";
/// How Usertour spells [`MIXED_CASE`].
pub const MIXED_CASE_AT_USERTOUR: &str = "Mixed.Case@Usertour.test";
/// A person at every provider, whose address Intercom stores as [`UPPER_AT_INTERCOM`].
pub const UPPER: &str = "upper@x.test";
/// How Intercom spells [`UPPER`].
pub const UPPER_AT_INTERCOM: &str = "UPPER@X.TEST";

/// A user and, at Intercom, an anonymous lead beside it with the same address.
/// The user is also at Usertour.
pub const LEAD: &str = "lead@x.test";
/// An anonymous lead at Intercom alone.
pub const LEAD_ALONE: &str = "only.lead@x.test";

/// At Ada alone.
pub const AT_ADA: &str = "only.ada@x.test";
/// At DigitalChalk alone.
pub const AT_DIGITAL_CHALK: &str = "only.digitalchalk@x.test";
/// At Intercom alone, with 13 tags, 130 companies and 3 segments there.
pub const AT_INTERCOM: &str = "only.intercom@x.test";
/// At Usertour alone.
pub const AT_USERTOUR: &str = "only.usertour@x.test";
/// At no provider.
pub const NOBODY: &str = "nobody@x.test";

/// At DigitalChalk, 16 addresses that contain this one come before it.
pub const POSITION_17: &str = "seventeen@pages.test";
/// At DigitalChalk, 100 addresses that contain this one come before it.
pub const POSITION_101: &str = "hundred@pages.test";

/// An underscore in the local part, at every provider.
pub const UNDERSCORE: &str = "un_der@x.test";
/// An address that [`UNDERSCORE`] would match as an SQL pattern.
pub const UNDERSCORE_DECOY: &str = "unxder@x.test";
/// A percent sign in the local part, at every provider.
pub const PERCENT: &str = "per%cent@x.test";
/// An address that [`PERCENT`] would match as an SQL pattern.
pub const PERCENT_DECOY: &str = "per-and-cent@x.test";
/// An apostrophe in the local part, at every provider.
pub const APOSTROPHE: &str = "o'hara@x.test";

/// An address that is the beginning of [`PREFIX_LONGER`]; both at every provider.
pub const PREFIX: &str = "a@b.test";
/// The longer address.
pub const PREFIX_LONGER: &str = "a@b.test.example";

/// Names outside ASCII, at every provider.
pub const UNICODE_NAME: &str = "unicode.name@x.test";
/// A local part outside ASCII, at every provider; DigitalChalk stores
/// [`UNICODE_LOCAL_AT_DIGITAL_CHALK`].
pub const UNICODE_LOCAL: &str = "jörg@x.test";
/// How DigitalChalk spells [`UNICODE_LOCAL`].
pub const UNICODE_LOCAL_AT_DIGITAL_CHALK: &str = "JÖRG@x.test";
/// An international domain name, at every provider.
pub const IDN: &str = "info@bücher.example";

/// Custom fields with numbers beyond 2^53 and 2^31, at every provider.
pub const BIG_NUMBER: &str = "big.number@x.test";
/// The value of [`BIG_NUMBER`]'s attribute `account`: 2^53 + 1.
pub const BIG_NUMBER_ACCOUNT: i64 = 9_007_199_254_740_993;
/// Custom fields of odd types (list, object, null, a number under `name`), at every provider.
pub const ODD_TYPES: &str = "odd.types@x.test";

/// No name, at every provider.
pub const NO_NAME: &str = "no.name@x.test";
/// Never seen, no tags, no locale, no time zone, no companies, at every provider.
pub const NEVER_SEEN: &str = "never.seen@x.test";
/// The external id of a person without email, at every provider.
pub const NO_EMAIL_EXTERNAL_ID: &str = "crm-no-email";
/// The external id of a person without any other value, at every provider.
pub const EMPTY_EXTERNAL_ID: &str = "crm-empty";

/// External ids that must be percent-encoded in a path; at Intercom and Usertour.
pub const ODD_EXTERNAL_IDS: [&str; 5] = [
    "odd/slash",
    "odd?question",
    "odd#hash",
    "odd%25percent",
    "odd space",
];
/// The addresses of [`ODD_EXTERNAL_IDS`], in the same order.
pub const ODD_EXTERNAL_ID_EMAILS: [&str; 5] = [
    "odd.slash@x.test",
    "odd.question@x.test",
    "odd.hash@x.test",
    "odd.percent@x.test",
    "odd.space@x.test",
];

/// The position of [`EDGE_LAST`], from 1, in the lists of Ada and Usertour.
pub const EDGE: usize = 100;
/// Record 100 of Ada and of Usertour: the last of a full page.
pub const EDGE_LAST: &str = "edge.last@pages.test";
/// Record 101 of Ada and of Usertour, created in the same second as
/// [`EDGE_LAST`]: the first of the second page.
pub const EDGE_FIRST: &str = "edge.first@pages.test";

/// The project at Usertour that the sandbox's token has.
pub const USERTOUR_PROJECT: &str = "cmproject0000000000000000";
/// The environment of [`USERTOUR_PROJECT`] that holds the users.
pub const USERTOUR_ENVIRONMENT: &str = "cmenvironment000000000000";
/// An environment at Usertour of another project.
pub const USERTOUR_ENVIRONMENT_OF_OTHERS: &str = "cmenvironmentofothers0000";

/// Usertour's built-in segment of all users.
pub const SEGMENT_OF_ALL: &str = "cmsegmentofall00000000000";
/// A manual segment at Usertour: every fifth user.
pub const SEGMENT_BY_HAND: &str = "cmsegmentbyhand0000000000";
/// A segment at Usertour with a condition: `plan` is `gold`.
pub const SEGMENT_BY_RULE: &str = "cmsegmentbyrule0000000000";
/// A segment at Usertour of another customer's project.
pub const SEGMENT_OF_OTHERS: &str = "cmsegmentofothers00000000";
