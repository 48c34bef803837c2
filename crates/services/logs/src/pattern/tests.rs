//! What patterns match, from the User Guide's own examples on, and what they refuse.

use super::*;

fn pattern(text: &str) -> FilterPattern {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Each message and whether it matches.
fn check(text: &str, expected: &[(&str, bool)]) {
    let pattern = pattern(text);
    for (message, matches) in expected {
        assert_eq!(pattern.matches(message), *matches, "`{text}` on `{message}`");
    }
}

#[test]
fn terms() {
    check("", &[("anything", true), ("", true)]);
    check("ERROR", &[("[ERROR 400] BAD REQUEST", true), ("error", false)]);
    check(
        "ERROR ARGUMENTS",
        &[("[ERROR] INVALID ARGUMENTS", true), ("[ERROR] NO", false)],
    );
    check(
        "?ERROR ?WARN",
        &[("ERROR", true), ("a WARN", true), ("INFO", false)],
    );
    check(
        "ERROR -EXITING",
        &[("ERROR", true), ("ERROR EXITING", false), ("EXITING", false)],
    );
    check("-INFO", &[("ERROR", true), ("INFO", false)]);
    check(
        r#""INTERNAL SERVER ERROR""#,
        &[("[500] INTERNAL SERVER ERROR!", true), ("INTERNAL ERROR", false)],
    );
    check(
        r#""say \"hi\"" -"a-b""#,
        &[
            (r#"say "hi""#, true),
            (r#"say "hi" a-b"#, false),
            ("say hi", false),
        ],
    );
    check(
        "%^[hc]at$%",
        &[("hat", true), ("cat", true), ("that", false), ("bat", false)],
    );
    check("?ERROR REQUEST", &[("REQUEST", true), ("ERROR", false)]);
    check("fünf", &[("um fünf", true)]);
}

const ACCESS: &str = r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;

#[test]
fn fields_between_spaces() {
    let all = "[ip, identity, user, timestamp, request, status, bytes]";
    check(all, &[(ACCESS, true), ("too few", false), ("", false)]);
    check("[ip, ...]", &[(ACCESS, true), ("one", true), ("", false)]);
    for (text, matches) in [
        ("[..., request = *.html*, status = 4*, bytes]", true),
        ("[..., status = 4*, bytes > 1000]", true),
        ("[..., status = 4*, bytes > 1534]", false),
        ("[..., status = 4*, bytes >= 1534]", true),
        ("[..., status != 404, bytes]", false),
        ("[..., status = 404 && status != 405, bytes]", true),
        (
            "[ip, id, user, time, request, (status = 5* || status = %4.4%), bytes < 2e3]",
            true,
        ),
        ("[ip = 127.0.0.*, ..., bytes]", true),
        ("[ip = \"127.0.0.1\", id = \"-\", user = frank, ...]", true),
        ("[ip, id, user = fred || user = frank, ...]", true),
        ("[..., 7, 8]", true),
    ] {
        check(text, &[(ACCESS, matches)]);
    }
    let values = pattern(all).extract(ACCESS).unwrap();
    assert_eq!(values["$timestamp"], "10/Oct/2000:13:25:15 -0700");
    assert_eq!(values["$status"], "404");
    assert_eq!(values.len(), 7);
    let values = pattern("[first, ..., last]").extract("a b c").unwrap();
    assert_eq!(values.into_values().collect::<String>(), "ac");
}

const EVENT: &str = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"], "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": null, "cluster.name": "c", "n": 5, "half": 0.5, "ok": true, "no": false, "code": 404,
    "digits": "500"}"#;

#[test]
fn members_of_json() {
    for (text, matches) in [
        (r#"{ $.eventType = "UpdateTrail" }"#, true),
        ("{$.eventType=UpdateTrail}", true),
        ("{ $.eventType = Update* }", true),
        (r#"{ $.eventType = "*Tr*l" }"#, true),
        (r#"{ $.eventType != "UpdateTrail" }"#, false),
        ("{ $.missing != 5 }", false),
        ("{ $.missing NOT EXISTS }", true),
        ("{ $.n NOT EXISTS }", false),
        ("{ $.sourceIPAddress != 123.123.* }", true),
        (r#"{ $.arrayKey[0] = "value" }"#, true),
        ("{ $.objectList[1].id = 2 }", true),
        ("{ $.objectList[2].id = 2 }", false),
        ("{ $.objectList = * }", true),
        ("{ $.SomeObject IS NULL }", true),
        ("{ $.SomeObject NOT EXISTS }", false),
        ("{ $.SomeObject = * }", false),
        (r#"{ $.["cluster.name"] = "c" }"#, true),
        ("{ $.ok IS TRUE && $.no IS FALSE }", true),
        ("{ $.ok IS FALSE }", false),
        ("{ $.n >= 5 && $.n <= 5 && $.n > 4 && $.n < 6 }", true),
        ("{ $.half = 5e-1 }", true),
        ("{ $.half > -1 }", true),
        ("{ $.code = 4* }", true),
        ("{ $.digits > 400 }", false),
        ("{ $.digits = 500 }", true),
        (
            "{ $.n = 1 || $.n = 5 && ($.half = 1 || $.eventType = %Trail$%) }",
            true,
        ),
        ("{ ($.n = 1 || $.n = 5) && $.half = 1 }", false),
    ] {
        check(text, &[(EVENT, matches), ("no JSON", false), ("{", false)]);
    }
    let values = pattern("{ ($.eventType = *) && $.n > 1 && $.missing NOT EXISTS }")
        .extract(EVENT)
        .unwrap();
    let expected = [("$.eventType", "UpdateTrail"), ("$.n", "5")];
    assert_eq!(values, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
}

#[test]
fn what_is_no_pattern_is_refused() {
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(40), ")".repeat(40));
    let long = "a".repeat(1025);
    for text in [
        "ERR-OR",
        "\"open",
        "%a(b)%",
        "%open",
        "%a!%",
        "%[%",
        "%a% %b% %c%",
        "[a, b",
        "[a,, b]",
        "[]",
        "[..., a, ...]",
        "[a = 1 && b = 2]",
        "[a] b",
        "{ }",
        "{ $.a }",
        "{ a = 1 }",
        "{ $ = 1 }",
        "{ $.a = }",
        "{ $.a > x }",
        "{ $.a IS 5 }",
        "{ $.a NOT NULL }",
        "{ $.a = 1",
        "{ ($.a = 1 }",
        "{ $.a = 1 } x",
        "{ $.a[x] = 1 }",
        "{ $.a = 1 & $.b = 2 }",
        &deep,
        &long,
    ] {
        assert!(text.parse::<FilterPattern>().is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"[\[{]?[ a$.=<>!&|(),*%"?\-\[\]{}0-9éI]{0,40}"#, message in ".{0,40}") {
        if let Ok(pattern) = text.parse::<FilterPattern>() {
            proptest::prop_assert_eq!(pattern.extract(&message).is_some(), pattern.matches(&message));
        }
    }

    #[test]
    fn a_wildcard_matches_what_it_was_made_of(parts in proptest::collection::vec("[ab]{0,3}", 1..5), fill in "[ab]{0,3}") {
        let text = text::Wildcard::new(&parts.join("*"));
        proptest::prop_assert!(text.matches(&parts.join(&fill)));
    }
}
