//! What is accepted, what is refused, and in which words.

use super::*;
use crate::model::RedrivePermission;

fn given(pairs: &[(&str, &str)]) -> Given {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn standard(pairs: &[(&str, &str)]) -> Result<QueueAttributes, SqsError> {
    QueueAttributes::of_new(false, &given(pairs))
}

fn fifo(pairs: &[(&str, &str)]) -> Result<QueueAttributes, SqsError> {
    let mut given = given(pairs);
    given.insert("FifoQueue".into(), "true".into());
    QueueAttributes::of_new(true, &given)
}

#[test]
fn ranges_are_inclusive() {
    for (name, low, high) in [
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
        ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
    ] {
        for right in [low, high] {
            assert!(standard(&[(name, &right.to_string())]).is_ok(), "{name} {right}");
        }
        for wrong in [
            (low - 1).to_string(),
            (high + 1).to_string(),
            "x".into(),
            String::new(),
            "1.5".into(),
        ] {
            let error = standard(&[(name, &wrong)]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("Invalid value for the parameter {name}."),
                "{wrong}"
            );
        }
    }
}

#[test]
fn defaults_are_awss_but_for_encryption() {
    let texts = standard(&[]).unwrap().texts();
    assert_eq!(
        texts
            .iter()
            .map(|(name, text)| format!("{name}={text}"))
            .collect::<Vec<_>>(),
        [
            "DelaySeconds=0",
            "MaximumMessageSize=1048576",
            "MessageRetentionPeriod=345600",
            "ReceiveMessageWaitTimeSeconds=0",
            "SqsManagedSseEnabled=false",
            "VisibilityTimeout=30",
        ]
    );
    let texts = fifo(&[]).unwrap().texts();
    for expected in [
        ("DeduplicationScope", "queue"),
        ("FifoThroughputLimit", "perQueue"),
        ("FifoQueue", "true"),
    ] {
        assert!(
            texts.contains(&(expected.0, expected.1.to_owned())),
            "{expected:?}"
        );
    }
}

#[test]
fn attributes_of_fifo_queues_are_theirs_alone() {
    for (name, value, text) in [
        ("FifoQueue", "false", "Unknown Attribute FifoQueue."),
        (
            "ContentBasedDeduplication",
            "true",
            "Unknown Attribute ContentBasedDeduplication.",
        ),
        (
            "DeduplicationScope",
            "queue",
            "You can specify the DeduplicationScope only when FifoQueue is set to true.",
        ),
        (
            "FifoThroughputLimit",
            "perQueue",
            "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
        ),
        ("Nonsense", "1", "Unknown Attribute Nonsense."),
        ("QueueArn", "x", "Unknown Attribute QueueArn."),
    ] {
        let error = standard(&[(name, value)]).unwrap_err();
        assert!(matches!(error, SqsError::InvalidAttributeName(_)), "{error:?}");
        assert_eq!(error.to_string(), text);
    }
    assert!(
        QueueAttributes::of_new(true, &given(&[])).is_err(),
        "a FIFO name without the attribute"
    );
    assert!(QueueAttributes::of_new(false, &given(&[("FifoQueue", "true")])).is_err());
}

#[test]
fn the_kind_of_a_queue_stays() {
    let queue = fifo(&[]).unwrap();
    assert_eq!(queue.changed_by(&given(&[("FifoQueue", "true")])).unwrap(), queue);
    let error = queue.changed_by(&given(&[("FifoQueue", "false")])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Modifying queue type is not supported"),
        "{error}"
    );
}

#[test]
fn high_throughput_needs_deduplication_by_group() {
    assert!(fifo(&[("FifoThroughputLimit", "perMessageGroupId")]).is_err());
    let high = [
        ("DeduplicationScope", "messageGroup"),
        ("FifoThroughputLimit", "perMessageGroupId"),
    ];
    let queue = fifo(&high).unwrap();
    assert!(
        queue
            .changed_by(&given(&[("DeduplicationScope", "queue")]))
            .is_err()
    );
}

#[test]
fn keys_of_kms_are_refused_by_name_and_their_absence_passes() {
    let error = standard(&[("KmsMasterKeyId", "alias/aws/sqs")])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("KmsMasterKeyId") && error.contains("no KMS"),
        "{error}"
    );
    assert_eq!(
        standard(&[("KmsMasterKeyId", "")]).unwrap(),
        QueueAttributes::default()
    );
}

