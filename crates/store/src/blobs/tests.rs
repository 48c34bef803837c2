use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use object_store::memory::InMemory;

use super::faults::{Fault, Step};
use super::remote::{Remote, RemoteStore};
use super::*;

/// Tests that hold for every kind of place.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod folder {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::world().await).await;
            })*
        }
        mod remote {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::remote_world().await).await;
            })*
        }
    };
}

mod crash;
mod places;
mod sealed;

on_both! {
    content_of_every_size_comes_back
    ranges_are_those_of_the_bytes
    a_store_opened_again_has_what_was_kept
    what_its_last_owner_drops_goes_after_the_grace
    what_is_held_outlives_its_owners
    what_is_never_kept_is_an_orphan_and_goes
    concurrent_writers_do_not_mix
}

/// Enough for several parts of an upload.
const PARTS: usize = 18 * 1024 * 1024 + 5;

/// A store in a folder, with an owner's table as a service would have.
struct World {
    database: Database,
    clock: Clock,
    blobs: Blobs,
    folder: tempfile::TempDir,
    kind: Kind,
}

/// Where the content of a test goes.
#[derive(Clone)]
enum Kind {
    Folder,
    /// A store and a prefix of it.
    Remote(Arc<dyn RemoteStore>, String),
}

const OWNERS: &[crate::Migration] = &[crate::Migration {
    service: "owners",
    version: 1,
    sql: "CREATE TABLE owners (name TEXT NOT NULL PRIMARY KEY, content BLOB NOT NULL)",
}];

fn config(folder: &Path, database: &Database, clock: &Clock, reserve: u64) -> BlobsConfig {
    BlobsConfig {
        database: database.clone(),
        clock: clock.clone(),
        place: Place::Folder(folder.join("blobs")),
        keys: KeyFile::Own(folder.join("node.key")),
        reserve,
    }
}

async fn open(folder: &Path, database: &Database, clock: &Clock, reserve: u64) -> Blobs {
    Blobs::open(config(folder, database, clock, reserve))
        .await
        .unwrap()
}

/// When set, for instance to `s3://test?endpoint=http://127.0.0.1:9000`, tests use this store instead of
/// one in memory; its keys are `minioadmin`.
const REAL: &str = "TRADEWIND_TEST_BLOBS";

impl Kind {
    fn remote() -> Self {
        let Ok(url) = std::env::var(REAL) else {
            return Self::Remote(Arc::new(InMemory::new()), "prefix".to_owned());
        };
        let mut config = RemoteConfig::parse(&url).unwrap();
        (config.access_key_id, config.secret_access_key) = ("minioadmin".to_owned(), "minioadmin".to_owned());
        let prefix = uuid::Uuid::new_v4().to_string();
        Self::Remote(Remote::store(&config).unwrap(), prefix)
    }

    async fn open(&self, mut config: BlobsConfig) -> Result<Blobs, BlobError> {
        let Self::Remote(store, prefix) = self else {
            return Blobs::open(config).await;
        };
        config.place = Place::Remote(RemoteConfig::parse("s3://bucket/prefix").unwrap());
        let remote = Remote::new(Arc::clone(store), prefix);
        Blobs::with_backend(config, Backend::Remote(Arc::new(remote))).await
    }
}

async fn world() -> World {
    make_world(Kind::Folder).await
}

async fn remote_world() -> World {
    make_world(Kind::remote()).await
}

async fn make_world(kind: Kind) -> World {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::in_memory_for_tests(&[MIGRATIONS, OWNERS]);
    let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
    let config = config(folder.path(), &database, &clock, 0);
    let blobs = kind.open(config).await.unwrap();
    World {
        database,
        clock,
        blobs,
        folder,
        kind,
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| ((i * 31 + i / 251) % 256).to_le_bytes()[0])
        .collect()
}

