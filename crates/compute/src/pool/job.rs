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
    /// What the caller named, which then stands in the ARN the function sees.
    pub(crate) named: Named,
    pub(crate) submitted: Instant,
    /// How often it was given to an instance that died before it read it.
    pub(crate) returned: u8,
    permit: Permit,
    /// Where the answer goes.
    pub(crate) caller: Caller,
}

/// What an invocation was sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// The function: `$LATEST`.
    Function,
    /// A version by its number, or `$LATEST` by its name.
    Version,
    /// An alias; its ARN.
    Alias(Arc<str>),
}

impl Job {
    /// A job and the end its caller waits at.
    pub(crate) fn new(
        request: InvokeRequest,
        named: Named,
        permit: Permit,
    ) -> (Box<Self>, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        let job = Self::to(Caller::whole(reply), request, named, permit);
        (job, answer)
    }

    /// The same for a caller that takes the answer as it comes.
    pub(crate) fn streamed(
        request: InvokeRequest,
        named: Named,
        permit: Permit,
    ) -> (Box<Self>, oneshot::Receiver<StreamReply>) {
        let (reply, answer) = oneshot::channel();
        let job = Self::to(Caller::Waiting(reply), request, named, permit);
        (job, answer)
    }

    fn to(caller: Caller, request: InvokeRequest, named: Named, permit: Permit) -> Box<Self> {
        Box::new(Self {
            id: request.request_id.as_str().into(),
            request,
            named,
            submitted: Instant::now(),
            returned: 0,
            permit,
            caller,
        })
    }

    /// The ARN the function sees, given its own without and with its version.
    pub(crate) fn function_arn<'a>(&'a self, [plain, qualified]: &'a [Arc<str>; 2]) -> &'a str {
        match &self.named {
            Named::Function => plain,
            Named::Version => qualified,
            Named::Alias(arn) => arn,
        }
    }

    /// Answers. The concurrency is given back first, so that a caller that asks again at once is
    /// not throttled by its own last invocation. A caller that went away is no trouble.
    pub(crate) fn answer(self, reply: Reply) {
        drop(self.permit);
        self.caller.answer(reply);
    }
}