#[test]
fn encryption_is_off_until_it_is_asked_for() {
    let on = standard(&[("SqsManagedSseEnabled", "true")]).unwrap();
    assert!(on.texts().contains(&("SqsManagedSseEnabled", "true".to_owned())));
    let off = on.changed_by(&given(&[("SqsManagedSseEnabled", "false")]));
    assert_eq!(off.unwrap(), QueueAttributes::default());
}

#[test]
fn redrive_policies_are_parsed() {
    let arn = "arn:aws:sqs:us-east-1:000000000000:dlq";
    for count in ["3", "\"3\""] {
        let text = format!("{{\"deadLetterTargetArn\": \"{arn}\", \"maxReceiveCount\": {count}}}");
        let queue = standard(&[("RedrivePolicy", &text)]).unwrap();
        let policy = queue.redrive.clone().unwrap();
        assert_eq!((policy.target.as_str(), policy.max_receives), (arn, 3));
        assert_eq!(policy.text, text, "it is given back as it came");
        assert_eq!(
            queue
                .changed_by(&given(&[("RedrivePolicy", "")]))
                .unwrap()
                .redrive,
            None
        );
    }
    for (text, reason) in [
        (
            "{\"deadLetterTargetArn\": \"dummy\", \"maxReceiveCount\": 42}",
            "Invalid value for deadLetterTargetArn.",
        ),
        (
            "{\"maxReceiveCount\": 42}",
            "mandatory attribute: deadLetterTargetArn",
        ),
        ("[]", "not a valid JSON map"),
        ("{", "not a valid JSON map"),
    ] {
        let error = standard(&[("RedrivePolicy", text)]).unwrap_err();
        assert!(matches!(error, SqsError::InvalidParameterValue(_)), "{error:?}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("Value {text} for parameter RedrivePolicy is invalid."))
        );
        assert!(error.to_string().contains(reason), "{error}");
    }
    for count in ["0", "1001", "-1", "\"x\"", "null", "1.5"] {
        let text = format!("{{\"deadLetterTargetArn\": \"{arn}\", \"maxReceiveCount\": {count}}}");
        assert!(standard(&[("RedrivePolicy", &text)]).is_err(), "{count}");
    }
}

#[test]
fn allow_policies_are_parsed() {
    let arn = "arn:aws:sqs:us-east-1:000000000000:source";
    let by_queue = format!("{{\"redrivePermission\": \"byQueue\", \"sourceQueueArns\": [\"{arn}\"]}}");
    let policy = standard(&[("RedriveAllowPolicy", &by_queue)])
        .unwrap()
        .redrive_allow
        .unwrap();
    assert_eq!(policy.permission, RedrivePermission::ByQueue(vec![arn.into()]));
    assert!(policy.allows(arn) && !policy.allows("arn:aws:sqs:us-east-1:000000000000:other"));
    for wrong in [
        "{\"redrivePermission\": \"byQueue\"}",
        "{\"redrivePermission\": \"byQueue\", \"sourceQueueArns\": [\"x\"]}",
        "{\"redrivePermission\": \"denyAll\", \"sourceQueueArns\": []}",
        "{\"redrivePermission\": \"some\"}",
        "{}",
    ] {
        assert!(standard(&[("RedriveAllowPolicy", wrong)]).is_err(), "{wrong}");
    }
}

#[test]
fn policies_are_kept_as_they_are() {
    let text = "{ \"Statement\": [] }";
    assert_eq!(
        standard(&[("Policy", text)]).unwrap().policy.as_deref(),
        Some(text)
    );
    assert_eq!(standard(&[("Policy", "")]).unwrap().policy, None);
    for wrong in ["x", "{}", "[]"] {
        assert!(standard(&[("Policy", wrong)]).is_err(), "{wrong}");
    }
}

#[test]
fn a_queue_differs_only_in_what_was_asked_for() {
    let queue = standard(&[("DelaySeconds", "5")]).unwrap();
    let other = given(&[("DelaySeconds", "6")]);
    let wanted = QueueAttributes::of_new(false, &other).unwrap();
    assert_eq!(queue.difference(&wanted, &other).as_deref(), Some("DelaySeconds"));
    assert_eq!(queue.difference(&QueueAttributes::default(), &given(&[])), None);
}
