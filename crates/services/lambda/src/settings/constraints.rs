//! The constraints that the API puts on single settings.

use tradewind_model::{Arn, limits};

use crate::error::Violations;
use crate::layer::{LayerVersionArn, VERSION_ARN_PATTERN};
use crate::model::Architecture;

const ROLE_PATTERN: &str = "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
const TARGET_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()";
const LOG_GROUP_PATTERN: &str = "[\\.\\-_/#A-Za-z0-9]+";

/// A number within the limits of its type, else a violation that names the limit.
pub(super) fn ranged<T>(
    path: &'static [&'static str],
    given: Option<i64>,
    parse: impl Fn(u64) -> Result<T, limits::LimitError>,
    violations: &mut Violations,
) -> Option<T> {
    let given = given?;
    match parse(u64::try_from(given).unwrap_or(0)) {
        Ok(value) => Some(value),
        Err(limits::LimitError { min, max, value, .. }) => {
            let constraint = if value < min {
                format!("Member must have value greater than or equal to {min}")
            } else {
                format!("Member must have value less than or equal to {max}")
            };
            violations.add(path, given.to_string(), constraint);
            None
        }
    }
}

/// The queue or topic; none for the empty text.
pub(super) fn check_dead_letters(target: &str, violations: &mut Violations) -> Option<Arn> {
    let arn = target.parse().ok();
    if arn.is_none() && !target.is_empty() {
        let constraint = format!("Member must satisfy regular expression pattern: {TARGET_PATTERN}");
        violations.add(&["DeadLetterConfig", "TargetArn"], target.to_owned(), constraint);
    }
    arn
}

pub(crate) fn check_length(
    path: &'static [&'static str],
    text: Option<&str>,
    longest: usize,
    violations: &mut Violations,
) {
    if let Some(text) = text.filter(|text| text.chars().count() > longest) {
        let constraint = format!("Member must have length less than or equal to {longest}");
        violations.add(path, text.to_owned(), constraint);
    }
}

pub(super) fn check_handler(handler: Option<&str>, violations: &mut Violations) {
    check_length(&["Handler"], handler, 128, violations);
    if let Some(bad) = handler.filter(|text| text.is_empty() || text.contains(char::is_whitespace)) {
        violations.add(
            &["Handler"],
            bad.to_owned(),
            "Member must satisfy regular expression pattern: [^\\s]+",
        );
    }
}

pub(super) fn check_log_group(log_group: Option<&str>, violations: &mut Violations) {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_/#".contains(&b);
    let path = &["LoggingConfig", "LogGroup"];
    check_length(path, log_group, 512, violations);
    if let Some(bad) = log_group.filter(|text| text.is_empty() || !text.bytes().all(allowed)) {
        let constraint = format!("Member must satisfy regular expression pattern: {LOG_GROUP_PATTERN}");
        violations.add(path, bad.to_owned(), constraint);
    }
}

pub(super) fn check_architectures(
    given: Option<&[String]>,
    violations: &mut Violations,
) -> Option<Architecture> {
    let given = given?;
    let text = || format!("[{}]", given.join(", "));
    match given {
        [one] => {
            let known = Architecture::parse(one);
            if known.is_none() {
                let constraint = "Member must satisfy constraint: [Member must satisfy enum value set: \
                                  [x86_64, arm64], Member must not be null]";
                violations.add(&["Architectures"], text(), constraint);
            }
            known
        }
        [] => {
            violations.add(
                &["Architectures"],
                text(),
                "Member must have length greater than or equal to 1",
            );
            None
        }
        [..] => {
            violations.add(
                &["Architectures"],
                text(),
                "Member must have length less than or equal to 1",
            );
            None
        }
    }
}

/// The layers as ARNs; none if one of them is no ARN of a layer version.
pub(super) fn check_layers(
    given: Option<&[String]>,
    violations: &mut Violations,
) -> Option<Vec<LayerVersionArn>> {
    let given = given?;
    let arns = given.iter().map(|text| text.parse());
    if let Ok(arns) = arns.collect::<Result<_, _>>() {
        return Some(arns);
    }
    let constraint = format!(
        "Member must satisfy constraint: [Member must have length less than or equal to 140, Member must have \
         length greater than or equal to 1, Member must satisfy regular expression pattern: \
         {VERSION_ARN_PATTERN}, Member must not be null]"
    );
    violations.add(&["Layers"], format!("[{}]", given.join(", ")), constraint);
    None
}

pub(super) fn check_role(role: Option<&str>, violations: &mut Violations) {
    if let Some(bad) = role.filter(|role| !is_role(role)) {
        let constraint = format!("Member must satisfy regular expression pattern: {ROLE_PATTERN}");
        violations.add(&["Role"], bad.to_owned(), constraint);
    }
}

/// `arn:aws:iam::ACCOUNT:role/path/name`.
fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
        return false;
    };
    let partition_fits = partition.is_empty()
        || partition
            .strip_prefix("aws")
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'));
    let name = resource.strip_prefix("role").unwrap_or_default();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&b);
    let account_fits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    partition_fits && account_fits && name.len() > 1 && name.bytes().all(allowed)
}
