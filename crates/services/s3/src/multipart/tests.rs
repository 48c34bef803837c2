use std::collections::BTreeMap;

use tradewind_model::Timestamp;
use tradewind_store::Batch;
use tradewind_store::blobs::Content;

use super::*;
use crate::objects::tests::{World, world};
use crate::objects::{Head, Lock, Versioning};

pub(crate) fn upload() -> Upload {
    Upload {
        id: "u".into(),
        bucket: "orders".into(),
        key: "k".into(),
        account: "000000000000".into(),
        started: Timestamp::from_millis(0),
        algorithm: None,
        composite: false,
        head: Head::default(),
        tags: BTreeMap::new(),
        lock: Lock::default(),
    }
}

fn part(number: i32) -> Part {
    Part {
        number,
        size: 40,
        etag: format!("{number:032x}"),
        checksum: String::new(),
        modified: Timestamp::from_millis(0),
        blob: None,
    }
}

fn inline() -> Content {
    Content::Inline(vec![7; 40].into())
}

async fn parts_of(world: &World) -> usize {
    let rows = world.state.database.read("SELECT number FROM s3_parts", vec![]);
    rows.await.unwrap().len()
}

#[tokio::test]
async fn a_part_wants_an_upload_and_an_upload_a_bucket() {
    let world = world(Versioning::Never).await;
    let state = &world.state;
    let error = put_part(state, "u", &part(1), &inline(), |batch| batch)
        .await
        .unwrap_err();
    assert_eq!(error.code().as_str(), "NoSuchUpload");
    let elsewhere = Upload {
        bucket: "other".into(),
        ..upload()
    };
    let error = create(state, &elsewhere).await.unwrap_err();
    assert_eq!(error.code().as_str(), "NoSuchBucket");
    create(state, &upload()).await.unwrap();
    for etag in ["first", "second"] {
        let part = Part {
            etag: etag.into(),
            ..part(1)
        };
        put_part(state, "u", &part, &inline(), |batch| batch)
            .await
            .unwrap();
    }
    let parts = parts_after(state, "u", 0, 10).await.unwrap();
    assert_eq!(
        parts.iter().map(|part| part.etag.as_str()).collect::<Vec<_>>(),
        ["second"]
    );
    assert!(parts[0].blob.is_none(), "content of rows is not read");
}

/// What fails is said to have failed: a client that believes an upload gone uploads everything anew.
#[tokio::test]
async fn a_failing_database_is_no_missing_upload() {
    let world = world(Versioning::Never).await;
    create(&world.state, &upload()).await.unwrap();
    let broken = |batch: Batch| batch.run("INSERT INTO s3_parts (upload) VALUES (NULL)", vec![]);
    let error = put_part(&world.state, "u", &part(1), &inline(), broken)
        .await
        .unwrap_err();
    assert_eq!(error.code().as_str(), "InternalError");
    assert_eq!(parts_of(&world).await, 0);
}

#[tokio::test]
async fn ten_thousand_tiny_parts_are_judged_and_go() {
    let world = world(Versioning::Never).await;
    let state = &world.state;
    create(state, &upload()).await.unwrap();
    let batch = (1..=10_000).fold(Batch::new(), |batch, number| {
        let part = part(number);
        batch.run(
            "INSERT INTO s3_parts (upload, number, size, etag, checksum, modified, content)
             VALUES ('u', $1, 40, $2, '', 0, $3)",
            vec![
                i64::from(number).into(),
                part.etag.into(),
                inline().to_column().into(),
            ],
        )
    });
    state.database.write(batch).await.unwrap();
    let stored = parts_after(state, "u", 0, 10_000).await.unwrap();
    assert!(stored.len() == 10_000 && stored.iter().all(|part| part.blob.is_none()));
    let listed: Vec<Listed> = stored
        .iter()
        .map(|part| Listed {
            number: part.number,
            etag: part.etag.clone(),
            checksum: None,
        })
        .collect();
    let error = assemble(&upload(), &listed, stored).unwrap_err();
    assert_eq!(error.code().as_str(), "EntityTooSmall");
    assert_eq!(parts_of(&world).await, 10_000, "nothing changed");
    abort(state, "u").await.unwrap();
    assert_eq!(parts_of(&world).await, 0);
}
