//! Which stack a resource is part of, for its usage.

use tradewind_deploy::stack::{ResourceDescription, StackEngine};
use tradewind_lambda::LambdaService;
use tradewind_model::Clock;
use tradewind_observe::Home;
use tradewind_observe::usage::{Ledger, LedgerConfig, Meter, StackOf, UsageSink};
use tradewind_store::{Database, DatabaseError};

use super::NodeConfig;

/// The account and region of groups with plain names.
pub(super) fn home(config: &NodeConfig) -> Home {
    Home {
        account: config.account.clone(),
        region: config.region.clone(),
    }
}

/// Keeps what is used.
pub(super) async fn ledger(
    database: Database,
    clock: Clock,
    (usage, meter): (&UsageSink, Meter),
    lambda: &LambdaService,
    stacks: &StackEngine,
) -> Result<Ledger, DatabaseError> {
    let config = LedgerConfig {
        database,
        clock,
        usage: usage.clone(),
        meter,
        stack_of: stack_of(lambda.clone(), stacks.clone()),
    };
    Ledger::open(config).await
}

/// Functions know their stack; all else is looked for in the stacks.
fn stack_of(lambda: LambdaService, stacks: StackEngine) -> StackOf {
    std::sync::Arc::new(move |arn| Box::pin(find(lambda.clone(), stacks.clone(), arn)))
}

async fn find(lambda: LambdaService, stacks: StackEngine, arn: String) -> Option<String> {
    if arn.starts_with("arn:aws:lambda:") {
        let functions = lambda.list_functions().into_iter();
        let mut found = functions.filter(|function| function.arn.to_string() == arn);
        return found.next()?.stack;
    }
    let stacks = match stacks.list().await {
        Ok(stacks) => stacks,
        Err(error) => {
            tracing::warn!(%error, %arn, "cannot tell whose usage it is; it is counted without its stack");
            return None;
        }
    };
    let of = |resource: &ResourceDescription| is_same(resource, &arn);
    let found = stacks.into_iter().find(|stack| stack.resources.iter().any(of));
    found.map(|stack| stack.name)
}

/// Whether the resource is what the ARN names. Physical ids are URLs, ARNs, ids and names.
fn is_same(resource: &ResourceDescription, arn: &str) -> bool {
    let service = arn.split(':').nth(2).unwrap_or_default();
    let mut of_type = resource.resource_type.split("::");
    let type_service = of_type.nth(1).unwrap_or_default().to_ascii_lowercase();
    if service.is_empty() || !type_service.starts_with(service) {
        return false;
    }
    let id = match service {
        "sqs" => resource.physical_id.rsplit('/').next().unwrap_or_default(),
        _ => &resource.physical_id,
    };
    let before = arn.strip_suffix(id);
    !id.is_empty() && before.is_some_and(|rest| rest.is_empty() || rest.ends_with([':', '/']))
}

#[cfg(test)]
mod tests {
    use tradewind_deploy::stack::StackStatus;

    use super::*;

    #[test]
    fn a_resource_is_known_by_its_arn() {
        let is = |resource_type: &str, physical_id: &str, arn: &str| {
            let resource = ResourceDescription {
                logical_id: "X".into(),
                resource_type: resource_type.into(),
                physical_id: physical_id.into(),
                status: StackStatus::CreateComplete,
            };
            is_same(&resource, arn)
        };
        let of = |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:000000000000:{rest}");
        let queue = "http://127.0.0.1:4566/000000000000/orders";
        assert!(is("AWS::SQS::Queue", queue, &of("sqs", "orders")));
        assert!(!is("AWS::SQS::Queue", queue, &of("sqs", "my-orders")));
        assert!(!is("AWS::SQS::Queue", queue, &of("sns", "orders")));
        assert!(is("AWS::SNS::Topic", &of("sns", "paid"), &of("sns", "paid")));
        assert!(is(
            "AWS::Events::EventBus",
            "shop",
            &of("events", "event-bus/shop")
        ));
        assert!(is("AWS::S3::Bucket", "photos", "arn:aws:s3:::photos"));
        assert!(!is("AWS::S3::Bucket", "photos", "arn:aws:s3:::photos-2"));
        for (resource_type, path) in [
            ("AWS::ApiGateway::RestApi", "restapis"),
            ("AWS::ApiGatewayV2::Api", "apis"),
        ] {
            assert!(is(
                resource_type,
                "k3x",
                &format!("arn:aws:apigateway:us-east-1::/{path}/k3x")
            ));
        }
    }
}
