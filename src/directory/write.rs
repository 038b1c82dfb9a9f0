//! Writing: find, then create or update, unless the provider does that itself in one call that may
//! be repeated. A lease makes equal writes wait for each other, so that the second finds what the
//! first made. A blind create is never repeated: where its answer is lost, the record is looked
//! for.

mod result;
mod target;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{Directory, lease::Leases};
use crate::{
    audit::{AuditLog, RequestId},
    connectors::{Connector, ConnectorWrite},
    context::{MaxAge, RequestContext, WriteProgress},
    error::{Error, ErrorKind, FailureStage, Result},
    recent_writes::{KnownWrites, PendingCreate, RecentWrites, WriteKey},
    user::{FieldChange, Identity, PatchField, User, UserKind, UserPatch, WriteOutcome},
};
pub use result::{WriteError, WriteResult};
use target::Target;

/// How long a write that has sent something goes on after its deadline.
const GRACE: Duration = Duration::from_secs(15);

/// A record that is older than its create by so much was made by somebody else; by less, the clocks
/// may differ.
const SKEW: SignedDuration = SignedDuration::from_secs(300);

/// The parts that the writes to one account share.
#[derive(Clone)]
pub struct WriteContext {
    /// The recent writes.
    pub recent: RecentWrites,
    /// The leases on the users that are being written.
    pub leases: Leases,
    /// The writes under way.
    pub tasks: TaskTracker,
    /// The log of their ends.
    pub audit: AuditLog,
}

/// A caller that waits for a write. When it leaves, a write that has sent nothing is abandoned.
struct AbandonGuard<'a>(&'a WriteProgress);

impl Drop for AbandonGuard<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// A write under way.
#[derive(Clone, Copy)]
struct WriteOperation<'a> {
    connector: &'a dyn Connector,
    context: &'a RequestContext,
    patch: &'a UserPatch,
    identity: Identity,
    keys: &'a BTreeSet<WriteKey>,
    /// The recent writes under these keys.
    recent_writes: &'a KnownWrites,
    /// Whether a create was noted as pending.
    is_noted: &'a AtomicBool,
}

impl Directory {
    /// Creates or updates a user. Disabled providers are skipped without an error and without a
    /// call.
    ///
    /// A write of which something was sent is finished, though the deadline comes or the client
    /// leaves.
    pub async fn upsert(
        self: &Arc<Self>,
        context: &RequestContext,
        patch: UserPatch,
        request: Option<RequestId>,
    ) -> WriteResult {
        if let Some(refused) = self.refusal(&patch) {
            self.write_audit_entry(&refused, request).await;
            return refused;
        }
        let progress = Arc::new(WriteProgress::new(GRACE));
        // A write must not decide by cached data.
        let fresh = context.with_max_age(MaxAge::Now).with_new_usage();
        let fresh = fresh.writing(Arc::clone(&progress));
        let this = Arc::clone(self);
        let cut_off =
            WriteResult::interrupted_entry(Arc::clone(&progress), self.account, request.clone());
        let write = async move {
            let end = this.write_context.audit.guard(cut_off);
            let written = this.finish(&fresh, &patch, request).await;
            end.disarm();
            written
        };
        let mut write = self.write_context.tasks.spawn(write.in_current_span());
        let _waiting = AbandonGuard(&progress);
        let fault = |_| WriteResult::unknown(&internal()).for_client();
        match timeout_at(context.deadline(), &mut write).await {
            Ok(written) => written.unwrap_or_else(fault),
            Err(_) if progress.abandon() => {
                WriteResult::not_sent(&Error::deadline_exceeded()).for_client()
            }
            Err(_) => WriteResult::unknown(&Error::deadline_exceeded()).for_client(),
        }
    }

