use std::collections::BTreeMap;

use bytes::Bytes;
use tradewind_store::blobs::{Content, Stored};

use super::list::{self, Listing};
use super::*;
use crate::state::State;
use crate::tables::{self, BucketRow};

pub(crate) struct World {
    pub(crate) state: State,
    _folder: tempfile::TempDir,
}

pub(crate) async fn world(versioning: Versioning) -> World {
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

pub(crate) async fn put_inline(state: &State, key: &str, etag: &str) -> Option<String> {
    let new = version(etag, Content::Inline(Bytes::from_static(b"x")));
    put(state, "orders", key, &new, |_| Ok(()), |batch| batch)
        .await
        .unwrap()
        .id
}

async fn stored(state: &State) -> Stored {
    let mut writer = state.blobs.writer(None).await.unwrap();
    writer.write(&[7; 120_000]).await.unwrap();
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

#[tokio::test]
async fn keys_are_bytes_whatever_they_say() {
    let world = world(Versioning::Never).await;
    let parts = [
        "..",
        ".",
        "/",
        "//",
        "%2F",
        "%00",
        "\0",
        "\u{1}",
        "\u{7f}",
        " ",
        "+",
        "a",
        "é",
        "\u{65}\u{301}",
        "日本",
        "\u{1f600}",
        "\u{10ffff}",
        "\\",
        "\"",
        "'",
        "<&>",
        "\r\n",
        "\t",
        "*",
        "?",
        "#",
        ";--",
        "$1",
        "\u{202e}",
        "\u{feff}",
        "_",
        "~",
    ];
    let mut keys: Vec<String> = Vec::new();
    for first in parts {
        for second in parts {
            keys.extend(
                parts
                    .iter()
                    .step_by(3)
                    .map(|third| format!("{first}{second}{third}")),
            );
        }
    }
    keys.extend(["x".repeat(1024), "é".repeat(512), "日".repeat(341)]);
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() > 10_000, "{}", keys.len());
    for key in keys.iter().rev() {
        let new = version(
            &format!("{:x}", key.len()),
            Content::Inline(Bytes::from(key.clone())),
        );
        put(&world.state, "orders", key, &new, |_| Ok(()), |batch| batch)
            .await
            .unwrap();
    }
    for key in &keys {
        let found = find(&world.state, "orders", key, None)
            .await
            .unwrap()
            .version
            .unwrap();
        assert_eq!(
            found.content,
            Content::Inline(Bytes::from(key.clone())),
            "{key:?}"
        );
    }
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let listing = Listing {
            bucket: "orders",
            after: &after,
            limit: 1000,
            ..Listing::default()
        };
        let page = list::page(&world.state, &listing).await.unwrap();
        listed.extend(page.keys.into_iter().map(|listed| listed.key));
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert!(listed == keys, "every key once, in the order of its bytes");
}

/// A million in an optimised build; every hundred keys have a common prefix.
const MANY: usize = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };

async fn fill(state: &State) {
    let keys: Vec<String> = (0..MANY)
        .map(|n| format!("{:05}/{:02}", n / 100, n % 100))
        .collect();
    for keys in keys.chunks(10_000) {
        let batch = keys.iter().fold(tradewind_store::Batch::new(), |batch, key| {
            batch.run(
                "INSERT INTO s3_objects (bucket, key, sequence, version_id, latest, marker, size, etag, modified, head,
                                         tags, legal_hold, content)
                 VALUES ('orders', $1, 1, 'null', 1, 0, 1, 'e', 0, '{}', '{}', 0, $2)",
                vec![key.as_bytes().to_vec().into(), vec![1u8].into()],
            )
        });
        state.database.write(batch).await.unwrap();
    }
}

#[tokio::test]
async fn many_keys_are_listed_once_and_from_anywhere() {
    let world = world(Versioning::Never).await;
    fill(&world.state).await;
    pages_begin_anywhere(&world.state).await;
    everything_is_listed_once(&world.state).await;
}

/// The first and a late page of keys, of common prefixes and of versions.
async fn pages_begin_anywhere(state: &State) {
    let folders = MANY / 100;
    let deep = format!("{:05}/50", folders - 20);
    for after in ["", deep.as_str()] {
        let keys = Listing {
            bucket: "orders",
            after,
            limit: 1000,
            ..Listing::default()
        };
        let page = list::page(state, &keys).await.unwrap();
        assert_eq!((page.keys.len(), page.next.is_some()), (1000, true));
        let rolled = Listing {
            delimiter: Some("/"),
            limit: 10,
            ..keys.clone()
        };
        let page = list::page(state, &rolled).await.unwrap();
        let first = if after.is_empty() { 0 } else { folders - 20 };
        let expected: Vec<_> = (first..first + 10)
            .map(|folder| format!("{folder:05}/"))
            .collect();
        assert_eq!(page.prefixes, expected);
        let below = Listing {
            prefix: &expected[5],
            ..keys.clone()
        };
        assert_eq!(list::page(state, &below).await.unwrap().keys.len(), 100);
        let versions = super::versions::Listing {
            bucket: "orders",
            prefix: "",
            delimiter: None,
            after,
            after_id: None,
            limit: 1000,
        };
        assert_eq!(
            super::versions::page(state, &versions)
                .await
                .unwrap()
                .versions
                .len(),
            1000
        );
    }
}

async fn everything_is_listed_once(state: &State) {
    for (delimiter, expected) in [(None, MANY), (Some("/"), MANY / 100)] {
        let (mut seen, mut last, mut after) = (0, String::new(), String::new());
        loop {
            let listing = Listing {
                bucket: "orders",
                delimiter,
                after: &after,
                limit: 1000,
                ..Listing::default()
            };
            let page = list::page(state, &listing).await.unwrap();
            for name in page
                .keys
                .into_iter()
                .map(|listed| listed.key)
                .chain(page.prefixes)
            {
                assert!(name > last, "{name} after {last}");
                last = name;
                seen += 1;
            }
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!(seen, expected);
    }
}
