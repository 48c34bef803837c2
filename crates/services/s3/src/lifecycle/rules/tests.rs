use super::*;
use s3s::xml::{Deserialize as _, Deserializer};

fn parse(rules: &str) -> BucketLifecycleConfiguration {
    let text = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    BucketLifecycleConfiguration::deserialize(&mut Deserializer::new(text.as_bytes())).unwrap()
}

fn rule(inside: &str) -> String {
    format!("<Rule><Status>Enabled</Status>{inside}</Rule>")
}

const ALL: &str = "<Filter><Prefix></Prefix></Filter>";
const DAY: &str = "<Expiration><Days>1</Days></Expiration>";

#[test]
fn rules_mean_what_they_say() {
    let text = rule(
        "<ID>old</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>
         <ObjectSizeGreaterThan>10</ObjectSizeGreaterThan></And></Filter>
         <Expiration><Days>30</Days></Expiration>
         <NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays>
         <NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
    );
    let configuration = parse(&text);
    check(&configuration).unwrap();
    let rule = Rule::of(&configuration.rules[0]);
    assert_eq!(rule.id, "old");
    assert_eq!(rule.current, Some(When::Days(30)));
    assert_eq!(rule.noncurrent, Some(Noncurrent { days: 7, keep: 2 }));
    let tags = [("k".to_owned(), "v".to_owned())];
    assert!(rule.filter.admits("logs/a", Some(11), &tags));
    assert!(!rule.filter.admits("logs/a", Some(10), &tags));
    assert!(!rule.filter.admits("log", Some(11), &tags));
    assert!(!rule.filter.admits("logs/a", Some(11), &[]));
    assert!(!rule.filter.admits("logs/a", None, &tags));
}

#[test]
fn days_end_at_midnight() {
    let made = Timestamp::from_millis(10 * DAY_MS + 1);
    assert_eq!(after_days(made, 1).as_millis(), 12 * DAY_MS);
    assert_eq!(
        after_days(Timestamp::from_millis(10 * DAY_MS), 1).as_millis(),
        11 * DAY_MS
    );
}

#[test]
fn rules_are_checked_as_s3_does() {
    let refusal = |text: &str| check(&parse(text)).unwrap_err().code().as_str().to_owned();
    check(&parse(&rule(&format!("{ALL}{DAY}")))).unwrap();
    check(&parse(&rule(&format!("<Prefix>a</Prefix>{DAY}")))).unwrap();
    let named = rule(&format!("<ID>x</ID>{ALL}{DAY}"));
    for (text, code) in [
        (rule(DAY), "MalformedXML"),
        (rule(&format!("<Prefix/>{ALL}{DAY}")), "MalformedXML"),
        (rule(ALL), "InvalidRequest"),
        (format!("{named}{named}"), "InvalidArgument"),
        (
            format!("{named}{}", rule(&format!("<Prefix>a</Prefix>{DAY}"))),
            "InvalidRequest",
        ),
        (
            rule(&format!("{ALL}<Expiration><Days>0</Days></Expiration>")),
            "InvalidArgument",
        ),
        (
            rule(&format!(
                "{ALL}<Expiration><Date>2026-01-01T01:00:00Z</Date></Expiration>"
            )),
            "InvalidArgument",
        ),
        (rule(&format!("{ALL}<Expiration></Expiration>")), "MalformedXML"),
        (
            rule(&format!(
                "{ALL}<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"
            )),
            "NotImplemented",
        ),
        (
            rule(&format!(
                "<Filter><Prefix>a</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan></Filter>{DAY}"
            )),
            "MalformedXML",
        ),
        (
            rule(&format!("<Filter><And><Prefix>a</Prefix></And></Filter>{DAY}")),
            "MalformedXML",
        ),
        (
            rule(&format!(
                "{ALL}<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
            )),
            "InvalidArgument",
        ),
        (
            rule(
                "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><AbortIncompleteMultipartUpload>\
                  <DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
            ),
            "InvalidRequest",
        ),
    ] {
        assert_eq!(refusal(&text), code, "{text}");
    }
}
