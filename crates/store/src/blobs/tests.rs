use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tradewind_model::Timestamp;

use super::faults::{Fault, Step};
use super::*;

mod crash;
mod sealed;

/// A store in a folder, with an owner's table as a service would have.
struct World {
    database: Database,
    clock: Clock,
    blobs: Blobs,
    folder: tempfile::TempDir,
}

const OWNERS: &[crate::Migration] = &[crate::Migration {
    service: "owners",
    version: 1,
    sql: "CREATE TABLE owners (name TEXT NOT NULL PRIMARY KEY, content BLOB NOT NULL)",
}];

async fn open(folder: &Path, database: &Database, clock: &Clock, reserve: u64) -> Blobs {
    let config = BlobsConfig {
        database: database.clone(),
        clock: clock.clone(),
        folder: folder.join("blobs"),
        keys: KeyFile::Own(folder.join("node.key")),
        reserve,
    };
    Blobs::open(config).await.unwrap()
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::in_memory_for_tests(&[MIGRATIONS, OWNERS]);
    let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
    let blobs = open(folder.path(), &database, &clock, 0).await;
    World {
        database,
        clock,
        blobs,
        folder,
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| ((i * 31 + i / 251) % 256).to_le_bytes()[0])
        .collect()
}

async fn store(blobs: &Blobs, content: &[u8]) -> Result<Stored, BlobError> {
    let mut writer = blobs.writer(None).await?;
    for part in content.chunks(60_000) {
        writer.write(part).await?;
    }
    writer.finish().await
}

async fn put(database: &Database, blobs: &Blobs, name: &str, content: &[u8]) -> Result<Content, BlobError> {
    let stored = store(blobs, content).await?;
    let batch = Batch::new().run(
        "INSERT INTO owners (name, content) VALUES ($1, $2)",
        vec![name.into(), stored.content().to_column().into()],
    );
    database.write(blobs.keep(batch, &stored)).await?;
    Ok(stored.content().clone())
}

async fn read(blobs: &Blobs, content: &Content, size: usize) -> Result<Vec<u8>, BlobError> {
    blobs.read(content, 0..size as u64).await?.collect().await
}

/// Every file below the folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

impl World {
    async fn put(&self, name: &str, content: &[u8]) -> Content {
        put(&self.database, &self.blobs, name, content).await.unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        files(&self.folder.path().join("blobs"))
    }

    fn hours_pass(&self, hours: i64) {
        self.clock.advance_millis(hours * 3_600_000);
    }

    async fn drop(&self, content: &Content) {
        let batch = self.blobs.drop_in(Batch::new(), content);
        self.database.write(batch).await.unwrap();
    }
}

#[tokio::test]
async fn content_of_every_size_comes_back() {
    let world = world().await;
    let sizes = [
        0,
        1,
        INLINE_MAX,
        INLINE_MAX + 1,
        PIECE - 1,
        PIECE,
        PIECE + 1,
        3 * PIECE + 77,
    ];
    for size in sizes {
        let content = world.put(&size.to_string(), &bytes(size)).await;
        assert_eq!(
            matches!(content, Content::Inline(_)),
            size <= INLINE_MAX,
            "{size}"
        );
        assert!(
            read(&world.blobs, &content, size).await.unwrap() == bytes(size),
            "{size}"
        );
    }
}

#[tokio::test]
async fn ranges_are_those_of_the_bytes() {
    let world = world().await;
    for size in [1_000, 3 * PIECE + 5] {
        let whole = bytes(size);
        let content = world.put(&size.to_string(), &whole).await;
        for (start, end) in [
            (0, 0),
            (0, 1),
            (1, 999),
            (size - 1, size),
            (size, size),
            (size / 3, size - 7),
        ] {
            let reader = world
                .blobs
                .read(&content, start as u64..end as u64)
                .await
                .unwrap();
            assert!(
                reader.collect().await.unwrap() == whole[start..end],
                "{size}: {start}-{end}"
            );
        }
        let beyond = world.blobs.read(&content, 1..size as u64 + 1).await.unwrap_err();
        assert!(matches!(beyond, BlobError::OutOfRange { .. }), "{beyond}");
    }
}

