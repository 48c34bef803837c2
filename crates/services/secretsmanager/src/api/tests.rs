//! The operations, as a client sees them.

use serde_json::{Value, json};
use tradewind_model::{AccountId, Region, SecretError, Secrets};

use crate::testing::{DAY, World};

fn code((code, _): (String, String)) -> String {
    code
}

async fn create(world: &World, name: &str, text: &str) -> Value {
    world
        .ok("CreateSecret", json!({"Name": name, "SecretString": text}))
        .await
}

fn text_of(world: &World, id: &str) -> Result<String, SecretError> {
    let (account, region) = (AccountId::default_account(), Region::default_region());
    let text = world.service.text(&account, &region, id)?;
    Ok(text.expose().to_owned())
}

#[tokio::test]
async fn a_secret_is_found_by_name_arn_and_partial_arn() {
    let mut world = World::new().await;
    let made = create(&world, "shop/db", "{\"password\":\"p\"}").await;
    let arn = made["ARN"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:shop/db-"));
    let (partial, _suffix) = arn.rsplit_once('-').unwrap();
    for round in 0..2 {
        for id in ["shop/db", arn, partial] {
            let found = world.ok("GetSecretValue", json!({"SecretId": id})).await;
            assert_eq!(found["SecretString"], "{\"password\":\"p\"}", "{id} {round}");
            assert_eq!(found["VersionId"], made["VersionId"]);
            assert_eq!(found["VersionStages"], json!(["AWSCURRENT"]));
            assert_eq!(found["CreatedDate"], json!(1_700_000_000.0));
            assert_eq!(text_of(&world, id).unwrap(), "{\"password\":\"p\"}");
        }
        let other = "111111111111".parse().unwrap();
        let foreign = world.service.text(&other, &Region::default_region(), arn);
        assert_eq!(foreign.unwrap_err(), SecretError::NotFound, "another account's");
        world.restart().await;
    }
    for id in [
        "shop",
        "shop/db-",
        &arn.replace("000000000000", "111111111111"),
        &arn.replace("us-east-1", "eu-west-1"),
    ] {
        let refused = world.refused("GetSecretValue", json!({"SecretId": id})).await;
        assert_eq!(
            refused,
            (
                "ResourceNotFoundException".into(),
                "Secrets Manager can't find the specified secret.".into()
            )
        );
        assert_eq!(text_of(&world, id), Err(SecretError::NotFound));
    }
}

#[tokio::test]
async fn what_is_stored_is_sealed_and_bound_to_its_place() {
    let mut world = World::new().await;
    let token = "t".repeat(32);
    let same =
        |name: &str, text: &str| json!({"Name": name, "SecretString": text, "ClientRequestToken": token});
    let one = world.ok("CreateSecret", same("one", "hidden-1")).await;
    let other = world.ok("CreateSecret", same("two", "hidden-2")).await;
    let rows = world
        .database
        .read("SELECT sealed FROM secretsmanager_versions", vec![])
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let sealed = row.blob(0).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"hidden"), "it is sealed");
    }
    let swap = tradewind_store::Batch::new().run(
        "UPDATE secretsmanager_versions SET sealed = (SELECT sealed FROM secretsmanager_versions WHERE secret = $1)
         WHERE secret = $2",
        vec![
            one["ARN"].as_str().unwrap().into(),
            other["ARN"].as_str().unwrap().into(),
        ],
    );
    world.database.write(swap).await.unwrap();
    world.restart().await;
    assert_eq!(world.text("one").await, "hidden-1");
    let refused = world.refused("GetSecretValue", json!({"SecretId": "two"})).await;
    assert_eq!(code(refused), "DecryptionFailure");
    assert_eq!(text_of(&world, "two"), Err(SecretError::Sealed));
}

