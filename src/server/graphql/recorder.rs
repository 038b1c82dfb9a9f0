//! The log line and the metrics of an operation whose responses come as a stream.

use async_graphql::{Name, parser::types::OperationType};
use futures_util::{StreamExt, stream::BoxStream};
use tokio::time::Instant;
use tracing::Span;

use super::{outcome::OperationOutcome, render::kind_name};
use crate::{
    graphql::executor::{Execution, ExecutionStream},
    metrics,
    server::log::operation_name,
};

/// Notes the executions of one operation. Dropping it writes the log line: a client that leaves ends its
/// operation.
pub(super) struct OperationRecorder {
    transport: &'static str,
    started: Instant,
    kind: Option<OperationType>,
    name: Option<Name>,
    events: usize,
    ending: Option<OperationOutcome>,
    is_complete: bool,
    span: Span,
}

impl OperationRecorder {
    pub(super) fn new(transport: &'static str) -> Self {
        Self {
            transport,
            started: Instant::now(),
            kind: None,
            name: None,
            events: 0,
            ending: None,
            is_complete: false,
            span: Span::current(),
        }
    }

    /// Notes a refusal, or the response to an event.
    pub(super) fn note(&mut self, execution: &Execution) {
        self.kind = execution.kind;
        self.name.clone_from(&execution.name);
        self.events += 1;
        self.is_complete |= execution.refusal.is_some();
        let ending = OperationOutcome::of(
            &execution.response,
            execution.refusal.is_some(),
            execution.trace.outcomes(),
        );
        match &mut self.ending {
            Some(earlier) => earlier.add(ending),
            None => self.ending = Some(ending),
        }
    }

    /// Notes that there are no more responses.
    fn complete(&mut self) {
        self.is_complete = true;
    }

    /// The executions of an operation, each noted as it comes.
    pub(super) fn executions(
        mut self,
        operation: ExecutionStream,
    ) -> BoxStream<'static, Execution> {
        self.kind = Some(operation.kind);
        self.name = operation.name;
        let recorded = futures_util::stream::unfold(
            (self, operation.executions),
            |(mut recorder, mut executions)| async move {
                let Some(execution) = executions.next().await else {
                    recorder.complete();
                    return None;
                };
                recorder.note(&execution);
                Some((execution, (recorder, executions)))
            },
        );
        recorded.boxed()
    }
}

impl Drop for OperationRecorder {
    fn drop(&mut self) {
        let _in_span = self.span.enter();
        let ending = self.ending.take();
        let outcome = match &ending {
            _ if !self.is_complete => "client_left",
            Some(ending) => ending.outcome,
            None => "ok",
        };
        let kind = kind_name(self.kind);
        metrics::request(kind, outcome, self.started.elapsed());
        let ending = ending.unwrap_or_else(OperationOutcome::empty);
        for code in &ending.codes {
            metrics::graphql_error(code.as_str());
        }
        tracing::info!(
            transport = self.transport,
            operation.r#type = kind,
            operation.name = self.name.as_deref().map(operation_name),
            outcome,
            events = self.events,
            errors = ending.errors,
            failed_sources = Some(ending.failed_sources).filter(|failed| *failed > 0),
            failed_writes = Some(ending.failed_writes).filter(|failed| *failed > 0),
            code = ending.codes.first().map(|code| code.as_str()),
            duration_ms = self.started.elapsed().as_millis() as u64,
            "operation ended"
        );
    }
}
