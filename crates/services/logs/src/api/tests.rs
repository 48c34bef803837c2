//! The API as its clients see it.

use serde_json::{Value, json};

use crate::testing::{DAY_MS, NOW, World, messages};

const HOUR_MS: i64 = 60 * 60 * 1000;

fn names(answer: &Value, list: &str, name: &str) -> Vec<String> {
    let items = answer[list].as_array().unwrap();
    items
        .iter()
        .map(|item| item[name].as_str().unwrap().to_owned())
        .collect()
}

fn group_names(answer: &Value) -> Vec<String> {
    names(answer, "logGroups", "logGroupName")
}

fn stream_names(answer: &Value) -> Vec<String> {
    names(answer, "logStreams", "logStreamName")
}

#[tokio::test]
async fn groups_are_made_described_and_deleted() {
    let mut world = World::new().await;
    world
        .ok(
            "CreateLogGroup",
            json!({"logGroupName": "/b", "tags": {"team": "x"}}),
        )
        .await;
    world.ok("CreateLogGroup", json!({"logGroupName": "/a"})).await;
    let (code, text) = world
        .refused("CreateLogGroup", json!({"logGroupName": "/a"}))
        .await;
    assert_eq!(code, "ResourceAlreadyExistsException");
    assert_eq!(text, "The specified log group already exists");
    world.restart().await;
    let all = world.ok("DescribeLogGroups", json!({})).await;
    let first = json!({
        "logGroupName": "/a", "creationTime": NOW, "metricFilterCount": 0, "storedBytes": 0,
        "arn": "arn:aws:logs:us-east-1:000000000000:log-group:/a:*", "logGroupClass": "STANDARD",
        "logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:/a", "deletionProtectionEnabled": false,
    });
    assert_eq!(all["logGroups"][0], first);
    assert_eq!(group_names(&all), ["/a", "/b"]);
    world.ok("DeleteLogGroup", json!({"logGroupName": "/a"})).await;
    let (code, text) = world
        .refused("DeleteLogGroup", json!({"logGroupName": "/a"}))
        .await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(text, "The specified log group does not exist.");
}

#[tokio::test]
async fn groups_are_listed_in_pages_by_prefix_and_pattern() {
    let world = World::new().await;
    for name in ["/app/a", "/app/b", "/app/c", "/other/b"] {
        world.ok("CreateLogGroup", json!({"logGroupName": name})).await;
    }
    let page = world
        .ok(
            "DescribeLogGroups",
            json!({"logGroupNamePrefix": "/app/", "limit": 2}),
        )
        .await;
    assert_eq!(group_names(&page), ["/app/a", "/app/b"]);
    let asked = json!({"logGroupNamePrefix": "/app/", "limit": 2, "nextToken": page["nextToken"]});
    let page = world.ok("DescribeLogGroups", asked).await;
    assert_eq!(group_names(&page), ["/app/c"]);
    assert_eq!(page.get("nextToken"), None);
    let page = world
        .ok("DescribeLogGroups", json!({"logGroupNamePattern": "r/b"}))
        .await;
    assert_eq!(group_names(&page), ["/other/b"]);
    for wrong in [
        json!({"logGroupNamePattern": "a", "logGroupNamePrefix": "a"}),
        json!({"limit": 0}),
        json!({"limit": 51}),
        json!({"nextToken": "x"}),
        json!({"includeLinkedAccounts": true}),
    ] {
        let (code, _) = world.refused("DescribeLogGroups", wrong).await;
        assert_eq!(code, "InvalidParameterException");
    }
}

