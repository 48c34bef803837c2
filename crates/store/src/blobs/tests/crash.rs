//! A process dies at each step of a write and of a removal; the next one finds what was acknowledged,
//! whole, and nothing else.

use std::process::Command;

use super::*;

const FOLDER: &str = "TRADEWIND_TEST_CRASH_FOLDER";
const STEP: &str = "TRADEWIND_TEST_CRASH_STEP";
const STEPS: &[Step] = &[
    Step::Create,
    Step::Write,
    Step::SyncFile,
    Step::Rename,
    Step::SyncFolder,
    Step::Finished,
    Step::Remove,
    Step::RemoveRow,
];
const SIZE: usize = PIECE + 1_000;

fn database(folder: &Path) -> Database {
    Database::open(&folder.join("node.db"), &[MIGRATIONS, OWNERS]).unwrap()
}

/// Not a test of its own: what the other one runs as a process, and sees die.
#[tokio::test]
async fn victim() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let step = STEPS[std::env::var(STEP).unwrap().parse::<usize>().unwrap()];
    let database = database(&folder);
    let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
    let blobs = open(&folder, &database, &clock, 0).await;
    put(&database, &blobs, "kept", &bytes(SIZE)).await.unwrap();
    let dropped = put(&database, &blobs, "dropped", &bytes(SIZE)).await.unwrap();
    let batch = Batch::new().run("DELETE FROM owners WHERE name = 'dropped'", vec![]);
    database.write(blobs.drop_in(batch, &dropped)).await.unwrap();
    let Backend::Folder(place) = &blobs.shared.backend else {
        panic!("it is a folder");
    };
    place.faults.plan(Some((step, Fault::Die)));
    clock.advance_millis(3_600_000);
    if matches!(step, Step::Remove | Step::RemoveRow) {
        blobs.tidy().await.unwrap();
    } else {
        put(&database, &blobs, "lost", &bytes(SIZE)).await.unwrap();
    }
    unreachable!("the process died at {step:?}");
}

#[tokio::test]
async fn what_was_acknowledged_survives_death_at_each_step() {
    for (number, &step) in STEPS.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "blobs::tests::crash::victim"])
            .env(FOLDER, folder.path())
            .env(STEP, number.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(
            !status.status.success() && !said.contains("panicked"),
            "{:?}: {said}",
            step
        );
        check(folder.path(), step).await;
    }
}

async fn check(folder: &Path, step: Step) {
    let database = database(folder);
    let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000 + 7_200_000));
    let blobs = open(folder, &database, &clock, 0).await;
    blobs.tidy().await.unwrap();
    clock.advance_millis(3_600_000);
    blobs.tidy().await.unwrap();
    let rows = database
        .read("SELECT name, content FROM owners", vec![])
        .await
        .unwrap();
    assert_eq!(rows.len(), 1, "{step:?}");
    let content = Content::from_column(rows[0].blob(1).unwrap()).unwrap();
    assert!(
        read(&blobs, &content, SIZE).await.unwrap() == bytes(SIZE),
        "{step:?}"
    );
    // the content and the marker
    let found = files(&folder.join("blobs")).len();
    assert_eq!(found, 2, "{step:?}: something half is there");
    let rows = database.read("SELECT id FROM blobs", vec![]).await.unwrap();
    assert_eq!(rows.len(), 1, "{step:?}");
}
