//! An invocation on its way through a pool.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::gate::Permit;
use crate::error::InvokeError;
use crate::spec::{InvokeRequest, InvokeResponse};

/// What the caller gets.
pub(crate) type Reply = Result<InvokeResponse, InvokeError>;

/// An invocation that was admitted. It is answered exactly once, by whoever holds it last.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: InvokeRequest,
    /// The request id, as log events want it.
    pub(crate) id: Arc<str>,
    /// Whether the caller named a version, which then stands in the ARN the function sees.
    pub(crate) qualified: bool,
    pub(crate) submitted: Instant,
    /// How often it was given to an instance that died before it read it.
    pub(crate) returned: u8,
    permit: Permit,
    reply: oneshot::Sender<Reply>,
}

impl Job {
    /// A job and the end its caller waits at.
    pub(crate) fn new(
        request: InvokeRequest,
        qualified: bool,
        permit: Permit,
    ) -> (Box<Self>, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        let job = Self {
            id: request.request_id.as_str().into(),
            request,
            qualified,
            submitted: Instant::now(),
            returned: 0,
            permit,
            reply,
        };
        (Box::new(job), answer)
    }

    /// Answers. The concurrency is given back first, so that a caller that asks again at once is
    /// not throttled by its own last invocation. A caller that went away is no trouble.
    pub(crate) fn answer(self, reply: Reply) {
        drop(self.permit);
        drop(self.reply.send(reply));
    }
}
