//! The ordered include and exclude rules of one package.

use super::glob::Glob;

/// What the reference leaves out of every package, before the project's own rules.
const DEFAULT_EXCLUDES: [&str; 8] = [
    ".git/**",
    ".gitignore",
    ".DS_Store",
    "npm-debug.log",
    "yarn-*.log",
    ".serverless/**",
    ".serverless_plugins/**",
    ".tradewind/**",
];

/// Rules in order: the last one that matches a file decides, a file no rule matches is in.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    glob: Glob,
    include: bool,
    /// Our own state, or what only tools read: no pattern of the project brings it back.
    fixed: bool,
}

impl Rules {
    /// The default excludes and no more.
    pub(crate) fn with_defaults() -> Self {
        let mut rules = Self { rules: Vec::new() };
        for pattern in DEFAULT_EXCLUDES {
            rules.exclude(pattern);
        }
        rules
    }

    /// Adds the project's patterns in order; `!x` excludes `x`.
    pub(crate) fn extend(&mut self, patterns: &[String]) {
        for pattern in patterns {
            match pattern.strip_prefix('!') {
                Some(excluded) => self.exclude(excluded),
                None => self.push(pattern, true, false),
            }
        }
    }

    /// Excludes what `pattern` matches, unless a later rule includes it again.
    pub(crate) fn exclude(&mut self, pattern: &str) {
        self.push(pattern, false, false);
    }

    /// Excludes what `pattern` matches whatever the project says.
    pub(crate) fn exclude_always(&mut self, pattern: &str) {
        self.push(pattern, false, true);
    }

    fn push(&mut self, pattern: &str, include: bool, fixed: bool) {
        let rule = Rule {
            glob: Glob::parse(pattern.trim()),
            include,
            fixed,
        };
        self.rules.push(rule);
    }

    /// Whether the file at `path` belongs into the package.
    pub(crate) fn selects(&self, path: &[&str]) -> bool {
        let fixed_out = self
            .rules
            .iter()
            .any(|rule| rule.fixed && rule.glob.matches(path));
        let last = self.rules.iter().rev().find(|rule| rule.glob.matches(path));
        !fixed_out && last.is_none_or(|rule| rule.include)
    }

    /// Whether a rule that includes (not the default "everything") names the file at `path`.
    pub(crate) fn names(&self, path: &[&str]) -> bool {
        let last = self.rules.iter().rev().find(|rule| rule.glob.matches(path));
        last.is_some_and(|rule| rule.include) && self.selects(path)
    }

    /// Whether [`Rules::names`] can hold for a file below `directory`.
    pub(crate) fn may_name_below(&self, directory: &[&str]) -> bool {
        let reached = |rule: &Rule| rule.include && rule.glob.may_match_below(directory);
        !self.prunes(directory) && self.rules.iter().any(reached)
    }

    /// Whether no file below `directory` can belong into the package.
    pub(crate) fn prunes(&self, directory: &[&str]) -> bool {
        if self
            .rules
            .iter()
            .any(|rule| rule.fixed && rule.glob.covers(directory))
        {
            return true;
        }
        for rule in self.rules.iter().rev() {
            if rule.include && rule.glob.may_match_below(directory) {
                return false;
            }
            if !rule.include && rule.glob.covers(directory) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(patterns: &[&str]) -> Rules {
        let mut rules = Rules::with_defaults();
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        rules.extend(&patterns);
        rules
    }

    fn selects(patterns: &[&str], path: &str) -> bool {
        rules(patterns).selects(&path.split('/').collect::<Vec<_>>())
    }

    fn prunes(patterns: &[&str], path: &str) -> bool {
        rules(patterns).prunes(&path.split('/').collect::<Vec<_>>())
    }

    #[test]
    fn everything_but_the_defaults_is_in() {
        assert!(selects(&[], "src/.env"));
        assert!(selects(&[], "a/.DS_Store"), "the defaults name files at the root");
        for out in [
            ".git/HEAD",
            ".DS_Store",
            ".gitignore",
            "yarn-error.log",
            ".tradewind/data/db",
        ] {
            assert!(!selects(&[], out), "{out}");
        }
    }

    #[test]
    fn later_rules_win() {
        assert!(!selects(&["!src/**"], "src/a.js"));
        assert!(selects(&["!src/**", "src/a.js"], "src/a.js"));
        assert!(!selects(&["src/a.js", "!src/**"], "src/a.js"));
        assert!(selects(&[".git/HEAD"], ".git/HEAD"));
    }

    #[test]
    fn fixed_rules_cannot_be_undone() {
        let mut rules = rules(&["**"]);
        rules.exclude_always("node_modules/dev/**");
        rules.extend(&["node_modules/dev/**".to_owned()]);
        assert!(!rules.selects(&["node_modules", "dev", "x.js"]));
        assert!(rules.prunes(&["node_modules", "dev"]));
    }

    #[test]
    fn named_files_are_those_a_pattern_asks_for() {
        let rules = rules(&["!**", "assets/**"]);
        assert!(rules.names(&["assets", "a.png"]));
        assert!(!rules.names(&["src", "a.js"]));
        assert!(!Rules::with_defaults().names(&["src", "a.js"]));
    }

    #[test]
    fn excluded_directories_are_never_entered_unless_something_comes_back() {
        assert!(prunes(&["!node_modules/**"], "node_modules"));
        assert!(prunes(&["!**", "src/**"], "node_modules"));
        assert!(!prunes(&["!**", "src/**"], "src"));
        assert!(!prunes(&["!**", "**/*.json"], "deep"));
        assert!(!prunes(
            &["!node_modules/**", "node_modules/a/**"],
            "node_modules"
        ));
        assert!(prunes(
            &["!node_modules/**", "node_modules/a/**"],
            "node_modules/b"
        ));
        assert!(prunes(&["src/**", "!src/**"], "src"));
        assert!(!prunes(&["!node_modules/*.md"], "node_modules"));
        assert!(prunes(&[], ".git"));
    }
}
