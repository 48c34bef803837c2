//! The store, on real folders.

use std::io::Cursor;
use std::os::unix::fs::MetadataExt;

use super::*;

struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for (path, content) in files {
            project.save(path, content);
        }
        project
    }

    fn save(&self, path: &str, content: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
    }

    fn files(&self, paths: &[&str]) -> Vec<PackageFile> {
        let file = |path: &&str| PackageFile {
            path_in_package: (*path).to_owned(),
            source: self.dir.path().join(path),
            executable: path.ends_with(".sh"),
        };
        paths.iter().map(file).collect()
    }
}

fn open() -> (tempfile::TempDir, PackageStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = PackageStore::keeping(dir.path().join("packages"), Duration::ZERO).unwrap();
    (dir, store)
}

fn zip_with(name: &str, content: &str) -> Bytes {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    fs::write(&file, content).unwrap();
    let packed = zip::pack(std::iter::once((name, file, false)), Cursor::new(Vec::new())).unwrap();
    packed.into_inner().into()
}

fn zip_of_files(files: &[(&'static str, &str)]) -> Bytes {
    let dir = tempfile::tempdir().unwrap();
    let saved = |(number, (name, content)): (usize, &(&'static str, &str))| {
        let file = dir.path().join(number.to_string());
        fs::write(&file, content).unwrap();
        (*name, file, false)
    };
    let entries: Vec<_> = files.iter().enumerate().map(saved).collect();
    let packed = zip::pack(entries.into_iter(), Cursor::new(Vec::new())).unwrap();
    packed.into_inner().into()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[tokio::test]
async fn a_zip_is_kept_under_its_own_digest() {
    let (_dir, store) = open();
    let archive = zip_with("index.js", "exports.handler = 1");
    let id = store.add_zip(archive.clone()).await.unwrap();
    assert_eq!(id, PackageId::from_digest(&Sha256::digest(&archive)));
    assert_eq!(
        fs::read(store.path_of(&id).join("index.js")).unwrap(),
        b"exports.handler = 1"
    );
    assert_eq!(store.size_of(&id).unwrap(), archive.len() as u64);
    assert_eq!(fs::read(store.zip_of(&id).await.unwrap()).unwrap(), archive);
    assert_eq!(store.add_zip(archive).await.unwrap(), id);
}

#[tokio::test]
async fn a_refused_zip_leaves_nothing() {
    let (_dir, store) = open();
    assert!(store.add_zip(Bytes::from_static(b"no zip")).await.is_err());
    assert_eq!(fs::read_dir(&store.0.dir).unwrap().count(), 0);
}

#[tokio::test]
async fn unchanged_files_are_linked_and_changed_ones_copied() {
    let (_dir, store) = open();
    let project = Project::new(&[("index.js", "1"), ("node_modules/a/index.js", "big")]);
    let files = project.files(&["index.js", "node_modules/a/index.js"]);
    settle(&files);
    let first = store.add_folder(&files).await.unwrap();
    project.save("index.js", "2");
    let second = store.add_folder(&files).await.unwrap();
    assert_ne!(first, second);
    let in_package = |id, path: &str| store.path_of(id).join(path);
    let module = "node_modules/a/index.js";
    assert_eq!(
        inode(&in_package(&first, module)),
        inode(&in_package(&second, module))
    );
    assert_eq!(fs::read(in_package(&first, "index.js")).unwrap(), b"1");
    assert_eq!(fs::read(in_package(&second, "index.js")).unwrap(), b"2");
    assert_ne!(
        inode(&in_package(&second, module)),
        inode(&project.dir.path().join(module))
    );
}

/// Waits until the files' times are proof: until a file made now is clearly younger.
fn settle(files: &[PackageFile]) {
    while files.iter().any(|file| !settled(&file.source)) {
        std::thread::yield_now();
    }
}

fn settled(path: &Path) -> bool {
    let probe = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    let stamp = |path: &Path| manifest::Stamp::of(&fs::metadata(path).unwrap());
    stamp(path).is_older_than(&stamp(probe.path()))
}

#[tokio::test]
async fn links_are_found_again_after_a_restart() {
    let (dir, store) = open();
    let project = Project::new(&[("a.py", "a"), ("b.py", "b")]);
    settle(&project.files(&["a.py", "b.py"]));
    let first = store.add_folder(&project.files(&["a.py", "b.py"])).await.unwrap();
    drop(store);
    let store = PackageStore::open(dir.path().join("packages")).unwrap();
    let second = store.add_folder(&project.files(&["a.py"])).await.unwrap();
    let copy = |id| inode(&store.path_of(id).join("a.py"));
    assert_eq!(copy(&first), copy(&second));
}

#[tokio::test]
async fn a_file_that_keeps_size_and_mtime_but_changes_is_copied() {
    let (_dir, store) = open();
    let project = Project::new(&[("a.js", "old")]);
    let files = project.files(&["a.js"]);
    settle(&files);
    let first = store.add_folder(&files).await.unwrap();
    let mtime = fs::metadata(&files[0].source).unwrap().modified().unwrap();
    project.save("a.js", "new");
    let file = fs::File::options().write(true).open(&files[0].source).unwrap();
    file.set_modified(mtime).unwrap();
    let second = store.add_folder(&files).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(fs::read(store.path_of(&second).join("a.js")).unwrap(), b"new");
}

#[tokio::test]
async fn the_id_depends_on_paths_modes_and_contents_only() {
    let (_dir, store) = open();
    let one = Project::new(&[("a.js", "x"), ("run.sh", "y")]);
    let two = Project::new(&[("a.js", "x"), ("run.sh", "y")]);
    let id = store.add_folder(&one.files(&["a.js", "run.sh"])).await.unwrap();
    assert_eq!(
        store.add_folder(&two.files(&["run.sh", "a.js"])).await.unwrap(),
        id
    );
    let mut other_mode = two.files(&["a.js", "run.sh"]);
    other_mode[0].executable = true;
    assert_ne!(store.add_folder(&other_mode).await.unwrap(), id);
    assert_eq!(store.size_of(&id).unwrap(), 2);
}

#[tokio::test]
async fn a_staged_folder_can_be_had_as_a_zip() {
    let (_dir, store) = open();
    let project = Project::new(&[("a.js", "x"), ("lib/run.sh", "y")]);
    let id = store
        .add_folder(&project.files(&["a.js", "lib/run.sh"]))
        .await
        .unwrap();
    fs::create_dir(store.path_of(&id).join("__pycache__")).unwrap();
    let zip = fs::read(store.zip_of(&id).await.unwrap()).unwrap();
    let copy = store.add_zip(zip.into()).await.unwrap();
    assert_eq!(fs::read(store.path_of(&copy).join("lib/run.sh")).unwrap(), b"y");
    assert!(!store.path_of(&copy).join("__pycache__").exists());
}

#[tokio::test]
async fn files_that_leave_the_package_or_are_missing_are_refused() {
    let (_dir, store) = open();
    let project = Project::new(&[("a.js", "x")]);
    for path in ["../a.js", "/a.js", "", "lib/../../a.js"] {
        let mut files = project.files(&["a.js"]);
        files[0].path_in_package = path.to_owned();
        let result = store.add_folder(&files).await;
        assert!(
            matches!(result, Err(PackageError::UnsafeEntry { .. })),
            "{path}: {result:?}"
        );
    }
    let missing = store.add_folder(&project.files(&["none.js"])).await;
    assert!(missing.unwrap_err().to_string().contains("none.js"));
    assert_eq!(fs::read_dir(&store.0.dir).unwrap().count(), 0);
}

#[tokio::test]
async fn only_what_is_kept_or_run_stays() {
    let (_dir, store) = open();
    let kept = store.add_zip(zip_with("a", "1")).await.unwrap();
    let run = store.add_zip(zip_with("a", "2")).await.unwrap();
    let gone = store.add_zip(zip_with("a", "3")).await.unwrap();
    let lease = store.lease(&run).unwrap();
    let keep = HashSet::from([kept.clone()]);
    store.retain(&keep).await.unwrap();
    assert!(store.contains(&kept) && store.contains(&run) && !store.contains(&gone));
    assert!(store.size_of(&gone).is_err() && store.zip_of(&gone).await.is_err());
    drop(lease);
    store.retain(&keep).await.unwrap();
    assert!(!store.contains(&run));
    assert!(store.lease(&run).is_err());
}

#[tokio::test]
async fn a_scrub_leaves_what_a_deploy_under_way_has_just_brought() {
    let dir = tempfile::tempdir().unwrap();
    let store = PackageStore::keeping(dir.path().join("packages"), UNCLAIMED).unwrap();
    let [old, new] = ["1", "2"].map(|content| zip_with("a", content));
    let (old, new) = (
        store.add_zip(old).await.unwrap(),
        store.add_zip(new).await.unwrap(),
    );
    let ages_ago = Instant::now().checked_sub(UNCLAIMED_BRIEFLY).unwrap();
    store.state().added.insert(old.clone(), ages_ago);
    store.retain(&HashSet::new()).await.unwrap();
    assert!(store.contains(&old) && store.contains(&new));
    store.scrub(&HashSet::new()).await.unwrap();
    assert!(!store.contains(&old) && store.contains(&new));
}

#[tokio::test]
async fn of_merged_packages_the_later_wins() {
    let (_dir, store) = open();
    let first = zip_of_files(&[("lib/both", "1"), ("lib/first", "1"), ("turns", "file")]);
    let first = store.add_zip(first).await.unwrap();
    let second = zip_of_files(&[("lib/both", "22"), ("lib/second", "2"), ("turns/x", "folder")]);
    let second = store.add_zip(second).await.unwrap();
    let merged = store.merge(&[first.clone(), second.clone()]).await.unwrap();
    let content = |id: &PackageId, path: &str| fs::read_to_string(store.path_of(id).join(path)).ok();
    assert_eq!(content(&merged, "lib/both").as_deref(), Some("22"));
    assert_eq!(content(&merged, "lib/first").as_deref(), Some("1"));
    assert_eq!(content(&merged, "lib/second").as_deref(), Some("2"));
    assert_eq!(content(&merged, "turns/x").as_deref(), Some("folder"));
    // neither the order nor what was merged is touched
    let other = store.merge(&[second.clone(), first.clone()]).await.unwrap();
    assert_ne!(other, merged);
    assert_eq!(content(&other, "lib/both").as_deref(), Some("1"));
    assert_eq!(content(&other, "turns").as_deref(), Some("file"));
    assert_eq!(content(&first, "lib/both").as_deref(), Some("1"));
    assert_eq!(
        store.merge(&[first.clone(), second.clone()]).await.unwrap(),
        merged
    );
    assert_eq!(store.merge(std::slice::from_ref(&first)).await.unwrap(), first);
    assert_eq!(store.unpacked_size_of(&[first, second]).await.unwrap(), 6 + 9);
}

#[tokio::test]
async fn merged_packages_live_as_long_as_they_are_used() {
    let (_dir, store) = open();
    let first = store.add_zip(zip_with("a", "1")).await.unwrap();
    let second = store.add_zip(zip_with("b", "2")).await.unwrap();
    let merged = store.merge(&[first.clone(), second.clone()]).await.unwrap();
    let lease = store.lease(&merged).unwrap();
    store.retain(&HashSet::new()).await.unwrap();
    assert!(!store.contains(&first) && !store.contains(&second));
    assert_eq!(fs::read(store.path_of(&merged).join("a")).unwrap(), b"1");
    drop(lease);
    store.retain(&HashSet::new()).await.unwrap();
    assert!(!store.contains(&merged));
    let missing = store.merge(&[first, second]).await;
    assert!(matches!(missing, Err(PackageError::NotFound { .. })));
    assert_eq!(fs::read_dir(&store.0.dir).unwrap().count(), 0);
}

#[tokio::test]
async fn links_of_layers_do_not_leave_together() {
    let linked = |file: &str, link: &str, target: &str| -> Bytes {
        let mut archive = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = ::zip::write::SimpleFileOptions::default();
        archive.start_file(file, options).unwrap();
        archive.add_symlink(link, target, options).unwrap();
        archive.finish().unwrap().into_inner().into()
    };
    let (_dir, store) = open();
    let up = linked("d/e/f", "up", "d/e/../..");
    let up = store.add_zip(up).await.unwrap();
    let here = store.add_zip(linked("d/g", "d/e", ".")).await.unwrap();
    let joined = store.merge(&[here.clone(), up.clone()]).await.unwrap();
    assert!(store.path_of(&joined).join("up").is_symlink());
    let refused = store.merge(&[up, here]).await;
    assert!(
        matches!(refused, Err(PackageError::UnsafeEntry { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn deleting_a_package_does_not_break_the_next_staging() {
    let (_dir, store) = open();
    let project = Project::new(&[("a.js", "x")]);
    let files = project.files(&["a.js"]);
    settle(&files);
    let id = store.add_folder(&files).await.unwrap();
    store.retain(&HashSet::new()).await.unwrap();
    assert_eq!(store.add_folder(&files).await.unwrap(), id);
    assert_eq!(fs::read(store.path_of(&id).join("a.js")).unwrap(), b"x");
}

#[tokio::test]
async fn a_package_whose_function_is_on_its_way_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = PackageStore::open(dir.path().to_owned()).unwrap();
    let uploaded = store.add_zip(zip_with("a.js", "x")).await.unwrap();
    store.retain(&HashSet::new()).await.unwrap();
    assert!(store.contains(&uploaded));
    let after_restart = PackageStore::open(dir.path().to_owned()).unwrap();
    after_restart.retain(&HashSet::new()).await.unwrap();
    assert!(!after_restart.contains(&uploaded));
}

#[test]
fn half_done_work_is_removed_when_the_store_opens() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(".staging-1/code/deep")).unwrap();
    PackageStore::open(dir.path().to_owned()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
