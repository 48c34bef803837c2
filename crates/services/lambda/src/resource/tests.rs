//! The resource types, as the template engine calls them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tradewind_model::AccountId;
use tradewind_model::resource::{Properties, ResourceError};

use crate::objects::Objects as _;
use crate::testing::{World, context, create_body, function_properties, zip_base64};

const SOURCE: &str = "exports.handler = async (event) => event;";

fn properties(value: Value) -> Properties {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn a_repeated_create_finds_its_own_function() {
    let world = World::new().await;
    let kind = world.resource_type("AWS::Lambda::Function");
    let given = function_properties(SOURCE);
    let first = kind.create(&context("Hello"), &given).await.unwrap();
    assert_eq!(first.physical_id, "shop-Hello-0123456789AB");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:shop-Hello-0123456789AB";
    assert_eq!(first.attributes["Arn"], arn);
    assert_eq!(kind.create(&context("Hello"), &given).await.unwrap(), first);
    assert_eq!(world.service.list_functions()[0].stack.as_deref(), Some("shop"));
    kind.delete(&context("Hello"), &first).await.unwrap();
    kind.delete(&context("Hello"), &first).await.unwrap();
    assert_eq!(world.service.list_functions(), []);
}

#[tokio::test]
async fn functions_of_others_are_neither_taken_nor_deleted() {
    let world = World::new().await;
    world
        .call("POST", "/2015-03-31/functions", &create_body("mine", SOURCE))
        .await;
    let kind = world.resource_type("AWS::Lambda::Function");
    let mut given = function_properties(SOURCE);
    given.insert("FunctionName".into(), json!("mine"));
    let refused = kind.create(&context("Hello"), &given).await.unwrap_err();
    assert!(
        matches!(refused, ResourceError::AlreadyExists { kind: "function", .. }),
        "{refused}"
    );
    let state = tradewind_model::resource::ResourceState {
        physical_id: "mine".into(),
        ..Default::default()
    };
    kind.delete(&context("Hello"), &state).await.unwrap();
    assert_eq!(world.service.list_functions().len(), 1);
}

#[tokio::test]
async fn updates_bring_a_function_to_its_properties() {
    let world = World::new().await;
    let kind = world.resource_type("AWS::Lambda::Function");
    let mut given = function_properties(SOURCE);
    given.insert("MemorySize".into(), json!("256"));
    given.insert(
        "Environment".into(),
        json!({"Variables": {"PORT": 80, "ON": true}}),
    );
    given.insert("Tags".into(), json!([{"Key": "a", "Value": "b"}]));
    given.insert("ReservedConcurrentExecutions".into(), json!(0));
    let state = kind.create(&context("Hello"), &given).await.unwrap();
    let path = format!("/2015-03-31/functions/{}", state.physical_id);
    let before = world.call("GET", &path, &Value::Null).await.json();
    assert_eq!(
        before["Configuration"]["Environment"],
        json!({"Variables": {"PORT": "80", "ON": "true"}})
    );
    assert_eq!(before["Concurrency"], json!({"ReservedConcurrentExecutions": 0}));
    let same = kind.update(&context("Hello"), &state, &given).await.unwrap();
    assert_eq!(same, state);
    assert_eq!(world.call("GET", &path, &Value::Null).await.json(), before);

    kind.update(&context("Hello"), &state, &function_properties(SOURCE))
        .await
        .unwrap();
    let after = world.call("GET", &path, &Value::Null).await.json();
    assert_eq!(after["Configuration"]["MemorySize"], 128);
    assert!(after["Configuration"].get("Environment").is_none() && after.get("Tags").is_none());
    assert_eq!(
        after["Configuration"]["CodeSha256"],
        before["Configuration"]["CodeSha256"]
    );
}

#[tokio::test]
async fn every_wrong_property_is_named_by_path() {
    let world = World::new().await;
    let kind = world.resource_type("AWS::Lambda::Function");
    let paths = |given: Value| -> Vec<String> {
        kind.check(&properties(given))
            .into_iter()
            .map(|problem| problem.path.join("."))
            .collect()
    };
    let ok = json!({
        "Code": {"S3Bucket": {"Ref": "Bucket"}, "S3Key": "k"}, "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "nodejs20.x", "Handler": "i.h", "MemorySize": "512", "Timeout": 6,
        "Environment": {"Variables": {"TABLE": {"Ref": "Table"}}}, "Layers": [],
        "FunctionName": {"Fn::Sub": "x"}, "TracingConfig": {"Ref": "AWS::NoValue"},
    });
    assert_eq!(paths(ok.clone()), Vec::<String>::new());
    let with = |name: &str, value: Value| {
        let mut given = ok.clone();
        given[name] = value;
        given
    };
    assert_eq!(paths(with("MemorySise", json!(1))), ["MemorySise"]);
    assert_eq!(paths(with("MemorySize", json!(1))), ["MemorySize"]);
    assert_eq!(paths(with("Runtime", json!("dotnet8"))), ["Runtime"]);
    assert_eq!(paths(with("Runtime", json!("node"))), ["Runtime"]);
    assert_eq!(
        paths(with("Environment", json!({"Variables": {"AWS_REGION": "x"}}))),
        ["Environment.Variables"]
    );
    assert_eq!(
        paths(with("DeadLetterConfig", json!({"TargetArn": "a"}))),
        ["DeadLetterConfig.TargetArn"]
    );
    assert_eq!(paths(with("Code", json!({"S3Bukket": "a"}))), ["Code.S3Bukket"]);
    assert_eq!(paths(with("Code", json!({"ImageUri": "a"}))), ["Code.ImageUri"]);
    assert_eq!(paths(json!({"Code": {}})), ["Role"]);
    assert_eq!(paths(with("RecursiveLoop", json!("Maybe"))), ["RecursiveLoop"]);
}

#[tokio::test]
async fn code_that_was_not_uploaded_is_refused() {
    let world = World::new().await;
    let kind = world.resource_type("AWS::Lambda::Function");
    for (code, expected) in [
        (
            json!({"S3Bucket": "b", "S3Key": "a/shop.zip"}),
            "Error occurred while GetObject. S3 Error Code: NoSuchKey.",
        ),
        (json!({"PackageId": "f".repeat(64)}), "there is no package `ffff"),
        (
            json!({"PackageId": "../../etc"}),
            "there is no package `../../etc`",
        ),
        (json!({}), "`Code` names no package"),
    ] {
        let mut given = function_properties(SOURCE);
        given.insert("Code".into(), code);
        let error = match kind.pin(given).await {
            Ok(pinned) => kind.create(&context("Hello"), &pinned).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

/// What a template names in a bucket is what the object was when it was applied, also for who undoes it later.
#[tokio::test]
async fn code_in_a_bucket_is_pinned() {
    let world = World::new().await;
    let zip = |source: &str| STANDARD.decode(zip_base64(source)).unwrap().into();
    let (account, place) = (AccountId::default_account(), ("code", "shop.zip"));
    for (type_name, property) in [
        ("AWS::Lambda::Function", "Code"),
        ("AWS::Lambda::LayerVersion", "Content"),
    ] {
        let kind = world.resource_type(type_name);
        let mut given = match property {
            "Code" => function_properties(SOURCE),
            _ => properties(json!({"LayerName": "l"})),
        };
        given.insert(property.into(), json!({"S3Bucket": place.0, "S3Key": place.1}));
        assert_eq!(kind.check(&given), []);
        world
            .bucket
            .put(&account, place.0, place.1, zip("// one"))
            .await
            .unwrap();
        let first = kind.pin(given.clone()).await.unwrap();
        world
            .bucket
            .put(&account, place.0, place.1, zip("// two"))
            .await
            .unwrap();
        let second = kind.pin(given).await.unwrap();
        assert_ne!(first[property], second[property]);
        assert_eq!(kind.pin(first.clone()).await.unwrap(), first);
        kind.create(&context("Made"), &first).await.unwrap();
    }
}

#[tokio::test]
async fn versions_are_published_once_and_deleted() {
    let world = World::new().await;
    let function = world.resource_type("AWS::Lambda::Function");
    let made = function
        .create(&context("Hello"), &function_properties(SOURCE))
        .await
        .unwrap();
    let kind = world.resource_type("AWS::Lambda::Version");
    let given = properties(json!({"FunctionName": made.attributes["Arn"], "Description": "d"}));
    assert_eq!(kind.check(&given), []);
    let first = kind.create(&context("V1"), &given).await.unwrap();
    assert_eq!(
        first.physical_id,
        format!("{}:1", made.attributes["Arn"].as_str().unwrap())
    );
    assert_eq!(first.attributes["Version"], "1");
    assert_eq!(kind.create(&context("V1"), &given).await.unwrap(), first);
    let wrong = properties(json!({"FunctionName": made.physical_id, "CodeSha256": "x"}));
    assert!(
        kind.create(&context("V2"), &wrong)
            .await
            .unwrap_err()
            .to_string()
            .contains("CodeSHA256 (x)")
    );
    kind.delete(&context("V1"), &first).await.unwrap();
    let path = format!("/2015-03-31/functions/{}?Qualifier=1", made.physical_id);
    assert_eq!(world.call("GET", &path, &Value::Null).await.status, 404);
}

#[tokio::test]
async fn permissions_are_put_replaced_and_deleted() {
    let world = World::new().await;
    let function = world.resource_type("AWS::Lambda::Function");
    let made = function
        .create(&context("Hello"), &function_properties(SOURCE))
        .await
        .unwrap();
    let kind = world.resource_type("AWS::Lambda::Permission");
    let mut given = properties(json!({
        "FunctionName": made.attributes["Arn"], "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com", "SourceArn": "arn:aws:execute-api:us-east-1:1:x/*",
    }));
    let state = kind.create(&context("Perm"), &given).await.unwrap();
    assert_eq!(kind.create(&context("Perm"), &given).await.unwrap(), state);
    given.insert("Principal".into(), json!("s3.amazonaws.com"));
    kind.update(&context("Perm"), &state, &given).await.unwrap();
    let path = format!("/2015-03-31/functions/{}/policy", made.physical_id);
    let policy = world.call("GET", &path, &Value::Null).await.json()["Policy"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("s3.amazonaws.com") && !policy.contains("apigateway"),
        "{policy}"
    );
    assert_eq!(policy.matches("\"Sid\"").count(), 1);
    kind.delete(&context("Perm"), &state).await.unwrap();
    kind.delete(&context("Perm"), &state).await.unwrap();
    assert_eq!(world.call("GET", &path, &Value::Null).await.status, 404);
    function.delete(&context("Hello"), &made).await.unwrap();
    kind.delete(&context("Perm"), &state).await.unwrap();
    let orphan = kind.create(&context("Perm"), &given).await.unwrap_err();
    assert!(orphan.to_string().starts_with("Function not found: "), "{orphan}");
}

#[tokio::test]
async fn code_that_does_not_initialise_leaves_the_old_running() {
    let world = World::new().await;
    let kind = world.resource_type("AWS::Lambda::Function");
    let mut context = context("Hello");
    let state = kind
        .create(
            &context,
            &function_properties("exports.handler = async () => 'old';"),
        )
        .await
        .unwrap();
    context.prove_updates = true;
    let broken = function_properties("console.log('starting'); require('./missing');");
    let text = kind
        .update(&context, &state, &broken)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("Runtime.ImportModuleError") && text.contains("the old code keeps running"),
        "{text}"
    );
    assert!(text.contains("starting"), "{text}");
    assert_eq!(world.invoke(&state.physical_id, &[], b"").await.json(), "old");
    let good = function_properties("exports.handler = async () => 'new';");
    kind.update(&context, &state, &good).await.unwrap();
    assert_eq!(world.invoke(&state.physical_id, &[], b"").await.json(), "new");
}

#[test]
fn scalars_get_the_type_the_api_wants() {
    let given = properties(json!({"Timeout": "6", "Via": "true", "Account": 123, "On": true, "List": [1]}));
    let expected =
        properties(json!({"Timeout": 6, "Via": true, "Account": "123", "On": "true", "List": [1]}));
    assert_eq!(super::typed(&given, &["Timeout"], &["Via"]), expected);
}

#[tokio::test]
async fn an_alias_follows_its_version() {
    let world = World::new().await;
    world
        .call("POST", "/2015-03-31/functions", &create_body("f", SOURCE))
        .await;
    let versions = world.resource_type("AWS::Lambda::Version");
    let first = versions
        .create(&context("V1"), &properties(json!({"FunctionName": "f"})))
        .await
        .unwrap();
    let kind = world.resource_type("AWS::Lambda::Alias");
    let given = |version: &Value, weights: Value| {
        properties(
            json!({"FunctionName": "f", "Name": "live", "FunctionVersion": version,
                          "RoutingConfig": {"AdditionalVersionWeights": weights}}),
        )
    };
    let alias = kind
        .create(&context("Live"), &given(&first.attributes["Version"], json!([])))
        .await
        .unwrap();
    assert_eq!(
        alias.physical_id,
        "arn:aws:lambda:us-east-1:000000000000:function:f:live"
    );
    let again = kind
        .create(&context("Live"), &given(&json!("1"), json!([])))
        .await
        .unwrap();
    assert_eq!(again, alias);
    let other = kind
        .create(&context("Other"), &given(&json!("$LATEST"), json!([])))
        .await
        .unwrap_err();
    assert!(other.to_string().starts_with("Alias already exists"), "{other}");

    let update = json!({"Timeout": 9});
    world
        .call("PUT", "/2015-03-31/functions/f/configuration", &update)
        .await;
    let second = versions
        .create(&context("V2"), &properties(json!({"FunctionName": "f"})))
        .await
        .unwrap();
    let weights = json!([{"FunctionVersion": "1", "FunctionWeight": "0.25"}]);
    kind.update(
        &context("Live"),
        &alias,
        &given(&second.attributes["Version"], weights),
    )
    .await
    .unwrap();
    let shown = world
        .call("GET", "/2015-03-31/functions/f/aliases/live", &Value::Null)
        .await
        .json();
    assert_eq!(shown["FunctionVersion"], "2");
    assert_eq!(
        shown["RoutingConfig"],
        json!({"AdditionalVersionWeights": {"1": 0.25}})
    );
    versions.delete(&context("V1"), &first).await.unwrap_err();
    kind.delete(&context("Live"), &alias).await.unwrap();
    kind.delete(&context("Live"), &alias).await.unwrap();
    versions.delete(&context("V1"), &first).await.unwrap();
}

#[tokio::test]
async fn templates_provision_versions_and_aliases() {
    let world = World::new().await;
    world
        .call("POST", "/2015-03-31/functions", &create_body("f", SOURCE))
        .await;
    let versions = world.resource_type("AWS::Lambda::Version");
    versions
        .create(&context("V"), &properties(json!({"FunctionName": "f"})))
        .await
        .unwrap();
    let kind = world.resource_type("AWS::Lambda::Alias");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let given = |count: Value| {
        properties(
            json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1",
            "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": count}}),
        )
    };
    let alias = kind.create(&context("Live"), &given(json!("1"))).await.unwrap();
    assert_eq!(world.service.function_provisioned(arn), 1);
    kind.update(&context("Live"), &alias, &given(json!(2)))
        .await
        .unwrap();
    assert_eq!(world.service.function_provisioned(arn), 2);
    kind.create(&context("Live"), &given(json!(0))).await.unwrap_err();
    let mut without = given(json!(2));
    without.remove("ProvisionedConcurrencyConfig");
    kind.update(&context("Live"), &alias, &without).await.unwrap();
    assert_eq!(world.service.function_provisioned(arn), 0);
}

