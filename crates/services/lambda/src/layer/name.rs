//! Names and ARNs of layers, as clients write them.

use std::fmt;
use std::str::FromStr;

use tradewind_model::{AccountId, Region};

use crate::error::{LambdaError, Violations};
use crate::names::Scope;

const NAME_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+";
/// How the service words what an ARN of a version must be.
pub(crate) const VERSION_ARN_PATTERN: &str = "(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)";
const LONGEST: usize = 140;

/// `[a-zA-Z0-9-_]+`, at most 140 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LayerName(Box<str>);

/// `arn:aws:lambda:REGION:ACCOUNT:layer:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LayerArn {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: LayerName,
}

/// `arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LayerVersionArn {
    pub(crate) layer: LayerArn,
    pub(crate) version: u64,
}

/// Text that is no name or ARN of a layer. Callers word it, each as its place demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no name or ARN of a layer")]
pub(crate) struct InvalidLayer;

impl LayerName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl LayerArn {
    /// The ARN of one of its versions.
    pub(crate) fn version(&self, version: u64) -> LayerVersionArn {
        LayerVersionArn {
            layer: self.clone(),
            version,
        }
    }
}

impl FromStr for LayerName {
    type Err = InvalidLayer;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.into())).ok_or(InvalidLayer)
    }
}

impl FromStr for LayerArn {
    type Err = InvalidLayer;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "lambda", region, account, "layer", name] = parts.as_slice() else {
            return Err(InvalidLayer);
        };
        if !partition.starts_with("aws") {
            return Err(InvalidLayer);
        }
        Ok(Self {
            account: account.parse().map_err(|_bad_account| InvalidLayer)?,
            region: region.parse().map_err(|_bad_region| InvalidLayer)?,
            name: name.parse()?,
        })
    }
}

impl FromStr for LayerVersionArn {
    type Err = InvalidLayer;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (layer, version) = text.rsplit_once(':').ok_or(InvalidLayer)?;
        if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidLayer);
        }
        Ok(Self {
            layer: layer.parse()?,
            // a number that does not fit is one that no version has
            version: version.parse().unwrap_or(u64::MAX),
        })
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LayerArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            region,
            name,
        } = self;
        write!(f, "arn:aws:lambda:{region}:{account}:layer:{name}")
    }
}

impl fmt::Display for LayerVersionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.layer, self.version)
    }
}

/// A layer that a request names: by its name in the caller's account and region, or by its ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedLayer(pub(crate) LayerArn);

impl NamedLayer {
    /// Reads the `LayerName` of a request.
    pub(crate) fn parse(text: &str, scope: &Scope) -> Result<Self, LambdaError> {
        if let Ok(arn) = text.parse() {
            return Ok(Self(arn));
        }
        if let Ok(name) = text.parse() {
            return Ok(Self(LayerArn {
                account: scope.account.clone(),
                region: scope.region.clone(),
                name,
            }));
        }
        let constraint = if text.len() > LONGEST && !text.starts_with("arn:") {
            format!("Member must have length less than or equal to {LONGEST}")
        } else {
            format!("Member must satisfy regular expression pattern: {NAME_PATTERN}")
        };
        let mut violations = Violations::default();
        violations.add(&["LayerName"], text.to_owned(), constraint);
        Err(LambdaError::Validation(violations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_read_as_they_are_written() {
        let text = "arn:aws:lambda:eu-west-1:123456789012:layer:my-layer_1:7";
        let arn: LayerVersionArn = text.parse().unwrap();
        assert_eq!((arn.to_string().as_str(), arn.version), (text, 7));
        assert_eq!(arn.layer.version(7), arn);
        for bad in [
            "arn:aws:lambda:eu-west-1:123456789012:layer:my-layer",
            "arn:aws:lambda:eu-west-1:123456789012:layer:my-layer:",
            "arn:aws:lambda:eu-west-1:123456789012:layer:my-layer:x",
            "arn:aws:lambda:eu-west-1:123456789012:function:my-layer:7",
            "arn:aws:lambda:eu-west-1:12:layer:my-layer:7",
            "my-layer:7",
        ] {
            assert!(bad.parse::<LayerVersionArn>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_names_a_layer_by_name_or_arn() {
        let scope = Scope {
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
        };
        let by_name = NamedLayer::parse("tools", &scope).unwrap();
        let by_arn = NamedLayer::parse("arn:aws:lambda:eu-west-1:123456789012:layer:tools", &scope).unwrap();
        assert_eq!(by_name, by_arn);
        let refused = NamedLayer::parse("to.ols", &scope).unwrap_err().to_string();
        assert!(
            refused.contains("Value 'to.ols' at 'layerName' failed"),
            "{refused}"
        );
        let long = NamedLayer::parse(&"x".repeat(141), &scope)
            .unwrap_err()
            .to_string();
        assert!(long.ends_with("length less than or equal to 140"), "{long}");
    }
}
