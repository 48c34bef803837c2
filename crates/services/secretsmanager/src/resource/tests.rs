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

fn secrets(world: &World) -> Arc<dyn ResourceType> {
    resource_type(world, "AWS::SecretsManager::Secret")
}

#[tokio::test]
async fn a_secret_is_made_changed_and_removed() {
    let world = World::new().await;
    let (secrets, context) = (secrets(&world), ResourceContext::for_tests("Db"));
    let given =
        properties(json!({"Name": "db", "SecretString": "one", "Tags": [{"Key": "a", "Value": "b"}]}));
    assert_eq!(secrets.check(&given), []);
    let made = secrets.create(&context, &given).await.unwrap();
    assert!(
        made.physical_id
            .starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:db-")
    );
    assert_eq!(made.attributes["Id"], made.physical_id);
    assert_eq!(
        secrets.create(&context, &given).await.unwrap(),
        made,
        "as after a crash"
    );
    let versions = || {
        world.ok(
            "ListSecretVersionIds",
            json!({"SecretId": "db", "IncludeDeprecated": true}),
        )
    };
    assert_eq!(
        versions().await["Versions"].as_array().unwrap().len(),
        1,
        "the same value is no version"
    );
    let changed = properties(json!({"Name": "db", "SecretString": "two"}));
    assert_eq!(secrets.update(&context, &made, &changed).await.unwrap(), made);
    assert_eq!(world.text("db").await, "two");
    let described = world.ok("DescribeSecret", json!({"SecretId": "db"})).await;
    assert!(described.get("Tags").is_none());
    let other = ResourceContext::for_tests("Other");
    let taken = secrets.create(&other, &given).await;
    assert!(
        matches!(taken, Err(ResourceError::AlreadyExists { .. })),
        "{taken:?}"
    );
    secrets.delete(&other, &made).await.unwrap();
    assert_eq!(world.text("db").await, "two", "another's");
    for _ in 0..2 {
        secrets.delete(&context, &made).await.unwrap();
    }
    world.refused("DescribeSecret", json!({"SecretId": "db"})).await;
    assert!(
        secrets.create(&other, &given).await.is_ok(),
        "the name is free at once"
    );
}

#[tokio::test]
async fn a_generated_value_stays_until_its_settings_change() {
    let world = World::new().await;
    let (secrets, context) = (secrets(&world), ResourceContext::for_tests("Db"));
    let given = |length: &str| {
        properties(json!({"GenerateSecretString": {
            "SecretStringTemplate": "{\"username\": \"admin\"}", "GenerateStringKey": "password",
            "PasswordLength": length, "ExcludePunctuation": "true",
        }}))
    };
    assert_eq!(secrets.check(&given("20")), []);
    let made = secrets.create(&context, &given("20")).await.unwrap();
    let name = "shop-dev-Db-0123456789AB";
    let first: Value = serde_json::from_str(&world.text(name).await).unwrap();
    assert_eq!(first["username"], "admin");
    let password = first["password"].as_str().unwrap();
    assert!(
        password.len() == 20 && password.chars().all(|c| c.is_ascii_alphanumeric()),
        "{password}"
    );
    secrets.update(&context, &made, &given("20")).await.unwrap();
    assert_eq!(world.text(name).await, first.to_string());
    secrets.update(&context, &made, &given("24")).await.unwrap();
    let second: Value = serde_json::from_str(&world.text(name).await).unwrap();
    assert_eq!(second["password"].as_str().unwrap().len(), 24);
}

#[tokio::test]
async fn what_a_value_is_made_by_is_stored_sealed() {
    let mut world = World::new().await;
    let context = ResourceContext::for_tests("Db");
    let given = properties(json!({"GenerateSecretString": {
        "SecretStringTemplate": "{\"token\": \"hush-hush\"}", "GenerateStringKey": "password",
    }}));
    let made = secrets(&world).create(&context, &given).await.unwrap();
    let name = "shop-dev-Db-0123456789AB";
    let first = world.text(name).await;
    let stored = async |world: &World| {
        let sql = "SELECT definition FROM secretsmanager_secrets";
        let rows = world.database.read(sql, vec![]).await.unwrap();
        rows[0].text(0).unwrap().to_owned()
    };
    let definition = stored(&world).await;
    assert!(!definition.contains("hush"), "{definition}");
    // as an earlier version stored it
    let mut old: Value = serde_json::from_str(&definition).unwrap();
    old["generated_by"] = given["GenerateSecretString"].to_string().into();
    let sql = "UPDATE secretsmanager_secrets SET definition = $1";
    let batch = tradewind_store::Batch::new().run(sql, vec![old.to_string().into()]);
    world.database.write(batch).await.unwrap();
    assert!(stored(&world).await.contains("hush"));
    world.restart().await;
    assert!(!stored(&world).await.contains("hush"));
    secrets(&world).update(&context, &made, &given).await.unwrap();
    assert_eq!(world.text(name).await, first, "it is known by what it was made");
}

#[tokio::test]
async fn what_is_not_honoured_is_refused_before_anything_is_made() {
    let world = World::new().await;
    let secrets = secrets(&world);
    for (given, text) in [
        (
            json!({"KmsKeyId": "k"}),
            "property `KmsKeyId` is not supported yet",
        ),
        (
            json!({"SecretString": "a", "GenerateSecretString": {}}),
            "give either",
        ),
        (
            json!({"GenerateSecretString": {"PasswordLenght": 3}}),
            "did you mean `PasswordLength`?",
        ),
        (
            json!({"GenerateSecretString": {"GenerateStringKey": "k"}}),
            "go together",
        ),
        (json!({"GenerateSecretString": "x"}), "must be an object"),
    ] {
        let problems = secrets.check(&properties(given.clone()));
        assert_eq!(problems.len(), 1, "{given}: {problems:?}");
        assert!(problems[0].message.contains(text), "{problems:?}");
    }
    let context = ResourceContext::for_tests("Db");
    let template = json!({"GenerateSecretString": {"SecretStringTemplate": "no", "GenerateStringKey": "k"}});
    assert!(secrets.create(&context, &properties(template)).await.is_err());
    assert_eq!(world.ok("ListSecrets", json!({})).await["SecretList"], json!([]));
}

#[tokio::test]
async fn a_policy_is_kept_with_its_secret() {
    let world = World::new().await;
    let policies = resource_type(&world, "AWS::SecretsManager::ResourcePolicy");
    let context = ResourceContext::for_tests("Policy");
    world.ok("CreateSecret", json!({"Name": "s"})).await;
    let given = properties(json!({"SecretId": "s", "ResourcePolicy": {"Statement": []}}));
    let made = policies.create(&context, &given).await.unwrap();
    let policy = world.ok("GetResourcePolicy", json!({"SecretId": "s"})).await;
    assert_eq!(policy["ResourcePolicy"], "{\"Statement\":[]}");
    let other = policies
        .create(&ResourceContext::for_tests("Other"), &given)
        .await;
    assert!(matches!(other, Err(ResourceError::AlreadyExists { .. })));
    for _ in 0..2 {
        policies.delete(&context, &made).await.unwrap();
    }
    let policy = world.ok("GetResourcePolicy", json!({"SecretId": "s"})).await;
    assert!(policy.get("ResourcePolicy").is_none());
}
