//! Fields of rows that make calls of their own, such as the tags of Intercom's contacts: what they cost
//! one answer, and how they failed. What fails for many rows alike is one error, and a notice of the
//! source that names the rows.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_graphql::{Context, PathSegment, Pos, ServerError};
use async_trait::async_trait;

use super::{error::to_graphql_error, outcomes::RequestOutcomes, source::SourceReport};
use crate::{
    account::Account,
    connectors::{Subresource, SubresourceData, SubresourceLoader},
    context::RequestContext,
    directory::Report,
    error::{Error, ErrorKind},
    loaders::Loaders,
    notice::{Notice, NoticeCode},
};

/// How many bytes an error with its path takes, about.
const ERROR: usize = 1024;

/// How many rows a notice names.
const NAMED: usize = 20;

/// A row, by the provider's id of it.
type RecordKey = (Account, String);

/// The cost and the failures of the fields of one answer's rows.
#[derive(Default)]
pub struct SubresourceLog(Mutex<SubresourceLogInner>);

#[derive(Default)]
struct SubresourceLogInner {
    /// The work for each subresource; fields that ask for the same share it.
    works: HashMap<(RecordKey, Subresource), RequestContext>,
    failures: BTreeMap<FieldKey, FailedField>,
}

/// A field of rows that failed in one way.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct FieldKey {
    account: Account,
    /// Its path without the numbers of rows.
    path: Vec<String>,
    code: &'static str,
}

/// The rows for which it failed.
struct FailedField {
    name: &'static str,
    pos: Pos,
    /// Their ids, by their places in the answer.
    rows: BTreeMap<Vec<usize>, String>,
    /// The path and the error of the first of them.
    first: (Vec<PathSegment>, Error),
}

impl SubresourceLog {
    fn entries(&self) -> MutexGuard<'_, SubresourceLogInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_work(&self, row: RecordKey, part: Subresource, work: RequestContext) {
        self.entries().works.insert((row, part), work);
    }

    fn add_failure(&self, ctx: &Context<'_>, row: RecordKey, name: &'static str, error: Error) {
        let path = ctx.set_error_path(ServerError::new("", None)).path;
        let (mut names, mut place) = (Vec::new(), Vec::new());
        for segment in &path {
            match segment {
                PathSegment::Field(name) => names.push(name.clone()),
                PathSegment::Index(index) => place.push(*index),
            }
        }
        let (account, id) = row;
        let key = FieldKey {
            account,
            path: names,
            code: error.kind().code().as_str(),
        };
        let mut entries = self.entries();
        let failed = entries.failures.entry(key).or_insert_with(|| FailedField {
            name,
            pos: ctx.item.pos,
            rows: BTreeMap::new(),
            first: (path.clone(), error.clone()),
        });
        if failed
            .rows
            .first_key_value()
            .is_some_and(|(first, _)| place < *first)
        {
            failed.first = (path, error);
        }
        failed.rows.insert(place, id);
    }

    /// An error for each field that failed: that of its first row, with the number of rows in
    /// `extensions.count`.
    pub fn errors(&self) -> Vec<ServerError> {
        let entries = self.entries();
        let mut failures: Vec<_> = entries.failures.values().collect();
        failures.sort_by_key(|failed| failed.rows.keys().next());
        failures.into_iter().map(FailedField::error).collect()
    }

    /// A source's report, with what the fields of its rows cost and how they failed.
    fn complete(&self, report: Report, work: &RequestContext) -> Report {
        let entries = self.entries();
        let works = entries.works.iter();
        for (_, row) in works.filter(|(((account, _), _), _)| *account == report.account) {
            work.add_work(row);
        }
        let failures = entries.failures.iter();
        let failures = failures.filter(|(key, _)| key.account == report.account);
        let failures: Vec<_> = failures.map(|(_, failed)| failed).collect();
        let error = failures.first().map(|failed| failed.first.1.clone());
        report.with_subresources(work, notices(&failures), error)
    }
}

impl FailedField {
    fn error(&self) -> ServerError {
        let (path, error) = &self.first;
        let mut error = to_graphql_error(error).into_server_error(self.pos);
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("count", self.rows.len());
        error.path.clone_from(path);
        error
    }
}

/// The notices of fields that failed: for each field its rows, each once.
fn notices(failures: &[&FailedField]) -> Vec<Notice> {
    let mut fields: BTreeMap<&str, BTreeMap<&Vec<usize>, &str>> = BTreeMap::new();
    for failed in failures {
        let rows = failed.rows.iter().map(|(place, id)| (place, id.as_str()));
        fields.entry(failed.name).or_default().extend(rows);
    }
    let notices = fields.into_iter().map(|(name, rows)| {
        let mut seen = HashSet::new();
        let ids: Vec<&str> = rows.into_values().filter(|id| seen.insert(*id)).collect();
        let (named, more) = ids.split_at(ids.len().min(NAMED));
        let users = if ids.len() == 1 { "user" } else { "users" };
        let mut message = format!(
            "`{name}` of {} {users} could not be read, null there does not mean none: {}",
            ids.len(),
            named.join(", ")
        );
        if !more.is_empty() {
            message.push_str(&format!(" and {} more", more.len()));
        }
        Notice::new(NoticeCode::SubresourceFailed, message)
    });
    notices.collect()
}

/// The reports of sources, with what the fields of their rows cost and how they failed.
pub fn sources(ctx: &Context<'_>, reports: impl IntoIterator<Item = Report>) -> Vec<SourceReport> {
    let log = ctx.data_opt::<SubresourceLog>();
    let complete = |report: Report| {
        let Some(log) = log else {
            return report;
        };
        let was_well = report.error.is_none();
        let report = log.complete(
            report,
            &ctx.data_unchecked::<RequestContext>().with_new_usage(),
        );
        if was_well && report.error.is_some() {
            RequestOutcomes::note_source_of_field(ctx, &report);
        }
        report
    };
    reports
        .into_iter()
        .map(complete)
        .map(SourceReport)
        .collect()
}

/// Handles the error of a field of a row. Where the answer has sources, the field is null, and one error
/// stands for all rows that fail alike.
///
/// # Errors
/// Where no sources tell of it, or the request needs more than it may.
pub fn failed<T>(
    ctx: &Context<'_>,
    (account, id): (Account, &str),
    name: &'static str,
    error: Error,
) -> async_graphql::Result<Option<T>> {
    // There may be one for each row and alias.
    let charged = ctx.data_unchecked::<RequestContext>().meter().charge(ERROR);
    let error = charged.err().unwrap_or(error);
    let is_of_request = matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::Overloaded);
    match ctx.data_opt::<SubresourceLog>() {
        Some(log) if !is_of_request => {
            log.add_failure(ctx, (account, id.to_owned()), name, error);
            Ok(None)
        }
        _ => Err(to_graphql_error(&error)),
    }
}

/// Loads subresources of rows through the loaders of a request.
pub struct SubresourceFields(pub Arc<Loaders>);

#[async_trait]
impl SubresourceLoader for SubresourceFields {
    async fn load(
        &self,
        ctx: &Context<'_>,
        account: Account,
        id: &str,
        part: Subresource,
    ) -> async_graphql::Result<Option<Arc<SubresourceData>>> {
        let answer = self.0.subresource(account, id.to_owned(), part).await;
        let data = answer.and_then(|answer| {
            if let Some(log) = ctx.data_opt::<SubresourceLog>() {
                log.add_work((account, id.to_owned()), part, answer.work);
            }
            answer.data
        });
        data.or_else(|error| failed(ctx, (account, id), part.name(), error))
    }
}
