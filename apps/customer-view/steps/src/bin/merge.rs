//! The function `merge`.

use customer_view_steps::{Settings, merge};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = &Settings::from_environment()?;
    run(service_fn(async move |event: LambdaEvent<Value>| {
        merge::handle(settings, &event.payload).await
    }))
    .await
}
