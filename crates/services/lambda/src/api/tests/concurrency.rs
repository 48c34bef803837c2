use std::time::Duration;

use serde_json::{Value, json};

use super::{ARN, SOURCE, path};
use crate::testing::World;

const RESERVED: &str = "/2017-10-31/functions/f/concurrency";
const PROVISIONED: &str = "/2019-09-30/functions/f/provisioned-concurrency";

fn reserve(count: u32) -> Value {
    json!({"ReservedConcurrentExecutions": count})
}

fn provision(count: u32) -> Value {
    json!({"ProvisionedConcurrentExecutions": count})
}

#[tokio::test]
async fn reserved_concurrency_is_put_shown_honoured_and_deleted() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    let shown = || world.call("GET", "/2019-09-30/functions/f/concurrency", &Value::Null);
    assert_eq!(shown().await.json(), json!({}));
    assert_eq!(world.call("PUT", RESERVED, &reserve(0)).await.json(), reserve(0));
    assert_eq!(shown().await.json(), reserve(0));
    let throttled = world.invoke("f", &[], b"").await;
    assert_eq!(
        (throttled.status, throttled.header("retry-after")),
        (429, Some("1"))
    );
    assert_eq!(
        throttled.json()["Reason"],
        "ReservedFunctionConcurrentInvocationLimitExceeded"
    );
    assert_eq!(world.call("DELETE", RESERVED, &Value::Null).await.status, 204);
    assert_eq!(shown().await.json(), json!({}));
    assert_eq!(world.invoke("f", &[], b"").await.status, 200);
}

#[tokio::test]
async fn the_account_keeps_a_hundred_unreserved() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    world.create("other", SOURCE).await;
    let settings = || world.call("GET", "/2016-08-19/account-settings", &Value::Null);
    let fresh = settings().await.json();
    assert_eq!(fresh["AccountLimit"]["ConcurrentExecutions"], 200);
    assert_eq!(fresh["AccountUsage"]["FunctionCount"], 2);
    assert!(fresh["AccountUsage"]["TotalCodeSize"].as_u64().unwrap() > 0);
    let expected = "Specified ReservedConcurrentExecutions for function decreases account's \
                    UnreservedConcurrentExecution below its minimum value of [100].";
    let refused = world.call("PUT", RESERVED, &reserve(101)).await.error();
    assert_eq!((refused.0, refused.2.as_str()), (400, expected));
    assert_eq!(world.call("PUT", RESERVED, &reserve(100)).await.status, 200);
    // a function's own reservation does not stand in its way
    assert_eq!(world.call("PUT", RESERVED, &reserve(99)).await.status, 200);
    let others = RESERVED.replace("/f/", "/other/");
    assert_eq!(world.call("PUT", &others, &reserve(2)).await.error().2, expected);
    assert_eq!(world.call("PUT", &others, &reserve(0)).await.status, 200);
    let left = settings().await.json();
    assert_eq!(left["AccountLimit"]["UnreservedConcurrentExecutions"], 101);
    for (body, expected) in [
        (json!({}), "Value null at 'reservedConcurrentExecutions'"),
        (
            json!({"ReservedConcurrentExecutions": -1}),
            "greater than or equal to 0",
        ),
    ] {
        let wrong = world.call("PUT", RESERVED, &body).await.error();
        assert!(wrong.2.contains(expected), "{wrong:?}");
    }
    let version = world
        .call("PUT", &RESERVED.replace("/f/", "/f:1/"), &reserve(1))
        .await;
    assert!(
        version
            .error()
            .2
            .starts_with("This operation is permitted on Lambda functions only.")
    );
}

