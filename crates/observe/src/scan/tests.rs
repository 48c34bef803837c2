//! Pages by time, reading on from a position, streams, and what is erased.

use std::time::Duration;

use tempfile::TempDir;
use tradewind_model::{Clock, Timestamp};

use crate::{
    EventKey, LogEvent, LogKind, LogOptions, LogPosition, LogScan, LogStore, MessageFilter, ScanOrder,
    StoredEvent, StreamChoice,
};

const NOW: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn open(dir: &TempDir, segment_bytes: u64) -> (LogStore, Clock) {
    let clock = Clock::manual(Timestamp::from_millis(NOW));
    let options = LogOptions {
        segment_bytes,
        linger: Duration::ZERO,
        ..LogOptions::default()
    };
    let store = LogStore::open(dir.path().join("logs"), clock.clone(), options).unwrap();
    (store, clock)
}

fn event(stream: &str, time: i64) -> LogEvent {
    LogEvent {
        group: "g".into(),
        stream: stream.into(),
        timestamp: Timestamp::from_millis(time),
        request_id: None,
        kind: LogKind::Line,
        message: format!("{stream}{time}").into(),
    }
}

fn all() -> LogScan {
    LogScan {
        group: "g".into(),
        limit: 100,
        max_bytes: 1 << 20,
        ..LogScan::default()
    }
}

fn messages(events: &[StoredEvent]) -> Vec<&str> {
    events.iter().map(|found| &*found.event.message).collect()
}

async fn pages(store: &LogStore, page: LogScan) -> Vec<String> {
    let mut page = page;
    let mut seen = Vec::new();
    loop {
        let scanned = store.scan(page.clone()).await.unwrap();
        seen.extend(messages(&scanned.events).into_iter().map(str::to_owned));
        let last = scanned.events.last().map(StoredEvent::key);
        if !scanned.more {
            return seen;
        }
        match page.order {
            ScanOrder::OldestFirst => page.from = last.map(EventKey::next),
            ScanOrder::NewestFirst => page.before = last,
        }
    }
}

#[tokio::test]
async fn pages_go_by_time_whatever_the_order_of_appending() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir, 200);
    for time in [5, 3, 9, 1, 7, 3] {
        store.append_durably(vec![event("s", time)]).await.unwrap();
    }
    let sorted = ["s1", "s3", "s3", "s5", "s7", "s9"];
    for limit in 1..=7 {
        let page = LogScan { limit, ..all() };
        assert_eq!(pages(&store, page.clone()).await, sorted, "{limit}");
        let order = ScanOrder::NewestFirst;
        let mut newest = pages(&store, LogScan { order, ..page }).await;
        newest.reverse();
        assert_eq!(newest, sorted, "{limit}");
    }
    let max_bytes = 4;
    let page = LogScan { max_bytes, ..all() };
    assert_eq!(pages(&store, page).await, sorted);
}

#[tokio::test]
async fn a_page_that_is_full_of_bytes_has_no_holes() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir, 1 << 20);
    let long = LogEvent {
        message: "x".repeat(50).into(),
        ..event("s", 10)
    };
    let events = vec![event("s", 1), long, event("s", 11), event("s", 2), event("s", 12)];
    store.append_durably(events).await.unwrap();
    let max_bytes = 30;
    let seen = pages(&store, LogScan { max_bytes, ..all() }).await;
    let long = "x".repeat(50);
    assert_eq!(seen, ["s1", "s2", &*long, "s11", "s12"]);
}

#[tokio::test]
async fn every_condition_of_a_scan_narrows_it() {
    let dir = TempDir::new().unwrap();
    let (store, clock) = open(&dir, 1 << 20);
    let events = vec![event("a", 1), event("b", 2), event("ab", 3), event("a", 4)];
    store.append_durably(events).await.unwrap();
    let found = async |scan: LogScan| {
        let scanned = store.scan(scan).await.unwrap();
        messages(&scanned.events).join(" ")
    };
    assert_eq!(found(all()).await, "a1 b2 ab3 a4");
    let at = |ms| Some(Timestamp::from_millis(ms));
    let (since, until) = (at(2), at(3));
    assert_eq!(
        found(LogScan {
            since,
            until,
            ..all()
        })
        .await,
        "b2 ab3"
    );
    let streams = StreamChoice::Named(vec!["b".into(), "ab".into()]);
    assert_eq!(found(LogScan { streams, ..all() }).await, "b2 ab3");
    let streams = StreamChoice::Prefix("a".into());
    assert_eq!(found(LogScan { streams, ..all() }).await, "a1 ab3 a4");
    let filter = Some(MessageFilter::new(|text| text.ends_with('4')));
    assert_eq!(found(LogScan { filter, ..all() }).await, "a4");
    let scanned = store.scan(all()).await.unwrap();
    assert!(scanned.events.iter().all(|found| found.ingested == clock.now()));
    let group = "absent".to_owned();
    assert_eq!(found(LogScan { group, ..all() }).await, "");
}

#[tokio::test]
async fn reading_on_sees_each_event_once_over_segments_and_restarts() {
    let dir = TempDir::new().unwrap();
    let (mut store, _) = open(&dir, 300);
    let mut position = LogPosition::default();
    let mut seen = Vec::new();
    for round in 0..6 {
        let events = (0..5).map(|n| event("s", round * 10 + n)).collect();
        store.append(events).await;
        loop {
            let chunk = store.read_from("g", position, 100).await.unwrap();
            seen.extend(chunk.events.iter().map(|found| found.event.timestamp.as_millis()));
            position = chunk.next;
            if chunk.is_end {
                break;
            }
        }
        if round == 3 {
            store.shutdown().await;
            store = open(&dir, 300).0;
        }
    }
    let expected: Vec<i64> = (0..6)
        .flat_map(|round| (0..5).map(move |n| round * 10 + n))
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(store.end_of("g").await.unwrap(), position);
}

