//! Disks that fail under the real binary, at each step of a write: what was acknowledged is there afterwards, what
//! was refused is whole or not there at all. `cargo xtask chaos store --faults` is the long form.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tradewind_tests::{Answer, Call, Fault, Faults, Node, request, until};

/// Larger than what is kept in a row: its content is a file.
const LARGE: usize = 70_000;
/// More calls of one kind than a write has.
const TOO_MANY: u64 = 100;

/// A data folder, and the disk below it.
struct Disk {
    folder: TempDir,
    faults: Faults,
}

impl Disk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let faults = Faults::build(folder.path());
        Self { folder, faults }
    }

    /// A node on it, with a queue and a bucket.
    fn node(&self) -> Node {
        let data = self.folder.path().join("data");
        let arguments = ["serve", "--data", data.to_str().unwrap()];
        let node = Node::start_with(Path::new("/"), &arguments, |command| {
            self.faults.within(command);
        });
        let queue = sqs(&node, "CreateQueue", &json!({ "QueueName": "orders" })).unwrap();
        assert_eq!(queue.status, 200, "{}", queue.text());
        let bucket = request("PUT", &node.url("/shop"), &[], b"").unwrap();
        assert!(matches!(bucket.status, 200 | 409), "{}", bucket.text());
        node
    }
}

fn sqs(node: &Node, action: &str, body: &Value) -> Option<Answer> {
    let target = format!("AmazonSQS.{action}");
    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", &*target),
    ];
    request("POST", &node.url("/"), &headers, body.to_string().as_bytes())
}

/// What was answered, if anything.
fn send(node: &Node, body: &str) -> Option<u16> {
    let queue = node.url("/000000000000/orders");
    let answer = sqs(
        node,
        "SendMessage",
        &json!({ "QueueUrl": queue, "MessageBody": body }),
    );
    answer.map(|answer| answer.status)
}

/// Large, and another one for each number.
fn numbered(number: u32) -> Vec<u8> {
    number.to_le_bytes().repeat(LARGE / 4)
}

fn put(node: &Node, content: &[u8]) -> Option<u16> {
    let answer = request("PUT", &node.url("/shop/mug"), &[], content);
    answer.map(|answer| answer.status)
}

/// Every message of the queue.
fn messages(node: &Node) -> BTreeSet<String> {
    let queue = node.url("/000000000000/orders");
    let receive = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600 });
    let mut all = BTreeSet::new();
    loop {
        let answer = sqs(node, "ReceiveMessage", &receive).unwrap().json();
        let bodies = answer["Messages"].as_array().into_iter().flatten();
        let bodies: Vec<_> = bodies.map(|m| m["Body"].as_str().unwrap().to_owned()).collect();
        if bodies.is_empty() {
            return all;
        }
        for body in bodies {
            assert!(all.insert(body), "a message is there twice");
        }
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_write_that_the_disk_did_not_confirm_ends_the_node_and_nothing_acknowledged_is_lost() {
    let disk = Disk::new();
    let mut node = disk.node();
    let mut acknowledged = BTreeSet::new();
    for number in 0..5 {
        assert_eq!(send(&node, &format!("before {number}")), Some(200));
        acknowledged.insert(format!("before {number}"));
    }
    disk.faults.plan(Call::Sync, Fault::Broken, 0, "node.db");
    let status = send(&node, "refused");
    assert!(status.is_none_or(|status| status >= 500), "{status:?}");
    assert!(disk.faults.hit());
    // the disk confirms again, which means nothing
    disk.faults.clear();
    let later = send(&node, "later");
    assert!(later.is_none_or(|status| status >= 500), "{later:?}");
    until("the end of the node", || node.has_ended().then_some(()));
    let (status, output) = node.ended();
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(
        output.contains("error: the disk did not confirm a write"),
        "{output}"
    );
    assert!(output.contains("hint: "), "{output}");
    let left = messages(&disk.node());
    let lost: Vec<_> = acknowledged.difference(&left).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(!left.contains("later"), "it was refused before it was written");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_disk_that_is_full_or_fails_refuses_writes_and_the_node_lives_on() {
    let disk = Disk::new();
    let node = disk.node();
    assert_eq!(put(&node, &[1; LARGE]), Some(200));
    let mut acknowledged = BTreeSet::new();
    for (call, fault) in [
        (Call::Write, Fault::Full),
        (Call::Write, Fault::Broken),
        (Call::Create, Fault::Full),
    ] {
        disk.faults.plan(call, fault, 0, "/data/");
        let status = put(&node, &[2; LARGE]).unwrap();
        assert!(status >= 500, "{call:?} {fault:?}: {status}");
        assert!(fault != Fault::Full || status == 507, "{call:?}: {status}");
        assert!(disk.faults.hit());
        let body = format!("{call:?} {fault:?}");
        let status = send(&node, &body).unwrap();
        // what needs no new file goes on
        assert_eq!(status >= 500, call == Call::Write, "{call:?} {fault:?}: {status}");
        if status == 200 {
            acknowledged.insert(body);
        }
        let old = request("GET", &node.url("/shop/mug"), &[], b"").unwrap();
        assert!(
            old.body == [1; LARGE],
            "{call:?} {fault:?}: what was there is gone"
        );
        disk.faults.clear();
        let body = format!("after {call:?} {fault:?}");
        assert_eq!(send(&node, &body), Some(200));
        acknowledged.insert(body);
    }
    assert_eq!(put(&node, &[3; LARGE]), Some(200));
    node.kill();
    let node = disk.node();
    assert_eq!(messages(&node), acknowledged);
    let new = request("GET", &node.url("/shop/mug"), &[], b"").unwrap();
    assert!(new.body == [3; LARGE]);
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_node_that_dies_at_any_step_of_a_write_leaves_the_old_or_the_new() {
    let disk = Disk::new();
    let mut node = disk.node();
    let mut steps = 0;
    for call in Call::ALL {
        for after in 0.. {
            assert!(after < TOO_MANY, "{call:?}: a write does not end");
            let (old, new) = (numbered(2 * steps), numbered(2 * steps + 1));
            assert_eq!(put(&node, &old), Some(200));
            disk.faults.plan(call, Fault::Killed, after, "/data/");
            let acknowledged = put(&node, &new);
            let died = disk.faults.hit();
            disk.faults.clear();
            node.kill();
            node = disk.node();
            let found = request("GET", &node.url("/shop/mug"), &[], b"").unwrap();
            let (old, new) = (found.body == old, found.body == new);
            assert!(old || new, "{call:?} {after}: half of it");
            assert!(
                acknowledged.is_none() || new,
                "{call:?} {after}: it was acknowledged"
            );
            steps += 1;
            if !died {
                assert_eq!(acknowledged, Some(200), "{call:?} {after}");
                break;
            }
        }
    }
    assert!(
        usize::try_from(steps).unwrap() > Call::ALL.len() + 5,
        "a write has more than {steps} steps"
    );
}