#[tokio::test]
async fn a_store_opened_again_has_what_was_kept() {
    let world = world().await;
    let content = world.put("a", &bytes(100_000)).await;
    let again = open(world.folder.path(), &world.database, &world.clock, 0).await;
    assert!(read(&again, &content, 100_000).await.unwrap() == bytes(100_000));
}

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_nothing() {
    let world = world().await;
    let mut writer = world.blobs.writer(None).await.unwrap();
    writer.write(&bytes(2 * PIECE + 1)).await.unwrap();
    let progress = writer.idle().await.unwrap();
    assert_eq!(world.files().len(), 1);
    drop((writer, progress));
    assert_eq!(world.files(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_changed_file_is_noticed_when_read_whole() {
    let world = world().await;
    let content = world.put("a", &bytes(PIECE + 10)).await;
    let file = world.files().remove(0);
    let mut changed = bytes(PIECE + 10);
    changed[PIECE + 1] ^= 1;
    std::fs::write(&file, &changed).unwrap();
    let mut reader = world.blobs.read(&content, 0..PIECE as u64 + 10).await.unwrap();
    reader.next().await.unwrap().unwrap();
    let error = reader.next().await.unwrap().unwrap_err();
    assert!(matches!(error, BlobError::Damaged { .. }), "{error}");
    assert!(reader.next().await.is_none());
    std::fs::write(&file, b"short").unwrap();
    let error = read(&world.blobs, &content, PIECE + 10).await.unwrap_err();
    assert!(error.to_string().contains("too short"), "{error}");
    std::fs::remove_file(&file).unwrap();
    let error = read(&world.blobs, &content, 1).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[tokio::test]
async fn what_its_last_owner_drops_goes_after_the_grace() {
    let world = world().await;
    let content = world.put("a", &bytes(50_000)).await;
    let batch = world.blobs.share(Batch::new(), &content);
    world.database.write(batch).await.unwrap();
    world.drop(&content).await;
    world.hours_pass(1);
    assert_eq!(world.blobs.tidy().await.unwrap(), Tidied::default());

    world.drop(&content).await;
    assert_eq!(world.blobs.tidy().await.unwrap().removed, 0);
    let mut reader = world.blobs.read(&content, 0..50_000).await.unwrap();
    world.hours_pass(1);
    assert_eq!(world.blobs.tidy().await.unwrap().removed, 1);
    assert_eq!(world.files(), Vec::<PathBuf>::new());
    assert!(reader.next().await.unwrap().unwrap() == bytes(50_000));
    let error = read(&world.blobs, &content, 1).await.unwrap_err();
    assert!(matches!(error, BlobError::Gone(_)), "{error}");
    let again = world
        .database
        .write(world.blobs.share(Batch::new(), &content))
        .await;
    again.unwrap_err();
}

#[tokio::test]
async fn what_is_never_kept_is_an_orphan_and_goes() {
    let world = world().await;
    let kept = world.put("a", &bytes(50_000)).await;
    let stored = store(&world.blobs, &bytes(60_000)).await.unwrap();
    assert_eq!(world.blobs.tidy().await.unwrap(), Tidied::default());
    world.hours_pass(2);
    assert_eq!(
        world.blobs.tidy().await.unwrap(),
        Tidied {
            removed: 0,
            orphans: 1
        }
    );
    // too late: the batch fails rather than naming a file that goes
    world
        .database
        .write(world.blobs.keep(Batch::new(), &stored))
        .await
        .unwrap_err();
    world.hours_pass(2);
    assert_eq!(
        world.blobs.tidy().await.unwrap(),
        Tidied {
            removed: 1,
            orphans: 0
        }
    );
    assert_eq!(world.files().len(), 1);
    assert!(read(&world.blobs, &kept, 50_000).await.unwrap() == bytes(50_000));
}

#[tokio::test]
async fn a_write_into_the_reserve_is_refused() {
    let world = world().await;
    let full = open(world.folder.path(), &world.database, &world.clock, u64::MAX / 2).await;
    let error = full.writer(Some(50_000)).await.unwrap_err();
    assert!(matches!(error, BlobError::Full { .. }), "{error}");
    let error = store(&full, &bytes(50_000)).await.unwrap_err();
    assert!(matches!(error, BlobError::Full { .. }), "{error}");
    assert_eq!(world.files(), Vec::<PathBuf>::new());
    let _inline = store(&full, b"small content needs no file").await.unwrap();
}

#[tokio::test]
async fn a_step_that_fails_fails_the_write_and_nothing_else() {
    let world = world().await;
    let before = world.put("before", &bytes(30_000)).await;
    let steps = [
        Step::Create,
        Step::Write,
        Step::SyncFile,
        Step::Rename,
        Step::SyncFolder,
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let faults = &world.blobs.shared.folder.faults;
        for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
            faults.plan(Some((step, Fault::Fail(kind))));
            let error = store(&world.blobs, &bytes(PIECE + 9)).await.unwrap_err();
            assert_eq!(
                matches!(error, BlobError::Full { .. }),
                kind == ErrorKind::StorageFull,
                "{step:?}: {error}"
            );
        }
        faults.plan(None);
        world.put(&format!("after {number}"), &bytes(30_000)).await;
    }
    world.hours_pass(2);
    world.blobs.tidy().await.unwrap();
    world.hours_pass(2);
    world.blobs.tidy().await.unwrap();
    assert_eq!(world.files().len(), 1 + steps.len());
    assert!(read(&world.blobs, &before, 30_000).await.unwrap() == bytes(30_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_do_not_mix() {
    let world = world().await;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..16_usize {
        let (blobs, database) = (world.blobs.clone(), world.database.clone());
        writers.spawn(async move {
            let size = 20_000 + number * 40_000;
            let content = put(&database, &blobs, &number.to_string(), &bytes(size))
                .await
                .unwrap();
            (content, size)
        });
    }
    for (content, size) in writers.join_all().await {
        assert!(read(&world.blobs, &content, size).await.unwrap() == bytes(size));
    }
    assert_eq!(world.files().len(), 16);
}
