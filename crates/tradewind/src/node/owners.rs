//! Which stack a resource is part of, for its usage.

use std::collections::{HashMap, HashSet};

use tradewind_deploy::stack::{ResourceDescription, StackEngine};
use tradewind_lambda::LambdaService;
use tradewind_model::Clock;
use tradewind_observe::Home;
use tradewind_observe::usage::{Ledger, LedgerConfig, Meter, Owners, StacksOf, UsageSink};
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
        stacks_of: stacks_of(lambda.clone(), stacks.clone()),
    };
    Ledger::open(config).await
}

/// Functions know their stack; all else is looked for in the stacks.
fn stacks_of(lambda: LambdaService, stacks: StackEngine) -> StacksOf {
    std::sync::Arc::new(move |arns| Box::pin(find(lambda.clone(), stacks.clone(), arns)))
}

async fn find(lambda: LambdaService, stacks: StackEngine, arns: Vec<String>) -> Owners {
    let (functions, others): (Vec<_>, Vec<_>) = arns
        .into_iter()
        .partition(|arn| arn.starts_with("arn:aws:lambda:"));
    let mut owners = Owners::new();
    if !functions.is_empty() {
        let functions: HashSet<_> = functions.into_iter().collect();
        let all = lambda.list_functions().into_iter();
        let owned = all.filter_map(|function| Some((function.arn.to_string(), function.stack?)));
        owners.extend(owned.filter(|(arn, _)| functions.contains(arn)));
    }
    if others.is_empty() {
        return owners;
    }
    match stacks.list().await {
        Ok(stacks) => {
            let all = stacks.iter();
            let all = all.flat_map(|stack| stack.resources.iter().map(|one| (one, &*stack.name)));
            let made = Made::of(all);
            let owned = others.into_iter().filter_map(|arn| {
                let stack = made.stack_of(&arn)?.to_owned();
                Some((arn, stack))
            });
            owners.extend(owned);
        }
        Err(error) => {
            tracing::warn!(%error, "cannot tell whose usage it is; it is counted without its stack");
        }
    }
    owners
}

/// What stacks made: type and stack by physical id. Physical ids are URLs, ARNs, ids and names.
struct Made<'s>(HashMap<&'s str, Vec<(String, &'s str)>>);

impl<'s> Made<'s> {
    fn of(all: impl Iterator<Item = (&'s ResourceDescription, &'s str)>) -> Self {
        let mut made: HashMap<_, Vec<_>> = HashMap::new();
        for (resource, stack) in all {
            let mut of_type = resource.resource_type.split("::");
            let service = of_type.nth(1).unwrap_or_default().to_ascii_lowercase();
            let id = match service.as_str() {
                "sqs" => resource.physical_id.rsplit('/').next().unwrap_or_default(),
                _ => &resource.physical_id,
            };
            made.entry(id).or_default().push((service, stack));
        }
        Self(made)
    }

    /// The stack of what the ARN names: its end, from a `:` or `/` on, or all of it is the physical id.
    fn stack_of(&self, arn: &str) -> Option<&'s str> {
        let service = arn.split(':').nth(2).filter(|service| !service.is_empty())?;
        let after = arn.match_indices([':', '/']).map(|(at, _)| at + 1);
        let ends = std::iter::once(0).chain(after).filter_map(|at| arn.get(at..));
        let mut of_end = ends
            .filter(|end| !end.is_empty())
            .flat_map(|end| self.0.get(end).into_iter().flatten());
        let found = of_end.find(|(type_service, _)| type_service.starts_with(service));
        found.map(|(_, stack)| *stack)
    }
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
            Made::of(std::iter::once((&resource, "shop"))).stack_of(arn) == Some("shop")
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
