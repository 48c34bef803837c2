//! The store as its users see it: what is appended is read, within bounds, whatever happens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{LogEvent, LogKind, LogOptions, LogQuery, LogStore, TailItem};
use proptest::prelude::*;
use tempfile::TempDir;
use tradewind_model::{Clock, Timestamp};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const GROUP: &str = "/aws/lambda/shop-dev-cart";

fn options() -> LogOptions {
    LogOptions {
        linger: Duration::ZERO,
        ..LogOptions::default()
    }
}

fn open(dir: &TempDir) -> LogStore {
    open_with(dir, Clock::manual(Timestamp::from_millis(0)), options())
}

fn open_with(dir: &TempDir, clock: Clock, options: LogOptions) -> LogStore {
    LogStore::open(dir.path().join("logs"), clock, options).unwrap()
}

fn event(time: i64, message: &str) -> LogEvent {
    LogEvent {
        group: GROUP.into(),
        stream: "2026/11/20/[$LATEST]0a1b".into(),
        timestamp: Timestamp::from_millis(time),
        request_id: Some("8f6e".into()),
        kind: LogKind::Line,
        message: message.into(),
    }
}

fn everything() -> LogQuery {
    LogQuery {
        limit: usize::MAX,
        ..LogQuery::default()
    }
}

async fn messages(store: &LogStore, query: LogQuery) -> Vec<String> {
    let events = store.read(query).await.unwrap();
    events.into_iter().map(|event| event.message.into()).collect()
}

fn segments(dir: &TempDir) -> Vec<PathBuf> {
    let group = dir.path().join("logs/%2Faws%2Flambda%2Fshop-dev-cart");
    let Ok(entries) = std::fs::read_dir(group) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn size_of(paths: &[PathBuf]) -> u64 {
    paths.iter().map(|path| path.metadata().unwrap().len()).sum()
}

fn append_bytes(path: &Path, bytes: &[u8]) {
    let mut content = std::fs::read(path).unwrap();
    content.extend_from_slice(bytes);
    std::fs::write(path, content).unwrap();
}

#[tokio::test]
async fn events_survive_a_restart() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let events = vec![event(1, "one"), event(2, "two\nlines\t\"quoted\"")];
    store.append(events.clone()).await;
    assert_eq!(store.read(everything()).await.unwrap(), events);
    store.shutdown().await;
    let store = open(&dir);
    store.append(vec![event(3, "three")]).await;
    assert_eq!(
        messages(&store, everything()).await,
        ["one", "two\nlines\t\"quoted\"", "three"]
    );
    assert_eq!(store.groups().await, [GROUP]);
    assert_eq!(segments(&dir).len(), 1, "a restart appends to the newest segment");
}

#[tokio::test]
async fn every_condition_of_a_query_narrows_it() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let other_group = LogEvent {
        group: "/aws/lambda/other".into(),
        request_id: None,
        ..event(25, "other")
    };
    let numbered = (1..=4).map(|n| event(n * 10, &format!("line {n}")));
    store.append(numbered.chain([other_group]).collect()).await;
    let all = everything();
    let read = async |query| messages(&store, query).await;
    assert_eq!(
        read(all.clone()).await,
        ["line 1", "line 2", "other", "line 3", "line 4"]
    );
    let groups = vec!["/aws/lambda/other".into(), "absent".into()];
    assert_eq!(
        read(LogQuery {
            groups,
            ..all.clone()
        })
        .await,
        ["other"]
    );
    let at = |ms| Some(Timestamp::from_millis(ms));
    let (since, until) = (at(20), at(30));
    assert_eq!(
        read(LogQuery {
            since,
            until,
            ..all.clone()
        })
        .await,
        ["line 2", "other", "line 3"]
    );
    let request_id = Some("8f6e".into());
    assert_eq!(
        read(LogQuery {
            request_id,
            limit: 2,
            ..all.clone()
        })
        .await,
        ["line 3", "line 4"]
    );
    let contains = Some("e 1".into());
    assert_eq!(
        read(LogQuery {
            contains,
            ..all.clone()
        })
        .await,
        ["line 1"]
    );
    assert!(read(LogQuery { limit: 0, ..all }).await.is_empty());
}

#[tokio::test]
async fn a_torn_tail_loses_only_itself() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.append(vec![event(1, "whole")]).await;
    store.shutdown().await;
    append_bytes(
        &segments(&dir)[0],
        b"{\"t\":2,\"k\":\"line\",\"s\":\"s\",\"m\":\"to",
    );
    let store = open(&dir);
    assert_eq!(messages(&store, everything()).await, ["whole"]);
    store.append(vec![event(3, "after")]).await;
    assert_eq!(messages(&store, everything()).await, ["whole", "after"]);
    store.shutdown().await;
    append_bytes(&segments(&dir)[0], &[0; 4096]);
    let store = open(&dir);
    store.append(vec![event(4, "after zeros")]).await;
    assert_eq!(
        messages(&store, everything()).await,
        ["whole", "after", "after zeros"]
    );
}

