//! Function names as clients write them: names, partial and whole ARNs, with or without qualifier,
//! checked against the patterns of the API and the caller's account and region.

use tradewind_model::{AccountId, FunctionArn, FunctionName, Qualifier, Region};

use crate::error::{LambdaError, Violations};

/// Which shape of the API a function name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `FunctionName`: of operations on whole functions.
    Plain,
    /// `NamespacedFunctionName`: of operations on versions too.
    Namespaced,
}

const PLAIN_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?";
const NAMESPACED_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
const QUALIFIER_PATTERN: &str = "\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";
const LONGEST_PLAIN: usize = 140;
const LONGEST_NAMESPACED: usize = 256;
const LONGEST_QUALIFIER: usize = 128;

/// Who asks, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

/// A function that a request names. It need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    scope: Scope,
    name: String,
    qualifier: Option<String>,
}

impl Target {
    /// Reads the function name of a request and its `Qualifier` parameter.
    pub(crate) fn parse(
        shape: Shape,
        text: &str,
        parameter: Option<&str>,
        scope: &Scope,
    ) -> Result<Self, LambdaError> {
        let mut violations = Violations::default();
        check_qualifier(parameter, &mut violations);
        let parts = split(text, scope);
        check_name(shape, text, parts.is_some(), &mut violations);
        violations.into_result()?;
        let parts = parts.unwrap_or_default();
        if let Some(given) = parts.region.filter(|region| *region != scope.region.as_str()) {
            return Err(LambdaError::OtherRegion {
                given: given.to_owned(),
                here: scope.region.to_string(),
            });
        }
        if let Some(account) = parts.account.filter(|account| *account != scope.account.as_str()) {
            return Err(LambdaError::OtherAccount {
                account: account.to_owned(),
            });
        }
        Ok(Self {
            scope: scope.clone(),
            name: parts.name.to_owned(),
            qualifier: one_qualifier(parts.qualifier, parameter)?.map(str::to_owned),
        })
    }

    /// The name, if a function may have it.
    pub(crate) fn name(&self) -> Option<FunctionName> {
        self.name.parse().ok()
    }

    /// The name as it was written.
    pub(crate) fn name_text(&self) -> &str {
        &self.name
    }

    /// The qualifier as it was written.
    pub(crate) fn qualifier_text(&self) -> Option<&str> {
        self.qualifier.as_deref()
    }

    /// The qualifier, where a version or alias may have it.
    pub(crate) fn qualifier(&self) -> Option<Result<Qualifier, LambdaError>> {
        let text = self.qualifier.as_deref()?;
        Some(text.parse().map_err(|_no_version_is_called_so| self.not_found()))
    }

    /// The ARN without the qualifier, for messages.
    pub(crate) fn unqualified_text(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:aws:lambda:{region}:{account}:function:{}", self.name)
    }

    /// The ARN with the qualifier that was given, for messages.
    pub(crate) fn arn_text(&self) -> String {
        let unqualified = self.unqualified_text();
        match &self.qualifier {
            Some(qualifier) => format!("{unqualified}:{qualifier}"),
            None => unqualified,
        }
    }

    /// The ARN of the function itself.
    pub(crate) fn function_arn(&self) -> Result<FunctionArn, LambdaError> {
        Ok(FunctionArn {
            region: self.scope.region.clone(),
            account: self.scope.account.clone(),
            name: self.name().ok_or_else(|| self.not_found())?,
            qualifier: None,
        })
    }

    /// "Function not found", with the qualifier if one was given.
    pub(crate) fn not_found(&self) -> LambdaError {
        LambdaError::FunctionNotFound { arn: self.arn_text() }
    }