async fn store(blobs: &Blobs, content: &[u8]) -> Result<Stored, BlobError> {
    let mut writer = blobs.writer(None).await?;
    for part in content.chunks(160_000) {
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
        let mut files = files(&self.folder.path().join("blobs"));
        files.retain(|path| !path.ends_with("tradewind-store"));
        files
    }

    /// Files or objects of blobs.
    async fn stored(&self) -> usize {
        use futures_util::StreamExt as _;
        match &self.kind {
            Kind::Folder => self.files().len(),
            Kind::Remote(store, prefix) => {
                let prefix = object_store::path::Path::from(prefix.as_str());
                store.list(Some(&prefix)).count().await - 1
            }
        }
    }

    async fn open_again(&self) -> Result<Blobs, BlobError> {
        let config = config(self.folder.path(), &self.database, &self.clock, 0);
        self.kind.open(config).await
    }

    fn faults(&self) -> &faults::Faults {
        match &self.blobs.shared.backend {
            Backend::Folder(folder) => &folder.faults,
            Backend::Remote(_) => panic!("only folders have faults"),
        }
    }

    fn hours_pass(&self, hours: i64) {
        self.clock.advance_millis(hours * 3_600_000);
    }

    async fn drop(&self, content: &Content) {
        let batch = self.blobs.drop_in(Batch::new(), content);
        self.database.write(batch).await.unwrap();
    }
}