    /// The result of a patch that cannot be written: its provider is disabled, or does not take it.
    fn refusal(&self, patch: &UserPatch) -> Option<WriteResult> {
        let Ok(connector) = self.connector() else {
            return Some(WriteResult::skipped(Vec::new()));
        };
        let problems = self.validate(connector, patch);
        if !problems.is_empty() {
            return Some(WriteResult::skipped(problems).for_client());
        }
        let error = connector.check(patch).err()?;
        Some(WriteResult::not_sent(&error).for_client())
    }

    fn validate(&self, connector: &dyn Connector, patch: &UserPatch) -> Vec<WriteError> {
        let writes = connector.capabilities().writes;
        let unwritable = patch
            .fields()
            .into_iter()
            .filter(|field| !writes.contains(field));
        let mut problems: Vec<_> = unwritable
            .map(|field| WriteError::input(field.name(), self.unwritable_message(field, writes)))
            .collect();
        if patch.identity().is_none() {
            let message =
                "one of `remoteId`, `externalId` and `email` must say which user is meant";
            problems.push(WriteError::input("email", message));
        }
        problems
    }

    /// The message for a field that cannot be written: it names the fields that can.
    fn unwritable_message(&self, field: PatchField, writes: &[PatchField]) -> String {
        let instead: &[PatchField] = match field {
            PatchField::Name => &[PatchField::FirstName, PatchField::LastName],
            PatchField::FirstName | PatchField::LastName => &[PatchField::Name],
            _ => &[],
        };
        let is_instead = !instead.is_empty() && instead.iter().all(|field| writes.contains(field));
        let (verb, fields) = if is_instead {
            ("write", instead)
        } else {
            ("it takes", writes)
        };
        let names = fields.iter().map(|field| format!("`{}`", field.name()));
        let names = names.collect::<Vec<_>>();
        let names = names.join(if is_instead { " and " } else { ", " });
        let title = self.account.title();
        format!("{title} does not take `{}`: {verb} {names}", field.name())
    }

    /// Writes to the end, whoever waits for it.
    async fn finish(
        &self,
        context: &RequestContext,
        patch: &UserPatch,
        request: Option<RequestId>,
    ) -> WriteResult {
        let keys = write_keys(patch);
        let written = match self
            .write_context
            .leases
            .take(&keys, context.deadline())
            .await
        {
            Some(lease) => {
                let written = self.write(context, patch, &keys).await;
                written.with_lease_warning(lease.release().await)
            }
            None => {
                WriteResult::not_sent(&Error::deadline_exceeded().at_stage(FailureStage::NotSent))
            }
        };
        let written = written.for_client();
        self.write_audit_entry(&written, request).await;
        written
    }

    /// The end of every write, also of one that nobody waits for: it is noted in the audit log.
    async fn write_audit_entry(&self, written: &WriteResult, request: Option<RequestId>) {
        let entry = written.audit_entry(self.account, request);
        self.write_context.audit.record(entry).await;
    }

    async fn write(
        &self,
        context: &RequestContext,
        patch: &UserPatch,
        keys: &BTreeSet<WriteKey>,
    ) -> WriteResult {
        let (Ok(connector), Some(identity)) = (self.connector(), patch.identity()) else {
            return WriteResult::skipped(Vec::new());
        };
        let recent = &self.write_context.recent;
        let known = &recent.look_up(recent_keys(patch, keys)).await;
        let write = WriteOperation {
            connector,
            context,
            patch,
            identity,
            keys,
            recent_writes: known,
            is_noted: &AtomicBool::default(),
        };
        let written = self.find_and_write(write).await;
        let written = written.unwrap_or_else(|error| WriteResult::failed(&error));
        let is_changed = matches!(
            written.outcome,
            Some(WriteOutcome::Created | WriteOutcome::Updated)
        );
        if let Some(user) = written.user.as_ref().filter(|_| is_changed) {
            recent.remember(user).await;
        }
        if write.is_settled_by(&written) && !context.has_left_write() {
            recent.settle(keys).await;
        }
        written
    }

