use serde_json::{Value, json};

use super::{ARN, FUNCTIONS, path};
use crate::testing::{World, context, create_body, zip_of};

const LAYERS: &str = "/2018-10-31/layers";
const TOOLS: &str = "arn:aws:lambda:us-east-1:000000000000:layer:tools";
const READS: &str = "exports.handler = async () => require('who');";

fn layer(rest: &str) -> String {
    format!("{LAYERS}/{rest}")
}

/// What PublishLayerVersion is sent: a module `who` that is `name`.
fn content(name: &str) -> Value {
    let module = format!("module.exports = '{name}';");
    let zip = zip_of("nodejs/node_modules/who/index.js", module.as_bytes());
    json!({"Content": {"ZipFile": zip}})
}

async fn publish(world: &World, name: &str, body: &Value) -> Value {
    let made = world
        .call("POST", &layer(&format!("{name}/versions")), body)
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

async fn create_with(world: &World, layers: &[&str]) -> crate::testing::Answer {
    let mut body = create_body("f", READS);
    body["Layers"] = json!(layers);
    world.call("POST", FUNCTIONS, &body).await
}

async fn invoked(world: &World) -> Value {
    world.invoke("f", &[], b"{}").await.json()
}

#[tokio::test]
async fn layers_are_published_read_listed_and_deleted() {
    let world = World::new().await;
    let mut body = content("first");
    body["Description"] = "of the shop".into();
    body["LicenseInfo"] = "MIT".into();
    body["CompatibleRuntimes"] = json!(["nodejs20.x"]);
    body["CompatibleArchitectures"] = json!(["x86_64", "arm64"]);
    let first = publish(&world, "tools", &body).await;
    assert_eq!(
        (&first["LayerArn"], &first["Version"]),
        (&json!(TOOLS), &json!(1))
    );
    assert_eq!(first["LayerVersionArn"], format!("{TOOLS}:1"));
    assert_eq!(first["CreatedDate"], "2023-11-14T22:13:20.000+0000");
    assert_eq!(
        (&first["Description"], &first["LicenseInfo"]),
        (&json!("of the shop"), &json!("MIT"))
    );
    assert_eq!(first["CompatibleArchitectures"], json!(["x86_64", "arm64"]));
    assert!(first["Content"]["CodeSize"].as_u64().unwrap() > 0);
    let second = publish(&world, "tools", &content("second")).await;
    assert_eq!(second["Version"], 2);

    for found in [
        layer("tools/versions/1"),
        format!("{LAYERS}?find=LayerVersion&Arn={TOOLS}:1"),
    ] {
        assert_eq!(
            world.call("GET", &found, &Value::Null).await.json(),
            first,
            "{found}"
        );
    }
    let listed = world.call("GET", LAYERS, &Value::Null).await.json();
    assert_eq!(listed["Layers"][0]["LatestMatchingVersion"]["Version"], 2);
    let suits = format!("{LAYERS}?CompatibleRuntime=nodejs20.x");
    let listed = world.call("GET", &suits, &Value::Null).await.json();
    assert_eq!(listed["Layers"][0]["LatestMatchingVersion"]["Version"], 1);
    let versions = world
        .call("GET", &layer("tools/versions?MaxItems=1"), &Value::Null)
        .await
        .json();
    assert_eq!(versions["LayerVersions"][0]["Version"], 2);
    let next = format!(
        "tools/versions?Marker={}",
        versions["NextMarker"].as_str().unwrap()
    );
    let rest = world.call("GET", &layer(&next), &Value::Null).await.json();
    assert_eq!(
        (&rest["LayerVersions"][0]["Version"], rest.get("NextMarker")),
        (&json!(1), None)
    );

    for _twice in 0..2 {
        let gone = world
            .call("DELETE", &layer("tools/versions/2"), &Value::Null)
            .await;
        assert_eq!(gone.status, 204, "{gone:?}");
    }
    let missing = world
        .call("GET", &layer("tools/versions/2"), &Value::Null)
        .await
        .error();
    assert_eq!(
        (missing.0, missing.2.as_str()),
        (404, "The resource you requested does not exist.")
    );
    world.service.shutdown().await;
    let reopened = world.reopened().await;
    let arn = first["LayerArn"].as_str().unwrap().parse().unwrap();
    let kept = reopened.shelf().find(&arn).unwrap();
    assert_eq!((kept.versions.len(), kept.next_version), (1, 3));
    assert_eq!(Some(kept), world.service.shelf().find(&arn));
}

#[tokio::test]
async fn functions_find_what_their_layers_bring_and_the_later_wins() {
    let world = World::new().await;
    for (name, says) in [("tools", "first"), ("more", "second")] {
        publish(&world, name, &content(says)).await;
    }
    let more = "arn:aws:lambda:us-east-1:000000000000:layer:more:1";
    let made = create_with(&world, &[&format!("{TOOLS}:1"), more]).await.json();
    assert_eq!(
        (&made["Layers"][0]["Arn"], &made["Layers"][1]["Arn"]),
        (&json!(format!("{TOOLS}:1")), &json!(more))
    );
    assert!(made["Layers"][0]["CodeSize"].as_u64().unwrap() > 0);
    assert_eq!(invoked(&world).await, "second");
    let published = world.call("POST", &path("f/versions"), &json!({})).await.json();

    let turned = json!({"Layers": [more, format!("{TOOLS}:1")]});
    let turned = world.call("PUT", &path("f/configuration"), &turned).await.json();
    assert_eq!(turned["Layers"][0]["Arn"], more);
    assert_eq!(invoked(&world).await, "first");
    let of_version = world
        .invoke(
            &format!("f:{}", published["Version"].as_str().unwrap()),
            &[],
            b"{}",
        )
        .await;
    assert_eq!(of_version.json(), "second");
    // layers alone make another version
    let again = world.call("POST", &path("f/versions"), &json!({})).await.json();
    assert_eq!(again["Version"], "2");

    let none = world
        .call("PUT", &path("f/configuration"), &json!({"Layers": []}))
        .await
        .json();
    assert_eq!(none.get("Layers"), None);
    assert_eq!(invoked(&world).await["errorType"], "Error");
}

#[tokio::test]
async fn a_deleted_layer_stays_with_the_functions_that_have_it() {
    let world = World::new().await;
    publish(&world, "tools", &content("kept")).await;
    let arn = format!("{TOOLS}:1");
    create_with(&world, &[&arn]).await;
    world
        .call("DELETE", &layer("tools/versions/1"), &Value::Null)
        .await;
    world.service.shutdown().await;
    let reopened = world.reopened().await;
    let keep = reopened.packages_in_use();
    // the code of the function and the layer, which merged alone is itself
    assert_eq!(keep.len(), 2);
    assert_eq!(invoked(&world).await, "kept");
    let refused = world
        .call("PUT", &path("f/configuration"), &json!({"Layers": [arn]}))
        .await
        .error();
    assert_eq!(
        (refused.0, refused.2),
        (400, format!("Layer version {TOOLS}:1 does not exist."))
    );
}

#[tokio::test]
async fn what_layers_may_not_be_is_refused_in_the_services_words() {
    let world = World::new().await;
    for name in ["a", "b", "c", "d", "e", "f"] {
        publish(&world, name, &content(name)).await;
    }
    publish(&world, "a", &content("again")).await;
    let arn = |name: &str| format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}");
    let six: Vec<String> = ["a", "b", "c", "d", "e", "f"]
        .iter()
        .map(|name| arn(name) + ":1")
        .collect();
    let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:layer:a:1".to_owned();
    let cases = [
        (six, "InvalidParameterValueException", "Cannot reference more than 5 layers.".to_owned()),
        (
            vec![arn("a") + ":1", arn("a") + ":2"],
            "InvalidParameterValueException",
            format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. \
                 {0}:1 and {0}:2 are versions of the same layer.",
                arn("a")
            ),
        ),
        (
            vec![elsewhere],
            "InvalidParameterValueException",
            "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."
                .to_owned(),
        ),
        (
            vec![arn("a") + ":7"],
            "InvalidParameterValueException",
            format!("Layer version {}:7 does not exist.", arn("a")),
        ),
        (
            vec![arn("a")],
            "ValidationException",
            format!("1 validation error detected: Value '[{}]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length", arn("a")),
        ),
    ];
    for (layers, code, expected) in cases {
        let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
        let (_, given, message) = create_with(&world, &layers).await.error();
        assert_eq!(given, code);
        assert!(message.starts_with(&expected), "{message}");
    }
    for number in ["0", "-1"] {
        let (status, _, message) = world
            .call("DELETE", &layer(&format!("a/versions/{number}")), &Value::Null)
            .await
            .error();
        assert_eq!(
            (status, message.as_str()),
            (400, "Layer Version Cannot be less than 1.")
        );
    }
    let s3 = json!({"Content": {"S3Bucket": "b", "S3Key": "k"}});
    let (_, _, message) = world.call("POST", &layer("a/versions"), &s3).await.error();
    assert!(
        message.starts_with("Error occurred while GetObject. S3 Error Code: NoSuchKey."),
        "{message}"
    );
}