#[tokio::test]
async fn a_group_keeps_to_its_size_and_loses_the_oldest() {
    let dir = TempDir::new().unwrap();
    let small = LogOptions {
        group_bytes: 20_000,
        segment_bytes: 4_000,
        ..options()
    };
    let store = open_with(&dir, Clock::manual(Timestamp::from_millis(0)), small);
    for n in 0..1_000 {
        store.append(vec![event(n, &format!("message {n:04}"))]).await;
    }
    let kept = messages(&store, everything()).await;
    let paths = segments(&dir);
    assert!(size_of(&paths) <= 24_000, "{} bytes", size_of(&paths));
    assert!(paths.len() > 3, "{paths:?}");
    assert_eq!(kept.last().unwrap(), "message 0999");
    let first: usize = kept[0].trim_start_matches("message ").parse().unwrap();
    assert_eq!(kept.len(), 1_000 - first, "what is kept has no holes");
    assert!(first > 500);
}

#[tokio::test]
async fn retention_hides_at_once_and_deletes_in_time() {
    let dir = TempDir::new().unwrap();
    let clock = Clock::manual(Timestamp::from_millis(10 * DAY_MS));
    let small = LogOptions {
        segment_bytes: 1,
        ..options()
    };
    let store = open_with(&dir, clock.clone(), small.clone());
    store.append(vec![event(5 * DAY_MS, "old")]).await;
    store.append(vec![event(9 * DAY_MS, "new")]).await;
    assert_eq!(messages(&store, everything()).await, ["old", "new"]);
    store.set_retention(GROUP, Some(3)).await;
    assert_eq!(messages(&store, everything()).await, ["new"]);
    assert_eq!(segments(&dir).len(), 1);
    clock.advance_millis(2 * DAY_MS + 1);
    assert_eq!(messages(&store, everything()).await, Vec::<String>::new());
    store.append(vec![event(12 * DAY_MS, "newer")]).await;
    assert_eq!(messages(&store, everything()).await, ["newer"]);
    assert_eq!(segments(&dir).len(), 1, "the sweep took the expired segment");
    store.shutdown().await;

    let store = open_with(&dir, clock.clone(), small);
    clock.advance_millis(4 * DAY_MS);
    assert_eq!(
        messages(&store, everything()).await,
        ["newer"],
        "no retention is known after a start"
    );
    store.set_retention(GROUP, Some(3)).await;
    assert_eq!(store.groups().await, Vec::<String>::new());
    assert_eq!(segments(&dir), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_deleted_group_is_gone_and_can_come_back() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.append(vec![event(1, "x")]).await;
    store.delete_group(GROUP).await.unwrap();
    store.delete_group(GROUP).await.unwrap();
    assert_eq!(store.groups().await, Vec::<String>::new());
    assert_eq!(segments(&dir), Vec::<PathBuf>::new());
    store.append(vec![event(2, "y")]).await;
    assert_eq!(messages(&store, everything()).await, ["y"]);
}

#[tokio::test]
async fn a_tail_sees_events_as_they_come_and_ends_with_the_store() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.append(vec![event(1, "before")]).await;
    store.read(everything()).await.unwrap();
    let mut tail = store.subscribe();
    store.append(vec![event(2, "after")]).await;
    assert_eq!(tail.next().await, Some(TailItem::Event(event(2, "after").into())));
    store.shutdown().await;
    assert_eq!(tail.next().await, None);
}

#[tokio::test]
async fn a_slow_tail_is_skipped_ahead_and_slows_nobody() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let mut tail = store.subscribe();
    let total = 20_000;
    for n in 0..total / 100 {
        let batch = (0..100).map(|m| event(n * 100 + m, "x")).collect();
        store.append(batch).await;
    }
    store.read(everything()).await.unwrap();
    let Some(TailItem::Skipped(skipped)) = tail.next().await else {
        panic!("nothing was skipped")
    };
    let Some(TailItem::Event(first)) = tail.next().await else {
        panic!("nothing was kept")
    };
    assert_eq!(first.timestamp.as_millis(), i64::try_from(skipped).unwrap());
    assert!(skipped < total.unsigned_abs());
}

