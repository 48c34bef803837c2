use proptest::prelude::*;
use serde_json::{Value, json};

use super::{InvalidPattern, Pattern, naive};

fn pattern(value: &Value) -> Pattern {
    Pattern::parse(&value.to_string()).unwrap()
}

#[track_caller]
fn check(alternatives: Value, matching: &[Value], others: &[Value]) {
    let pattern = pattern(&json!({"a": alternatives}));
    for (values, is) in [(matching, true), (others, false)] {
        for value in values {
            assert_eq!(
                pattern.matches(&json!({"a": value})),
                is,
                "{alternatives} and {value}"
            );
            let nested = json!({"a": ["other", [value]]});
            assert!(!is || pattern.matches(&nested), "{alternatives} and {nested}");
        }
    }
    assert!(!pattern.matches(&json!({"b": 1})));
}

#[test]
fn values_are_compared_by_type_and_value() {
    check(
        json!(["a", 1, null, true]),
        &[json!("a"), json!(1), json!(1.0), json!(null), json!(true)],
        &[
            json!("b"),
            json!("1"),
            json!(2),
            json!(false),
            json!("true"),
            json!("null"),
            json!({"a": "a"}),
            json!([]),
        ],
    );
    check(
        json!([300]),
        &[json!(300.0), json!(3e2)],
        &[json!("300"), json!(300.1)],
    );
}

#[test]
fn texts_are_compared_at_their_ends() {
    check(
        json!([{"prefix": "ab"}]),
        &[json!("ab"), json!("abc")],
        &[json!("a"), json!("Abc"), json!(1)],
    );
    check(
        json!([{"suffix": "yz"}]),
        &[json!("yz"), json!("xyz")],
        &[json!("yza"), json!("Z")],
    );
    check(
        json!([{"prefix": {"equals-ignore-case": "Ab"}}]),
        &[json!("aBc")],
        &[json!("xab")],
    );
    check(
        json!([{"suffix": {"equals-ignore-case": ".PNG"}}]),
        &[json!("a.pNg")],
        &[json!("a.png.txt")],
    );
    check(
        json!([{"equals-ignore-case": "Straße"}]),
        &[json!("sTRAßE")],
        &[json!("Strasse"), json!("Straß")],
    );
    check(
        json!([{"wildcard": "a/*/c*"}]),
        &[json!("a/b/c"), json!("a/b/b/cd")],
        &[json!("a/c"), json!("b/a/b/c")],
    );
}

#[test]
fn numbers_are_compared_in_ranges() {
    check(
        json!([{"numeric": ["=", 3.018e2]}]),
        &[json!(301.8)],
        &[json!(301), json!("301.8")],
    );
    check(
        json!([{"numeric": [">", 0, "<=", 5]}]),
        &[json!(0.1), json!(5), json!(5.0)],
        &[json!(0), json!(5.1), json!(-1)],
    );
    check(
        json!([{"numeric": ["<", 10]}]),
        &[json!(9.999), json!(-1e9)],
        &[json!(10)],
    );
    check(
        json!([{"numeric": [">=", -1.5, "<", 2]}]),
        &[json!(-1.5), json!(0)],
        &[json!(-1.6), json!(2)],
    );
}

#[test]
fn anything_but_is_true_of_all_other_values() {
    check(
        json!([{"anything-but": "a"}]),
        &[json!("b"), json!(1), json!(null)],
        &[json!("a"), json!({"b": 1})],
    );
    check(
        json!([{"anything-but": ["a", "b"]}]),
        &[json!("c"), json!(["a", "c"])],
        &[json!("a"), json!(["a", "b"])],
    );
    check(
        json!([{"anything-but": 1}]),
        &[json!(2), json!("1")],
        &[json!(1.0)],
    );
    check(json!([{"anything-but": [1, 2]}]), &[json!(3)], &[json!(2)]);
    check(
        json!([{"anything-but": {"prefix": "a"}}]),
        &[json!("b")],
        &[json!("ab")],
    );
    check(
        json!([{"anything-but": {"suffix": ["a", "b"]}}]),
        &[json!("bc")],
        &[json!("ba"), json!("ab")],
    );
    check(
        json!([{"anything-but": {"equals-ignore-case": ["A"]}}]),
        &[json!("b")],
        &[json!("a"), json!("A")],
    );
    check(
        json!([{"anything-but": {"wildcard": "*/x/*"}}]),
        &[json!("a/b")],
        &[json!("a/x/b")],
    );
}

