//! `package`, at the service and at functions.

use super::section::{Problems, Section};
use crate::diagnostic::Span;
use crate::yaml::Node;

/// One `package` mapping.
#[derive(Clone, Debug, Default)]
pub(super) struct Packaging {
    /// `exclude` as patterns that exclude.
    pub(super) exclude: Vec<String>,
    /// `include`
    pub(super) include: Vec<String>,
    /// `patterns`
    pub(super) patterns: Vec<String>,
    pub(super) artifact: Option<String>,
    pub(super) individually: Option<bool>,
    pub(super) exclude_dev_dependencies: Option<bool>,
    pub(super) span: Option<Span>,
}

impl Packaging {
    /// Reads `package` at `path`.
    pub(super) fn read(node: Option<&Node>, path: &str, problems: &mut Problems) -> Self {
        let Some(node) = node else {
            return Self::default();
        };
        let mut section = Section::new(node, path, problems);
        section.ignore(&["path", "excludeDevDependencies"]);
        let exclude = section.texts("exclude", problems).unwrap_or_default();
        let include = section.texts("include", problems).unwrap_or_default();
        let patterns = section.texts("patterns", problems).unwrap_or_default();
        let packaging = Self {
            exclude: exclude.iter().map(|pattern| excluding(pattern)).collect(),
            include: include.iter().map(|pattern| normal(pattern)).collect(),
            patterns: patterns.iter().map(|pattern| normal(pattern)).collect(),
            artifact: artifact(&mut section, problems),
            individually: section.boolean("individually", problems),
            exclude_dev_dependencies: section.boolean("excludeDevDependencies", problems),
            span: Some(node.span.clone()),
        };
        section.finish(problems);
        packaging
    }

    /// Whether it selects files.
    pub(super) fn selects(&self) -> bool {
        !(self.exclude.is_empty() && self.include.is_empty() && self.patterns.is_empty())
    }
}

fn artifact(section: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let node = section.get("artifact")?;
    let artifact = section.text("artifact", problems)?;
    if artifact.starts_with("s3://") || artifact.starts_with("https://") {
        let hint = "download it and name the file";
        problems.unsupported(&node.span, &format!("artifact `{artifact}`"), hint);
        return None;
    }
    Some(artifact)
}

/// A pattern of `exclude`; one that starts with `!` brings files back.
fn excluding(pattern: &str) -> String {
    match pattern.strip_prefix('!') {
        Some(included) => normal(included),
        None => normal(&format!("!{pattern}")),
    }
}

/// Old projects write `./**`, which means `**`.
fn normal(pattern: &str) -> String {
    match pattern.strip_prefix('!') {
        Some(rest) => format!("!{}", rest.strip_prefix("./").unwrap_or(rest)),
        None => pattern.strip_prefix("./").unwrap_or(pattern).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusions_become_patterns() {
        let cases = [
            ("node_modules/**", "!node_modules/**"),
            ("./**", "!**"),
            ("!keep.js", "keep.js"),
            ("!./keep.js", "keep.js"),
        ];
        for (written, expected) in cases {
            assert_eq!(excluding(written), expected);
        }
        assert_eq!(normal("!./a/**"), "!a/**");
        assert_eq!(normal("./a"), "a");
    }
}
