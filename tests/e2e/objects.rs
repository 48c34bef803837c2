//! Objects: boto3 and the AWS CLI, unmodified, and a node that is killed under them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use tradewind_tests::{Node, client, stdout, succeeds};

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_finds_s3s_objects() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let output = succeeds("python3", &["s3_objects.py", &node.url(""), "all"], &node);
    assert!(output.ends_with("ok lists\n"), "{output}");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_configures_buckets_and_sees_it_acted_on() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let output = succeeds("python3", &["s3_configuration.py", &node.url("")], &node);
    assert!(output.ends_with("ok forms\n"), "{output}");
    node.kill();
    let plain = files_with(data.path(), &b"secret".repeat(4));
    assert!(plain.is_empty(), "in plain text: {plain:?}");
}

/// The files below a folder that hold these bytes.
fn files_with(folder: &Path, wanted: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, wanted));
        } else if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            if content.windows(wanted.len()).any(|window| window == wanted) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_aws_cli_syncs_both_ways() {
    let data = tempfile::tempdir().unwrap();
    let work = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let [from, to] = ["from", "to"].map(|name| work.path().join(name));
    std::fs::create_dir_all(from.join("below")).unwrap();
    let files = [("below/small", 10), ("large", 9_000_000)];
    for (name, size) in files {
        std::fs::write(from.join(name), vec![b'x'; size]).unwrap();
    }
    let [from, to] = [from, to].map(|path| path.to_str().unwrap().to_owned());
    succeeds("aws", &["s3", "mb", "s3://photos"], &node);
    succeeds("aws", &["s3", "sync", &from, "s3://photos/p"], &node);
    let again = succeeds("aws", &["s3", "sync", &from, "s3://photos/p"], &node);
    assert_eq!(again, "", "everything was there");
    succeeds("aws", &["s3", "sync", "s3://photos/p", &to], &node);
    for (name, size) in files {
        let read = std::fs::read(Path::new(&to).join(name)).unwrap();
        assert!(read == vec![b'x'; size], "{name}");
    }
    succeeds("aws", &["s3", "rb", "--force", "s3://photos"], &node);
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn objects_outlive_a_killed_node() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let url = node.url("");
    let mut filler = client("python3", &["s3_objects.py", &url, "fill"], &node);
    let mut filler = || {
        filler
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut fillers: Vec<Child> = (0..4).map(|_| filler()).collect();
    let mut acknowledged = String::new();
    let mut outputs: Vec<_> = fillers
        .iter_mut()
        .map(|filler| BufReader::new(filler.stdout.take().unwrap()))
        .collect();
    for output in &mut outputs {
        for _ in 0..20 {
            output.read_line(&mut acknowledged).unwrap();
        }
    }
    node.kill();
    for output in &mut outputs {
        output.read_to_string(&mut acknowledged).unwrap();
    }
    for mut filler in fillers {
        filler.wait().unwrap();
    }
    assert!(acknowledged.lines().count() >= 80, "{acknowledged}");
    let node = Node::serve(data.path());
    let mut check = client("python3", &["s3_objects.py", &node.url(""), "check"], &node);
    let mut check = check
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(acknowledged.as_bytes())
        .unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(
        output.status.success() && stdout(&output).starts_with("ok "),
        "{}",
        stdout(&output)
    );
}
