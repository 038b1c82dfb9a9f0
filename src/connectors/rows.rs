//! Decodes the rows of a list one by one: an unreadable row costs only itself, and the answer says
//! so. Reads windows and scans, and reports their unreadable rows.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use serde_json::value::RawValue;

use crate::{
    account::Account,
    connectors::{connector_spec, decode},
    context::RequestContext,
    error::{Error, Result},
    pagination::{
        self, ListRange, Page, PageRequest, PaginationSpec, Row, RowFilter, Scan, ScanLimits,
        UnreadableRows, Window,
    },
    user::User,
};

impl Row for User {
    const PLURAL: &'static str = "users";

    fn key(&self) -> &str {
        &self.remote_id
    }

    fn unreadable_text(&self) -> Option<&str> {
        self.is_unreadable.then(|| self.raw.get())
    }
}

/// The users of a page. An unreadable row becomes [`User::unreadable`], so that the others keep
/// their indexes, and is noted in the context.
pub fn users(
    context: &RequestContext,
    account: Account,
    rows: &[Arc<RawValue>],
    read: impl Fn(Account, Arc<RawValue>) -> Result<User>,
) -> Vec<User> {
    let rows = rows.iter().map(|row| {
        let user = read(account, Arc::clone(row)).and_then(|user| {
            match has_ambiguous_id(context, &user) {
                false => Ok(user),
                true => Err(Error::malformed(
                    "another row has the same id, as a number or as a text",
                )),
            }
        });
        (row, user)
    });
    let rows: Vec<_> = rows.collect();
    let Some(why) = rows.iter().find_map(|(_, user)| user.as_ref().err()) else {
        return rows.into_iter().filter_map(|(_, user)| user.ok()).collect();
    };
    let unread = rows.iter().filter(|(_, user)| user.is_err()).count();
    tracing::warn!(provider.name = account.provider().name(), account.name = account.name(), rows = unread, %why, "rows cannot be read");
    let mut unreadable = UnreadableRows::default();
    let users = rows.into_iter().map(|(row, user)| {
        user.unwrap_or_else(|_| {
            context.note_unreadable(unreadable.number(row.get()));
            User::unreadable(account, Arc::clone(row))
        })
    });
    users.collect()
}

/// Notes the users of an answer about addresses whose own address cannot be read: each may be the
/// one that was asked for.
pub fn note_unreadable_emails(context: &RequestContext, users: &[User]) {
    for user in users.iter().filter(|user| user.is_email_unreadable) {
        let mut hasher = DefaultHasher::new();
        ("email", &user.remote_id).hash(&mut hasher);
        context.note_unreadable(hasher.finish());
    }
}

/// Reads a window of a list, and notes its unreadable rows in the context.
///
/// # Errors
/// As [`pagination::read_window`].
pub async fn read_window<T, F, R>(
    context: &RequestContext,
    listing: &PaginationSpec,
    range: &ListRange,
    accept: Option<RowFilter<'_, T>>,
    fetch: F,
) -> Result<Window<T>>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    let window = pagination::read_window(listing, range, accept, fetch).await?;
    note_unreadable_rows(context, &window.unreadable);
    Ok(window)
}

/// Scans a list, and notes its unreadable rows in the context.
pub async fn scan<T, F, R>(
    context: &RequestContext,
    listing: &PaginationSpec,
    limits: ScanLimits,
    wanted: impl Fn(&T) -> bool,
    fetch: F,
) -> Scan<T>
where
    T: Row,
    F: Fn(PageRequest) -> R,
    R: Future<Output = Result<Page<T>>>,
{
    let scan = pagination::scan(listing, limits, wanted, fetch).await;
    note_unreadable_rows(context, &scan.unreadable);
    scan
}

fn note_unreadable_rows(context: &RequestContext, unreadable: &[u64]) {
    for position in unreadable {
        context.note_unreadable(*position);
    }
}

/// Whether another row had the id of a user, and one of them has it as a number, the other as a text.
fn has_ambiguous_id(context: &RequestContext, user: &User) -> bool {
    let is_of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    if !user.remote_id.chars().all(is_of_number) {
        return false;
    }
    let id = connector_spec(user.account.provider()).record_keys.id;
    let id = decode::member(&user.raw, id);
    let is_text = id.is_none_or(|id| id.get().starts_with('"'));
    !context.is_same_kind(user.account, &user.remote_id, is_text)
}
