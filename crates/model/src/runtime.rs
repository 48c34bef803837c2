//! Runtime identifiers and the language behind each.

use std::fmt;
use std::str::FromStr;

/// What interprets a function's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// `nodejs*`
    Node,
    /// `python*`
    Python,
    /// `ruby*`
    Ruby,
    /// `java*`
    Java,
    /// `dotnet*`
    Dotnet,
    /// `provided*`: an executable named `bootstrap`.
    Provided,
    /// `go1.x`: an executable at the handler's path.
    Go,
}

/// A runtime identifier as AWS writes it, for example `nodejs20.x`, `python3.12`, `provided.al2023`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Runtime {
    name: Box<str>,
    language: Language,
}

/// A runtime identifier nobody has published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a Lambda runtime")]
pub struct UnknownRuntime {
    /// What was given.
    pub name: Box<str>,
}

impl Runtime {
    /// The identifier as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The language behind it.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// The version in the name: (20, None) of `nodejs20.x`, (3, Some(12)) of `python3.12`;
    /// none where the name carries none (`provided`, `nodejs`).
    #[must_use]
    pub fn version(&self) -> Option<(u32, Option<u32>)> {
        let digits = self.name.find(|c: char| c.is_ascii_digit())?;
        let mut parts = self.name.get(digits..)?.split('.');
        let major = parts.next()?.parse().ok()?;
        Some((major, parts.next().and_then(|minor| minor.parse().ok())))
    }
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownRuntime { name: name.into() };
        let versioned = |prefix: &str| {
            let rest = name.strip_prefix(prefix)?;
            rest.bytes()
                .all(|b| b.is_ascii_digit() || b == b'.' || b == b'x')
                .then_some(rest)
        };
        let language = if versioned("nodejs").is_some() {
            Language::Node
        } else if versioned("python").is_some_and(|rest| !rest.is_empty()) {
            Language::Python
        } else if versioned("ruby").is_some_and(|rest| !rest.is_empty()) {
            Language::Ruby
        } else if matches!(
            name,
            "java8" | "java8.al2" | "java11" | "java17" | "java21" | "java25"
        ) {
            Language::Java
        } else if versioned("dotnetcore").is_some() || versioned("dotnet").is_some() {
            Language::Dotnet
        } else if name == "go1.x" {
            Language::Go
        } else if matches!(name, "provided" | "provided.al2" | "provided.al2023") {
            Language::Provided
        } else {
            return Err(unknown());
        };
        Ok(Self {
            name: name.into(),
            language,
        })
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_names_are_known() {
        let cases = [
            ("nodejs20.x", Language::Node),
            ("nodejs4.3", Language::Node),
            ("nodejs", Language::Node),
            ("python3.12", Language::Python),
            ("python2.7", Language::Python),
            ("ruby3.2", Language::Ruby),
            ("provided.al2023", Language::Provided),
            ("go1.x", Language::Go),
            ("dotnetcore3.1", Language::Dotnet),
            ("java8.al2", Language::Java),
        ];
        for (name, language) in cases {
            assert_eq!(name.parse::<Runtime>().unwrap().language(), language, "{name}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for name in ["", "node20", "nodejs20.y", "python", "java9", "provided.al3"] {
            assert!(name.parse::<Runtime>().is_err(), "{name}");
        }
    }

    #[test]
    fn versions_are_read_from_the_name() {
        assert_eq!(
            "python3.12".parse::<Runtime>().unwrap().version(),
            Some((3, Some(12)))
        );
        assert_eq!(
            "nodejs20.x".parse::<Runtime>().unwrap().version(),
            Some((20, None))
        );
        assert_eq!("provided".parse::<Runtime>().unwrap().version(), None);
    }
}
