//! Queues themselves: making, finding, changing, listing, deleting.

use serde_json::{Value, json};
use tradewind_store::queue::{NewMessage, QueueId, QueueSettings};

use crate::testing::World;

const URL: &str = "http://localhost:4566/000000000000/orders";

#[tokio::test]
async fn a_queue_is_made_found_and_deleted() {
    let world = World::new().await;
    assert_eq!(world.queue("orders", json!({})).await, URL);
    assert_eq!(
        world.ok("GetQueueUrl", json!({"QueueName": "orders"})).await["QueueUrl"],
        URL
    );
    assert_eq!(world.ok("ListQueues", json!({})).await["QueueUrls"], json!([URL]));
    world.ok("DeleteQueue", json!({"QueueUrl": URL})).await;
    for (action, parameters) in [
        ("GetQueueUrl", json!({"QueueName": "orders"})),
        ("DeleteQueue", json!({"QueueUrl": URL})),
        ("SendMessage", json!({"QueueUrl": URL, "MessageBody": "x"})),
        ("GetQueueAttributes", json!({"QueueUrl": URL})),
    ] {
        let (code, text) = world.refused(action, parameters).await;
        assert_eq!(
            (code.as_str(), text.as_str()),
            ("QueueDoesNotExist", "The specified queue does not exist.")
        );
    }
    assert_eq!(world.ok("ListQueues", json!({})).await, json!({}));
}

#[tokio::test]
async fn the_name_of_a_deleted_queue_is_free_after_a_minute_also_over_a_restart() {
    let mut world = World::new().await;
    world.queue("orders", json!({})).await;
    world.ok("DeleteQueue", json!({"QueueUrl": URL})).await;
    world.restart().await;
    world.pass(59);
    let (code, _) = world.refused("CreateQueue", json!({"QueueName": "orders"})).await;
    assert_eq!(code, "QueueDeletedRecently");
    world.pass(1);
    world.queue("orders", json!({})).await;
}

#[tokio::test]
async fn making_a_queue_again_is_idempotent_unless_it_differs() {
    let world = World::new().await;
    world.queue("orders", json!({"DelaySeconds": "5"})).await;
    for same in [
        json!({}),
        json!({"DelaySeconds": "5"}),
        json!({"VisibilityTimeout": "30"}),
    ] {
        assert_eq!(world.queue("orders", same).await, URL);
    }
    let other = json!({"QueueName": "orders", "Attributes": {"DelaySeconds": "6"}});
    let (code, text) = world.refused("CreateQueue", other.clone()).await;
    assert_eq!(code, "QueueNameExists");
    assert_eq!(
        text,
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    );
    let answer = world.call("CreateQueue", other).await;
    assert_eq!(answer.headers["x-amzn-query-error"], "QueueAlreadyExists;Sender");
}

#[tokio::test]
async fn attributes_are_set_and_read_also_after_a_restart() {
    let mut world = World::new().await;
    world.queue("orders", json!({"VisibilityTimeout": "7"})).await;
    world.pass(10);
    let set = json!({"QueueUrl": URL, "Attributes": {"DelaySeconds": "3", "Policy": "{\"Statement\":[]}"}});
    world.ok("SetQueueAttributes", set).await;
    world.restart().await;
    let all = world
        .ok(
            "GetQueueAttributes",
            json!({"QueueUrl": URL, "AttributeNames": ["All"]}),
        )
        .await;
    let expected = json!({
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "CreatedTimestamp": "1700000000",
        "DelaySeconds": "3",
        "LastModifiedTimestamp": "1700000010",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "Policy": "{\"Statement\":[]}",
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:orders",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "false",
        "VisibilityTimeout": "7",
    });
    assert_eq!(all["Attributes"], expected);
    let some = json!({"QueueUrl": URL, "AttributeNames": ["QueueArn", "RedrivePolicy"]});
    let some = world.ok("GetQueueAttributes", some).await;
    assert_eq!(
        some["Attributes"],
        json!({"QueueArn": "arn:aws:sqs:us-east-1:000000000000:orders"})
    );
    assert_eq!(
        world.ok("GetQueueAttributes", json!({"QueueUrl": URL})).await,
        json!({})
    );
    let unknown = json!({"QueueUrl": URL, "AttributeNames": ["Nonsense"]});
    assert_eq!(
        world.refused("GetQueueAttributes", unknown).await.0,
        "InvalidAttributeName"
    );
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let world = World::new().await;
    world.queue("orders", json!({})).await;
    let set = json!({"QueueUrl": URL, "Attributes": {"DelaySeconds": "3", "VisibilityTimeout": "43201"}});
    assert_eq!(
        world.refused("SetQueueAttributes", set).await.0,
        "InvalidAttributeValue"
    );
    let delay = json!({"QueueUrl": URL, "AttributeNames": ["DelaySeconds"]});
    assert_eq!(
        world.ok("GetQueueAttributes", delay).await["Attributes"]["DelaySeconds"],
        "0"
    );
}

