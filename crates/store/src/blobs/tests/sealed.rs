//! Encrypted content.

use super::*;

async fn put_sealed(world: &World, content: &[u8]) -> Result<Content, BlobError> {
    let mut writer = world.blobs.encrypting_writer(None).await?;
    for part in content.chunks(160_000) {
        writer.write(part).await?;
    }
    let stored = writer.finish().await?;
    world
        .database
        .write(world.blobs.keep(Batch::new(), &stored))
        .await?;
    Ok(stored.content().clone())
}

const SIZES: [usize; 8] = [
    0,
    1,
    INLINE_MAX,
    INLINE_MAX + 1,
    4 * 65_536,
    PIECE + 1,
    2 * PIECE,
    3 * PIECE + 77,
];

on_both! {
    encrypted_content_comes_back_also_after_a_restart
}

async fn encrypted_content_comes_back_also_after_a_restart(world: World) {
    for size in SIZES {
        let content = put_sealed(&world, &bytes(size)).await.unwrap();
        let again = world.open_again().await.unwrap();
        for blobs in [&world.blobs, &again] {
            assert!(
                read(blobs, &content, size).await.unwrap() == bytes(size),
                "{size}"
            );
            let (start, end) = (size / 3, size - size / 5);
            let part = blobs.read(&content, start as u64..end as u64).await.unwrap();
            assert!(
                part.collect().await.unwrap() == bytes(size)[start..end],
                "{size}: {start}-{end}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_of_it_is_on_disk_as_it_was() {
    let world = world().await;
    let secret = b"the quick brown fox".repeat(5_000);
    for size in [1_000, secret.len()] {
        let content = put_sealed(&world, &secret[..size]).await.unwrap();
        let column = content.to_column();
        assert!(!column.windows(9).any(|part| part == b"brown fox"));
    }
    let file = std::fs::read(&world.files()[0]).unwrap();
    assert!(!file.windows(9).any(|part| part == b"brown fox"));
    assert!(file.len() > secret.len());
}

#[tokio::test]
async fn a_changed_file_gives_an_error_before_a_wrong_byte() {
    let world = world().await;
    let size = 2 * PIECE;
    let content = put_sealed(&world, &bytes(size)).await.unwrap();
    let file = world.files().remove(0);
    let mut stored = std::fs::read(&file).unwrap();
    stored[PIECE + 5_000] ^= 1;
    std::fs::write(&file, &stored).unwrap();
    let at = PIECE as u64 + 10;
    let error = world.blobs.read(&content, at..at + 1).await.unwrap_err();
    assert!(matches!(error, BlobError::Damaged { .. }), "{error}");
    assert_eq!(
        world
            .blobs
            .read(&content, 0..1)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap(),
        bytes(1)
    );
    std::fs::write(&file, &stored[..PIECE]).unwrap();
    let error = read(&world.blobs, &content, size).await.unwrap_err();
    assert!(matches!(error, BlobError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn changed_content_of_a_row_is_refused() {
    let world = world().await;
    let column = put_sealed(&world, &bytes(100)).await.unwrap().to_column();
    for at in 1..column.len() {
        let mut changed = column.clone();
        changed[at] ^= 1;
        let content = Content::from_column(&changed).unwrap();
        let error = read(&world.blobs, &content, 100).await.unwrap_err();
        assert!(matches!(error, BlobError::DamagedInline), "{at}: {error}");
    }
}

#[tokio::test]
async fn a_node_without_a_key_that_was_used_does_not_start() {
    let world = world().await;
    put_sealed(&world, &bytes(10)).await.unwrap();
    let key = world.folder.path().join("node.key");
    let old = std::fs::read_to_string(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let error = world.open_again().await.unwrap_err();
    assert!(error.to_string().contains("bring the key back"), "{error}");
    assert!(!key.exists(), "no new key in its place");
    std::fs::write(&key, format!("{}\n{old}", "00".repeat(32))).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    world.open_again().await.unwrap();
}

#[tokio::test]
async fn a_secret_is_opened_by_the_node_that_sealed_it() {
    let world = world().await;
    for secret in [&b""[..], b"hidden"] {
        let mut sealed = world.blobs.seal(secret).await.unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"hidden"));
        let again = world.open_again().await.unwrap();
        assert_eq!(again.unseal(&sealed).as_deref(), Some(secret));
        *sealed.first_mut().unwrap() ^= 1;
        assert_eq!(world.blobs.unseal(&sealed), None);
    }
    let mut sealed = world.blobs.seal(b"hidden").await.unwrap();
    *sealed.last_mut().unwrap() ^= 1;
    assert_eq!(world.blobs.unseal(&sealed), None);
    assert_eq!(world.blobs.unseal(b"short"), None);
}
