//! Topics of real Kafka to functions: boto3 and the AWS CLI, unmodified, against `tradewind serve`.

use tradewind_tests::kafka::{Kafka, Options};
use tradewind_tests::{Node, succeeds};

fn part(name: &str, node: &Node, kafka: &Kafka) {
    let arguments = ["kafka_mappings.py", &node.url(""), &kafka.bootstrap(), name];
    assert_eq!(succeeds("python3", &arguments, node), format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn every_record_is_handled_in_order_though_the_node_is_killed() {
    let kafka = Kafka::of_test(&Options::default());
    kafka.create_topic("orders", 3, &[]).unwrap();
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("load", &node, &kafka);
    node.kill();
    let node = Node::serve(data.path());
    part("settled", &node, &kafka);
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn mappings_begin_at_a_time_and_give_up_what_is_old_or_broken() {
    let kafka = Kafka::of_test(&Options::default());
    for (topic, partitions) in [("since", 2), ("aged", 1), ("broken", 1), ("graveyard", 1)] {
        kafka.create_topic(topic, partitions, &[]).unwrap();
    }
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    for name in ["since", "aged", "graveyard"] {
        part(name, &node, &kafka);
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn who_loses_a_partition_while_a_batch_runs_commits_nothing_of_it() {
    let kafka = Kafka::of_test(&Options::default());
    kafka.create_topic("taken", 2, &[]).unwrap();
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("taken", &node, &kafka);
}