    async fn find_and_write(&self, write: WriteOperation<'_>) -> Result<WriteResult> {
        let WriteOperation {
            patch,
            recent_writes: known,
            ..
        } = write;
        let email = patch.email.set();
        let is_adopting = email.is_some_and(|email| !known.with_email(email.folded()).is_empty());
        if write.uses_native_upsert() && !is_adopting {
            return self.create(write).await;
        }
        let target = match self.find_target(write).await {
            Ok(target) => target,
            // Nothing was sent yet but reads.
            Err(error) => return Ok(WriteResult::not_sent(&error)),
        };
        match target {
            Target::Found(user) => Ok(write.correct_outcome(self.change(write, &user).await?)),
            Target::NotFound if write.identity == Identity::RemoteId => Ok(not_found()),
            Target::NotFound => self.create(write).await,
            Target::Ambiguous(message) => Ok(WriteResult::skipped(vec![WriteError::input(
                "email", message,
            )])),
        }
    }

    async fn find_target(&self, write: WriteOperation<'_>) -> Result<Target> {
        let what = (write.patch, write.identity);
        self.resolve_target(write.connector, write.context, what, write.recent_writes)
            .await
    }

    /// Changes a record that is there, where anything of it is to change.
    async fn change(&self, write: WriteOperation<'_>, user: &User) -> Result<WriteResult> {
        let WriteOperation {
            connector, patch, ..
        } = write;
        if user.kind == UserKind::Lead && !connector.capabilities().writes_leads {
            let message = "this is a lead, which cannot be changed here: only users can";
            return Ok(WriteResult::skipped(vec![WriteError::input(
                "remoteId", message,
            )]));
        }
        if user.kind == UserKind::Lead && patch.external_id.is_change() {
            let message =
                "this is a lead, whose external id is the provider's own: only a user's can be set";
            let problem = WriteError::input("externalId", message);
            return Ok(WriteResult::skipped(vec![problem]));
        }
        let mut patch = patch.without_unchanged(user);
        if write.identity == Identity::ExternalId && user.external_id.is_some() {
            patch.external_id = FieldChange::Keep;
        }
        if patch.fields().is_empty() {
            let matched = ConnectorWrite::complete(user.clone(), WriteOutcome::Matched);
            return Ok(WriteResult::done(matched));
        }
        let updated = connector.update(write.context, user, &patch).await?;
        Ok(updated.map_or_else(not_found, WriteResult::done))
    }

    /// Creates a record where none was found.
    async fn create(&self, write: WriteOperation<'_>) -> Result<WriteResult> {
        let WriteOperation {
            connector,
            context,
            patch,
            ..
        } = write;
        let began = Timestamp::now();
        // Noted before it is sent: this process may end before the answer comes.
        let pending = match write.uses_native_upsert() {
            true => PendingCreate::Unknown,
            false => PendingCreate::WasAbsent,
        };
        self.write_context
            .recent
            .note_pending(write.keys, pending)
            .await;
        write.is_noted.store(true, Ordering::Relaxed);
        let created = match write.uses_native_upsert() {
            true => connector.upsert(context, patch).await,
            false => connector.create(context, patch).await,
        };
        match created {
            Ok(upserted) => Ok(write.correct_outcome(WriteResult::done(upserted))),
            // It is there after all.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                match self.find_target(write).await {
                    Ok(Target::Found(user)) => {
                        Ok(write.correct_outcome(self.change(write, &user).await?))
                    }
                    _ => Err(error),
                }
            }
            Err(error) if error.is_unsettled() => {
                Ok(self.resolve_lost_create(write, &error, began).await)
            }
            Err(error) => Err(error),
        }
    }

    /// Settles a create whose answer was lost: it made the record if that exists now and did not
    /// before.
    async fn resolve_lost_create(
        &self,
        write: WriteOperation<'_>,
        error: &Error,
        began: Timestamp,
    ) -> WriteResult {
        if write.uses_native_upsert() {
            return WriteResult::unknown(error);
        }
        let user = match self.find_target(write).await {
            Ok(Target::Found(user)) if !is_older_than(&user, began) => user,
            _ => return WriteResult::unknown(error),
        };
        let patch = write.patch;
        // These may be written by calls that follow the create.
        let is_whole = patch.attributes.is_empty() && patch.companies.is_empty();
        let created = |user: &User| ConnectorWrite::complete(user.clone(), WriteOutcome::Created);
        let written = match is_whole {
            true => Ok(WriteResult::done(created(&user))),
            false => self.change(write, &user).await,
        };
        let written = written.unwrap_or_else(|error| WriteResult {
            errors: WriteError::from_error(&error),
            ..WriteResult::done(created(&user))
        });
        WriteResult {
            outcome: Some(WriteOutcome::Created),
            ..written
        }
    }
}