#[tokio::test]
async fn a_new_value_is_current_and_the_old_one_previous() {
    let mut world = World::new().await;
    let first = create(&world, "s", "one").await["VersionId"].clone();
    let token = "11111111-2222-3333-4444-555555555555";
    let put = json!({"SecretId": "s", "SecretString": "two", "ClientRequestToken": token});
    for _ in 0..2 {
        let answer = world.ok("PutSecretValue", put.clone()).await;
        assert_eq!(
            (&answer["VersionId"], &answer["VersionStages"]),
            (&json!(token), &json!(["AWSCURRENT"]))
        );
    }
    let other = json!({"SecretId": "s", "SecretString": "three", "ClientRequestToken": token});
    for action in ["PutSecretValue", "UpdateSecret"] {
        let (code, text) = world.refused(action, other.clone()).await;
        assert_eq!(code, "ResourceExistsException");
        assert!(
            text.starts_with(&format!("You can't use ClientRequestToken {token} because")),
            "{text}"
        );
    }
    world.restart().await;
    assert_eq!(world.text("s").await, "two");
    let by = |member: &str, value: &Value| json!({"SecretId": "s", member: value});
    for request in [by("VersionStage", &json!("AWSPREVIOUS")), by("VersionId", &first)] {
        assert_eq!(world.ok("GetSecretValue", request).await["SecretString"], "one");
    }
    let pending = json!({"SecretId": "s", "SecretString": "next", "VersionStages": ["AWSPENDING"]});
    let pending = world.ok("PutSecretValue", pending).await["VersionId"].clone();
    assert_eq!(world.text("s").await, "two");
    let versions = world.ok("ListSecretVersionIds", json!({"SecretId": "s"})).await;
    assert_eq!(versions["Versions"].as_array().unwrap().len(), 3);
    let promote = json!({
        "SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": pending, "RemoveFromVersionId": token,
    });
    world.ok("UpdateSecretVersionStage", promote.clone()).await;
    assert_eq!(world.text("s").await, "next");
    assert_eq!(
        code(world.refused("UpdateSecretVersionStage", promote).await),
        "InvalidParameterException"
    );
    let stages = world.ok("DescribeSecret", json!({"SecretId": "s"})).await["VersionIdsToStages"].clone();
    assert_eq!(stages[token], json!(["AWSPREVIOUS"]));
    assert_eq!(
        stages[pending.as_str().unwrap()],
        json!(["AWSCURRENT", "AWSPENDING"])
    );
    let versions = world.ok("ListSecretVersionIds", json!({"SecretId": "s"})).await;
    assert_eq!(versions["Versions"].as_array().unwrap().len(), 2);
    let all = json!({"SecretId": "s", "IncludeDeprecated": true, "MaxResults": 2});
    let page = world.ok("ListSecretVersionIds", all).await;
    assert!(page["NextToken"].is_string() && page["Versions"].as_array().unwrap().len() == 2);
}

#[tokio::test]
async fn versions_that_are_not_there_are_named() {
    let world = World::new().await;
    let id = create(&world, "s", "one").await["VersionId"].clone();
    world.ok("CreateSecret", json!({"Name": "empty"})).await;
    let missing = |what: &str| format!("Secrets Manager can't find the specified secret value for {what}");
    let none = "00000000-0000-0000-0000-000000000000";
    for (request, text) in [
        (json!({"SecretId": "empty"}), missing("staging label: AWSCURRENT")),
        (
            json!({"SecretId": "s", "VersionStage": "AWSPENDING"}),
            missing("staging label: AWSPENDING"),
        ),
        (
            json!({"SecretId": "s", "VersionId": none}),
            missing(&format!("VersionId: {none}")),
        ),
    ] {
        let refused = world.refused("GetSecretValue", request).await;
        assert_eq!(refused, ("ResourceNotFoundException".into(), text));
    }
    let both = json!({"SecretId": "s", "VersionId": id, "VersionStage": "AWSPREVIOUS"});
    assert_eq!(
        code(world.refused("GetSecretValue", both).await),
        "InvalidRequestException"
    );
    assert_eq!(text_of(&world, "empty"), Err(SecretError::NotFound));
}