async fn content_of_every_size_comes_back(world: World) {
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

async fn ranges_are_those_of_the_bytes(world: World) {
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

async fn a_store_opened_again_has_what_was_kept(world: World) {
    let content = world.put("a", &bytes(100_000)).await;
    let again = world.open_again().await.unwrap();
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

async fn what_its_last_owner_drops_goes_after_the_grace(world: World) {
    let content = world.put("a", &bytes(150_000)).await;
    let batch = world.blobs.share(Batch::new(), &content);
    world.database.write(batch).await.unwrap();
    world.drop(&content).await;
    world.hours_pass(2);
    assert_eq!(world.blobs.tidy().await.unwrap(), Tidied::default());

    world.drop(&content).await;
    assert_eq!(world.blobs.tidy().await.unwrap().removed, 0);
    let mut reader = world.blobs.read(&content, 0..150_000).await.unwrap();
    world.hours_pass(2);
    assert_eq!(world.blobs.tidy().await.unwrap().removed, 1);
    assert_eq!(world.stored().await, 0);
    assert!(reader.next().await.unwrap().unwrap() == bytes(150_000));
    let error = read(&world.blobs, &content, 1).await.unwrap_err();
    assert!(matches!(error, BlobError::Gone(_)), "{error}");
    let again = world
        .database
        .write(world.blobs.share(Batch::new(), &content))
        .await;
    again.unwrap_err();
}

#[tokio::test]
async fn a_scrub_removes_at_once_what_was_dropped_from_a_folder() {
    let world = world().await;
    let kept = world.put("kept", &bytes(150_000)).await;
    let content = world.put("a", &bytes(150_000)).await;
    let mut reader = world.blobs.read(&content, 0..150_000).await.unwrap();
    world.drop(&content).await;
    assert_eq!(world.blobs.tidy().await.unwrap().removed, 0);
    assert_eq!(world.blobs.scrub().await.unwrap(), 1);
    assert!(reader.next().await.is_some(), "who has begun goes on");
    read(&world.blobs, &content, 1).await.unwrap_err();
    assert!(read(&world.blobs, &kept, 150_000).await.unwrap() == bytes(150_000));
}

async fn what_is_held_outlives_its_owners(world: World) {
    let content = world.put("a", &bytes(150_000)).await;
    let other = world.put("b", &bytes(150_000)).await;
    let hold = world.blobs.hold([&content, &content].into_iter());
    let second = world.blobs.hold([&content].into_iter());
    world.drop(&content).await;
    world.drop(&other).await;
    world.hours_pass(2);
    assert_eq!(world.blobs.tidy().await.unwrap().removed, 1, "the other");
    assert!(read(&world.blobs, &content, 150_000).await.unwrap() == bytes(150_000));
    drop(hold);
    assert_eq!(world.blobs.tidy().await.unwrap().removed, 0);
    drop(second);
    world.hours_pass(2);
    assert_eq!(world.blobs.tidy().await.unwrap().removed, 1);
    assert_eq!(world.stored().await, 0);
}

fn folders(folder: &Path) -> usize {
    let inner = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    inner
        .filter(|path| path.is_dir())
        .map(|path| 1 + folders(&path))
        .sum()
}

/// A folder goes with its last file when it is old, and at a later look when it was young.
#[tokio::test]
async fn empty_folders_go_when_nothing_is_made_in_them_any_more() {
    let world = world().await;
    let root = world.folder.path().join("blobs");
    let of_store = folders(&root);
    let (young, old) = (
        world.put("young", &bytes(150_000)).await,
        world.put("old", &bytes(150_000)).await,
    );
    world.drop(&young).await;
    assert_eq!(world.blobs.scrub().await.unwrap(), 1);
    world.hours_pass(6);
    world.blobs.tidy().await.unwrap();
    assert_eq!(folders(&root), of_store + 2, "a file is left");
    world.drop(&old).await;
    assert_eq!(world.blobs.scrub().await.unwrap(), 1);
    assert_eq!(folders(&root), of_store);
    let young = world.put("again", &bytes(150_000)).await;
    world.drop(&young).await;
    assert_eq!(world.blobs.scrub().await.unwrap(), 1);
    assert_eq!(folders(&root), of_store + 2, "it may get another");
    world.hours_pass(6);
    world.blobs.tidy().await.unwrap();
    assert_eq!(folders(&root), of_store);
}

async fn what_is_never_kept_is_an_orphan_and_goes(world: World) {
    let kept = world.put("a", &bytes(150_000)).await;
    let stored = store(&world.blobs, &bytes(160_000)).await.unwrap();
    assert_eq!(world.blobs.tidy().await.unwrap(), Tidied::default());
    world.hours_pass(25);
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
    assert_eq!(world.stored().await, 1);
    assert!(read(&world.blobs, &kept, 150_000).await.unwrap() == bytes(150_000));
}

#[tokio::test]
async fn a_write_into_the_reserve_is_refused() {
    let world = world().await;
    let full = open(world.folder.path(), &world.database, &world.clock, u64::MAX / 2).await;
    let error = full.writer(Some(150_000)).await.unwrap_err();
    assert!(matches!(error, BlobError::Full { .. }), "{error}");
    let error = store(&full, &bytes(150_000)).await.unwrap_err();
    assert!(matches!(error, BlobError::Full { .. }), "{error}");
    assert_eq!(world.files(), Vec::<PathBuf>::new());
    let _inline = store(&full, b"small content needs no file").await.unwrap();
}

#[tokio::test]
async fn a_step_that_fails_fails_the_write_and_nothing_else() {
    let world = world().await;
    let before = world.put("before", &bytes(130_000)).await;
    let steps = [
        Step::Create,
        Step::Write,
        Step::SyncFile,
        Step::Rename,
        Step::SyncFolder,
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let faults = world.faults();
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
        world.put(&format!("after {number}"), &bytes(130_000)).await;
    }
    world.hours_pass(2);
    world.blobs.tidy().await.unwrap();
    world.hours_pass(2);
    world.blobs.tidy().await.unwrap();
    assert_eq!(world.files().len(), 1 + steps.len());
    assert!(read(&world.blobs, &before, 130_000).await.unwrap() == bytes(130_000));
}

async fn concurrent_writers_do_not_mix(world: World) {
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..16_usize {
        let (blobs, database) = (world.blobs.clone(), world.database.clone());
        writers.spawn(async move {
            let size = 120_000 + number * 140_000;
            let content = put(&database, &blobs, &number.to_string(), &bytes(size))
                .await
                .unwrap();
            (content, size)
        });
    }
    for (content, size) in writers.join_all().await {
        assert!(read(&world.blobs, &content, size).await.unwrap() == bytes(size));
    }
    assert_eq!(world.stored().await, 16);
}
