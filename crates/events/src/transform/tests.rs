use proptest::prelude::*;
use serde_json::json;

use super::*;

fn event() -> Value {
    json!({
        "version": "0",
        "detail-type": "EC2 Instance State-change Notification",
        "time": "2015-11-11T21:29:54Z",
        "resources": ["arn:1", "arn:2"],
        "detail": {
            "instance-id": "i-0123456789",
            "state": "RUNNING",
            "count": 5,
            "quote": "say \"hi\"\n",
            "items": [{"name": "a"}, {"name": "b"}, {"other": 1}],
        },
    })
}

const CONTEXT: RuleContext<'_> = RuleContext {
    rule_name: "example",
    rule_arn: "arn:aws:events:us-east-2:123456789012:rule/example",
    ingestion_time: "2015-11-11T21:29:55Z",
};

#[test]
fn paths_lead_to_values() {
    for (path, found) in [
        ("$", Some(event())),
        ("$.detail.state", Some(json!("RUNNING"))),
        ("$.detail.instance-id", Some(json!("i-0123456789"))),
        ("$.resources[1]", Some(json!("arn:2"))),
        ("$.detail.items[0].name", Some(json!("a"))),
        ("$['detail'][\"count\"]", Some(json!(5))),
        ("$.detail.items[*].name", Some(json!(["a", "b"]))),
        ("$.resources[2]", None),
        ("$.detail.state.more", None),
        ("$.nothing", None),
    ] {
        let path: JsonPath = path.parse().unwrap();
        assert_eq!(path.select(&event()).map(Cow::into_owned), found, "{path:?}");
    }
    for path in [
        "", "detail", "$detail", "$.", "$.a..b", "$[", "$[x]", "$['a'", "$.a[-1]",
    ] {
        assert!(path.parse::<JsonPath>().is_err(), "{path}");
    }
}

fn apply(template: &str) -> String {
    let paths = [
        ("time", "$.time"),
        ("instance", "$.detail.instance-id"),
        ("state", "$.detail.state"),
        ("count", "$.detail.count"),
        ("quote", "$.detail.quote"),
        ("items", "$.detail.items"),
        ("missing", "$.detail.missing"),
    ];
    InputTransformer::parse(paths, template)
        .unwrap()
        .apply(&event(), CONTEXT)
}

/// The examples of AWS's page, and what it says about objects and missing values.
#[test]
fn templates_are_filled_as_documented() {
    for (template, output) in [
        (
            r#""instance <instance> is in <state>""#,
            r#""instance i-0123456789 is in RUNNING""#,
        ),
        (
            r#""instance \"<instance>\" is in <state>""#,
            r#""instance \"i-0123456789\" is in RUNNING""#,
        ),
        (
            "{\n \"instance\" : <instance>,\n \"state\": <state>\n}",
            r#"{"instance":"i-0123456789","state":"RUNNING"}"#,
        ),
        (
            r#"{"state": "<state>", "is": "instance \"<instance>\" is in <state>"}"#,
            r#"{"state":"RUNNING","is":"instance \"i-0123456789\" is in RUNNING"}"#,
        ),
        (
            r#"{"state": [9, <state>, true], "n": <count>}"#,
            r#"{"state":[9,"RUNNING",true],"n":5}"#,
        ),
        (r#""<aws.events.rule-name> triggered""#, r#""example triggered""#),
        (
            r#"{"arn": <aws.events.rule-arn>, "at": <aws.events.event.ingestion-time>}"#,
            r#"{"arn":"arn:aws:events:us-east-2:123456789012:rule/example","at":"2015-11-11T21:29:55Z"}"#,
        ),
        (r#""items <items>""#, r#""items [{name:a},{name:b},{other:1}]""#),
        (
            r#"{"items": <items>}"#,
            r#"{"items":[{"name":"a"},{"name":"b"},{"other":1}]}"#,
        ),
        (r#"{"a": <missing>, "b": "<missing>!"}"#, r#"{"a":"","b":"!"}"#),
        (
            r#"{"q": "<quote>", "r": <quote>}"#,
            r#"{"q":"say \"hi\"\n","r":"say \"hi\"\n"}"#,
        ),
        (
            "\"first <state>\"\n\"second <count>\"",
            "\"first RUNNING\"\n\"second 5\"",
        ),
        ("<count>", "5"),
    ] {
        assert_eq!(apply(template), output, "{template}");
    }
}

#[test]
fn the_event_itself_is_a_variable() {
    let whole: Value = serde_json::from_str(&apply(r#"{"e": <aws.events.event.json>}"#)).unwrap();
    assert_eq!(whole["e"], event());
    let envelope: Value = serde_json::from_str(&apply(r#"{"e": <aws.events.event>}"#)).unwrap();
    assert_eq!(envelope["e"]["version"], "0");
    assert_eq!(envelope["e"].get("detail"), None);
}

#[test]
fn mistakes_are_named() {
    let wrong = |paths: &[(&'static str, &'static str)], template: &str| {
        let error = InputTransformer::parse(paths.iter().copied(), template).unwrap_err();
        error.for_target("t1")
    };
    assert_eq!(
        wrong(&[], "\"<nobody>\""),
        "InputTemplate for target t1 contains invalid placeholder nobody."
    );
    assert_eq!(wrong(&[("a", "x")], "\"\""), "Invalid JSON path for target t1: x");
    assert!(wrong(&[("AWS.x", "$.a")], "\"\"").contains("reserved key: AWS.x"));
    assert!(wrong(&[], "not quoted").starts_with("Invalid InputTemplate for target t1 : ["));
    assert!(wrong(&[], r#"{"a": }"#).starts_with("Invalid InputTemplate for target t1 : ["));
    let many: Vec<(String, &str)> = (0..=MAX_VARIABLES).map(|n| (format!("v{n}"), "$.a")).collect();
    let many = InputTransformer::parse(many.iter().map(|(name, path)| (&**name, *path)), "\"\"");
    assert_eq!(many, Err(InvalidTransform::TooManyVariables));
}

proptest! {
    /// Whatever a value is, what comes out is JSON, and outside of quotes it is the value.
    #[test]
    fn a_filled_template_is_json(text in "\\PC*", number: i64) {
        let event = json!({"text": text, "object": {"a": [&text, number]}});
        let template = r#"{"a": <t>, "b": "x<t>y\"", "c": "<o>", "d": <o>}"#;
        let transformer = InputTransformer::parse([("t", "$.text"), ("o", "$.object")], template).unwrap();
        let made: Value = serde_json::from_str(&transformer.apply(&event, CONTEXT)).unwrap();
        prop_assert_eq!(&made["a"], &event["text"]);
        prop_assert_eq!(made["b"].as_str().unwrap(), format!("x{text}y\""));
        prop_assert_eq!(&made["d"], &event["object"]);
    }

    #[test]
    fn no_template_makes_it_panic(text in "[<>\"\\\\{}a$.\\[\\]:, \\n0é]{0,40}") {
        drop(Template::parse(&text));
        drop(text.parse::<JsonPath>());
    }
}
