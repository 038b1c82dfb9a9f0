//! The operations of a socket, as the library starts them.

use std::sync::Arc;

use async_graphql::{Data, Request, Response};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

use super::state::{OperationStart, SocketState};
use crate::{
    graphql::{Executor, executor::Execution},
    server::graphql::recorder::OperationRecorder,
};

/// Starts the operations of one socket. The library gives the id of an operation in the place of its
/// document; the request itself was read, and checked as that of every transport, by the reader.
#[derive(Clone)]
pub(super) struct SocketExecutor {
    executor: Executor,
    state: Arc<SocketState>,
}

impl SocketExecutor {
    pub(super) fn new(executor: Executor, state: Arc<SocketState>) -> Self {
        Self { executor, state }
    }

    /// The responses of an operation; none when its request is refused.
    fn responses(&self, id: &str) -> BoxStream<'static, Response> {
        let (request, options) = match self.state.take_start(id) {
            Some(OperationStart::Run(request, options)) => (request, options),
            Some(OperationStart::Refused(refused)) => return self.refuse(id, *refused),
            // The client has ended it before it began.
            None => return stream::empty().boxed(),
        };
        let operation = match self.executor.stream(*request, &options) {
            Ok(operation) => operation,
            Err(refused) => return self.refuse(id, *refused),
        };
        let executions = OperationRecorder::new("websocket").executions(operation);
        let (state, id) = (Arc::clone(&self.state), id.to_owned());
        let responses = executions.filter_map(move |execution| {
            let Execution {
                refusal,
                response,
                trace,
                ..
            } = execution;
            let response = match refusal {
                // The gateway had no room for the response.
                Some(_) => {
                    state.refuse(&id, response.errors);
                    None
                }
                None => {
                    state.hold(trace);
                    Some(response)
                }
            };
            async move { response }
        });
        responses.boxed()
    }

    fn refuse(&self, id: &str, refused: Execution) -> BoxStream<'static, Response> {
        OperationRecorder::new("websocket").note(&refused);
        self.state.refuse(id, refused.response.errors);
        stream::empty().boxed()
    }
}

impl async_graphql::Executor for SocketExecutor {
    async fn execute(&self, request: Request) -> Response {
        let response = self.responses(&request.query).next().await;
        response.unwrap_or_default()
    }

    fn execute_stream(
        &self,
        request: Request,
        _: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        self.responses(&request.query)
    }
}