#[test]
fn addresses_are_compared_with_blocks() {
    check(
        json!([{"cidr": "10.0.0.0/24"}]),
        &[json!("10.0.0.7")],
        &[json!("10.0.1.7"), json!("ten"), json!(10)],
    );
    check(
        json!([{"cidr": "2001:db8::/32"}]),
        &[json!("2001:DB8::1")],
        &[json!("2001:db9::1")],
    );
}

#[test]
fn exists_speaks_of_leaves() {
    let there = pattern(&json!({"a": {"b": [{"exists": true}]}}));
    let absent = pattern(&json!({"a": {"b": [{"exists": false}]}}));
    for (event, exists) in [
        (json!({"a": {"b": 1}}), true),
        (json!({"a": {"b": null}}), true),
        (json!({"a": {"b": [1]}}), true),
        (json!({"a": [{"c": 1}, {"b": 1}]}), true),
        (json!({"a": {"b": []}}), false),
        (json!({"a": {"b": {"c": 1}}}), false),
        (json!({"a": {}}), false),
        (json!({"a": 5}), false),
        (json!({}), false),
    ] {
        assert_eq!(there.matches(&event), exists, "{event}");
        assert_eq!(absent.matches(&event), !exists, "{event}");
    }
    let either = pattern(&json!({"x": [{"exists": false}, "y"]}));
    assert!(either.matches(&json!({})) && either.matches(&json!({"x": "y"})));
    assert!(!either.matches(&json!({"x": "z"})));
}

#[test]
fn fields_below_an_array_match_in_one_element() {
    let people = json!({"employees": [
        {"firstName": "John", "lastName": "Doe"},
        {"firstName": "Anna", "lastName": "Smith"},
        [{"firstName": "Peter", "lastName": "Jones"}],
    ]});
    for (first, last, is) in [
        ("Anna", "Smith", true),
        ("Peter", "Jones", true),
        ("Anna", "Jones", false),
    ] {
        let pattern = pattern(&json!({"employees": {"firstName": [first], "lastName": [last]}}));
        assert_eq!(pattern.matches(&people), is, "{first} {last}");
    }
}

#[test]
fn or_is_any_of_its_branches() {
    let pattern = pattern(&json!({
        "source": ["aws.cloudwatch"],
        "$or": [
            {"metricName": ["CPUUtilization"]},
            {"metricType": ["T"], "$or": [{"metricId": [1]}, {"spaceId": [2]}]},
        ],
    }));
    for (event, is) in [
        (
            json!({"source": "aws.cloudwatch", "metricName": "CPUUtilization"}),
            true,
        ),
        (
            json!({"source": "aws.cloudwatch", "metricType": "T", "spaceId": 2}),
            true,
        ),
        (
            json!({"source": "aws.cloudwatch", "metricType": "T", "spaceId": 1}),
            false,
        ),
        (json!({"source": "other", "metricName": "CPUUtilization"}), false),
        (json!({"source": "aws.cloudwatch", "metricType": "T"}), false),
    ] {
        assert_eq!(pattern.matches(&event), is, "{event}");
    }
}

