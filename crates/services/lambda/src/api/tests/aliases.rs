use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{ARN, path};
use crate::testing::World;

const TELLS_ARN: &str = "exports.handler = async (_, context) => context.invokedFunctionArn;";

/// A function with two published versions.
async fn world() -> World {
    let world = World::new().await;
    world.create("f", TELLS_ARN).await;
    for timeout in [4, 5] {
        let update = json!({"Timeout": timeout});
        world.call("PUT", &path("f/configuration"), &update).await;
        world.call("POST", &path("f/versions"), &Value::Null).await;
    }
    world
}

async fn alias(world: &World, body: Value) -> Value {
    let made = world.call("POST", &path("f/aliases"), &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

#[tokio::test]
async fn an_alias_runs_its_version_under_its_own_name() {
    let world = world().await;
    let made = alias(&world, json!({"Name": "live", "FunctionVersion": "1"})).await;
    assert_eq!(made["AliasArn"], format!("{ARN}:live"));
    assert_eq!(
        (&made["FunctionVersion"], &made["Description"]),
        (&json!("1"), &json!(""))
    );
    assert_eq!(made.get("RoutingConfig"), None);
    let ran = world.invoke("f:live", &[], b"").await;
    assert_eq!(ran.json(), format!("{ARN}:live"));
    assert_eq!(ran.header("x-amz-executed-version"), Some("1"));

    let moved = world
        .call("PUT", &path("f/aliases/live"), &json!({"FunctionVersion": "2"}))
        .await
        .json();
    assert_ne!(moved["RevisionId"], made["RevisionId"]);
    let ran = world.invoke("f?Qualifier=live", &[], b"").await;
    assert_eq!(ran.status, 404, "the name of a path has no query");
    let ran = world.invoke("f:live", &[], b"").await;
    assert_eq!(ran.header("x-amz-executed-version"), Some("2"));
    let shown = world
        .call("GET", &path("f/configuration?Qualifier=live"), &Value::Null)
        .await
        .json();
    assert_eq!(shown["FunctionArn"], format!("{ARN}:live"));
    assert_eq!((&shown["Version"], &shown["Timeout"]), (&json!("2"), &json!(5)));
}

#[tokio::test]
async fn weights_split_invocations_between_two_versions() {
    let world = world().await;
    let routing = json!({"AdditionalVersionWeights": {"2": 0.5}});
    let made = alias(
        &world,
        json!({"Name": "live", "FunctionVersion": "1", "RoutingConfig": routing}),
    )
    .await;
    assert_eq!(made["RoutingConfig"], routing);
    let mut ran = BTreeSet::new();
    // 2 in 2^64 that only one of them runs
    for _ in 0..64 {
        let answer = world.invoke("f:live", &[], b"").await;
        ran.insert(answer.header("x-amz-executed-version").unwrap().to_owned());
        if ran.len() == 2 {
            break;
        }
    }
    assert_eq!(ran.into_iter().collect::<Vec<_>>(), ["1", "2"]);
    let cleared = json!({"RoutingConfig": {"AdditionalVersionWeights": {}}});
    let cleared = world.call("PUT", &path("f/aliases/live"), &cleared).await.json();
    assert_eq!(cleared.get("RoutingConfig"), None);
}

#[tokio::test]
async fn weights_are_checked() {
    let world = world().await;
    for (version, weights, expected) in [
        (
            "1",
            json!({"1": 0.1}),
            "Invalid function version 1. Function version 1 is already included",
        ),
        (
            "1",
            json!({"2": 0.1, "3": 0.1}),
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            "$LATEST",
            json!({"2": 0.1}),
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        (
            "1",
            json!({"2": 1.5}),
            "Value '{2=1.5}' at 'routingConfig.additionalVersionWeights'",
        ),
        ("1", json!({"$LATEST": 0.5}), "Map keys must satisfy constraint"),
    ] {
        let body = json!({"Name": "live", "FunctionVersion": version,
                          "RoutingConfig": {"AdditionalVersionWeights": weights}});
        let refused = world.call("POST", &path("f/aliases"), &body).await.error();
        assert!(refused.0 == 400 && refused.2.contains(expected), "{refused:?}");
    }
    let body = json!({"Name": "live", "FunctionVersion": "1",
                      "RoutingConfig": {"AdditionalVersionWeights": {"9": 0.5}}});
    let missing = world.call("POST", &path("f/aliases"), &body).await.error();
    assert_eq!(missing.2, format!("Function not found: {ARN}:9"));
    for version in ["1", "$LATEST"] {
        let routing = json!({"AdditionalVersionWeights": {"1": 0.5}});
        alias(
            &world,
            json!({"Name": format!("a{}", version.len()), "FunctionVersion": "2", "RoutingConfig": routing}),
        )
        .await;
        let update = json!({"FunctionVersion": version});
        let name = format!("f/aliases/a{}", version.len());
        assert_eq!(
            world.call("PUT", &path(&name), &update).await.status,
            400,
            "{version}"
        );
    }
}

#[tokio::test]
async fn errors_name_the_alias() {
    let world = world().await;
    let body = json!({"Name": "live", "FunctionVersion": "1"});
    let made = alias(&world, body.clone()).await;
    let again = world.call("POST", &path("f/aliases"), &body).await.error();
    assert_eq!(
        (again.0, again.2),
        (409, format!("Alias already exists: {ARN}:live"))
    );
    let none = world
        .call("GET", &path("f/aliases/dev"), &Value::Null)
        .await
        .error();
    assert_eq!(
        (none.0, none.2),
        (404, format!("Cannot find alias arn: {ARN}:dev"))
    );
    let none = world
        .call("PUT", &path("f/aliases/dev"), &json!({}))
        .await
        .error();
    assert_eq!((none.0, none.2), (404, format!("Alias not found: {ARN}:dev")));
    let stale = world
        .call("PUT", &path("f/aliases/live"), &json!({"RevisionId": "x"}))
        .await
        .error();
    assert_eq!((stale.0, stale.1.as_str()), (412, "PreconditionFailedException"));
    assert!(
        stale
            .2
            .ends_with("Call the GetAlias API to retrieve the latest Revision Id"),
        "{stale:?}"
    );
    let current = json!({"RevisionId": made["RevisionId"], "Description": "d"});
    assert_eq!(
        world.call("PUT", &path("f/aliases/live"), &current).await.json()["Description"],
        "d"
    );
    for (body, expected) in [
        (
            json!({"Name": "12", "FunctionVersion": "1"}),
            "Value '12' at 'name'",
        ),
        (
            json!({"Name": "a", "FunctionVersion": "live"}),
            "Value 'live' at 'functionVersion'",
        ),
        (
            json!({}),
            "2 validation errors detected: Value null at 'functionVersion'",
        ),
    ] {
        let refused = world.call("POST", &path("f/aliases"), &body).await.error();
        assert!(refused.2.contains(expected), "{refused:?}");
    }
    let missing = world
        .call(
            "POST",
            &path("f/aliases"),
            &json!({"Name": "a", "FunctionVersion": "9"}),
        )
        .await
        .error();
    assert_eq!(
        (missing.0, missing.2),
        (404, format!("Function not found: {ARN}:9"))
    );
}

#[tokio::test]
async fn a_version_that_an_alias_leads_to_is_not_deleted() {
    let world = world().await;
    let routing = json!({"AdditionalVersionWeights": {"2": 0.5}});
    alias(
        &world,
        json!({"Name": "live", "FunctionVersion": "1", "RoutingConfig": routing}),
    )
    .await;
    alias(&world, json!({"Name": "dev", "FunctionVersion": "1"})).await;
    for (version, aliases) in [("1", "dev, live"), ("2", "live")] {
        let kept = world
            .call("DELETE", &path(&format!("f?Qualifier={version}")), &Value::Null)
            .await
            .error();
        let expected =
            format!("Unable to delete version because the following aliases reference it: [{aliases}]");
        assert_eq!((kept.0, kept.2), (409, expected));
    }
    for name in ["live", "dev", "dev"] {
        let gone = world
            .call("DELETE", &path(&format!("f/aliases/{name}")), &Value::Null)
            .await;
        assert_eq!(gone.status, 204);
    }
    assert_eq!(world.invoke("f:live", &[], b"").await.status, 404);
    assert_eq!(
        world
            .call("DELETE", &path("f?Qualifier=1"), &Value::Null)
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn aliases_are_listed_in_pages_and_by_version() {
    let world = world().await;
    for (name, version) in [("a", "1"), ("b", "2"), ("c", "1")] {
        alias(&world, json!({"Name": name, "FunctionVersion": version})).await;
    }
    let names = |list: &Value| -> Vec<String> {
        let aliases = list["Aliases"].as_array().unwrap();
        aliases
            .iter()
            .map(|alias| alias["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = world
        .call("GET", &path("f/aliases?MaxItems=2"), &Value::Null)
        .await
        .json();
    assert_eq!(names(&first), ["a", "b"]);
    let marker = first["NextMarker"].as_str().unwrap();
    let rest = world
        .call("GET", &path(&format!("f/aliases?Marker={marker}")), &Value::Null)
        .await
        .json();
    assert_eq!(
        (names(&rest), rest.get("NextMarker")),
        (vec!["c".to_owned()], None)
    );
    let of_first = world
        .call("GET", &path("f/aliases?FunctionVersion=1"), &Value::Null)
        .await
        .json();
    assert_eq!(names(&of_first), ["a", "c"]);
}

#[tokio::test]
async fn aliases_their_policies_and_routes_survive_a_restart() {
    let mut world = world().await;
    alias(&world, json!({"Name": "live", "FunctionVersion": "2"})).await;
    let permission = super::policies_and_tags::permission("a");
    let added = world
        .call("POST", &path("f/policy?Qualifier=live"), &permission)
        .await;
    assert!(
        added.json()["Statement"]
            .as_str()
            .unwrap()
            .contains(&format!("{ARN}:live"))
    );
    world.service = world.reopened().await;
    let ran = world.invoke("f:live", &[], b"").await;
    assert_eq!(ran.header("x-amz-executed-version"), Some("2"));
    assert_eq!(
        world
            .call("GET", &path("f/policy?Qualifier=live"), &Value::Null)
            .await
            .status,
        200
    );
    world.call("DELETE", &path("f/aliases/live"), &Value::Null).await;
    assert_eq!(
        world
            .call("GET", &path("f/policy?Qualifier=live"), &Value::Null)
            .await
            .status,
        404
    );
    world.call("DELETE", &path("f"), &Value::Null).await;
}
