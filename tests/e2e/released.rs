//! What every release left behind, in a folder of `tests/released` each, is opened by the code of today, and all of
//! it is found. CONTRIBUTING.md says when there is a new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tradewind_tests::{Node, cache, root, stderr, stdout, succeeds};

use crate::postgres;

/// Tables that a node at rest has nothing in.
const AT_REST_EMPTY: &str = "blobs_uploads\nlambda_async_invocations\nlogs_owed\nqueue_swept\n";

fn releases() -> Vec<PathBuf> {
    let folders = fs::read_dir(root().join("tests/released")).unwrap();
    let folders: Vec<_> = folders.map(|folder| folder.unwrap().path()).collect();
    assert!(!folders.is_empty());
    folders
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", stderr(&output));
    stdout(&output)
}

fn unpacked(archive: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    output(
        Command::new("tar")
            .arg("-xzf")
            .arg(archive)
            .arg("-C")
            .arg(folder.path()),
    );
    folder
}

fn of_file(action: &str, file: &Path) -> String {
    let mut script = Command::new(cache().join("venv/bin/python3"));
    output(
        script
            .arg(root().join("tests/clients/released.py"))
            .arg(action)
            .arg(file),
    )
}

fn check(node: &Node) {
    let said = succeeds("python3", &["released.py", "check", &node.url("")], node);
    assert_eq!(said, "ok check\n");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_data_folder_of_every_release_is_opened_and_nothing_is_missing() {
    let fresh = tempfile::tempdir().unwrap();
    Node::serve(fresh.path()).kill();
    for release in releases() {
        let folder = unpacked(&release.join("sqlite.tar.gz"));
        let data = folder.path().join("data");
        assert_eq!(of_file("empty", &data.join("node.db")), AT_REST_EMPTY);
        let node = Node::serve(&data);
        check(&node);
        node.kill();
        // a migration that is changed after its release reaches new databases only
        let (old, new) = (data.join("node.db"), fresh.path().join("node.db"));
        assert_eq!(
            of_file("schema", &old),
            of_file("schema", &new),
            "{}",
            release.display()
        );
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_postgres_database_of_every_release_is_opened_and_nothing_is_missing() {
    let empty = tempfile::tempdir().unwrap();
    let fresh = postgres::database("fresh");
    postgres::serve(empty.path(), &fresh).kill();
    for (number, release) in releases().into_iter().enumerate() {
        let folder = unpacked(&release.join("postgres.tar.gz"));
        let database = postgres::database(&format!("released_{number}"));
        let mut psql = Command::new("psql");
        output(
            psql.args([&database, "-q", "-v", "ON_ERROR_STOP=1", "-f"])
                .arg(folder.path().join("dump.sql")),
        );
        let node = postgres::serve(&folder.path().join("data"), &database);
        check(&node);
        node.kill();
        assert_eq!(schema(&database), schema(&fresh), "{}", release.display());
    }
}

/// All statements that make the schema; comments and what only psql reads are not among them.
fn schema(database: &str) -> String {
    let dump = output(Command::new("pg_dump").args(["--schema-only", "--no-owner", database]));
    let lines = dump
        .lines()
        .filter(|line| !line.starts_with("--") && !line.starts_with('\\'));
    lines.collect::<Vec<_>>().join("\n")
}