#[tokio::test]
async fn provisioned_instances_wait_for_the_invocations_of_an_alias() {
    let world = World::new().await;
    world
        .create(
            "f",
            "exports.handler = async () => process.env.AWS_LAMBDA_INITIALIZATION_TYPE;",
        )
        .await;
    world.call("POST", &path("f/versions"), &Value::Null).await;
    let alias = json!({"Name": "live", "FunctionVersion": "1"});
    world.call("POST", &path("f/aliases"), &alias).await;
    let of_alias = format!("{PROVISIONED}?Qualifier=live");
    let none = world.call("GET", &of_alias, &Value::Null).await.error();
    assert_eq!(
        (none.0, none.1.as_str()),
        (404, "ProvisionedConcurrencyConfigNotFoundException")
    );
    let put = world.call("PUT", &of_alias, &provision(1)).await;
    assert_eq!(
        (put.status, put.json()["Status"].clone()),
        (202, json!("IN_PROGRESS"))
    );
    let ready = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let shown = world.call("GET", &of_alias, &Value::Null).await.json();
            if shown["Status"] == "READY" {
                return shown;
            }
            tokio::task::yield_now().await;
        }
    });
    let ready = ready.await.unwrap();
    assert_eq!(ready["AllocatedProvisionedConcurrentExecutions"], 1);
    assert_eq!(
        world.invoke("f:live", &[], b"").await.json(),
        "provisioned-concurrency"
    );
    let listed = world
        .call("GET", &format!("{PROVISIONED}?List=ALL"), &Value::Null)
        .await
        .json();
    assert_eq!(
        listed["ProvisionedConcurrencyConfigs"][0]["FunctionArn"],
        format!("{ARN}:live")
    );

    let reopened = world.reopened().await;
    let kept = reopened.function_provisioned(ARN);
    assert_eq!(kept, 1);
    assert_eq!(world.call("DELETE", &of_alias, &Value::Null).await.status, 204);
    assert_eq!(world.call("DELETE", &of_alias, &Value::Null).await.status, 204);
    assert_eq!(world.call("GET", &of_alias, &Value::Null).await.status, 404);
}

#[tokio::test]
async fn provisioning_keeps_to_its_rules() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    world.call("POST", &path("f/versions"), &Value::Null).await;
    for (name, version) in [("live", "1"), ("dev", "$LATEST")] {
        let alias = json!({"Name": name, "FunctionVersion": version});
        world.call("POST", &path("f/aliases"), &alias).await;
    }
    let put = async |query: &str, count: u32| {
        let answer = world
            .call("PUT", &format!("{PROVISIONED}{query}"), &provision(count))
            .await;
        if answer.status == 202 {
            "ok".to_owned()
        } else {
            answer.error().2
        }
    };
    let latest = "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
    assert_eq!(put("?Qualifier=$LATEST", 1).await, latest);
    assert_eq!(put("?Qualifier=dev", 1).await, latest);
    assert_eq!(
        put("?Qualifier=9", 1).await,
        format!("Function not found: {ARN}:9")
    );
    assert_eq!(
        put("?Qualifier=none", 1).await,
        format!("Cannot find alias arn: {ARN}:none")
    );
    assert!(put("", 1).await.contains("Value null at 'qualifier'"));
    assert!(
        put("?Qualifier=1", 0)
            .await
            .contains("greater than or equal to 1")
    );
    let few = "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
               below its minimum value of [100].";
    assert_eq!(put("?Qualifier=1", 101).await, few);
    world.call("PUT", RESERVED, &reserve(2)).await;
    let over = "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for \
                function";
    assert_eq!(put("?Qualifier=1", 3).await, over);
    assert_eq!(put("?Qualifier=1", 2).await, "ok");
    let below = world.call("PUT", RESERVED, &reserve(1)).await.error();
    let expected = " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned \
                    concurrency [2].";
    assert_eq!(below.2, expected);
    let twice =
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version";
    assert_eq!(put("?Qualifier=live", 1).await, twice);
    world
        .call("DELETE", &format!("{PROVISIONED}?Qualifier=1"), &Value::Null)
        .await;
    assert_eq!(put("?Qualifier=live", 1).await, "ok");
    assert_eq!(
        put("?Qualifier=1", 1).await,
        "Version is pointed by a Provisioned Concurrency alias"
    );
}