#[tokio::test]
async fn lists_have_a_prefix_and_pages() {
    let world = World::new().await;
    for name in ["a-1", "a-2", "a-3", "b"] {
        world.queue(name, json!({})).await;
    }
    let first = world
        .ok("ListQueues", json!({"QueueNamePrefix": "a-", "MaxResults": 2}))
        .await;
    assert_eq!(first["QueueUrls"].as_array().unwrap().len(), 2);
    let next = json!({"QueueNamePrefix": "a-", "MaxResults": 2, "NextToken": first["NextToken"]});
    let rest = world.ok("ListQueues", next).await;
    assert_eq!(
        rest,
        json!({"QueueUrls": ["http://localhost:4566/000000000000/a-3"]})
    );
}

#[tokio::test]
async fn dead_letter_queues_are_checked_and_know_their_sources() {
    let world = World::new().await;
    let dlq = world.queue("dlq", json!({})).await;
    let redrive = |target: &str| {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{target}");
        json!({"RedrivePolicy": format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":1}}")})
    };
    world.queue("orders", redrive("dlq")).await;
    let sources = world
        .ok("ListDeadLetterSourceQueues", json!({"QueueUrl": dlq}))
        .await;
    assert_eq!(sources, json!({"queueUrls": [URL]}));
    let missing = json!({"QueueName": "other", "Attributes": redrive("nobody")});
    let (code, text) = world.refused("CreateQueue", missing).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(text.ends_with("Dead letter target does not exist."), "{text}");
    let deny =
        json!({"QueueUrl": dlq, "Attributes": {"RedriveAllowPolicy": "{\"redrivePermission\":\"denyAll\"}"}});
    world.ok("SetQueueAttributes", deny).await;
    let denied = json!({"QueueName": "other", "Attributes": redrive("dlq")});
    assert!(
        world
            .refused("CreateQueue", denied)
            .await
            .1
            .contains("RedriveAllowPolicy")
    );
    let mut fifo = redrive("dlq");
    fifo["FifoQueue"] = json!("true");
    let fifo = json!({"QueueName": "other.fifo", "Attributes": fifo});
    assert!(
        world
            .refused("CreateQueue", fifo)
            .await
            .1
            .contains("same type of queue")
    );
}

#[tokio::test]
async fn tags_come_and_go() {
    let world = World::new().await;
    world
        .ok("CreateQueue", json!({"QueueName": "orders", "tags": {"a": "1"}}))
        .await;
    world
        .ok("TagQueue", json!({"QueueUrl": URL, "Tags": {"b": "", "a": "2"}}))
        .await;
    let tags = || world.ok("ListQueueTags", json!({"QueueUrl": URL}));
    assert_eq!(tags().await, json!({"Tags": {"a": "2", "b": ""}}));
    world
        .ok("UntagQueue", json!({"QueueUrl": URL, "TagKeys": ["a", "b", "c"]}))
        .await;
    assert_eq!(tags().await, json!({}));
    let many: Value = (0..51).map(|n| (n.to_string(), Value::from("x"))).collect();
    let many = json!({"QueueUrl": URL, "Tags": many});
    assert_eq!(
        world.refused("TagQueue", many).await.0,
        "InvalidParameterValueException"
    );
}

#[tokio::test]
async fn permissions_become_statements_of_the_policy() {
    let world = World::new().await;
    world.queue("orders", json!({})).await;
    let add =
        json!({"QueueUrl": URL, "Label": "l", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]});
    world.ok("AddPermission", add).await;
    let policy = || {
        world.ok(
            "GetQueueAttributes",
            json!({"QueueUrl": URL, "AttributeNames": ["Policy"]}),
        )
    };
    assert!(
        policy().await["Attributes"]["Policy"]
            .as_str()
            .unwrap()
            .contains("SQS:SendMessage")
    );
    world
        .ok("RemovePermission", json!({"QueueUrl": URL, "Label": "l"}))
        .await;
    assert_eq!(policy().await, json!({}));
}

