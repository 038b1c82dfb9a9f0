//! The operations of a socket, as the library starts them.

use std::sync::Arc;

use async_graphql::{Data, Request, Response};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

use super::state::SocketState;
use crate::{
    graphql::{Executor, executor::RequestOptions},
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
        let Some(mut request) = self.state.take_request(id) else {
            return stream::empty().boxed();
        };
        let options = options_of(&mut request);
        let mut recorder = OperationRecorder::new("websocket");
        match self.executor.stream(request, &options) {
            Ok(operation) => recorder.responses(operation.executions),
            Err(refused) => {
                recorder.note(&refused);
                self.state.refuse(id, refused.response.errors);
                stream::empty().boxed()
            }
        }
    }
}

/// The options that the reader has put into a request.
fn options_of(request: &mut Request) -> RequestOptions {
    let data = std::mem::take(&mut request.data);
    let options = data.get(&std::any::TypeId::of::<RequestOptions>());
    let options = options.and_then(|options| options.downcast_ref::<RequestOptions>());
    options.cloned().unwrap_or_default()
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
