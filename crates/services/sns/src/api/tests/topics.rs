//! Topics, their attributes, tags and policies.

use crate::testing::{World, topic_arn};

const ATTRIBUTE: (&str, &str) = ("Attributes.entry.1.key", "DisplayName");

#[tokio::test]
async fn a_topic_is_made_once() {
    let mut world = World::new().await;
    let create = |value| [("Name", "orders"), ATTRIBUTE, ("Attributes.entry.1.value", value)];
    for _ in 0..2 {
        let made = world.ok("CreateTopic", &create("Shop")).await;
        assert_eq!(made.element("TopicArn").unwrap(), topic_arn("orders"));
    }
    let again = world.ok("CreateTopic", &[("Name", "orders")]).await;
    assert_eq!(again.element("TopicArn").unwrap(), topic_arn("orders"));
    let (code, text) = world.refused("CreateTopic", &create("Stall")).await;
    assert_eq!(code, "InvalidParameter");
    assert!(
        text.contains("already exists with different attributes"),
        "{text}"
    );
    world.restart().await;
    let list = world.ok("ListTopics", &[]).await;
    assert_eq!(
        list.element("member").unwrap(),
        format!("<TopicArn>{}</TopicArn>", topic_arn("orders"))
    );
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::new().await;
    let arn = topic_arn("orders");
    for action in ["GetTopicAttributes", "ListSubscriptionsByTopic"] {
        let (code, text) = world.refused(action, &[("TopicArn", &arn)]).await;
        assert_eq!((&*code, &*text), ("NotFound", "Topic does not exist"));
    }
    world.ok("DeleteTopic", &[("TopicArn", &arn)]).await;
    let (code, _) = world
        .refused("ListTagsForResource", &[("ResourceArn", &arn)])
        .await;
    assert_eq!(code, "ResourceNotFound");
}

#[tokio::test]
async fn attributes_are_set_and_shown() {
    let mut world = World::new().await;
    let arn = world.topic("orders").await;
    let set = |name, value| {
        [
            ("TopicArn", arn.clone()),
            ("AttributeName", name),
            ("AttributeValue", value),
        ]
    };
    let set = |name: &str, value: &str| set(name.to_owned(), value.to_owned());
    for (name, value) in [
        ("DisplayName", "Shop"),
        (
            "DeliveryPolicy",
            r#"{"http": {"defaultHealthyRetryPolicy": {"numRetries": 7}}}"#,
        ),
    ] {
        let params = set(name, value);
        let params: Vec<_> = params
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        world.ok("SetTopicAttributes", &params).await;
    }
    world.restart().await;
    let shown = world.ok("GetTopicAttributes", &[("TopicArn", &arn)]).await.text;
    for (name, value) in [
        ("DisplayName", "Shop"),
        ("Owner", "000000000000"),
        ("SubscriptionsConfirmed", "0"),
    ] {
        let entry = format!("<key>{name}</key><value>{value}</value>");
        assert!(shown.contains(&entry), "{entry} {shown}");
    }
    assert!(shown.contains("&quot;numRetries&quot;:7"), "{shown}");
    let params = [
        ("TopicArn", &*arn),
        ("AttributeName", "KmsMasterKeyId"),
        ("AttributeValue", "k"),
    ];
    let (code, text) = world.refused("SetTopicAttributes", &params).await;
    assert_eq!(code, "InvalidParameter");
    assert!(text.contains("KmsMasterKeyId"), "{text}");
}

#[tokio::test]
async fn tags_are_kept() {
    let world = World::new().await;
    let arn = world.topic("orders").await;
    let tag = [
        ("ResourceArn", &*arn),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "shop"),
    ];
    world.ok("TagResource", &tag).await;
    let shown = world.ok("ListTagsForResource", &[("ResourceArn", &arn)]).await;
    assert_eq!(
        shown.element("member").unwrap(),
        "<Key>team</Key><Value>shop</Value>"
    );
    world
        .ok(
            "UntagResource",
            &[("ResourceArn", &arn), ("TagKeys.member.1", "team")],
        )
        .await;
    let shown = world.ok("ListTagsForResource", &[("ResourceArn", &arn)]).await;
    assert_eq!(shown.element("member"), None);
}

#[tokio::test]
async fn permissions_are_statements_of_the_policy() {
    let world = World::new().await;
    let arn = world.topic("orders").await;
    let add = [
        ("TopicArn", &*arn),
        ("Label", "partner"),
        ("AWSAccountId.member.1", "111111111111"),
        ("ActionName.member.1", "Publish"),
    ];
    world.ok("AddPermission", &add).await;
    let policy = || async { world.ok("GetTopicAttributes", &[("TopicArn", &arn)]).await.text };
    assert!(policy().await.contains("arn:aws:iam::111111111111:root"));
    assert_eq!(
        world.refused("AddPermission", &add).await.1,
        "Invalid parameter: Statement already exists"
    );
    world
        .ok("RemovePermission", &[("TopicArn", &arn), ("Label", "partner")])
        .await;
    assert!(!policy().await.contains("111111111111"));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    for number in 0..101 {
        world.topic(&format!("t{number:03}")).await;
    }
    let first = world.ok("ListTopics", &[]).await;
    assert_eq!(first.text.matches("<member>").count(), 100);
    let token = first.element("NextToken").unwrap();
    let rest = world.ok("ListTopics", &[("NextToken", &token)]).await;
    assert_eq!(rest.text.matches("<member>").count(), 1);
    assert_eq!(rest.element("NextToken"), None);
    assert_eq!(
        world.refused("ListTopics", &[("NextToken", "!")]).await.0,
        "InvalidParameter"
    );
}

#[tokio::test]
async fn operations_that_are_missing_say_so() {
    let world = World::new().await;
    let answer = world.call("CreatePlatformApplication", &[]).await;
    assert_eq!(answer.status, 501);
    assert!(
        answer.text.contains("CreatePlatformApplication"),
        "{}",
        answer.text
    );
    assert_eq!(world.refused("Shout", &[]).await.0, "InvalidAction");
}