#[tokio::test]
async fn a_url_of_others_is_neither_taken_nor_removed() {
    let world = World::new().await;
    world.create("f", "exports.handler = async () => {};").await;
    let api = "/2021-10-31/functions/f/url";
    let auth = json!({"AuthType": "NONE"});
    assert_eq!(world.call("POST", api, &auth).await.status, 201);
    let kind = world.resource_type("AWS::Lambda::Url");
    let properties = json!({"AuthType": "NONE", "TargetFunctionArn": "f"});
    let properties = properties.as_object().unwrap();
    let refused = kind.create(&context("Url"), properties).await.unwrap_err();
    assert!(
        refused.to_string().contains("FunctionUrlConfig exists"),
        "{refused}"
    );
    world.call("DELETE", api, &Value::Null).await;
    let made = kind.create(&context("Url"), properties).await.unwrap();
    world.call("DELETE", api, &Value::Null).await;
    assert_eq!(world.call("POST", api, &auth).await.status, 201);
    kind.delete(&context("Url"), &made).await.unwrap();
    assert_eq!(world.call("GET", api, &Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_url_keeps_its_address() {
    let world = World::new().await;
    world
        .call("POST", "/2015-03-31/functions", &create_body("f", SOURCE))
        .await;
    let kind = world.resource_type("AWS::Lambda::Url");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let cors = json!({"AllowOrigins": ["*"], "AllowCredentials": "true", "MaxAge": "9"});
    let given = properties(json!({"TargetFunctionArn": arn, "AuthType": "NONE", "Cors": cors}));
    let made = kind.create(&context("Url"), &given).await.unwrap();
    assert_eq!(made.physical_id, arn);
    let address = made.attributes["FunctionUrl"].as_str().unwrap().to_owned();
    assert_eq!(kind.create(&context("Url"), &given).await.unwrap(), made);
    let changed = properties(json!({"TargetFunctionArn": "f", "AuthType": "AWS_IAM"}));
    let changed = kind.update(&context("Url"), &made, &changed).await.unwrap();
    assert_eq!(changed.attributes["FunctionUrl"], address);
    let shown = world
        .call("GET", "/2021-10-31/functions/f/url", &Value::Null)
        .await
        .json();
    assert_eq!((&shown["AuthType"], shown.get("Cors")), (&json!("AWS_IAM"), None));
    kind.delete(&context("Url"), &made).await.unwrap();
    kind.delete(&context("Url"), &made).await.unwrap();
    assert!(world.service.list_functions()[0].urls.is_empty());
}
