//! Functions as pipes call them.

use bytes::Bytes;
use tradewind_compute::InvokeError;
use tradewind_lambda::LambdaService;
use tradewind_model::Arn;
use tradewind_pipes::{FunctionFailure, Functions};

/// The functions of this node.
#[derive(Debug)]
pub(super) struct Called(pub(super) LambdaService);

#[async_trait::async_trait]
impl Functions for Called {
    async fn call(&self, function: &Arn, payload: Bytes, trace: String) -> Result<Bytes, FunctionFailure> {
        let trace = Some(trace).filter(|trace| !trace.is_empty());
        match self.0.call(function, payload, trace).await {
            Ok(response) if response.error.is_none() => Ok(response.payload),
            Ok(_function_error) => Err(FunctionFailure::Failed),
            Err(InvokeError::NotFound { .. }) => Err(FunctionFailure::NotFound),
            Err(InvokeError::Throttled { .. }) => Err(FunctionFailure::Throttled),
            Err(
                error @ (InvokeError::RequestTooLarge { .. }
                | InvokeError::Unavailable { .. }
                | InvokeError::ShuttingDown),
            ) => Err(FunctionFailure::Unavailable(error.to_string())),
        }
    }
}
