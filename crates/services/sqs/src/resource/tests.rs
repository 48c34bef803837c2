//! The resource types, as the template engine calls them.

use std::sync::Arc;

use serde_json::{Value, json};
use tradewind_model::resource::{Properties, ResourceContext, ResourceError, ResourceType};

use crate::testing::World;

fn properties(value: Value) -> Properties {
    value.as_object().unwrap().clone()
}

fn resource_type(world: &World, name: &str) -> Arc<dyn ResourceType> {
    let mut types = world.service.resource_types().into_iter();
    types.find(|found| found.type_name() == name).unwrap()
}

async fn attributes(world: &World, url: &str) -> Value {
    let parameters = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    world.ok("GetQueueAttributes", parameters).await["Attributes"].clone()
}

#[tokio::test]
async fn a_queue_is_made_changed_and_removed() {
    let world = World::new().await;
    let queues = resource_type(&world, "AWS::SQS::Queue");
    let context = ResourceContext::for_tests("Orders");
    let given = properties(
        json!({"VisibilityTimeout": 60, "DelaySeconds": "5", "Tags": [{"Key": "a", "Value": "b"}]}),
    );
    let made = queues.create(&context, &given).await.unwrap();
    let url = "http://127.0.0.1:4566/000000000000/shop-dev-Orders-0123456789AB";
    assert_eq!(made.physical_id, url, "it is what Ref gives");
    assert_eq!(made.attributes["QueueUrl"], url);
    assert_eq!(made.attributes["QueueName"], "shop-dev-Orders-0123456789AB");
    assert_eq!(
        made.attributes["Arn"],
        "arn:aws:sqs:us-east-1:000000000000:shop-dev-Orders-0123456789AB"
    );
    assert_eq!(
        queues.create(&context, &given).await.unwrap(),
        made,
        "as after a crash"
    );
    world
        .ok(
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": "kept", "DelaySeconds": 0}),
        )
        .await;
    let updated = queues
        .update(&context, &made, &properties(json!({"VisibilityTimeout": 70})))
        .await
        .unwrap();
    assert_eq!(updated, made);
    let now = attributes(&world, url).await;
    assert_eq!(now["VisibilityTimeout"], "70");
    assert_eq!(
        now["DelaySeconds"], "0",
        "what is gone from the template is as if it had never been there"
    );
    assert_eq!(world.receive(url).await.len(), 1);
    for _ in 0..2 {
        queues.delete(&context, &made).await.unwrap();
    }
    assert_eq!(
        world
            .refused(
                "GetQueueUrl",
                json!({"QueueName": "shop-dev-Orders-0123456789AB"})
            )
            .await
            .0,
        "QueueDoesNotExist"
    );
    queues.create(&context, &given).await.unwrap();
}

#[tokio::test]
async fn fifo_queues_get_names_that_say_so() {
    let world = World::new().await;
    let queues = resource_type(&world, "AWS::SQS::Queue");
    let given = properties(json!({"FifoQueue": true, "ContentBasedDeduplication": true}));
    let made = queues
        .create(&ResourceContext::for_tests("Orders"), &given)
        .await
        .unwrap();
    assert_eq!(made.attributes["QueueName"], "shop-dev-Orders-0123456789AB.fifo");
    assert_eq!(
        attributes(&world, &made.physical_id).await["ContentBasedDeduplication"],
        "true"
    );
    let long = ResourceContext::for_tests(&"x".repeat(100));
    let made = queues.create(&long, &given).await.unwrap();
    let name = made.attributes["QueueName"].as_str().unwrap();
    assert!(name.len() == 80 && name.ends_with("-0123456789AB.fifo"), "{name}");
}

#[tokio::test]
async fn queues_of_others_are_neither_taken_nor_deleted() {
    let world = World::new().await;
    let url = world.queue("orders", json!({})).await;
    let queues = resource_type(&world, "AWS::SQS::Queue");
    let given = properties(json!({"QueueName": "orders"}));
    let error = queues
        .create(&ResourceContext::for_tests("Orders"), &given)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ResourceError::AlreadyExists { kind: "queue", .. }),
        "{error}"
    );
    let state = tradewind_model::resource::ResourceState {
        physical_id: url,
        ..Default::default()
    };
    queues
        .delete(&ResourceContext::for_tests("Orders"), &state)
        .await
        .unwrap();
    world.ok("GetQueueUrl", json!({"QueueName": "orders"})).await;
}

#[tokio::test]
async fn dead_letter_policies_are_objects_in_templates() {
    let world = World::new().await;
    let queues = resource_type(&world, "AWS::SQS::Queue");
    let dead = queues
        .create(&ResourceContext::for_tests("Dead"), &Properties::new())
        .await
        .unwrap();
    let given =
        json!({"RedrivePolicy": {"deadLetterTargetArn": dead.attributes["Arn"], "maxReceiveCount": 3}});
    let made = queues
        .create(&ResourceContext::for_tests("Orders"), &properties(given))
        .await
        .unwrap();
    let policy = attributes(&world, &made.physical_id).await["RedrivePolicy"].clone();
    let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
    assert_eq!(policy["maxReceiveCount"], 3);
}

#[tokio::test]
async fn a_policy_is_given_to_queues_and_taken_back() {
    let world = World::new().await;
    let (first, second) = (
        world.queue("first", json!({})).await,
        world.queue("second", json!({})).await,
    );
    let policies = resource_type(&world, "AWS::SQS::QueuePolicy");
    let document = json!({"Statement": [{"Effect": "Allow"}]});
    let of = |queues: &[&String]| properties(json!({"PolicyDocument": document, "Queues": queues}));
    let made = policies
        .create(&ResourceContext::for_tests("Policy"), &of(&[&first]))
        .await
        .unwrap();
    assert_eq!(attributes(&world, &first).await["Policy"], document.to_string());
    policies
        .update(&ResourceContext::for_tests("Policy"), &made, &of(&[&second]))
        .await
        .unwrap();
    assert_eq!(attributes(&world, &first).await.get("Policy"), None);
    assert_eq!(attributes(&world, &second).await["Policy"], document.to_string());
    policies
        .delete(&ResourceContext::for_tests("Policy"), &made)
        .await
        .unwrap();
    assert_eq!(attributes(&world, &second).await.get("Policy"), None);
}

#[tokio::test]
async fn problems_are_found_before_anything_is_made() {
    let world = World::new().await;
    let queues = resource_type(&world, "AWS::SQS::Queue");
    let messages = |given: Value| -> Vec<String> {
        queues
            .check(&properties(given))
            .into_iter()
            .map(|problem| problem.message)
            .collect()
    };
    assert_eq!(
        messages(json!({"SqsManagedSseEnabled": true, "KmsMasterKeyId": ""})),
        [""; 0]
    );
    let refused =
        messages(json!({"SqsManagedSseEnabled": true, "KmsMasterKeyId": "alias/aws/sqs", "QueName": "x"}));
    assert_eq!(
        refused,
        [
            "unknown property `QueName`; did you mean `QueueName`?",
            "property `KmsMasterKeyId` is not supported yet: this node has no KMS; with SqsManagedSseEnabled it encrypts messages under a key of its own",
        ]
    );
    let policies = resource_type(&world, "AWS::SQS::QueuePolicy");
    assert_eq!(
        policies
            .check(&properties(json!({"PolicyDocument": {}, "Queues": "x"})))
            .len(),
        2
    );
    let error = queues
        .create(
            &ResourceContext::for_tests("Orders"),
            &properties(json!({"VisibilityTimeout": 50_000})),
        )
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid value for the parameter VisibilityTimeout."
    );
}