#[tokio::test]
async fn code_and_layers_together_have_a_limit() {
    let world = World::new().await;
    // not too regular, so that it is no zip bomb
    let block: Vec<u8> = (0..530_000_u32)
        .map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[2])
        .collect();
    let fifth = json!({"Content": {"ZipFile": zip_of("big", &block.repeat(100))}});
    let mut arns = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let made = publish(&world, name, &fifth).await;
        arns.push(made["LayerVersionArn"].as_str().unwrap().to_owned());
    }
    let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
    let (status, _, message) = create_with(&world, &arns).await.error();
    let expected = "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The \
                    actual size is 26500004";
    assert_eq!(status, 400);
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(create_with(&world, &arns[..4]).await.status, 201);
}

#[tokio::test]
async fn other_accounts_use_what_is_shared_with_them() {
    let world = World::new().await;
    publish(&world, "tools", &content("shared")).await;
    let (arn, other) = (format!("{TOOLS}:1"), "111122223333");
    let mut body = create_body("f", READS);
    body["Layers"] = json!([arn]);
    let refused = world.call_as(other, "POST", FUNCTIONS, &body).await.error();
    assert_eq!((refused.0, refused.1.as_str()), (403, "AccessDeniedException"));
    assert!(refused.2.ends_with(&format!(
        "is not authorized to perform: lambda:GetLayerVersion on resource: {arn} because no resource-based policy \
         allows the lambda:GetLayerVersion action"
    )));
    let policy = layer("tools/versions/1/policy");
    let none = world.call("GET", &policy, &Value::Null).await.error();
    assert_eq!(
        (none.0, none.2.as_str()),
        (404, "No policy is associated with the given resource.")
    );
    let permission = json!({"StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": other});
    let foreign = world
        .call_as(
            other,
            "POST",
            &format!("{LAYERS}/{TOOLS}/versions/1/policy"),
            &permission,
        )
        .await;
    assert_eq!(foreign.status, 403);
    let added = world.call("POST", &policy, &permission).await;
    assert_eq!(added.status, 201, "{added:?}");
    let added = added.json();
    let shown = world.call("GET", &policy, &Value::Null).await.json();
    assert_eq!(shown["RevisionId"], added["RevisionId"]);
    let document: Value = serde_json::from_str(shown["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        document["Statement"][0].to_string(),
        added["Statement"].as_str().unwrap()
    );
    let twice = world.call("POST", &policy, &permission).await.error();
    assert_eq!((twice.0, twice.1.as_str()), (409, "ResourceConflictException"));

    let made = world.call_as(other, "POST", FUNCTIONS, &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let seen = world
        .call_as(
            other,
            "GET",
            &format!("{LAYERS}?find=LayerVersion&Arn={arn}"),
            &json!({}),
        )
        .await;
    assert_eq!(seen.status, 200);

    let stale = world
        .call("DELETE", &format!("{policy}/s?RevisionId=x"), &Value::Null)
        .await
        .error();
    assert_eq!((stale.0, stale.1.as_str()), (412, "PreconditionFailedException"));
    assert_eq!(
        world
            .call("DELETE", &format!("{policy}/s"), &Value::Null)
            .await
            .status,
        204
    );
    let gone = world
        .call("DELETE", &format!("{policy}/s"), &Value::Null)
        .await
        .error();
    assert_eq!(
        (gone.0, gone.2.as_str()),
        (404, "Statement s is not found in resource policy.")
    );
    let missing = world
        .call("GET", &layer("tools/versions/9/policy"), &Value::Null)
        .await
        .error();
    assert_eq!(
        (missing.0, missing.2),
        (404, format!("Layer version {TOOLS}:9 does not exist."))
    );
}

#[tokio::test]
async fn templates_publish_share_and_remove_layers() {
    let world = World::new().await;
    let published = publish(&world, "source", &content("made")).await;
    let location = published["Content"]["Location"].as_str().unwrap();
    let package = location.rsplit('/').next().unwrap().trim_end_matches(".zip");
    let kind = world.resource_type("AWS::Lambda::LayerVersion");
    let properties = json!({
        "Content": {"PackageId": package}, "LayerName": "tools", "CompatibleRuntimes": ["nodejs20.x"],
    });
    let properties = properties.as_object().unwrap();
    assert_eq!(kind.check(properties), []);
    let made = kind
        .create(&context("ToolsLambdaLayer"), properties)
        .await
        .unwrap();
    assert_eq!(made.physical_id, format!("{TOOLS}:1"));
    // a create that is repeated after a crash finds its own
    assert_eq!(
        kind.create(&context("ToolsLambdaLayer"), properties)
            .await
            .unwrap(),
        made
    );
    let sharing = world.resource_type("AWS::Lambda::LayerVersionPermission");
    let permission =
        json!({"LayerVersionArn": made.physical_id, "Action": "lambda:GetLayerVersion", "Principal": "*"});
    let permission = permission.as_object().unwrap();
    let shared = sharing.create(&context("Wild"), permission).await.unwrap();
    assert_eq!(
        sharing.create(&context("Wild"), permission).await.unwrap(),
        shared
    );
    let policy = layer("tools/versions/1/policy");
    assert_eq!(world.call("GET", &policy, &Value::Null).await.status, 200);
    sharing.delete(&context("Wild"), &shared).await.unwrap();
    assert_eq!(world.call("GET", &policy, &Value::Null).await.status, 404);

    let function = world.resource_type("AWS::Lambda::Function");
    let mut body = crate::testing::function_properties(READS);
    body.insert("FunctionName".into(), "f".into());
    body.insert("Layers".into(), json!([made.physical_id]));
    function.create(&context("F"), &body).await.unwrap();
    assert_eq!(invoked(&world).await, "made");
    kind.delete(&context("ToolsLambdaLayer"), &made).await.unwrap();
    kind.delete(&context("ToolsLambdaLayer"), &made).await.unwrap();
    // what the function has already need not be there any more
    body.insert("Description".into(), "changed".into());
    let state = tradewind_model::resource::ResourceState {
        physical_id: "f".into(),
        ..Default::default()
    };
    function.update(&context("F"), &state, &body).await.unwrap();
    let shown = world
        .call("GET", &path("f/configuration"), &Value::Null)
        .await
        .json();
    assert_eq!(
        (&shown["Description"], &shown["FunctionArn"]),
        (&json!("changed"), &json!(ARN))
    );
}