#[tokio::test]
async fn a_queue_is_purged_once_a_minute() {
    let world = World::new().await;
    world.queue("orders", json!({})).await;
    world
        .ok("SendMessage", json!({"QueueUrl": URL, "MessageBody": "x"}))
        .await;
    world.ok("PurgeQueue", json!({"QueueUrl": URL})).await;
    assert_eq!(world.receive(URL).await, []);
    let answer = world.call("PurgeQueue", json!({"QueueUrl": URL})).await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.json()["message"],
        "Only one PurgeQueue operation on orders is allowed every 60 seconds."
    );
    world.pass(60);
    world.ok("PurgeQueue", json!({"QueueUrl": URL})).await;
}

#[tokio::test]
async fn what_a_crash_left_between_rows_and_store_is_mended() {
    let mut world = World::new().await;
    world.queue("orders", json!({"DelaySeconds": "3"})).await;
    let id = |name: &str| QueueId::new(&format!("arn:aws:sqs:us-east-1:000000000000:{name}"));
    let settings = QueueSettings::standard();
    let store = world.service.queues().clone();
    store.create(&id("half"), &settings).await.unwrap();
    let sent = NewMessage {
        body: b"old".to_vec(),
        ..NewMessage::default()
    };
    store.send(&id("half"), vec![sent]).await.unwrap();
    let half = world.queue("half", json!({})).await;
    assert_eq!(world.receive(&half).await, [], "it is a new queue");
    store.create(&id("leftover"), &settings).await.unwrap();
    store.update(&id("orders"), &settings).await.unwrap();
    store.delete(&id("half")).await.unwrap();
    world.restart().await;
    assert!(store.settings(&id("leftover")).await.is_err());
    assert_eq!(store.settings(&id("orders")).await.unwrap().delay.as_secs(), 3);
    assert_eq!(world.receive(&half).await, []);
}

#[tokio::test]
async fn requests_that_are_none_say_why() {
    let world = World::new().await;
    world.queue("orders", json!({})).await;
    for (action, parameters, code) in [
        ("CreateQueue", json!({}), "MissingRequiredParameterException"),
        (
            "CreateQueue",
            json!({"QueueName": "a b"}),
            "InvalidParameterValueException",
        ),
        (
            "SendMessage",
            json!({"MessageBody": "x"}),
            "MissingRequiredParameterException",
        ),
        ("SendMessage", json!({"QueueUrl": 7}), "SerializationException"),
        ("SendMessage", json!({"QueueUrl": "http://h/q"}), "InvalidAddress"),
        ("Nonsense", json!({}), "InvalidAction"),
    ] {
        assert_eq!(world.refused(action, parameters).await.0, code, "{action}");
    }
}

#[tokio::test]
async fn the_query_protocol_asks_and_answers_in_its_own_way() {
    let world = World::new().await;
    let form = "Action=CreateQueue&Version=2012-11-05&QueueName=orders&Attribute.1.Name=DelaySeconds&Attribute.1.Value=0";
    let made = world.query("/", form).await;
    assert_eq!(made.headers["content-type"], "text/xml");
    let text = made.text();
    assert!(
        text.starts_with("<CreateQueueResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">"),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "<CreateQueueResult><QueueUrl>{URL}</QueueUrl></CreateQueueResult>"
        )),
        "{text}"
    );
    let sent = world
        .query(
            "/000000000000/orders",
            "Action=SendMessage&MessageBody=a%0D%0A%3Cb%3E",
        )
        .await;
    assert!(sent.text().contains("<MD5OfMessageBody>"), "{}", sent.text());
    let received = world
        .query(
            "/000000000000/orders",
            "Action=ReceiveMessage&AttributeName.1=All",
        )
        .await;
    let text = received.text();
    assert!(text.contains("<Body>a&#13;\n&lt;b&gt;</Body>"), "{text}");
    assert!(
        text.contains("<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>"),
        "{text}"
    );
    let deleted = world.query("/000000000000/orders", "Action=DeleteQueue").await;
    assert!(
        deleted.text().contains("<DeleteQueueResponse"),
        "{}",
        deleted.text()
    );
    let gone = world.query("/000000000000/orders", "Action=ReceiveMessage").await;
    assert_eq!(gone.status, 400);
    assert!(
        gone.text()
            .contains("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"),
        "{}",
        gone.text()
    );
    assert!(gone.text().contains("for this wsdl version."), "{}", gone.text());
}
