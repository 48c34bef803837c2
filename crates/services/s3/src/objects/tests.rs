use std::collections::BTreeMap;

use bytes::Bytes;
use tradewind_store::blobs::{Content, Stored};

use super::list::{self, Listing};
use super::*;
use crate::state::State;
use crate::tables::{self, BucketRow};

struct World {
    state: State,
    _folder: tempfile::TempDir,
}

async fn world(versioning: Versioning) -> World {
    let (state, folder) = crate::state::for_tests().await;
    let bucket = BucketRow {
        name: "orders".into(),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        created: state.clock.now(),
        versioning,
    };
    assert!(
        tables::create_bucket(&state.database, &bucket, &[])
            .await
            .unwrap()
    );
    World {
        state,
        _folder: folder,
    }
}

fn version(etag: &str, content: Content) -> NewVersion {
    NewVersion {
        marker: false,
        size: 1,
        etag: etag.to_owned(),
        head: Head::default(),
        tags: BTreeMap::new(),
        lock: Lock::default(),
        upload: None,
        content,
        event: crate::notification::EventName::Put,
        audience: crate::notification::Audience::default(),
    }
}

async fn put_inline(state: &State, key: &str, etag: &str) -> Option<String> {
    let new = version(etag, Content::Inline(Bytes::from_static(b"x")));
    put(state, "orders", key, &new, |_| Ok(()), |batch| batch)
        .await
        .unwrap()
        .id
}

async fn stored(state: &State) -> Stored {
    let mut writer = state.blobs.writer(None).await.unwrap();
    writer.write(&[7; 20_000]).await.unwrap();
    writer.finish().await.unwrap()
}

async fn etag(state: &State, id: Option<&str>) -> Option<String> {
    let found = find(state, "orders", "k", id).await.ok()?.version?;
    (!found.marker).then_some(found.etag)
}

async fn blobs_owned(state: &State) -> i64 {
    let rows = state
        .database
        .read("SELECT COUNT(*) FROM blobs WHERE owners > 0", vec![])
        .await
        .unwrap();
    rows[0].integer(0).unwrap()
}

#[tokio::test]
async fn without_versioning_the_last_write_is_all_there_is() {
    let world = world(Versioning::Never).await;
    for etag in ["1", "2"] {
        assert_eq!(put_inline(&world.state, "k", etag).await, None);
    }
    assert_eq!(etag(&world.state, None).await.as_deref(), Some("2"));
    let deleted = delete(
        &world.state,
        "orders",
        "k",
        None,
        Removal::by_client(None),
        |_| Ok(()),
    )
    .await
    .unwrap();
    assert_eq!((deleted.id, deleted.marker), (None, false));
    assert_eq!(etag(&world.state, None).await, None);
    assert_eq!(
        tables::remove_bucket(&world.state.database, tradewind_store::Batch::new(), "orders")
            .await
            .unwrap(),
        tables::Removed::Done
    );
}

#[tokio::test]
async fn versions_come_back_when_those_above_go() {
    let world = world(Versioning::Enabled).await;
    let first = put_inline(&world.state, "k", "1").await.unwrap();
    let second = put_inline(&world.state, "k", "2").await.unwrap();
    let marker = delete(
        &world.state,
        "orders",
        "k",
        None,
        Removal::by_client(None),
        |_| Ok(()),
    )
    .await
    .unwrap();
    assert!(marker.marker);
    assert_eq!(etag(&world.state, None).await, None);
    assert_eq!(etag(&world.state, Some(&first)).await.as_deref(), Some("1"));
    for (id, left) in [
        (marker.id.unwrap(), Some("2")),
        (second, Some("1")),
        (first, None),
    ] {
        delete(
            &world.state,
            "orders",
            "k",
            Some(&id),
            Removal::by_client(None),
            |_| Ok(()),
        )
        .await
        .unwrap();
        assert_eq!(etag(&world.state, None).await.as_deref(), left);
    }
}

