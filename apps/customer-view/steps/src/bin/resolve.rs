//! The function `resolve`.

use customer_view_steps::{Settings, resolve};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = &Settings::from_environment()?;
    run(service_fn(async move |event: LambdaEvent<Value>| {
        resolve::batch(settings, &event.payload).await
    }))
    .await
}