/// The reason's first line, and line and column.
fn wrong(text: &str) -> (String, String) {
    let error: InvalidPattern = Pattern::parse(text).unwrap_err();
    let text = error.to_string();
    let reason = text.strip_prefix("Event pattern is not valid. Reason: ").unwrap();
    let (reason, place) = reason.split_once('\n').unwrap_or((reason, ", "));
    (reason.to_owned(), place.rsplit_once(", ").unwrap().1.to_owned())
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (text, reason, place) in [
        ("[]", "Filter is not an object", "column: 2]"),
        ("", "Filter is not an object", "column: 1]"),
        ("{}", "Empty objects are not allowed", "column: 3]"),
        (r#"{"a": {}}"#, "Empty objects are not allowed", "column: 9]"),
        (r#"{"a": []}"#, "Empty arrays are not allowed", "column: 9]"),
        (
            r#"{"source": "aws.s3"}"#,
            r#""source" must be an object or an array"#,
            "column: 13]",
        ),
        (
            r#"{"a": [[1]]}"#,
            "Match value must be String, number, true, false, or null",
            "column: 9]",
        ),
        (
            r#"{"a": [{"like": "x"}]}"#,
            "Unrecognized match type like",
            "column: 18]",
        ),
        (
            r#"{"a": [{"prefix": 1}]}"#,
            "prefix match pattern must be a string",
            "column: 20]",
        ),
        (
            r#"{"a": [{"prefix": "x", "suffix": "y"}]}"#,
            "Only one key allowed in match expression",
            "column: 35]",
        ),
        (
            r#"{"a": [{"exists": 1}]}"#,
            "exists match pattern must be either true or false.",
            "column: 20]",
        ),
        (
            r#"{"a": [{"numeric": 1}]}"#,
            "Value of numeric must be an array.",
            "column: 21]",
        ),
        (
            r#"{"a": [{"numeric": ["~", 1]}]}"#,
            "Unrecognized numeric range operator: ~",
            "column: 27]",
        ),
        (
            r#"{"a": [{"numeric": ["<", "1"]}]}"#,
            "Value of < must be numeric",
            "column: 27]",
        ),
        (
            r#"{"a": [{"numeric": [">", 5, "<", 5]}]}"#,
            "Bottom must be less than top",
            "column: 35]",
        ),
        (
            r#"{"a": [{"numeric": ["<", 5, ">", 1]}]}"#,
            "Too many elements in numeric expression",
            "column: 30]",
        ),
        (
            r#"{"a": [{"numeric": [">", 5, ">", 9]}]}"#,
            "Bad numeric range operator: >",
            "column: 32]",
        ),
        (
            r#"{"a": [{"anything-but": ["x", 1]}]}"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported",
            "column: 33]",
        ),
        (
            r#"{"a": [{"anything-but": {"like": 1}}]}"#,
            "Unsupported anything-but pattern: like",
            "column: 35]",
        ),
        (
            r#"{"a": [{"anything-but": {"prefix": ""}}]}"#,
            "Null prefix/suffix not allowed",
            "column: 38]",
        ),
        (
            r#"{"a": [{"cidr": "10.0.0.0"}]}"#,
            "Malformed CIDR, one '/' required",
            "",
        ),
        (
            r#"{"a": [{"wildcard": "**"}]}"#,
            "Consecutive wildcard characters at pos 1",
            "column: 25]",
        ),
        (
            r#"{"$or": [{"a": [1]}]}"#,
            "There must have at least 2 Objects in $or relationship.",
            "column: 21]",
        ),
        (
            r#"{"$or": {"a": [1]}}"#,
            "It must be an Array followed with $or.",
            "column: 10]",
        ),
        (
            r#"{"$or": [{"prefix": [1]}, {"a": [1]}]}"#,
            "prefix is Ruler reserved fieldName which cannot be used inside $or.",
            "column: 22]",
        ),
        (
            r#"{"a": [1], "a": [2]}"#,
            "Path `a` cannot be allowed multiple times",
            "column: 20]",
        ),
        (
            "{\n \"a\": x}",
            "Unrecognized token 'x': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            "column: 8]",
        ),
        (r#"{"a": [1]"#, "Unexpected end-of-input", "column: 10]"),
        (
            r#"{"a": [1]} x"#,
            "Unexpected character ('x' (code 120)): was expecting end-of-input",
            "column: 12]",
        ),
    ] {
        assert_eq!(wrong(text), (reason.to_owned(), place.to_owned()), "{text}");
    }
    let error = Pattern::parse("{\n  \"a\": 1}").unwrap_err().to_string();
    assert_eq!(
        error,
        "Event pattern is not valid. Reason: \"a\" must be an object or an array\n at [Source: (String)\"{\n  \"a\": 1}\"; line: 2, column: 9]"
    );
}

#[test]
fn what_grows_without_end_is_refused() {
    let or = |name: &str| json!({"$or": (0..11).map(|n| json!({name: [n]})).collect::<Vec<_>>()});
    let two = json!({"x": or("a"), "y": or("b")});
    assert!(Pattern::parse(&two.to_string()).is_ok());
    let three = json!({"x": or("a"), "y": or("b"), "z": or("c")});
    assert!(wrong(&three.to_string()).0.contains("1000 combinations"));
    let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}");
    assert!(Pattern::parse(&deep).is_err());
}

/// A few names and values, so that random patterns meet random events.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

fn leaf() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("x"),
        json!("xy"),
        json!("X"),
        json!("yx"),
        json!("10.0.0.1"),
        json!("10.1.0.1"),
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(-2),
        json!(null),
        json!(true),
        json!(""),
    ])
}