#[tokio::test]
async fn suspended_versioning_replaces_the_null_version_only() {
    let world = world(Versioning::Never).await;
    put_inline(&world.state, "k", "0").await;
    tables::set_versioning(&world.state.database, "orders", Versioning::Enabled)
        .await
        .unwrap();
    let kept = put_inline(&world.state, "k", "1").await.unwrap();
    tables::set_versioning(&world.state.database, "orders", Versioning::Suspended)
        .await
        .unwrap();
    assert_eq!(put_inline(&world.state, "k", "2").await.as_deref(), Some("null"));
    assert_eq!(etag(&world.state, Some("null")).await.as_deref(), Some("2"));
    assert_eq!(etag(&world.state, Some(&kept)).await.as_deref(), Some("1"));
    let marker = delete(
        &world.state,
        "orders",
        "k",
        None,
        Removal::by_client(None),
        |_| Ok(()),
    )
    .await
    .unwrap();
    assert_eq!(marker.id.as_deref(), Some("null"));
    assert_eq!(etag(&world.state, Some(&kept)).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn content_goes_with_its_last_version() {
    let world = world(Versioning::Never).await;
    for _ in 0..2 {
        let stored = stored(&world.state).await;
        let new = version("e", stored.content().clone());
        let keep = |batch| world.state.blobs.keep(batch, &stored);
        put(&world.state, "orders", "k", &new, |_| Ok(()), keep)
            .await
            .unwrap();
        assert_eq!(blobs_owned(&world.state).await, 1);
    }
    let latest = find(&world.state, "orders", "k", None)
        .await
        .unwrap()
        .version
        .unwrap();
    let share = |batch| world.state.blobs.share(batch, &latest.content);
    let copy = version("e", latest.content.clone());
    for key in ["copy", "k"] {
        put(&world.state, "orders", key, &copy, |_| Ok(()), share)
            .await
            .unwrap();
    }
    delete(
        &world.state,
        "orders",
        "k",
        None,
        Removal::by_client(None),
        |_| Ok(()),
    )
    .await
    .unwrap();
    assert_eq!(blobs_owned(&world.state).await, 1, "the copy still has it");
    delete(
        &world.state,
        "orders",
        "copy",
        None,
        Removal::by_client(None),
        |_| Ok(()),
    )
    .await
    .unwrap();
    assert_eq!(blobs_owned(&world.state).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_writers_that_must_find_nothing_one_wins() {
    let world = world(Versioning::Never).await;
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..20 {
        // locks of its own: as on another node, only the database decides
        let state = State {
            locks: std::sync::Arc::new(KeyLocks::default()),
            ..world.state.clone()
        };
        writers.spawn(async move {
            let new = version(&n.to_string(), Content::Inline(Bytes::new()));
            let check = |latest: Option<&Version>| match latest {
                None => Ok(()),
                Some(_) => Err(crate::refusal::precondition_failed()),
            };
            put(&state, "orders", "k", &new, check, |batch| batch)
                .await
                .is_ok()
        });
    }
    assert_eq!(writers.join_all().await.into_iter().filter(|won| *won).count(), 1);
}

#[tokio::test]
async fn nothing_is_put_into_a_bucket_that_is_not_there() {
    let world = world(Versioning::Never).await;
    let new = version("e", Content::Inline(Bytes::new()));
    let error = put(&world.state, "other", "k", &new, |_| Ok(()), |batch| batch)
        .await
        .unwrap_err();
    assert_eq!(error.code().as_str(), "NoSuchBucket");
}

#[tokio::test]
async fn lists_skip_what_is_rolled_up() {
    let world = world(Versioning::Never).await;
    for n in 0..300 {
        put_inline(&world.state, &format!("{}/{n:03}", n % 3), "e").await;
    }
    put_inline(&world.state, "top", "e").await;
    let mut listing = Listing {
        bucket: "orders",
        prefix: "",
        delimiter: Some("/"),
        after: "",
        limit: 2,
    };
    let page = list::page(&world.state, &listing).await.unwrap();
    assert_eq!(page.prefixes, ["0/", "1/"]);
    let next = page.next.unwrap();
    listing.after = &next;
    let page = list::page(&world.state, &listing).await.unwrap();
    assert_eq!(page.prefixes, ["2/"]);
    assert_eq!(
        page.keys
            .iter()
            .map(|listed| listed.key.as_str())
            .collect::<Vec<_>>(),
        ["top"]
    );
    assert_eq!(page.next, None);
}
