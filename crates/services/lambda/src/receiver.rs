//! Events of other services, queued for functions in the transaction that they come from.

use std::sync::Arc;

use bytes::Bytes;
use tradewind_compute::{InvokeError, InvokeRequest, InvokeResponse};
use tradewind_events::{Message, Receiver, Routing, Undeliverable};
use tradewind_model::{Arn, FunctionArn, Qualifier, RequestId, limits};
use tradewind_store::Batch;

use crate::model::Function;
use crate::queue::Accepted;
use crate::service::LambdaService;

impl Receiver for LambdaService {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        self.function_at(target).map(drop)
    }

    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        let (arn, _function) = self.function_at(target)?;
        if message.body.len() > limits::ASYNC_PAYLOAD_BYTES {
            return Err(Undeliverable::TooLarge {
                target: target.to_string(),
                bytes: message.body.len(),
                limit: limits::ASYNC_PAYLOAD_BYTES,
            });
        }
        let accepted = Accepted {
            request_id: RequestId::random(),
            arn: arn.unqualified(),
            qualifier: arn
                .qualifier
                .as_ref()
                .map(Qualifier::to_string)
                .unwrap_or_default(),
            payload: message.body,
            trace_id: message.trace.header(),
        };
        let mut queued = Ok(());
        routing.add(|mut batch: Batch| {
            queued = self.queue().accept_within(&mut batch, &accepted);
            batch
        });
        queued.map_err(|_full| Undeliverable::Full {
            target: target.to_string(),
        })
    }
}

impl LambdaService {
    /// The log group that the function of an ARN writes to, if it has that version or alias.
    #[must_use]
    pub fn log_group_of(&self, function: &Arn) -> Option<String> {
        let (_, function) = self.function_at(function).ok()?;
        Some(function.latest.configuration.log_group.clone())
    }

    /// Runs the function, version or alias of an ARN for another service, which waits for the answer.
    ///
    /// # Errors
    /// If it did not run.
    pub async fn call(
        &self,
        target: &Arn,
        payload: Bytes,
        trace: Option<String>,
    ) -> Result<InvokeResponse, InvokeError> {
        let missing = || InvokeError::NotFound {
            function: target.to_string(),
        };
        let (asked, function) = self.function_at(target).map_err(|_not_found| missing())?;
        let arn = function.invocable(&asked.qualifier.unwrap_or_default());
        let mut request = InvokeRequest::new(RequestId::random(), payload);
        request.trace_id = trace;
        self.engine().invoke(&arn.ok_or_else(missing)?, request).await
    }

    /// The function of an ARN, if it has that version or alias.
    fn function_at(&self, target: &Arn) -> Result<(FunctionArn, Arc<Function>), Undeliverable> {
        let found = || {
            let arn: FunctionArn = target.to_string().parse().ok()?;
            let function = LambdaService::find(self, &arn.unqualified())?;
            function.invocable(&arn.qualifier.clone().unwrap_or_default())?;
            Some((arn, function))
        };
        found().ok_or_else(|| Undeliverable::NotFound {
            target: target.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tradewind_events::{Router, Trace};

    use super::*;
    use crate::testing::{START, World};

    const TRACE: &str = "Root=1-5e5ffb9e-0123456789abcdef01234567;Parent=53995c3f42cd8ad8";
    const F: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

    fn message(body: &'static [u8]) -> Message {
        Message {
            body: body.into(),
            trace: Trace::from_header(Some(TRACE), START),
            ..Message::default()
        }
    }

    /// Delivers within a batch of its own, as a source does.
    async fn deliver(world: &World, target: &str, message: Message) -> Result<(), Undeliverable> {
        let router = Router::new();
        router.connect("lambda", Arc::new(world.service.clone()));
        let mut routing = Routing::new(Batch::new());
        router.deliver(&mut routing, &target.parse().unwrap(), message)?;
        world.config.database.write(routing.into_batch()).await.unwrap();
        Ok(())
    }

    #[tokio::test]
    async fn an_event_waits_with_its_trace_for_the_qualifier_it_was_sent_to() {
        let world = World::new().await;
        world.create("f", "exports.handler = async () => {};").await;
        world
            .call("POST", "/2015-03-31/functions/f/versions", &Value::Null)
            .await;
        let alias = json!({"Name": "live", "FunctionVersion": "1"});
        world
            .call("POST", "/2015-03-31/functions/f/aliases", &alias)
            .await;
        for (suffix, qualifier) in [("", ""), (":live", "live"), (":1", "1")] {
            deliver(&world, &format!("{F}{suffix}"), message(b"{}"))
                .await
                .unwrap();
            let (leased, _) = world.service.queue().lease(10).await;
            assert_eq!(leased[0].qualifier, qualifier);
            assert_eq!(
                (&leased[0].payload[..], leased[0].trace_id.as_deref()),
                (&b"{}"[..], Some(TRACE))
            );
        }
    }

    #[tokio::test]
    async fn what_a_function_does_not_take_is_refused_with_the_reason() {
        let world = World::new().await;
        world.create("f", "exports.handler = async () => {};").await;
        for missing in [
            "arn:aws:lambda:us-east-1:000000000000:function:g".to_owned(),
            format!("{F}:live"),
            format!("{F}:7"),
            "arn:aws:lambda:us-east-1:000000000000:layer:f".to_owned(),
        ] {
            let refused = deliver(&world, &missing, message(b"{}")).await;
            assert_eq!(refused, Err(Undeliverable::NotFound { target: missing }));
        }
        let large = message(Vec::leak(vec![b' '; limits::ASYNC_PAYLOAD_BYTES + 1]));
        let refused = deliver(&world, F, large).await;
        assert!(
            matches!(refused, Err(Undeliverable::TooLarge { .. })),
            "{refused:?}"
        );
    }
}