    /// Refuses a qualifier, for operations on whole functions.
    pub(crate) fn without_qualifier(self) -> Result<Self, LambdaError> {
        match self.qualifier.as_deref() {
            None | Some("$LATEST") => Ok(Self {
                qualifier: None,
                ..self
            }),
            Some(_) => Err(LambdaError::QualifierNotAllowed),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

/// Takes the text apart as the patterns do; none if no pattern fits.
fn split<'a>(text: &'a str, scope: &Scope) -> Option<Parts<'a>> {
    let mut rest: Vec<&str> = text.split(':').collect();
    if let ["arn", partition, "lambda", _, ..] = rest.as_slice()
        && is_partition(partition)
    {
        rest.drain(..3);
    }
    let is_region = |part: &str| is_region(part) || part == scope.region.as_str();
    let region = take_first(&mut rest, is_region);
    let account = take_first(&mut rest, |part| part.len() == 12 && all_digits(part));
    take_first(&mut rest, |part| part == "function");
    let (name, qualifier) = match rest.as_slice() {
        [name] => (*name, None),
        [name, qualifier] => (*name, Some(*qualifier)),
        _ => return None,
    };
    let qualifier_fits = qualifier.is_none_or(|q| q == "$LATEST" || is_plain(q));
    (is_plain(name) && qualifier_fits).then_some(Parts {
        region,
        account,
        name,
        qualifier,
    })
}

/// Takes the first part if it fits and is not the last: the last is the name, whatever it looks like.
fn take_first<'a>(rest: &mut Vec<&'a str>, fits: impl Fn(&str) -> bool) -> Option<&'a str> {
    let first = *rest.first()?;
    (rest.len() > 1 && fits(first)).then(|| rest.remove(0))
}

fn is_partition(part: &str) -> bool {
    part.is_empty()
        || part
            .strip_prefix("aws")
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-'))
}

/// `us-east-1`, `us-gov-west-1`, `us-iso-east-1`, `eusc-de-east-1`.
fn is_region(part: &str) -> bool {
    let part = part.strip_prefix("eusc-").unwrap_or(part);
    let words: Vec<&str> = part.split('-').collect();
    let lower = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let (country, place, number) = match words.as_slice() {
        [country, place, number] => (country, place, number),
        [country, special, place, number] if is_special(special) => (country, place, number),
        _ => return false,
    };
    country.len() == 2 && lower(country) && lower(place) && number.len() == 1 && all_digits(number)
}