#[tokio::test]
async fn a_group_that_begins_anew_is_read_from_its_start() {
    let dir = TempDir::new().unwrap();
    let (store, clock) = open(&dir, 1 << 20);
    store.append_durably(vec![event("s", 1)]).await.unwrap();
    let before = store.end_of("g").await.unwrap();
    store.set_retention("g", Some(1)).await;
    store.sweep().await;
    assert_eq!(store.summaries().await, []);
    clock.advance_millis(1);
    let now = clock.now().as_millis();
    store.append_durably(vec![event("s", now)]).await.unwrap();
    let chunk = store.read_from("g", before, 1 << 20).await.unwrap();
    assert_eq!(messages(&chunk.events), [format!("s{now}")]);
    assert!(
        chunk.events[0].position.segment > before.segment,
        "no number is used twice"
    );
}

#[tokio::test]
async fn retention_is_enforced_while_nobody_uses_the_store() {
    let dir = TempDir::new().unwrap();
    let (store, clock) = open(&dir, 1 << 20);
    store.set_retention("g", Some(1)).await;
    store.append_durably(vec![event("s", NOW)]).await.unwrap();
    let segments = || std::fs::read_dir(dir.path().join("logs/g")).unwrap().count();
    assert_eq!(segments(), 1);
    clock.advance_millis(DAY_MS + 1);
    store.sweep().await;
    store.summaries().await;
    assert_eq!(segments(), 0);
}

#[tokio::test]
async fn an_erased_stream_is_gone_and_all_others_stay_where_they_are() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir, 200);
    for n in 0..10 {
        let stream = if n % 3 == 0 { "gone" } else { "kept" };
        store.append_durably(vec![event(stream, n)]).await.unwrap();
    }
    let keys = async |store: &LogStore| {
        let streams = StreamChoice::Named(vec!["kept".into()]);
        let scanned = store.scan(LogScan { streams, ..all() }).await.unwrap();
        scanned
            .events
            .iter()
            .map(StoredEvent::key)
            .collect::<Vec<EventKey>>()
    };
    let before = keys(&store).await;
    let names = async |store: &LogStore| {
        let streams = store.streams("g").await.unwrap();
        streams
            .into_iter()
            .map(|summary| (summary.stream.to_string(), summary.first, summary.last))
            .collect::<Vec<_>>()
    };
    let at = Timestamp::from_millis;
    let (gone, kept) = (("gone".into(), at(0), at(9)), ("kept".into(), at(1), at(8)));
    assert_eq!(names(&store).await, [gone, kept.clone()]);
    store.delete_stream("g", "gone").await.unwrap();
    assert_eq!(names(&store).await, std::slice::from_ref(&kept));
    assert_eq!(keys(&store).await, before);
    store.shutdown().await;
    let store = open(&dir, 200).0;
    assert_eq!(names(&store).await, [kept]);
    let files = std::fs::read_dir(dir.path().join("logs/g")).unwrap();
    let text: String = files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(!text.contains("gone"), "{text}");
}

#[tokio::test]
async fn what_a_crash_left_of_a_line_goes_with_the_next_stream() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir, 1 << 20);
    store.append_durably(vec![event("kept", 1)]).await.unwrap();
    store.shutdown().await;
    let mut files = std::fs::read_dir(dir.path().join("logs/g")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    let torn = r#"{"timestamp":2,"stream":"gone","mess"#;
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{torn}\n{text}{torn}\n{text}{torn}")).unwrap();
    let (store, _) = open(&dir, 1 << 20);
    store
        .append_durably(vec![event("gone", 3), event("kept", 4)])
        .await
        .unwrap();
    store.delete_stream("g", "gone").await.unwrap();
    let left = std::fs::read_to_string(&file).unwrap();
    assert!(!left.contains("gone"), "{left}");
    assert_eq!(left.matches("\"s\":\"kept\"").count(), 3, "{left}");
}

#[tokio::test]
async fn what_cannot_be_written_durably_is_refused() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir, 1 << 20);
    std::fs::write(dir.path().join("logs/g"), "not a folder").unwrap();
    let error = store.append_durably(vec![event("s", 1)]).await.unwrap_err();
    assert!(error.to_string().contains("could not be written"), "{error}");
    assert_eq!(store.dropped(), 0, "who waits is told");
    std::fs::remove_file(dir.path().join("logs/g")).unwrap();
    store.append_durably(vec![event("s", 2)]).await.unwrap();
    let found = store.scan(all()).await.unwrap();
    assert_eq!(messages(&found.events), ["s2"], "no note of a loss that was told");
    store.shutdown().await;
    assert!(store.append_durably(vec![event("s", 1)]).await.is_err());
}

#[tokio::test]
async fn a_durable_message_is_kept_whole_and_changes_are_announced() {
    let dir = TempDir::new().unwrap();
    let (store, _) = open(&dir, 1 << 20);
    let mut changes = store.changes();
    changes.mark_unchanged();
    let message = "x".repeat(LogEvent::MAX_MESSAGE_BYTES + 1);
    let long = LogEvent {
        message: message.clone().into(),
        ..event("s", 1)
    };
    store.append_durably(vec![long]).await.unwrap();
    assert!(changes.has_changed().unwrap());
    let page = LogScan {
        max_bytes: 1,
        ..all()
    };
    assert_eq!(messages(&store.scan(page).await.unwrap().events), [message]);
}
