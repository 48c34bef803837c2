use serde_json::{Value, json};
use tradewind_compute::Egress;
use tradewind_model::Qualifier;

use super::{ARN, FUNCTIONS, SOURCE, path};
use crate::testing::{World, create_body};

pub(super) fn permission(id: &str) -> Value {
    json!({"StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"})
}

#[tokio::test]
async fn permissions_are_added_shown_and_removed() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    let none = world.call("GET", &path("f/policy"), &Value::Null).await.error();
    assert_eq!(
        (none.0, none.2.as_str()),
        (404, "The resource you requested does not exist.")
    );

    let added = world.call("POST", &path("f/policy"), &permission("a")).await;
    assert_eq!(added.status, 201);
    let statement: Value = serde_json::from_str(added.json()["Statement"].as_str().unwrap()).unwrap();
    let again = world
        .call("POST", &path("f/policy"), &permission("a"))
        .await
        .error();
    assert_eq!((again.0, again.1.as_str()), (409, "ResourceConflictException"));
    assert!(
        again
            .2
            .starts_with("The statement id (a) provided already exists.")
    );

    let shown = world.call("GET", &path("f/policy"), &Value::Null).await.json();
    let policy: Value = serde_json::from_str(shown["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        policy,
        json!({"Version": "2012-10-17", "Id": "default", "Statement": [statement]})
    );

    let stale = world
        .call("DELETE", &path("f/policy/a?RevisionId=x"), &Value::Null)
        .await
        .error();
    assert!(stale.2.contains("Call the GetPolicy API"), "{}", stale.2);
    let unknown = world
        .call("DELETE", &path("f/policy/b"), &Value::Null)
        .await
        .error();
    assert_eq!(unknown.2, "Statement b is not found in resource policy.");
    assert_eq!(
        world
            .call("DELETE", &path("f/policy/a"), &Value::Null)
            .await
            .status,
        204
    );
    let empty = world
        .call("DELETE", &path("f/policy/a"), &Value::Null)
        .await
        .error();
    assert_eq!(empty.2, "No policy is associated with the given resource.");
    assert_eq!(
        world.call("GET", &path("f/policy"), &Value::Null).await.status,
        404
    );
}

#[tokio::test]
async fn policies_belong_to_what_exists() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    for (target, expected) in [
        (
            "f/policy?Qualifier=$LATEST",
            "We currently do not support adding policies for $LATEST.".to_owned(),
        ),
        (
            "f/policy?Qualifier=live",
            format!("Cannot find alias arn: {ARN}:live"),
        ),
        ("f/policy?Qualifier=42", format!("Function not found: {ARN}:42")),
        (
            "g/policy",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g".to_owned(),
        ),
    ] {
        assert_eq!(
            world
                .call("POST", &path(target), &permission("a"))
                .await
                .error()
                .2,
            expected
        );
    }
    let missing = world
        .call("DELETE", &path("g/policy/a"), &Value::Null)
        .await
        .error();
    assert_eq!(
        missing.2,
        "No policy found for: arn:aws:lambda:us-east-1:000000000000:function:g"
    );
    world.call("POST", &path("f/versions"), &Value::Null).await;
    world
        .call("POST", &path("f/policy?Qualifier=1"), &permission("a"))
        .await;
    assert_eq!(
        world.call("GET", &path("f/policy"), &Value::Null).await.status,
        404
    );
    let of_version = world.call("GET", &path("f:1/policy"), &Value::Null).await.json();
    assert!(
        of_version["Policy"]
            .as_str()
            .unwrap()
            .contains(&format!("\"Resource\":\"{ARN}:1\""))
    );
}

#[tokio::test]
async fn tags_come_and_go() {
    let world = World::new().await;
    let mut body = create_body("f", SOURCE);
    body["Tags"] = json!({"a": "1"});
    world.call("POST", FUNCTIONS, &body).await;
    let tags = format!("/2017-03-31/tags/{}", ARN.replace(':', "%3A"));
    assert_eq!(
        world
            .call("POST", &tags, &json!({"Tags": {"b": "2", "a": "3"}}))
            .await
            .status,
        204
    );
    let listed = world.call("GET", &tags, &Value::Null).await.json();
    assert_eq!(listed, json!({"Tags": {"a": "3", "b": "2"}}));
    assert_eq!(
        world.call("GET", &path("f"), &Value::Null).await.json()["Tags"],
        listed["Tags"]
    );
    let untagged = world
        .call("DELETE", &format!("{tags}?tagKeys=a&tagKeys=none"), &Value::Null)
        .await;
    assert_eq!(untagged.status, 204);
    assert_eq!(
        world.call("GET", &tags, &Value::Null).await.json(),
        json!({"Tags": {"b": "2"}})
    );
    assert!(
        world
            .call("DELETE", &tags, &Value::Null)
            .await
            .error()
            .2
            .contains("Value null at 'tagKeys'")
    );
    let many: Value = (0..50)
        .map(|n| (format!("k{n}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let many = world.call("POST", &tags, &json!({"Tags": many})).await.error();
    assert_eq!(many.2, "Number of tags exceeds resource tag limit.");
    let version = world
        .call("POST", &format!("{tags}:1"), &json!({"Tags": {"a": "b"}}))
        .await
        .error();
    assert!(
        version
            .2
            .starts_with("Tags on function aliases and versions are not supported.")
    );
    let other = world
        .call("GET", "/2017-03-31/tags/arn:aws:something", &Value::Null)
        .await
        .error();
    assert_eq!(
        (other.1.as_str(), other.2.contains("at 'resource'")),
        ("ValidationException", true)
    );
}

#[tokio::test]
async fn a_tag_says_whom_a_function_may_talk_to() {
    let world = World::new().await;
    world.call("POST", FUNCTIONS, &create_body("f", SOURCE)).await;
    let tags = format!("/2017-03-31/tags/{}", ARN.replace(':', "%3A"));
    let egress = || {
        let function = world.service.find(&ARN.parse().unwrap()).unwrap();
        function.spec(&Qualifier::Latest).unwrap().egress
    };
    assert_eq!(egress(), Egress::Internet);
    let tag = |value: &str| json!({"Tags": {"tradewind:egress": value}});
    world.call("POST", &tags, &tag("none")).await;
    assert_eq!(egress(), Egress::None);
    let (status, kind, message) = world.call("POST", &tags, &tag("nobody")).await.error();
    assert_eq!((status, kind.as_str()), (400, "ValidationException"));
    assert!(
        message.contains("Value 'nobody' at 'tags.tradewind:egress'"),
        "{message}"
    );
    assert_eq!(egress(), Egress::None);
    world
        .call(
            "DELETE",
            &format!("{tags}?tagKeys=tradewind%3Aegress"),
            &Value::Null,
        )
        .await;
    assert_eq!(egress(), Egress::Internet);
}