#[tokio::test]
async fn creating_again_is_idempotent_by_its_token_only() {
    let world = World::new().await;
    let token = "a".repeat(32);
    let request = json!({"Name": "s", "SecretString": "one", "ClientRequestToken": token});
    let made = world.ok("CreateSecret", request.clone()).await;
    assert_eq!(world.ok("CreateSecret", request).await, made);
    let (code, text) = world
        .refused("CreateSecret", json!({"Name": "s", "SecretString": "one"}))
        .await;
    assert_eq!(code, "ResourceExistsException");
    assert_eq!(text, "The operation failed because the secret s already exists.");
    let other = json!({"Name": "s", "SecretString": "two", "ClientRequestToken": token});
    assert_eq!(
        world.refused("CreateSecret", other).await.0,
        "ResourceExistsException"
    );
}

#[tokio::test]
async fn values_have_bounds_and_are_never_quoted() {
    let world = World::new().await;
    let most = "x".repeat(65_536);
    create(&world, "text", &most).await;
    assert_eq!(world.text("text").await, most);
    let (code, text) = world
        .refused(
            "CreateSecret",
            json!({"Name": "more", "SecretString": format!("{most}x")}),
        )
        .await;
    assert_eq!(code, "ValidationException");
    assert!(text.contains("'secretString'") && !text.contains("xx"), "{text}");
    let binary = json!({"Name": "binary", "SecretBinary": "AAEC/w=="});
    world.ok("CreateSecret", binary).await;
    let found = world.ok("GetSecretValue", json!({"SecretId": "binary"})).await;
    assert_eq!(
        (&found["SecretBinary"], &found["SecretString"]),
        (&json!("AAEC/w=="), &Value::Null)
    );
    assert_eq!(text_of(&world, "binary"), Err(SecretError::Binary));
    for (given, code) in [
        (
            json!({"Name": "x", "SecretString": "a", "SecretBinary": "AA=="}),
            "InvalidParameterException",
        ),
        (
            json!({"Name": "x", "SecretString": {"hush": 1}}),
            "SerializationException",
        ),
        (
            json!({"Name": "x", "SecretString": "hush", "ClientRequestToken": "short"}),
            "InvalidParameterException",
        ),
        (
            json!({"Name": "x", "SecretString": "hush", "ClientRequestToken": null}),
            "InvalidRequestException",
        ),
        (
            json!({"Name": "x", "SecretString": "hush", "KmsKeyId": "alias/mine"}),
            "InvalidParameterException",
        ),
        (
            json!({"Name": "x y", "SecretString": "hush"}),
            "ValidationException",
        ),
        (json!({"SecretString": "hush"}), "ValidationException"),
    ] {
        let (found, text) = world.refused("CreateSecret", given).await;
        assert_eq!(found, code, "{text}");
        assert!(!text.contains("hush"), "{text}");
    }
    let default_key = json!({"Name": "y", "KmsKeyId": "alias/aws/secretsmanager", "SecretString": "a"});
    world.ok("CreateSecret", default_key).await;
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_its_time_has_come() {
    let mut world = World::new().await;
    create(&world, "s", "one").await;
    let delete = json!({"SecretId": "s", "RecoveryWindowInDays": 7});
    let deleted = world.ok("DeleteSecret", delete.clone()).await;
    assert_eq!(deleted["DeletionDate"], json!(1_700_000_000.0 + 7.0 * 86_400.0));
    for action in ["GetSecretValue", "PutSecretValue", "UpdateSecret", "DeleteSecret"] {
        let request = json!({"SecretId": "s", "SecretString": "two"});
        assert_eq!(
            code(world.refused(action, request).await),
            "InvalidRequestException",
            "{action}"
        );
    }
    assert_eq!(text_of(&world, "s"), Err(SecretError::NotFound));
    assert_eq!(
        code(world.refused("CreateSecret", json!({"Name": "s"})).await),
        "InvalidRequestException"
    );
    let described = world.ok("DescribeSecret", json!({"SecretId": "s"})).await;
    assert_eq!(described["DeletedDate"], deleted["DeletionDate"]);
    assert_eq!(world.ok("ListSecrets", json!({})).await["SecretList"], json!([]));
    let planned = world
        .ok("ListSecrets", json!({"IncludePlannedDeletion": true}))
        .await;
    assert_eq!(planned["SecretList"][0]["DeletedDate"], json!(1_700_000_000.0));
    world.ok("RestoreSecret", json!({"SecretId": "s"})).await;
    world.clock.advance_millis(8 * DAY);
    world.service.delete_due().await.unwrap();
    assert_eq!(world.text("s").await, "one");
    world.ok("DeleteSecret", delete).await;
    world.clock.advance_millis(7 * DAY - 1);
    world.restart().await;
    world.service.delete_due().await.unwrap();
    world.ok("DescribeSecret", json!({"SecretId": "s"})).await;
    world.clock.advance_millis(1);
    world.service.delete_due().await.unwrap();
    assert_eq!(
        code(world.refused("DescribeSecret", json!({"SecretId": "s"})).await),
        "ResourceNotFoundException"
    );
    let rows = "SELECT secret FROM secretsmanager_versions UNION SELECT id FROM secretsmanager_secrets";
    assert!(world.database.read(rows, vec![]).await.unwrap().is_empty());
}

#[tokio::test]
async fn without_recovery_a_secret_goes_at_once() {
    let world = World::new().await;
    let made = create(&world, "s", "one").await;
    let force = json!({"SecretId": "s", "ForceDeleteWithoutRecovery": true});
    world.ok("DeleteSecret", force.clone()).await;
    world.ok("DeleteSecret", force).await;
    assert_ne!(create(&world, "s", "two").await["ARN"], made["ARN"]);
    let old = world
        .refused("GetSecretValue", json!({"SecretId": made["ARN"]}))
        .await;
    assert_eq!(code(old), "ResourceNotFoundException");
    for days in [6, 31] {
        let request = json!({"SecretId": "s", "RecoveryWindowInDays": days});
        assert_eq!(
            code(world.refused("DeleteSecret", request).await),
            "InvalidParameterException"
        );
    }
    let both = json!({"SecretId": "s", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true});
    assert_eq!(
        code(world.refused("DeleteSecret", both).await),
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn secrets_are_listed_filtered_and_batched() {
    let world = World::new().await;
    for name in ["shop/a", "shop/b", "other"] {
        let tags = json!([{"Key": "name", "Value": name}]);
        world
            .ok(
                "CreateSecret",
                json!({"Name": name, "SecretString": name, "Description": "A test", "Tags": tags}),
            )
            .await;
        world.clock.advance_millis(1000);
    }
    let names = |answer: &Value, list: &str| -> Vec<String> {
        let list = answer[list].as_array().unwrap();
        list.iter()
            .map(|secret| secret["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = world.ok("ListSecrets", json!({})).await;
    assert_eq!(
        names(&all, "SecretList"),
        ["other", "shop/b", "shop/a"],
        "the newest first"
    );
    assert_eq!(
        all["SecretList"][0]["Tags"],
        json!([{"Key": "name", "Value": "other"}])
    );
    let page = world
        .ok("ListSecrets", json!({"MaxResults": 2, "SortOrder": "asc"}))
        .await;
    assert_eq!(names(&page, "SecretList"), ["shop/a", "shop/b"]);
    let next = json!({"MaxResults": 2, "SortOrder": "asc", "NextToken": page["NextToken"]});
    assert_eq!(
        names(&world.ok("ListSecrets", next).await, "SecretList"),
        ["other"]
    );
    let filters = json!([{"Key": "name", "Values": ["shop/"]}]);
    let shop = world
        .ok(
            "BatchGetSecretValue",
            json!({"Filters": filters, "MaxResults": 1}),
        )
        .await;
    assert_eq!(shop["SecretValues"][0]["SecretString"], "shop/a");
    let next = json!({"Filters": filters, "MaxResults": 1, "NextToken": shop["NextToken"]});
    let shop = world.ok("BatchGetSecretValue", next).await;
    assert_eq!(
        (names(&shop, "SecretValues"), &shop["NextToken"]),
        (vec!["shop/b".to_owned()], &Value::Null)
    );
    let batch = world
        .ok(
            "BatchGetSecretValue",
            json!({"SecretIdList": ["other", "nowhere"]}),
        )
        .await;
    assert_eq!(names(&batch, "SecretValues"), ["other"]);
    assert_eq!(batch["Errors"][0]["ErrorCode"], "ResourceNotFoundException");
    for (action, request) in [
        (
            "ListSecrets",
            json!({"Filters": [{"Key": "colour", "Values": ["x"]}]}),
        ),
        ("ListSecrets", json!({"NextToken": "x"})),
        ("ListSecrets", json!({"SortOrder": "up"})),
        ("ListSecrets", json!({"SortBy": "colour"})),
        ("BatchGetSecretValue", json!({})),
        ("BatchGetSecretValue", json!({"SecretIdList": []})),
    ] {
        world.refused(action, request).await;
    }
}

#[tokio::test]
async fn tags_descriptions_and_policies_change() {
    let mut world = World::new().await;
    create(&world, "s", "one").await;
    world
        .ok(
            "TagResource",
            json!({"SecretId": "s", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}),
        )
        .await;
    world
        .ok("UntagResource", json!({"SecretId": "s", "TagKeys": ["a"]}))
        .await;
    world
        .ok("UpdateSecret", json!({"SecretId": "s", "Description": "d"}))
        .await;
    let policy = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    world
        .ok(
            "PutResourcePolicy",
            json!({"SecretId": "s", "ResourcePolicy": policy}),
        )
        .await;
    world.restart().await;
    let found = world.ok("DescribeSecret", json!({"SecretId": "s"})).await;
    assert_eq!(
        (&found["Tags"], &found["Description"]),
        (&json!([{"Key": "b", "Value": "2"}]), &json!("d"))
    );
    assert!(found.get("LastAccessedDate").is_none(), "nobody asked for it");
    world.text("s").await;
    let found = world.ok("DescribeSecret", json!({"SecretId": "s"})).await;
    assert_eq!(found["LastAccessedDate"], json!(1_699_920_000.0), "the day");
    world.service.write_accesses().await.unwrap();
    world.restart().await;
    let found = world.ok("DescribeSecret", json!({"SecretId": "s"})).await;
    assert_eq!(
        found["LastAccessedDate"],
        json!(1_699_920_000.0),
        "it was written"
    );
    let answer = world.ok("GetResourcePolicy", json!({"SecretId": "s"})).await;
    assert_eq!(answer["ResourcePolicy"], policy);
    world.ok("DeleteResourcePolicy", json!({"SecretId": "s"})).await;
    let answer = world.ok("GetResourcePolicy", json!({"SecretId": "s"})).await;
    assert!(answer.get("ResourcePolicy").is_none());
    let bad = json!({"SecretId": "s", "ResourcePolicy": "{"});
    assert_eq!(
        code(world.refused("PutResourcePolicy", bad).await),
        "MalformedPolicyDocumentException"
    );
    let many: Vec<Value> = (0..51)
        .map(|n| json!({"Key": n.to_string(), "Value": ""}))
        .collect();
    world
        .refused("TagResource", json!({"SecretId": "s", "Tags": many}))
        .await;
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let world = World::new().await;
    let (code, text) = world.refused("RotateSecret", json!({"SecretId": "s"})).await;
    assert_eq!(code, "NotImplemented");
    assert!(text.contains("RotateSecret"), "{text}");
    assert_eq!(
        world.refused("Rotate", json!({})).await.0,
        "UnknownOperationException"
    );
    let password = world
        .ok(
            "GetRandomPassword",
            json!({"PasswordLength": 12, "ExcludePunctuation": true}),
        )
        .await;
    assert_eq!(password["RandomPassword"].as_str().unwrap().len(), 12);
}

#[tokio::test]
async fn a_disk_that_takes_nothing_keeps_nobody_from_a_secret() {
    let world = World::new().await;
    world
        .ok("CreateSecret", json!({"Name": "s", "SecretString": "x"}))
        .await;
    let gone = tradewind_store::Batch::new().run("DROP TABLE secretsmanager_secrets", vec![]);
    world.database.write(gone).await.unwrap();
    assert_eq!(world.text("s").await, "x");
    assert!(world.service.write_accesses().await.is_err());
}
