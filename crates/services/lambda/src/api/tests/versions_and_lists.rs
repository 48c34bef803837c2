use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{ARN, FUNCTIONS, SOURCE, path};
use crate::testing::World;

#[tokio::test]
async fn equal_code_and_settings_are_one_version() {
    let world = World::new().await;
    let made = world.create("f", SOURCE).await;
    let first = world
        .call("POST", &path("f/versions"), &json!({"Description": "one"}))
        .await;
    assert_eq!(first.status, 201);
    let first = first.json();
    assert_eq!(
        (&first["Version"], &first["Description"]),
        (&json!("1"), &json!("one"))
    );
    assert_eq!(first["FunctionArn"], format!("{ARN}:1"));
    let same = world
        .call("POST", &path("f/versions"), &json!({"Description": "two"}))
        .await
        .json();
    assert_eq!(same, first);

    world
        .call("PUT", &path("f/configuration"), &json!({"Timeout": 9}))
        .await;
    assert_eq!(
        world.call("POST", &path("f/versions"), &json!({})).await.json()["Version"],
        "2"
    );
    let old = world
        .call("GET", &path("f/configuration?Qualifier=1"), &Value::Null)
        .await
        .json();
    assert_eq!(old["Timeout"], 3);

    let sha = json!({"CodeSha256": "other"});
    let wrong = world.call("POST", &path("f/versions"), &sha).await.error();
    let current = made["CodeSha256"].as_str().unwrap();
    let expected = format!("CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({current})");
    assert!(wrong.2.starts_with(&expected), "{}", wrong.2);
}

#[tokio::test]
async fn numbers_of_deleted_versions_are_not_used_again() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    world.call("POST", &path("f/versions"), &Value::Null).await;
    assert_eq!(
        world
            .call("DELETE", &path("f?Qualifier=1"), &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        world
            .call("DELETE", &path("f?Qualifier=1"), &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        world.call("POST", &path("f/versions"), &Value::Null).await.json()["Version"],
        "2"
    );
    let latest = world
        .call("DELETE", &path("f:$LATEST"), &Value::Null)
        .await
        .error();
    assert_eq!(
        latest.2,
        "$LATEST version cannot be deleted without deleting the function."
    );
    let alias = world
        .call("DELETE", &path("f?Qualifier=live"), &Value::Null)
        .await
        .error();
    assert_eq!(alias.2, "Deletion of aliases is not currently supported.");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.create(name, SOURCE).await;
        world
            .call("POST", &path(&format!("{name}/versions")), &Value::Null)
            .await;
    }
    for (query, expected) in [
        ("MaxItems=2", 3),
        ("MaxItems=1&FunctionVersion=ALL", 6),
        ("MaxItems=10000", 3),
    ] {
        let mut arns = BTreeSet::new();
        let mut marker = String::new();
        loop {
            let page = world
                .call("GET", &format!("{FUNCTIONS}?{query}{marker}"), &Value::Null)
                .await
                .json();
            for function in page["Functions"].as_array().unwrap() {
                assert!(function.get("State").is_none());
                assert!(
                    arns.insert(function["FunctionArn"].as_str().unwrap().to_owned()),
                    "{arns:?}"
                );
            }
            match page["NextMarker"].as_str() {
                Some(next) => marker = format!("&Marker={next}"),
                None => break,
            }
        }
        assert_eq!(arns.len(), expected, "{query}: {arns:?}");
    }
    let versions = world
        .call("GET", &path("a/versions?MaxItems=1"), &Value::Null)
        .await
        .json();
    assert_eq!(
        versions["Versions"][0]["FunctionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:a:$LATEST"
    );
    let next = versions["NextMarker"].as_str().unwrap();
    let rest = world
        .call("GET", &path(&format!("a/versions?Marker={next}")), &Value::Null)
        .await
        .json();
    assert_eq!(rest["Versions"][0]["Version"], "1");
    assert!(rest.get("NextMarker").is_none());
    let foreign = world
        .call("GET", &format!("{FUNCTIONS}?Marker={next}"), &Value::Null)
        .await
        .error();
    assert_eq!(foreign.1, "InvalidParameterValueException");
    let zero = world
        .call("GET", &format!("{FUNCTIONS}?MaxItems=0"), &Value::Null)
        .await
        .error();
    assert!(zero.2.contains("Value '0' at 'maxItems'"), "{}", zero.2);
}

#[tokio::test]
async fn logging_survives_a_restart_and_makes_a_new_version() {
    let mut world = World::new().await;
    world.create("f", SOURCE).await;
    let publish = || world.call("POST", "/2015-03-31/functions/f/versions", &Value::Null);
    assert_eq!(publish().await.json()["Version"], "1");
    let change = json!({"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}});
    let expected = json!({
        "LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO",
        "LogGroup": "/aws/lambda/f",
    });
    let config = "/2015-03-31/functions/f/configuration";
    let changed = world.call("PUT", config, &change).await.json();
    assert_eq!(changed["LoggingConfig"], expected);
    assert_eq!(publish().await.json()["Version"], "2");
    world.service = world.reopened().await;
    let shown = world.call("GET", config, &Value::Null).await.json();
    assert_eq!(shown["LoggingConfig"], expected);
    let told = world.invoke("f", &[("x-amz-log-type", "Tail")], b"{}").await;
    let log = told.header("x-amz-log-result").unwrap();
    let log = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, log).unwrap();
    let log = String::from_utf8(log).unwrap();
    assert!(log.contains("\"platform.report\""), "{log}");
}

#[tokio::test]
async fn code_is_not_signed_and_runtimes_are_the_machine_s() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    let get = async |path: &str| world.call("GET", path, &Value::Null).await;
    let signing = "/2020-06-30/functions/f/code-signing-config";
    assert_eq!(get(signing).await.json(), json!({}));
    assert_eq!(get(&signing.replace("/f/", "/g/")).await.status, 404);
    let runtime = "/2021-07-20/functions/f/runtime-management-config";
    let expected = json!({"UpdateRuntimeOn": "Auto", "FunctionArn": ARN, "RuntimeVersionArn": null});
    assert_eq!(get(runtime).await.json(), expected);
    assert_eq!(get(&format!("{runtime}?Qualifier=7")).await.status, 404);
}
