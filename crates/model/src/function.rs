//! How functions are named: names, qualifiers, ARNs, and the shorthand clients may use.

use std::fmt;
use std::str::FromStr;

use crate::{AccountId, Region};

/// A function name: 1–64 of `A-Z a-z 0-9 - _`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName(Box<str>);

impl FunctionName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FunctionName {
    type Err = InvalidFunctionRef;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if (1..=64).contains(&text.len()) && text.bytes().all(is_name_byte) {
            return Ok(Self(text.into()));
        }
        Err(InvalidFunctionRef { text: text.into() })
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

/// Which of a function's versions is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Qualifier {
    /// The unpublished code, `$LATEST`.
    #[default]
    Latest,
    /// A published version, counted from 1.
    Version(u64),
    /// An alias: 1–128 of `A-Z a-z 0-9 - _`, not all digits.
    Alias(Box<str>),
}

impl FromStr for Qualifier {
    type Err = InvalidFunctionRef;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "$LATEST" {
            return Ok(Self::Latest);
        }
        let invalid = || InvalidFunctionRef { text: text.into() };
        if text.is_empty() || text.len() > 128 || !text.bytes().all(is_name_byte) {
            return Err(invalid());
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Self::Version).map_err(|_too_large| invalid());
        }
        Ok(Self::Alias(text.into()))
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("$LATEST"),
            Self::Version(version) => write!(f, "{version}"),
            Self::Alias(alias) => f.write_str(alias),
        }
    }
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionArn {
    /// Where the function is.
    pub region: Region,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: FunctionName,
    /// None prints no qualifier, and means `$LATEST`.
    pub qualifier: Option<Qualifier>,
}

impl FunctionArn {
    /// The same function with another qualifier.
    #[must_use]
    pub fn qualified(&self, qualifier: Qualifier) -> Self {
        Self {
            qualifier: Some(qualifier),
            ..self.clone()
        }
    }

    /// The same function without a qualifier.
    #[must_use]
    pub fn unqualified(&self) -> Self {
        Self {
            qualifier: None,
            ..self.clone()
        }
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:aws:lambda:{}:{}:function:{}",
            self.region, self.account, self.name
        )?;
        match &self.qualifier {
            Some(qualifier) => write!(f, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

impl FromStr for FunctionArn {
    type Err = InvalidFunctionRef;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reference: FunctionRef = text.parse()?;
        match reference {
            FunctionRef {
                region: Some(region),
                account: Some(account),
                name,
                qualifier,
            } => Ok(Self {
                region,
                account,
                name,
                qualifier,
            }),
            _ => Err(InvalidFunctionRef { text: text.into() }),
        }
    }
}

/// What a client may write for a function: `NAME[:Q]`, `ACCOUNT:function:NAME[:Q]`,
/// `function:NAME[:Q]` or a whole ARN (Lambda API, parameter `FunctionName`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionRef {
    /// Given only by a whole ARN.
    pub region: Option<Region>,
    /// Given by a whole or partial ARN.
    pub account: Option<AccountId>,
    /// The function's name.
    pub name: FunctionName,
    /// The qualifier written behind the name.
    pub qualifier: Option<Qualifier>,
}

/// Text that names no function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a function name, partial ARN or ARN")]
pub struct InvalidFunctionRef {
    /// What was given.
    pub text: Box<str>,
}

impl FromStr for FunctionRef {
    type Err = InvalidFunctionRef;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidFunctionRef { text: text.into() };
        let parts: Vec<&str> = text.split(':').collect();
        let (region, account, rest) = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", rest @ ..]
                if partition.starts_with("aws") =>
            {
                (Some(*region), Some(*account), rest)
            }
            [account, "function", rest @ ..] if account.len() == 12 => (None, Some(*account), rest),
            ["function", rest @ ..] => (None, None, rest),
            rest => (None, None, rest),
        };
        let (name, qualifier) = match rest {
            [name] => (name, None),
            [name, qualifier] => (name, Some(qualifier.parse()?)),
            _ => return Err(invalid()),
        };
        Ok(Self {
            region: region
                .map(str::parse)
                .transpose()
                .map_err(|_bad_region| invalid())?,
            account: account
                .map(str::parse)
                .transpose()
                .map_err(|_bad_account| invalid())?,
            name: name.parse()?,
            qualifier,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_understood() {
        let whole: FunctionRef = "arn:aws:lambda:eu-west-1:123456789012:function:shop:7"
            .parse()
            .unwrap();
        assert_eq!(whole.qualifier, Some(Qualifier::Version(7)));
        assert_eq!(whole.region.unwrap().as_str(), "eu-west-1");
        let partial: FunctionRef = "123456789012:function:shop".parse().unwrap();
        assert_eq!(partial.account.unwrap().as_str(), "123456789012");
        let plain: FunctionRef = "shop:$LATEST".parse().unwrap();
        assert_eq!(plain.qualifier, Some(Qualifier::Latest));
        let alias: FunctionRef = "shop:live".parse().unwrap();
        assert_eq!(alias.qualifier, Some(Qualifier::Alias("live".into())));
    }

    #[test]
    fn what_names_no_function_is_refused() {
        let too_long = "x".repeat(65);
        for text in [
            "",
            "a b",
            "shop:",
            "shop:a:b",
            "arn:aws:s3:::bucket",
            too_long.as_str(),
        ] {
            assert!(text.parse::<FunctionRef>().is_err(), "{text}");
        }
    }

    #[test]
    fn arns_print_what_was_parsed() {
        let text = "arn:aws:lambda:us-east-1:000000000000:function:shop:live";
        assert_eq!(text.parse::<FunctionArn>().unwrap().to_string(), text);
    }
}
