//! Values that arguments have: read once, when the command line is.

use std::net::SocketAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;

/// Where a node listens unless it is told otherwise.
pub(super) const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:4566";

/// `127.0.0.1:4566`, `localhost:4566`, `:4566` or `4566`.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = text
        .strip_prefix("localhost:")
        .or_else(|| text.strip_prefix(':'))
        .unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.parse().map_err(|_invalid| {
        "give an address and a port, for example 127.0.0.1:4566, or only a port".to_owned()
    })
}

/// `KEY=VALUE`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Before the first `=`; not empty.
    pub(crate) key: String,
    /// After it.
    pub(crate) value: String,
}

impl FromStr for Assignment {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.into(),
                value: value.into(),
            }),
            _ => Err(format!("`{text}` is not KEY=VALUE")),
        }
    }
}

/// The address of a node: `http://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(Authority);

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl FromStr for Endpoint {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A variable that is set to nothing is not set.
        let text = if text.is_empty() { DEFAULT_ENDPOINT } else { text };
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        match (uri.scheme_str(), uri.authority(), uri.path()) {
            (Some("http"), Some(authority), "" | "/") => Ok(Self(authority.clone())),
            (Some("https"), ..) => Err("a node speaks plain HTTP for now: use http://".into()),
            _ => Err(format!("`{text}` is not of the form http://HOST:PORT")),
        }
    }
}

/// `90s`, `15m`, `2h` or `3d` in milliseconds.
pub(crate) fn parse_age(text: &str) -> Result<i64, String> {
    let unit = |suffix: char| match suffix {
        's' => Some(1_000),
        'm' => Some(60_000),
        'h' => Some(3_600_000),
        'd' => Some(86_400_000),
        _ => None,
    };
    let mut digits = text.chars();
    let milliseconds = digits
        .next_back()
        .and_then(unit)
        .zip(digits.as_str().parse::<u32>().ok())
        .and_then(|(unit, count)| i64::from(count).checked_mul(unit));
    milliseconds.ok_or_else(|| format!("`{text}` is not an age such as 90s, 15m, 2h or 3d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_be_shortened_to_its_port() {
        for (text, address) in [
            ("4600", "127.0.0.1:4600"),
            (":4600", "127.0.0.1:4600"),
            ("localhost:0", "127.0.0.1:0"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(listen_address(text).unwrap().to_string(), address);
        }
        for text in ["", "localhost", "example.com:80", "99999", ":"] {
            assert!(
                listen_address(text).unwrap_err().contains("127.0.0.1:4566"),
                "{text}"
            );
        }
    }

    #[test]
    fn endpoints_are_plain_http() {
        let endpoint: Endpoint = "http://127.0.0.1:4566/".parse().unwrap();
        assert_eq!(endpoint.to_string(), "http://127.0.0.1:4566");
        assert_eq!("".parse::<Endpoint>(), Ok(endpoint));
        for wrong in ["127.0.0.1:4566", "https://x", "http://x/path", "ftp://x"] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ages_have_a_unit() {
        assert_eq!(parse_age("90s"), Ok(90_000));
        assert_eq!(parse_age("3d"), Ok(259_200_000));
        for wrong in ["", "5", "m", "-1m", "1w", "1.5h", "é"] {
            assert!(parse_age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn assignments_have_a_key() {
        assert!("=x".parse::<Assignment>().is_err());
        assert!("x".parse::<Assignment>().is_err());
        assert_eq!("x=".parse::<Assignment>().unwrap().value, "");
    }
}
