//! Topics of Apache Kafka as targets of the bus and of pipes, configured by boto3.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tradewind_tests::kafka::{Kafka, Options, PASSWORD, USER};
use tradewind_tests::{Node, succeeds};

use crate::kafka::{read, tls};

fn part(node: &Node, arguments: &[&str]) -> String {
    let url = node.url("");
    let mut all = vec!["kafka_targets.py", &url];
    all.extend(arguments);
    let output = succeeds("python3", &all, node);
    let end = format!("ok {}\n", arguments[0]);
    output.strip_suffix(&end).unwrap().to_owned()
}

/// A node that knows these clusters.
fn node(data: &Path, clusters: &[String]) -> Node {
    let mut arguments = vec!["serve", "--data", data.to_str().unwrap()];
    for cluster in clusters {
        arguments.extend(["--kafka", cluster]);
    }
    Node::start(Path::new("/"), &arguments)
}

/// Per key, the orders in the order of their offsets.
fn by_key(records: &[Value]) -> BTreeMap<String, Vec<(i64, i64, u64)>> {
    let mut keys = BTreeMap::<String, Vec<(i64, i64, u64)>>::new();
    for record in records {
        let value: Value = serde_json::from_str(record["value"].as_str().unwrap()).unwrap();
        let place = (
            record["partition"].as_i64().unwrap(),
            record["offset"].as_i64().unwrap(),
            value["order"].as_u64().unwrap(),
        );
        let key = record["key"].as_str().unwrap().to_owned();
        keys.entry(key).or_default().push(place);
    }
    keys
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn events_are_in_a_topic_in_order_across_kills_of_broker_and_node() {
    let mut kafka = Kafka::of_test(&Options::default());
    kafka.create_topic("orders", 3, &[]).unwrap();
    let small = [("max.message.bytes", "2000")];
    kafka.create_topic("small", 1, &small).unwrap();
    let clusters = [format!("shop={}", kafka.bootstrap())];
    let data = tempfile::tempdir().unwrap();
    let running = node(data.path(), &clusters);
    for name in ["configure", "first", "refused", "piped"] {
        part(&running, &[name]);
    }
    assert_eq!(read(&kafka.bootstrap(), "orders", 200).len(), 200);
    let small = read(&kafka.bootstrap(), "small", 1);
    assert_eq!(small[0]["value"], r#"{"n":1}"#);
    let piped = read(&kafka.bootstrap(), "piped", 10);
    assert!(
        piped.iter().any(|record| record["key"] == "c7"
            && record["value"].as_str().unwrap().replace(" ", "") == r#"{"n":7}"#),
        "{piped:?}"
    );
    kafka.kill().unwrap();
    part(&running, &["second"]);
    running.kill();
    kafka.restart().unwrap();
    let running = node(data.path(), &clusters);
    let orders = by_key(&read(&kafka.bootstrap(), "orders", 400));
    assert_eq!(orders.len(), 7);
    for (key, mut places) in orders {
        let partition = places[0].0;
        assert!(
            places.iter().all(|place| place.0 == partition),
            "{key}: {places:?}"
        );
        places.sort_by_key(|place| place.1);
        let numbers: Vec<u64> = places.iter().map(|place| place.2).collect();
        let first: u64 = key.get(1..).unwrap().parse().unwrap();
        let expected: Vec<u64> = (0..400).filter(|number| number % 7 == first).collect();
        assert_eq!(numbers, expected, "{key}");
    }
    let (status, _) = running.interrupt();
    assert!(status.success());
}

/// A broker with passwords and TLS, and the file of who signed its certificate.
fn with_tls(has_expired: bool, ca: &Path) -> (Kafka, String) {
    let tls = tls(has_expired);
    std::fs::write(ca, &tls.ca).unwrap();
    let kafka = Kafka::of_test(&Options {
        sasl: true,
        tls: Some(tls),
        ..Options::default()
    });
    (kafka, ca.display().to_string())
}

/// What the dead-letter queue of a cluster's rule says.
fn letter(node: &Node, cluster: &str) -> Value {
    serde_json::from_str(&part(node, &["letter", cluster])).unwrap()
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_broker_is_asked_by_password_and_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (kafka, ca) = with_tls(false, &folder.path().join("ca.pem"));
    let (expired, its_ca) = with_tls(true, &folder.path().join("other.pem"));
    let (plain, both, past) = (kafka.sasl(), kafka.sasl_tls(), expired.sasl_tls());
    let clusters = [
        format!("plain={plain}?security=SASL_PLAINTEXT&mechanism=PLAIN&secret=right"),
        format!("scram={plain}?security=SASL_PLAINTEXT&mechanism=SCRAM-SHA-256&secret=right"),
        format!("scram_tls={both}?security=SASL_SSL&secret=right&ca={ca}"),
        format!("wrong={both}?security=SASL_SSL&secret=wrong&ca={ca}"),
        format!("missing={both}?security=SASL_SSL&secret=nowhere&ca={ca}"),
        format!("foreign={both}?security=SASL_SSL&secret=right&ca={its_ca}"),
        format!("expired={past}?security=SASL_SSL&secret=right&ca={its_ca}"),
    ];
    let names = [
        "plain",
        "scram",
        "scram_tls",
        "wrong",
        "missing",
        "foreign",
        "expired",
    ];
    let data = tempfile::tempdir().unwrap();
    let node = node(data.path(), &clusters);
    part(&node, &[&["logins", USER, PASSWORD][..], &names].concat());
    for name in ["plain", "scram", "scram_tls"] {
        assert_eq!(read(&kafka.bootstrap(), name, 1).len(), 1);
    }
    for (name, reason) in [
        ("wrong", "SASL authentication failed"),
        ("missing", "Secret is not usable: there is no such secret"),
        ("foreign", "Lambda failed to authenticate server"),
        ("expired", "Lambda failed to authenticate server"),
    ] {
        let letter = letter(&node, name);
        assert_eq!(letter["ERROR_MESSAGE"], reason, "{letter}");
        assert_eq!(letter["ERROR_CODE"], "NO_PERMISSIONS", "{letter}");
    }
}
