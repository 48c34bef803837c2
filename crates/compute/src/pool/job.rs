//! An invocation on its way through a pool.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::gate::Permit;
use crate::spec::InvokeRequest;
use crate::stream::{Caller, Reply, StreamReply};

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
    /// Where the answer goes.
    pub(crate) caller: Caller,
}

impl Job {
    /// A job and the end its caller waits at.
    pub(crate) fn new(
        request: InvokeRequest,
        qualified: bool,
        permit: Permit,
    ) -> (Box<Self>, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        let job = Self::to(Caller::whole(reply), request, qualified, permit);
        (job, answer)
    }

    /// The same for a caller that takes the answer as it comes.
    pub(crate) fn streamed(
        request: InvokeRequest,
        qualified: bool,
        permit: Permit,
    ) -> (Box<Self>, oneshot::Receiver<StreamReply>) {
        let (reply, answer) = oneshot::channel();
        let job = Self::to(Caller::Waiting(reply), request, qualified, permit);
        (job, answer)
    }

    fn to(caller: Caller, request: InvokeRequest, qualified: bool, permit: Permit) -> Box<Self> {
        Box::new(Self {
            id: request.request_id.as_str().into(),
            request,
            qualified,
            submitted: Instant::now(),
            returned: 0,
            permit,
            caller,
        })
    }

    /// Answers. The concurrency is given back first, so that a caller that asks again at once is
    /// not throttled by its own last invocation. A caller that went away is no trouble.
    pub(crate) fn answer(self, reply: Reply) {
        drop(self.permit);
        self.caller.answer(reply);
    }
}
