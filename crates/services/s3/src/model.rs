//! Buckets, and the types their properties are parsed into.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde_json::Value;
use tradewind_model::Region;

/// A bucket's name: 3 to 63 of `a-z 0-9 . -`, and the further rules of the S3 User Guide, "General
/// purpose bucket naming rules".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketName(Box<str>);

/// A bucket name that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bucket name `{name}` is not valid: {rule}")]
pub struct InvalidBucketName {
    /// What was given.
    pub name: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

const RESERVED_PREFIXES: &[&str] = &["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: &[&str] = &["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// What a bucket is, except for its name. This is also the form in its row: members may be added,
/// never renamed. The settings are kept as the template gives them until the service uses them.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bucket {
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// `BucketEncryption`, `PublicAccessBlockConfiguration`, `VersioningConfiguration`,
    /// `AccessControl`, `OwnershipControls`.
    pub settings: BTreeMap<String, Value>,
}

impl BucketName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that comes of a generated one: lower case, and `-` for what no bucket name may have.
    ///
    /// # Errors
    /// When nothing valid comes of it.
    pub fn generated(name: &str) -> Result<Self, InvalidBucketName> {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        };
        let name: String = name.chars().map(plain).collect();
        name.trim_matches('-').parse()
    }

    /// `arn:aws:s3:::<name>`.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.0)
    }

    /// What `Fn::GetAtt` gives.
    #[must_use]
    pub fn attributes(&self, region: &Region) -> [(&'static str, String); 5] {
        let name = &self.0;
        [
            ("Arn", self.arn()),
            ("DomainName", format!("{name}.s3.amazonaws.com")),
            (
                "DualStackDomainName",
                format!("{name}.s3.dualstack.{region}.amazonaws.com"),
            ),
            ("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com")),
            (
                "WebsiteURL",
                format!("http://{name}.s3-website-{region}.amazonaws.com"),
            ),
        ]
    }
}

impl FromStr for BucketName {
    type Err = InvalidBucketName;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match broken_rule(name) {
            None => Ok(Self(name.into())),
            Some(rule) => Err(InvalidBucketName {
                name: name.into(),
                rule,
            }),
        }
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().last()];
    if !(3..=63).contains(&name.len()) {
        Some("it has 3 to 63 characters")
    } else if !name.bytes().all(|b| plain(b) || b == b'.' || b == b'-') {
        Some("it consists of lower-case letters, digits, `.` and `-`")
    } else if !ends.into_iter().flatten().all(plain) {
        Some("it begins and ends with a letter or digit")
    } else if name.contains("..") {
        Some("it has no two dots in a row")
    } else if name.parse::<Ipv4Addr>().is_ok() {
        Some("it is not an IP address")
    } else if RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Some("`xn--`, `sthree-` and `amzn-s3-demo-` are reserved beginnings")
    } else if RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        Some("`-s3alias`, `--ol-s3`, `.mrap`, `--x-s3` and `--table-s3` are reserved endings")
    } else {
        None
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_s3s_rules() {
        for name in ["abc", "my.bucket-1", "1-2", "256.1.1.1", &"x".repeat(63)] {
            assert_eq!(name.parse::<BucketName>().unwrap().to_string(), name);
        }
        for name in [
            "ab",
            &"x".repeat(64),
            "Abc",
            "a_b",
            "-abc",
            "abc-",
            ".abc",
            "a..b",
            "192.168.5.4",
            "xn--abc",
            "abc-s3alias",
            "abc--ol-s3",
            "äbc",
        ] {
            assert!(name.parse::<BucketName>().is_err(), "{name}");
        }
    }

    #[test]
    fn generated_names_become_valid_ones() {
        let name = BucketName::generated("shop-dev-ServerlessDeploymentBucket-0123456789AB").unwrap();
        assert_eq!(name.as_str(), "shop-dev-serverlessdeploymentbucket-0123456789ab");
        assert_eq!(BucketName::generated("-A_b.c-").unwrap().as_str(), "a-b-c");
        assert!(BucketName::generated("--").is_err());
    }
}
