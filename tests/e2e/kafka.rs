//! Apache Kafka, real: the broker that the other tests lean on does what they take for granted.

use std::process::Command;

use serde_json::Value;
use tradewind_tests::kafka::{Kafka, Options, PASSWORD, Tls, USER};
use tradewind_tests::{cache, root, stderr, stdout};

/// What the client prints; none when it fails.
fn client(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(cache().join("venv/bin/python3"))
        .arg("kafka_client.py")
        .args(arguments)
        .current_dir(root().join("tests/clients"))
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(stdout(&output)),
        false => Err(stderr(&output)),
    }
}

#[track_caller]
pub(crate) fn read(bootstrap: &str, topic: &str, count: usize) -> Vec<Value> {
    let lines = client(&["read", bootstrap, topic, &count.to_string()]).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn records_outlive_a_kill_of_the_broker() {
    let mut kafka = Kafka::of_test(&Options::default());
    kafka.create_topic("kept", 2, &[("retention.ms", "-1")]).unwrap();
    kafka.create_topic("kept", 2, &[]).unwrap_err();
    client(&["write", &kafka.bootstrap(), "kept", "20"]).unwrap();
    kafka.kill().unwrap();
    kafka.restart().unwrap();
    let records = read(&kafka.bootstrap(), "kept", 20);
    assert!(records.iter().any(|record| record["partition"] == 1));
    kafka.delete_topic("kept").unwrap();
    kafka.delete_topic("kept").unwrap_err();
    let folder = kafka.data();
    drop(kafka);
    assert!(!folder.exists());
}

/// The certificate of a broker on `localhost` by an authority of its own.
pub(crate) fn tls(has_expired: bool) -> Tls {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "authority of the tests");
    let ca = authority.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut broker = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
    if has_expired {
        broker.not_after = rcgen::date_time_ymd(2020, 1, 1);
        broker.not_before = rcgen::date_time_ymd(2019, 1, 1);
    }
    let chain = broker.signed_by(&key, &issuer).unwrap().pem();
    Tls {
        ca,
        chain,
        key: key.serialize_pem(),
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn only_who_knows_the_password_gets_in() {
    let tls = tls(false);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &tls.ca).unwrap();
    let ca = format!("ssl.ca.location={}", ca.display());
    let kafka = Kafka::of_test(&Options {
        sasl: true,
        tls: Some(tls),
        ..Options::default()
    });
    let name = format!("sasl.username={USER}");
    let right = format!("sasl.password={PASSWORD}");
    for (bootstrap, protocol) in [(kafka.sasl(), "SASL_PLAINTEXT"), (kafka.sasl_tls(), "SASL_SSL")] {
        let protocol = format!("security.protocol={protocol}");
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let mechanism = format!("sasl.mechanism={mechanism}");
            let with = |password| {
                client(&[
                    "write", &bootstrap, "safe", "1", &protocol, &mechanism, &name, password, &ca,
                ])
            };
            with(&right).unwrap();
            let refused = with("sasl.password=wrong").unwrap_err();
            assert!(refused.contains("_AUTHENTICATION"), "{refused}");
        }
    }
}
