//! GET / and GET /hello/{name}

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(hello)).await
}

async fn hello(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let name = event.payload["pathParameters"]["name"].as_str().unwrap_or("world");
    println!("saying hello to {name}");
    let body = json!({"message": format!("Hello, {name}!"), "function": event.context.env_config.function_name});
    Ok(json!({
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": body.to_string(),
    }))
}
