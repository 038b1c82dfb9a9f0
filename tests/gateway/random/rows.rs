//! Records as the providers send them: plain ones, ones with odd values, and ones that cannot be read.

use serde_json::{Value, json};

use super::{
    dice::Dice,
    habits::Paging,
    list::{List, User},
};

/// How a user's record is sent, every time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    Plain,
    /// The id is a number.
    Number,
    /// The id is a number beyond 64 bits.
    Long,
    /// A value that is shown holds half a surrogate pair.
    Surrogate,
    /// A value that is shown is a number beyond a double.
    Beyond,
    /// A value that is shown is nested deeper than most libraries read.
    Deep,
    /// A key comes twice.
    Twice,
    /// The moment of its creation is none.
    Timeless(usize),
    /// Nobody can read it.
    Broken(usize),
}

const BROKEN: [&str; 10] = [
    "null",
    "17",
    "\"text\"",
    "[]",
    r#"{"email":"a@x.test"}"#,
    r#"{"id":"","end_user_id":""}"#,
    r#"{"id":" ","end_user_id":" ","createdAt":"2026-02-03T04:05:06Z"}"#,
    r#"{"id":"\ud83d","end_user_id":"\ud83d"}"#,
    r#"{"id":"one","id":"two","end_user_id":"one","end_user_id":"two"}"#,
    r#"{"id":1e999,"end_user_id":{}}"#,
];

const TIMELESS: [&str; 5] = ["null", "{}", "\"soon\"", "\"2026-\\ud83d\"", "1e999"];

impl Form {
    pub(super) fn of(broken: usize, odd: usize, dice: &mut Dice) -> Self {
        if dice.chance(broken) {
            return Self::Broken(dice.below(BROKEN.len()));
        }
        if !dice.chance(odd) {
            return Self::Plain;
        }
        match dice.below(7) {
            0 => Self::Number,
            1 => Self::Long,
            2 => Self::Surrogate,
            3 => Self::Beyond,
            4 => Self::Deep,
            5 => Self::Twice,
            _ => Self::Timeless(dice.below(TIMELESS.len())),
        }
    }

    pub(super) fn is_broken(self) -> bool {
        matches!(self, Self::Broken(_))
    }

    /// Whether the record tells when the user was made.
    pub(super) fn is_timed(self) -> bool {
        !matches!(self, Self::Broken(_) | Self::Timeless(_))
    }
}

/// A user's id, as clients see it.
pub(super) fn id(number: usize, form: Form) -> String {
    match form {
        Form::Number => format!("1{number:05}"),
        Form::Long => format!("987654321098765432{number:05}"),
        _ => format!("r{number}"),
    }
}

/// The number of the user who has an id.
pub(super) fn number_of(id: &str) -> Option<usize> {
    let digits = id.strip_prefix('r').or_else(|| {
        let digits = id.len().checked_sub(5)?;
        id.get(digits..)
    })?;
    digits.parse().ok()
}

/// The id that the client's own systems gave.
pub(super) fn external_id(number: usize) -> String {
    format!("e{number}")
}

/// The record of a user, in JSON.
pub(super) fn row(list: &mut List, user: &User) -> String {
    if let Form::Broken(kind) = user.form {
        return BROKEN[kind].to_owned();
    }
    let name = shown(list, user.form);
    let id = match user.form {
        Form::Number | Form::Long => id(user.number, user.form),
        form => json!(id(user.number, form)).to_string(),
    };
    let (email, external) = (json!(user.email), json!(external_id(user.number)));
    let twice = match user.form {
        Form::Twice => r#""x":1,"x":2,"#,
        _ => "",
    };
    match list.paging {
        Paging::Keys => format!(
            r#"{{{twice}"end_user_id":{id},"external_id":{external},"profile":{{{twice}"email":{email},"first_name":{name}}}}}"#
        ),
        Paging::Offsets => {
            format!(r#"{{{twice}"id":{id},"email":{email},"firstName":{name}}}"#)
        }
        Paging::Numbers => format!(
            r#"{{"type":"user",{twice}"id":{id},"user_id":{external},"email":{email},"name":{name}}}"#
        ),
        Paging::CountedTokens => format!(
            r#"{{"type":"contact",{twice}"id":{id},"external_id":{external},"role":"user","email":{email},"name":{name}}}"#
        ),
        Paging::Tokens => {
            let created_at = created_at(user);
            format!(
                r#"{{{twice}"id":{id},"object":"user","attributes":{{{twice}"email":{email},"name":{name}}},"createdAt":{created_at}}}"#
            )
        }
    }
}

/// A name, which may be of another type than documented.
fn shown(list: &mut List, form: Form) -> String {
    match form {
        Form::Surrogate => r#""Kim \ud83d""#.to_owned(),
        Form::Beyond => "1e999".to_owned(),
        Form::Deep => format!("{}1{}", "[".repeat(300), "]".repeat(300)),
        _ if list.dice.chance(list.habits.odd) => {
            let odd = [json!({}), json!([1]), json!(7), json!(false), Value::Null];
            odd[list.dice.below(odd.len())].to_string()
        }
        _ => "\"N\"".to_owned(),
    }
}

fn created_at(user: &User) -> String {
    if let Form::Timeless(kind) = user.form {
        return TIMELESS[kind].to_owned();
    }
    let moment = jiff::Timestamp::from_microsecond(user.moment).expect("a moment");
    json!(moment.to_string()).to_string()
}
