//! Whose a place is, and uploads that nobody finishes.

use super::*;

on_both! {
    a_place_of_another_database_is_refused
}

async fn a_place_of_another_database_is_refused(world: World) {
    world.put("a", &bytes(120_000)).await;
    let other = Database::in_memory_for_tests(&[MIGRATIONS, OWNERS]);
    let elsewhere = tempfile::tempdir().unwrap();
    let config_of = |folder: &Path, database| config(folder, database, &world.clock, 0);
    let error = world
        .kind
        .open(config_of(world.folder.path(), &other))
        .await
        .unwrap_err();
    assert!(matches!(error, BlobError::Foreign(_)), "{error}");
    let error = Kind::Folder
        .open(config_of(elsewhere.path(), &world.database))
        .await
        .unwrap_err();
    assert!(matches!(error, BlobError::Elsewhere { .. }), "{error}");
    let empty = Kind::remote();
    let error = empty
        .open(config_of(elsewhere.path(), &world.database))
        .await
        .unwrap_err();
    assert!(matches!(error, BlobError::Elsewhere { .. }), "{error}");
    world.open_again().await.unwrap();
}

#[tokio::test]
async fn an_upload_that_nobody_finishes_is_aborted() {
    let world = remote_world().await;
    let mut writer = world.blobs.writer(None).await.unwrap();
    writer.write(&bytes(PARTS)).await.unwrap();
    drop(writer);
    let uploads = || world.database.read("SELECT id FROM blobs_uploads", vec![]);
    assert_eq!(uploads().await.unwrap().len(), 1);
    world.blobs.tidy().await.unwrap();
    assert_eq!(uploads().await.unwrap().len(), 1, "it may still be on its way");
    world.hours_pass(25);
    world.blobs.tidy().await.unwrap();
    assert_eq!(uploads().await.unwrap().len(), 0);
    world.put("kept", &bytes(PARTS)).await;
    assert_eq!(uploads().await.unwrap().len(), 0);
    assert_eq!(world.stored().await, 1);
}