#[tokio::test]
async fn long_messages_are_split_and_read_back() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let long = "é".repeat(LogEvent::MAX_MESSAGE_BYTES);
    store.append(vec![event(1, &long)]).await;
    let read = messages(&store, everything()).await;
    assert_eq!(read.len(), 2);
    assert!(
        read.iter()
            .all(|piece| piece.len() <= LogEvent::MAX_MESSAGE_BYTES)
    );
    assert_eq!(read.concat(), long);
}

#[tokio::test]
async fn after_shutdown_events_are_counted_as_dropped() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.append(vec![event(1, "kept")]).await;
    store.shutdown().await;
    store.shutdown().await;
    store.append(vec![event(2, "lost"), event(3, "lost")]).await;
    assert_eq!(store.dropped(), 2);
    assert!(store.try_append(vec![event(4, "refused")]).is_err());
    assert!(store.read(everything()).await.is_err());
    assert!(store.delete_group(GROUP).await.is_err());
    assert_eq!(messages(&open(&dir), everything()).await, ["kept"]);
}

/// Linux has a file that is always full.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_costs_events_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let group = dir.path().join("logs/%2Faws%2Flambda%2Fshop-dev-cart");
    std::fs::create_dir_all(&group).unwrap();
    let segment = group.join("00000000000000000000.log");
    std::os::unix::fs::symlink("/dev/full", &segment).unwrap();
    let store = open(&dir);
    store.append(vec![event(1, "lost"), event(2, "lost")]).await;
    assert_eq!(messages(&store, everything()).await, Vec::<String>::new());
    assert_eq!(store.dropped(), 2);
    std::fs::remove_file(&segment).unwrap();
    store.append(vec![event(3, "kept")]).await;
    let expected = ["2 log events could not be written and are lost", "kept"];
    assert_eq!(messages(&store, everything()).await, expected);
    assert_eq!(store.dropped(), 2);
}

#[tokio::test]
async fn a_folder_that_vanishes_is_made_again() {
    let dir = TempDir::new().unwrap();
    let small = LogOptions {
        segment_bytes: 1,
        ..options()
    };
    let store = open_with(&dir, Clock::manual(Timestamp::from_millis(0)), small);
    store.append(vec![event(1, "gone")]).await;
    assert_eq!(messages(&store, everything()).await, ["gone"]);
    std::fs::remove_dir_all(dir.path().join("logs")).unwrap();
    store.append(vec![event(2, "here")]).await;
    assert_eq!(messages(&store, everything()).await, ["here"]);
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = LogStore::open(file.join("logs"), Clock::system(), options()).unwrap_err();
    assert!(error.to_string().contains("file/logs"), "{error}");
}

fn any_event() -> impl Strategy<Value = LogEvent> {
    let kinds = prop_oneof![
        Just(LogKind::Start),
        Just(LogKind::Line),
        Just(LogKind::End),
        Just(LogKind::Platform)
    ];
    let text = prop_oneof![".{0,20}", "[\\x00-\\x1f\"\\\\]{0,8}"];
    (
        0..3_usize,
        0..3_usize,
        proptest::option::of(".{0,4}"),
        kinds,
        text,
    )
        .prop_map(|(group, stream, request_id, kind, message)| LogEvent {
            group: ["/aws/lambda/a", "/aws/lambda/A", "b c"][group].into(),
            stream: ["s", "2026/11/20/[1]", ""][stream].into(),
            timestamp: Timestamp::from_millis(0),
            request_id: request_id.map(Into::into),
            kind,
            message: message.into(),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is appended in whatever batches, over a restart, is read back as it was.
    #[test]
    fn read_is_the_inverse_of_append(
        batches in proptest::collection::vec(proptest::collection::vec(any_event(), 0..12), 0..12),
        restart_after in 0..12_usize,
        segment_bytes in 1..2_000_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = TempDir::new().unwrap();
            let clock = Clock::manual(Timestamp::from_millis(0));
            let small = LogOptions { segment_bytes, ..options() };
            let mut store = open_with(&dir, clock.clone(), small.clone());
            let mut appended = Vec::new();
            for (n, batch) in batches.into_iter().enumerate() {
                let batch: Vec<LogEvent> = batch
                    .into_iter()
                    .enumerate()
                    .map(|(m, event)| {
                        let time = i64::try_from(n * 100 + m).unwrap();
                        LogEvent { timestamp: Timestamp::from_millis(time), ..event }
                    })
                    .collect();
                appended.extend(batch.clone());
                store.append(batch).await;
                if n == restart_after {
                    store.shutdown().await;
                    store = open_with(&dir, clock.clone(), small.clone());
                }
            }
            let read = store.read(everything()).await.unwrap();
            store.shutdown().await;
            prop_assert_eq!(read, appended);
            Ok(())
        })?;
    }
}