impl WriteOperation<'_> {
    /// Whether the provider itself finds or creates the record, and says which.
    fn uses_native_upsert(&self) -> bool {
        let capabilities = self.connector.capabilities();
        capabilities.upsert_reports_outcome && capabilities.upserts.contains(&self.identity)
    }

    /// Corrects the outcome of a write that follows a create whose answer was lost. That create
    /// made the record if it did not exist before; if nobody had looked, it may have made it.
    fn correct_outcome(&self, written: WriteResult) -> WriteResult {
        let is_done = matches!(
            written.outcome,
            Some(WriteOutcome::Updated | WriteOutcome::Matched)
        );
        let is_new = |user: &Arc<User>| !is_older_than(user, Timestamp::now());
        let may_be_made = is_done && written.user.as_ref().is_some_and(is_new);
        let outcome = match self
            .recent_writes
            .pending(self.keys)
            .filter(|_| may_be_made)
        {
            Some(PendingCreate::WasAbsent) => Some(WriteOutcome::Created),
            Some(PendingCreate::Unknown) => None,
            None => written.outcome,
        };
        WriteResult { outcome, ..written }
    }

    /// Whether it is known now what became of all creates under these keys.
    fn is_settled_by(&self, written: &WriteResult) -> bool {
        let was_pending = self.recent_writes.pending(self.keys).is_some();
        let is_noted = self.is_noted.load(Ordering::Relaxed);
        let is_refused = written.outcome.is_some() && !was_pending;
        (was_pending || is_noted) && (written.user.is_some() || is_refused)
    }
}

/// The keys that name the user of a patch: a write by one of them waits for those by another. An id
/// counts as one whosever it is, for at some providers yours is theirs; letter case does not count,
/// for some providers drop it.
fn write_keys(patch: &UserPatch) -> BTreeSet<WriteKey> {
    let ids = patch.remote_id.iter().chain(patch.external_id.set());
    let ids = ids.map(|id| WriteKey::person("id", &id.trim().to_lowercase()));
    let email = patch.email.set();
    let email = email.map(|email| WriteKey::person("email", email.folded()));
    ids.chain(email).collect()
}

/// The keys under which a write looks for earlier ones.
fn recent_keys(patch: &UserPatch, keys: &BTreeSet<WriteKey>) -> Vec<WriteKey> {
    let email = patch.email.set();
    let email = email.map(|email| WriteKey::email(email.folded()));
    let id = patch.external_id.set().map(|id| WriteKey::external_id(id));
    let pending = keys.iter().map(WriteKey::pending);
    email.into_iter().chain(id).chain(pending).collect()
}

/// Whether a record was there long before a moment.
fn is_older_than(user: &User, moment: Timestamp) -> bool {
    let created = user.created_at;
    created.is_some_and(|created| moment.duration_since(created) > SKEW)
}

fn internal() -> Error {
    Error::new(ErrorKind::Internal, "the write failed inside the gateway")
}

fn not_found() -> WriteResult {
    WriteResult::skipped(vec![WriteError::input(
        "remoteId",
        "there is no user with this id",
    )])
}