fn is_special(word: &str) -> bool {
    word == "gov"
        || word
            .strip_prefix("iso")
            .is_some_and(|rest| rest.len() <= 1 && rest.bytes().all(|b| b.is_ascii_lowercase()))
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn check_name(shape: Shape, text: &str, fits: bool, violations: &mut Violations) {
    let (longest, pattern) = match shape {
        Shape::Plain => (LONGEST_PLAIN, PLAIN_PATTERN),
        Shape::Namespaced => (LONGEST_NAMESPACED, NAMESPACED_PATTERN),
    };
    if text.len() > longest {
        let constraint = format!("Member must have length less than or equal to {longest}");
        violations.add(&["FunctionName"], text.to_owned(), constraint);
    }
    if !fits {
        let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
        violations.add(&["FunctionName"], text.to_owned(), constraint);
    }
}

fn check_qualifier(parameter: Option<&str>, violations: &mut Violations) {
    let Some(given) = parameter else { return };
    if given.len() > LONGEST_QUALIFIER {
        let constraint = format!("Member must have length less than or equal to {LONGEST_QUALIFIER}");
        violations.add(&["Qualifier"], given.to_owned(), constraint);
    }
    let fits = given == "$LATEST.PUBLISHED"
        || !given.is_empty() && given.split('$').all(|part| part.is_empty() || is_plain(part));
    if !fits {
        let constraint = format!("Member must satisfy regular expression pattern: {QUALIFIER_PATTERN}");
        violations.add(&["Qualifier"], given.to_owned(), constraint);
    }
}

fn one_qualifier<'a>(
    derived: Option<&'a str>,
    parameter: Option<&'a str>,
) -> Result<Option<&'a str>, LambdaError> {
    match (derived, parameter) {
        (Some(derived), Some(parameter)) if derived != parameter => Err(LambdaError::QualifierMismatch),
        (Some(qualifier), _) | (None, Some(qualifier)) => Ok(Some(qualifier)),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        }
    }

    fn parse(text: &str, parameter: Option<&str>) -> Result<Target, LambdaError> {
        Target::parse(Shape::Namespaced, text, parameter, &scope())
    }

    #[test]
    fn every_form_names_the_same_function() {
        for text in [
            "shop",
            "function:shop",
            "123456789012:function:shop",
            "123456789012:shop",
            "us-east-1:123456789012:function:shop",
            "arn:aws:lambda:us-east-1:123456789012:function:shop",
        ] {
            let target = parse(text, None).unwrap();
            assert_eq!(
                target.arn_text(),
                "arn:aws:lambda:us-east-1:123456789012:function:shop",
                "{text}"
            );
            let qualified = parse(&format!("{text}:7"), None).unwrap();
            assert_eq!(qualified.qualifier_text(), Some("7"), "{text}");
        }
    }

    #[test]
    fn words_that_look_like_parts_may_be_names() {
        for text in [
            "function",
            "123456789012",
            "us-east-1",
            "arn:aws:lambda:us-east-1:123456789012:function",
        ] {
            let name = parse(text, None).unwrap().name_text().to_owned();
            assert!(text.ends_with(&name), "{text}: {name}");
        }
    }

    #[test]
    fn what_fits_no_pattern_is_a_validation_error() {
        for text in [
            "*",
            "my-function!",
            "invalid-account:function:my-function",
            "arn:aws:lambda:invalid-region:123456789012:function:f",
            "arn:aws:ec2:us-east-1:123456789012:instance:i-1",
            "arn:aws:lambda:us-east-1:123456789012:function:f:1:2",
            "function:f:$LATEST:extra",
            "arn:aws:lambda::123456789012:function:f",
            "arn:aws:lambda:us-east-1::function:f",
            "f:$LATES",
            "",
        ] {
            let error = parse(text, None).unwrap_err();
            assert!(matches!(error, LambdaError::Validation(_)), "{text}: {error}");
            let expected =
                format!("Value '{text}' at 'functionName' failed to satisfy constraint: Member must");
            assert!(error.to_string().contains(&expected), "{error}");
        }
    }

    #[test]
    fn qualifiers_must_agree() {
        assert!(matches!(
            parse("f:1", Some("2")),
            Err(LambdaError::QualifierMismatch)
        ));
        assert_eq!(parse("f:1", Some("1")).unwrap().qualifier_text(), Some("1"));
        assert_eq!(
            parse("f", Some("$LATEST")).unwrap().qualifier_text(),
            Some("$LATEST")
        );
    }

    #[test]
    fn qualifiers_are_checked() {
        let long = "a".repeat(129);
        for (bad, rule) in [
            ("invalid!", "pattern: \\$(LATEST"),
            (long.as_str(), "less than or equal to 128"),
        ] {
            let text = parse("f", Some(bad)).unwrap_err().to_string();
            assert!(text.contains("at 'qualifier'") && text.contains(rule), "{text}");
        }
        let odd = parse("f", Some("with-$-but-missing")).unwrap();
        assert!(matches!(
            odd.qualifier(),
            Some(Err(LambdaError::FunctionNotFound { .. }))
        ));
    }

    #[test]
    fn other_regions_and_accounts_are_out_of_reach() {
        let region = parse("arn:aws:lambda:eu-west-1:123456789012:function:f", None).unwrap_err();
        let expected = "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')";
        assert_eq!(region.to_string(), expected);
        let account = parse("999999999999:function:f", None).unwrap_err();
        assert_eq!(account.wire().status, 403);
    }

    #[test]
    fn a_region_of_ones_own_is_a_region() {
        let own = Scope {
            region: "home".parse().unwrap(),
            ..scope()
        };
        let text = "arn:aws:lambda:home:123456789012:function:f";
        assert_eq!(
            Target::parse(Shape::Plain, text, None, &own).unwrap().arn_text(),
            text
        );
    }

    #[test]
    fn a_name_that_is_too_long_is_not_found() {
        let name = "a".repeat(65);
        let target = parse(&name, None).unwrap();
        assert!(target.function_arn().unwrap_err().to_string().ends_with(&name));
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_back(name in "[a-zA-Z0-9_-]{1,64}", qualifier in "[a-zA-Z0-9_-]{1,128}") {
            let arn = "arn:aws:lambda:us-east-1:123456789012:function:";
            let target = parse(&format!("{arn}{name}:{qualifier}"), None).unwrap();
            assert_eq!((target.name_text(), target.qualifier_text()), (name.as_str(), Some(qualifier.as_str())));
            assert_eq!(parse(&target.arn_text(), None).unwrap(), target);
            assert_eq!(parse(&format!("function:{name}"), Some(&qualifier)).unwrap(), target);
        }

        #[test]
        fn no_text_breaks_the_parser(text in ".{0,200}", qualifier in ".{0,20}") {
            if let Ok(target) = parse(&text, Some(&qualifier)) {
                assert!(text.contains(target.name_text()));
            }
        }
    }
}