fn operator() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({"prefix": "x"}),
        json!({"suffix": "x"}),
        json!({"equals-ignore-case": "x"}),
        json!({"exactly": "x"}),
        json!({"prefix": {"equals-ignore-case": "X"}}),
        json!({"suffix": {"equals-ignore-case": "Y"}}),
        json!({"wildcard": "*x*"}),
        json!({"wildcard": "x*"}),
        json!({"wildcard": "1*.*.1"}),
        json!({"wildcard": "*y"}),
        json!({"cidr": "10.0.0.0/16"}),
        json!({"cidr": "10.0.0.0/8"}),
        json!({"exists": true}),
        json!({"exists": false}),
        json!({"numeric": [">", 1]}),
        json!({"numeric": ["<=", 1.5]}),
        json!({"numeric": [">=", -2, "<", 1.5]}),
        json!({"numeric": ["=", 1]}),
        json!({"anything-but": "x"}),
        json!({"anything-but": [1, -2]}),
        json!({"anything-but": {"prefix": "x"}}),
        json!({"anything-but": {"wildcard": "*y*"}}),
        json!({"anything-but": {"suffix": ["x", "y"]}}),
        json!({"anything-but": {"equals-ignore-case": "x"}}),
    ])
}

pub(super) fn event() -> impl Strategy<Value = Value> {
    let any = leaf().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map(name(), inner, 0..4).prop_map(|members| json!(members)),
        ]
    });
    prop::collection::btree_map(name(), any, 0..4).prop_map(|members| json!(members))
}

fn any_pattern() -> impl Strategy<Value = Value> {
    let field = prop::collection::vec(prop_oneof![leaf(), operator()], 1..3).prop_map(Value::Array);
    let object =
        |inner: BoxedStrategy<Value>| prop::collection::btree_map(name(), inner, 1..3).prop_map(|m| json!(m));
    let plain = field.prop_recursive(3, 12, 3, move |inner| object(inner.boxed()));
    let objects = prop::collection::btree_map(name(), plain, 1..3)
        .prop_map(|members| json!(members))
        .boxed();
    let or = prop::option::weighted(0.3, prop::collection::vec(objects.clone(), 2..4));
    (objects, or).prop_map(|(mut pattern, or)| {
        if let Some(or) = or {
            pattern["$or"] = json!(or);
        }
        pattern
    })
}

/// A valid pattern as JSON and as what it is read as.
pub(super) fn valid() -> impl Strategy<Value = (Value, Pattern)> {
    any_pattern().prop_filter_map("a path is there twice", |value| {
        let pattern = Pattern::parse(&value.to_string()).ok()?;
        Some((value, pattern))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn matching_is_what_the_judge_says((value, pattern) in valid(), event in event()) {
        prop_assert_eq!(pattern.matches(&event), naive::matches(&value, &event), "{} and {}", value, event);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\":,a0.\\\\\\n é-]{0,40}") {
        drop(Pattern::parse(&text));
    }
}