#[tokio::test]
async fn the_group_of_a_function_is_there_once_it_logs() {
    let mut world = World::new().await;
    world.says("f", "hello").await;
    let all = world.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(group_names(&all), ["/aws/lambda/f"]);
    assert!(all["logGroups"][0]["storedBytes"].as_u64().unwrap() > 0);
    assert_eq!(all["logGroups"][0]["creationTime"], NOW);
    let group = json!({"logGroupName": "/aws/lambda/f"});
    let streams = world.ok("DescribeLogStreams", group.clone()).await;
    assert_eq!(stream_names(&streams), ["2023/11/14/[$LATEST]0a"]);
    let taken = world.refused("CreateLogGroup", group.clone()).await;
    assert_eq!(taken.0, "ResourceAlreadyExistsException");
    let days = json!({"logGroupName": "/aws/lambda/f", "retentionInDays": 1});
    world.ok("PutRetentionPolicy", days).await;
    world.clock.advance_millis(DAY_MS + 1);
    let events = world.ok("FilterLogEvents", group.clone()).await;
    assert_eq!(messages(&events), Vec::<&str>::new());
    world.restart().await;
    let all = world.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(all["logGroups"][0]["retentionInDays"], 1);
    world.ok("DeleteRetentionPolicy", group.clone()).await;
    world.ok("DeleteLogGroup", group).await;
    assert_eq!(
        group_names(&world.ok("DescribeLogGroups", json!({})).await),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn only_allowed_retentions_and_classes_are_taken() {
    let world = World::new().await;
    world.group("/g").await;
    let days = json!({"logGroupName": "/g", "retentionInDays": 2});
    assert_eq!(
        world.refused("PutRetentionPolicy", days).await.0,
        "InvalidParameterException"
    );
    for (parameter, value) in [
        ("kmsKeyId", json!("k")),
        ("logGroupClass", json!("INFREQUENT_ACCESS")),
        ("deletionProtectionEnabled", json!(true)),
    ] {
        let asked = json!({"logGroupName": "/h", parameter: value});
        let (code, text) = world.refused("CreateLogGroup", asked).await;
        assert_eq!(code, "InvalidParameterException");
        assert!(text.contains(parameter), "{text}");
    }
    let absent = json!({"logGroupName": "/absent", "retentionInDays": 1});
    assert_eq!(
        world.refused("PutRetentionPolicy", absent).await.0,
        "ResourceNotFoundException"
    );
    let (code, text) = world.refused("CreateLogGroup", json!({})).await;
    assert_eq!(code, "InvalidParameterException");
    assert!(text.contains("'logGroupName'"), "{text}");
}

#[tokio::test]
async fn tags_are_kept_by_name_and_by_arn() {
    let mut world = World::new().await;
    world.group("/g").await;
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/g";
    world
        .ok(
            "TagResource",
            json!({"resourceArn": arn, "tags": {"a": "1", "b": "2"}}),
        )
        .await;
    world
        .ok("TagLogGroup", json!({"logGroupName": "/g", "tags": {"c": "3"}}))
        .await;
    world
        .ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a"]}))
        .await;
    world
        .ok("UntagLogGroup", json!({"logGroupName": "/g", "tags": ["b"]}))
        .await;
    world.restart().await;
    let tags = json!({"tags": {"c": "3"}});
    let by_arn = world
        .ok("ListTagsForResource", json!({"resourceArn": format!("{arn}:*")}))
        .await;
    assert_eq!(by_arn, tags);
    let by_name = world.ok("ListTagsLogGroup", json!({"logGroupName": "/g"})).await;
    assert_eq!(by_name, tags);
    let many: serde_json::Map<String, Value> = (0..50).map(|n| (n.to_string(), json!(""))).collect();
    let (code, _) = world
        .refused("TagResource", json!({"resourceArn": arn, "tags": many}))
        .await;
    assert_eq!(code, "TooManyTagsException");
    for wrong in ["arn:aws:sqs:us-east-1:000000000000:q", "/g"] {
        let (code, _) = world
            .refused("ListTagsForResource", json!({"resourceArn": wrong}))
            .await;
        assert_eq!(code, "InvalidParameterException");
    }
}

#[tokio::test]
async fn streams_are_made_ordered_paged_and_deleted() {
    let mut world = World::new().await;
    world.ok("CreateLogGroup", json!({"logGroupName": "/g"})).await;
    for name in ["a", "b", "c"] {
        let stream = json!({"logGroupName": "/g", "logStreamName": name});
        world.ok("CreateLogStream", stream.clone()).await;
        let (code, text) = world.refused("CreateLogStream", stream).await;
        assert_eq!(code, "ResourceAlreadyExistsException");
        assert_eq!(text, "The specified log stream already exists");
    }
    world.put("/g", "b", &[(-20, "x"), (-10, "y")]).await;
    world.put("/g", "a", &[(-5, "z")]).await;
    world.restart().await;
    let described = world
        .ok("DescribeLogStreams", json!({"logGroupName": "/g"}))
        .await;
    assert_eq!(stream_names(&described), ["a", "b", "c"]);
    let expected = json!({
        "logStreamName": "b", "creationTime": NOW, "firstEventTimestamp": NOW - 20,
        "lastEventTimestamp": NOW - 10, "lastIngestionTime": NOW, "storedBytes": 0,
        "arn": "arn:aws:logs:us-east-1:000000000000:log-group:/g:log-stream:b",
    });
    assert_eq!(described["logStreams"][1], expected);
    let mut asked = json!({"logGroupName": "/g", "orderBy": "LastEventTime", "descending": true, "limit": 1});
    let mut seen = Vec::new();
    loop {
        let page = world.ok("DescribeLogStreams", asked.clone()).await;
        seen.extend(stream_names(&page));
        match page.get("nextToken") {
            Some(token) => asked["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(seen, ["a", "b", "c"]);
    let prefixed = json!({"logGroupName": "/g", "logStreamNamePrefix": "b"});
    assert_eq!(
        stream_names(&world.ok("DescribeLogStreams", prefixed).await),
        ["b"]
    );
    let both = json!({"logGroupName": "/g", "logStreamNamePrefix": "b", "orderBy": "LastEventTime"});
    assert_eq!(
        world.refused("DescribeLogStreams", both).await.0,
        "InvalidParameterException"
    );
    let b = json!({"logGroupName": "/g", "logStreamName": "b"});
    world.ok("DeleteLogStream", b.clone()).await;
    let (code, text) = world.refused("DeleteLogStream", b).await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(text, "The specified log stream does not exist.");
    let rest = world.ok("FilterLogEvents", json!({"logGroupName": "/g"})).await;
    assert_eq!(messages(&rest), ["z"]);
}

#[tokio::test]
async fn put_events_are_read_in_both_directions() {
    let mut world = World::new().await;
    world.group("/g").await;
    let texts: Vec<String> = (0..7).map(|n| n.to_string()).collect();
    let events: Vec<(i64, &str)> = (-7..0).zip(texts.iter().map(String::as_str)).collect();
    world.put("/g", "s", &events).await;
    world.restart().await;
    let asked = json!({"logGroupName": "/g", "logStreamName": "s", "limit": 3});
    let with = |more: Value| {
        let mut asked = asked.clone();
        asked
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        asked
    };
    let tail = world.ok("GetLogEvents", asked.clone()).await;
    assert_eq!(messages(&tail), ["4", "5", "6"]);
    assert_eq!(tail["events"][0]["ingestionTime"], NOW);
    let back = world
        .ok(
            "GetLogEvents",
            with(json!({"nextToken": tail["nextBackwardToken"]})),
        )
        .await;
    assert_eq!(messages(&back), ["1", "2", "3"]);
    let head = world
        .ok(
            "GetLogEvents",
            with(json!({"nextToken": back["nextBackwardToken"]})),
        )
        .await;
    assert_eq!(messages(&head), ["0"]);
    let before = world
        .ok(
            "GetLogEvents",
            with(json!({"nextToken": head["nextBackwardToken"]})),
        )
        .await;
    assert_eq!(messages(&before), Vec::<&str>::new());
    assert_eq!(before["nextBackwardToken"], head["nextBackwardToken"]);
    let again = world
        .ok(
            "GetLogEvents",
            with(json!({"nextToken": before["nextForwardToken"]})),
        )
        .await;
    assert_eq!(messages(&again), ["0", "1", "2"]);

    let mut page = world
        .ok("GetLogEvents", with(json!({"startFromHead": true})))
        .await;
    let mut seen = Vec::new();
    loop {
        seen.extend(messages(&page).into_iter().map(str::to_owned));
        let token = page["nextForwardToken"].clone();
        page = world.ok("GetLogEvents", with(json!({"nextToken": token}))).await;
        if page["nextForwardToken"] == token {
            break;
        }
    }
    assert_eq!(seen, texts);
    world.put("/g", "s", &[(0, "later")]).await;
    let token = page["nextForwardToken"].clone();
    let later = world.ok("GetLogEvents", with(json!({"nextToken": token}))).await;
    assert_eq!(messages(&later), ["later"]);
    let within = with(json!({"startTime": NOW - 6, "endTime": NOW - 4, "startFromHead": true}));
    assert_eq!(
        messages(&world.ok("GetLogEvents", within).await),
        ["1", "2"],
        "the end is left out"
    );
    let wrong = with(json!({"nextToken": "f/1/s"}));
    assert_eq!(
        world.refused("GetLogEvents", wrong).await.0,
        "InvalidParameterException"
    );
    let absent = json!({"logGroupName": "/g", "logStreamName": "absent"});
    assert_eq!(
        world.refused("GetLogEvents", absent).await.1,
        "The specified log stream does not exist."
    );
}

#[tokio::test]
async fn events_are_filtered_by_pattern_stream_and_time_in_pages() {
    let world = World::new().await;
    world.group("/g").await;
    world
        .ok(
            "CreateLogStream",
            json!({"logGroupName": "/g", "logStreamName": "t"}),
        )
        .await;
    world
        .put("/g", "s", &[(-9, "ERROR one"), (-7, "fine"), (-5, "ERROR two")])
        .await;
    world.put("/g", "t", &[(-8, "ERROR three"), (-6, "fine")]).await;
    let errors = json!({"logGroupName": "/g", "filterPattern": "ERROR", "limit": 2});
    let first = world.ok("FilterLogEvents", errors.clone()).await;
    assert_eq!(messages(&first), ["ERROR one", "ERROR three"]);
    assert_eq!(first["events"][1]["logStreamName"], "t");
    assert_eq!(first["searchedLogStreams"], json!([]));
    let id = first["events"][0]["eventId"].as_str().unwrap();
    assert_eq!(id.len(), 56, "{id}");
    let mut next = errors.clone();
    next["nextToken"] = first["nextToken"].clone();
    let second = world.ok("FilterLogEvents", next).await;
    assert_eq!(messages(&second), ["ERROR two"]);
    assert_eq!(second.get("nextToken"), None);
    let mut newest = errors;
    newest["startFromHead"] = json!(false);
    let first = world.ok("FilterLogEvents", newest.clone()).await;
    assert_eq!(messages(&first), ["ERROR two", "ERROR three"]);
    newest["nextToken"] = first["nextToken"].clone();
    assert_eq!(
        messages(&world.ok("FilterLogEvents", newest).await),
        ["ERROR one"]
    );
    for (more, expected) in [
        (json!({"logStreamNames": ["t"]}), vec!["ERROR three", "fine"]),
        (json!({"logStreamNamePrefix": "t"}), vec!["ERROR three", "fine"]),
        (
            json!({"startTime": NOW - 7, "endTime": NOW - 6}),
            vec!["fine", "fine"],
        ),
    ] {
        let mut asked = more;
        asked["logGroupIdentifier"] = json!("arn:aws:logs:us-east-1:000000000000:log-group:/g:*");
        assert_eq!(messages(&world.ok("FilterLogEvents", asked).await), expected);
    }
    for wrong in [
        json!({"logGroupName": "/g", "filterPattern": "\"open"}),
        json!({"logGroupName": "/g", "logStreamNames": ["a"], "logStreamNamePrefix": "a"}),
        json!({"logGroupName": "/g", "logGroupIdentifier": "/g"}),
        json!({"logGroupName": "/g", "nextToken": first["events"][0]["eventId"]}),
    ] {
        assert_eq!(
            world.refused("FilterLogEvents", wrong).await.0,
            "InvalidParameterException"
        );
    }
}

#[tokio::test]
async fn events_out_of_the_window_are_rejected_and_the_rest_is_taken() {
    let world = World::new().await;
    world.group("/g").await;
    let old = -15 * DAY_MS;
    let new = 3 * HOUR_MS;
    let answer = world
        .put(
            "/g",
            "s",
            &[(old, "old"), (-HOUR_MS, "a"), (HOUR_MS, "b"), (new, "new")],
        )
        .await;
    let expected = json!({"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 3});
    assert_eq!(answer["rejectedLogEventsInfo"], expected);
    let days = json!({"logGroupName": "/g", "retentionInDays": 1});
    world.ok("PutRetentionPolicy", days).await;
    let answer = world.put("/g", "s", &[(-2 * DAY_MS, "expired"), (0, "c")]).await;
    assert_eq!(
        answer["rejectedLogEventsInfo"],
        json!({"expiredLogEventEndIndex": 1})
    );
    let answer = world.put("/g", "s", &[(old, "old")]).await;
    let expected = json!({"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 1});
    assert_eq!(answer["rejectedLogEventsInfo"], expected);
    let all = world.ok("FilterLogEvents", json!({"logGroupName": "/g"})).await;
    assert_eq!(messages(&all), ["a", "c", "b"]);
}

#[tokio::test]
async fn batches_that_break_a_rule_are_refused_whole() {
    let world = World::new().await;
    world.group("/g").await;
    let event = |ms: i64, message: &str| json!({"timestamp": NOW + ms, "message": message});
    let large = "x".repeat(1_048_576 - 25);
    let many: Vec<Value> = (0..10_001).map(|_| event(0, "x")).collect();
    for (events, reason) in [
        (json!([]), "greater than or equal to 1"),
        (json!(many), "less than or equal to 10000"),
        (json!([event(0, "b"), event(-1, "a")]), "chronological order"),
        (json!([event(-25 * HOUR_MS, "a"), event(0, "b")]), "24 hours"),
        (
            json!([event(0, &large)]),
            "1048577 bytes exceeds limit of 1048576",
        ),
        (json!([event(0, "")]), "'logEvents.1.member.message'"),
        (json!([{"message": "m"}]), "'logEvents.1.member.timestamp'"),
        (
            json!([{"timestamp": -1, "message": "m"}]),
            "greater than or equal to 0",
        ),
    ] {
        let asked = json!({"logGroupName": "/g", "logStreamName": "s", "logEvents": events});
        let (code, text) = world.refused("PutLogEvents", asked).await;
        assert_eq!(code, "InvalidParameterException");
        assert!(text.contains(reason), "{text}");
    }
    let absent = json!({"logGroupName": "/g", "logStreamName": "t", "logEvents": [event(0, "m")]});
    assert_eq!(
        world.refused("PutLogEvents", absent).await.1,
        "The specified log stream does not exist."
    );
    let all = world.ok("FilterLogEvents", json!({"logGroupName": "/g"})).await;
    assert_eq!(messages(&all), Vec::<&str>::new());
}

#[tokio::test]
async fn regions_do_not_see_each_other() {
    let world = World::new().await;
    world.group("/g").await;
    world.put("/g", "s", &[(0, "here")]).await;
    let group = json!({"logGroupName": "/g"});
    let (status, _) = world.call_in("eu-west-1", "FilterLogEvents", group.clone()).await;
    assert_eq!(status, 400);
    for (action, parameters) in [
        ("CreateLogGroup", group.clone()),
        (
            "CreateLogStream",
            json!({"logGroupName": "/g", "logStreamName": "s"}),
        ),
        (
            "PutLogEvents",
            json!({"logGroupName": "/g", "logStreamName": "s",
                   "logEvents": [{"timestamp": NOW, "message": "there"}]}),
        ),
    ] {
        let (status, body) = world.call_in("eu-west-1", action, parameters).await;
        assert_eq!(status, 200, "{body}");
    }
    let (_, there) = world.call_in("eu-west-1", "FilterLogEvents", group.clone()).await;
    assert_eq!(messages(&there), ["there"]);
    let (_, groups) = world.call_in("eu-west-1", "DescribeLogGroups", json!({})).await;
    assert_eq!(group_names(&groups), ["/g"]);
    world.call_in("eu-west-1", "DeleteLogGroup", group.clone()).await;
    assert_eq!(messages(&world.ok("FilterLogEvents", group).await), ["here"]);
}

#[tokio::test]
async fn patterns_can_be_tried() {
    let world = World::new().await;
    let asked = json!({
        "filterPattern": "[ip, ..., status = 4*]",
        "logEventMessages": ["1.1.1.1 GET 200", "2.2.2.2 GET 404"],
    });
    let answer = world.ok("TestMetricFilter", asked).await;
    let expected = json!({"matches": [{
        "eventNumber": 2, "eventMessage": "2.2.2.2 GET 404",
        "extractedValues": {"$ip": "2.2.2.2", "$status": "404"},
    }]});
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn what_is_not_served_is_refused_by_name() {
    let world = World::new().await;
    for action in [
        "StartQuery",
        "PutMetricFilter",
        "GetLogRecord",
        "StartLiveTail",
        "PutDestination",
    ] {
        let (status, body) = world.call_in("us-east-1", action, json!({})).await;
        assert_eq!((status, &body["__type"]), (501, &json!("NotImplemented")));
        assert!(body["message"].as_str().unwrap().contains(action), "{body}");
    }
    let (code, _) = world.refused("PutLogEvent", json!({})).await;
    assert_eq!(code, "UnknownOperationException");
}
