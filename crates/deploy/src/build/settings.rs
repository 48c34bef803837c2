//! How a project wants its code bundled: `custom.esbuild`, or `build.esbuild` of version 4.

use serde_json::{Map, Value};

use super::Context;
use crate::diagnostic::{Diagnostic, Span};

/// Plugins that put each function with everything it imports into one file.
const BUNDLERS: [&str; 12] = [
    "serverless-webpack",
    "serverless-esbuild",
    "serverless-bundle",
    "serverless-plugin-optimize",
    "serverless-rspack",
    "serverless-plugin-webpack",
    "serverless-webpack-prisma",
    "serverless-esbuild-layers",
    "serverless-vite",
    "serverless-plugin-browserifier",
    "serverless-plugin-bundle",
    "serverless-parcel",
];
/// Plugins that translate the project's own files and leave installed packages alone.
const TRANSLATORS: [&str; 6] = [
    "serverless-plugin-typescript",
    "serverless-typescript",
    "serverless-plugin-ts-paths",
    "serverless-tscpaths",
    "serverless-babel-plugin",
    "serverless-plugin-babel",
];
/// Settings of the plugins that are taken over.
const KNOWN: [&str; 14] = [
    "bundle",
    "minify",
    "sourcemap",
    "sourcesContent",
    "target",
    "external",
    "exclude",
    "define",
    "format",
    "loader",
    "keepNames",
    "tsconfig",
    "mainFields",
    "conditions",
];
/// Settings that say nothing about the result here.
const IRRELEVANT: [&str; 18] = [
    "packager",
    "packagerOptions",
    "concurrency",
    "zipConcurrency",
    "buildConcurrency",
    "nativeZip",
    "watch",
    "keepOutputDirectory",
    "skipBuild",
    "skipBuildExcludeFns",
    "disableIncremental",
    "outputWorkFolder",
    "outputBuildFolder",
    "installExtraArgs",
    "platform",
    "logLevel",
    "treeShaking",
    "outputFileExtension",
];

/// How far bundling goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Only handlers that Node cannot run as they are (TypeScript) are translated, with the project's own
    /// files they import; installed packages stay beside them.
    Translate,
    /// As before, and translators prefer the source over an output that lies beside it.
    PreferSource,
    /// Every handler becomes one file with everything it imports.
    Bundle,
}

/// The settings that are understood.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) mode: Mode,
    pub(super) module_format: Option<Format>,
    /// Packages that stay beside the bundle.
    pub(super) external: Vec<String>,
    /// Packages the runtime is said to provide.
    pub(super) provided: Vec<String>,
    /// Everything else, as flags.
    pub(super) flags: Vec<String>,
    /// What the project asked for and does not get.
    pub(super) warnings: Vec<Diagnostic>,
}

/// The module system of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `require`
    CommonJs,
    /// `import`
    Module,
}

impl Settings {
    /// The settings of the project.
    pub(super) fn of(context: Context<'_>) -> Self {
        let bundler = context.plugin(&BUNDLERS);
        let translator = context.plugin(&TRANSLATORS);
        let built_in = context.project.build.get("esbuild").filter(|value| is_on(value));
        let custom = context.project.custom.get("esbuild").filter(|value| is_on(value));
        let mode = if bundler.is_some() || built_in.is_some() {
            Mode::Bundle
        } else if translator.is_some() {
            Mode::PreferSource
        } else {
            Mode::Translate
        };
        let mut settings = Self {
            mode,
            module_format: None,
            external: Vec::new(),
            provided: Vec::new(),
            flags: Vec::new(),
            warnings: Vec::new(),
        };
        let place = bundler.map_or(&context.request.span, |(_, span)| span);
        let given = custom.or(built_in).and_then(Value::as_object);
        settings.take_over(given.unwrap_or(&Map::new()), place);
        if custom.is_some_and(Value::is_string) {
            settings.refuse("custom.esbuild as a JavaScript file", place);
        }
        settings
    }

    fn take_over(&mut self, given: &Map<String, Value>, place: &Span) {
        if given.get("bundle") == Some(&Value::Bool(false))
            || given.get("packages") == Some(&"external".into())
        {
            self.mode = Mode::PreferSource;
        }
        self.external = texts(given.get("external"));
        self.provided = texts(given.get("exclude"));
        self.module_format = match given.get("format").and_then(Value::as_str) {
            Some("esm") => Some(Format::Module),
            Some(_) => Some(Format::CommonJs),
            None => None,
        };
        self.sourcemap(given.get("sourcemap"));
        for (name, flag) in [("minify", "--minify"), ("keepNames", "--keep-names")] {
            if given.get(name) == Some(&Value::Bool(true)) {
                self.flags.push(flag.to_owned());
            }
        }
        if given.contains_key("sourcemap") && given.get("sourcesContent") == Some(&Value::Bool(false)) {
            self.flags.push("--sources-content=false".to_owned());
        }
        if let Some(tsconfig) = given.get("tsconfig").and_then(Value::as_str) {
            self.flags.push(format!("--tsconfig={tsconfig}"));
        }
        for (name, flag) in [("mainFields", "--main-fields"), ("conditions", "--conditions")] {
            let values = texts(given.get(name));
            if !values.is_empty() {
                self.flags.push(format!("{flag}={}", values.join(",")));
            }
        }
        self.tables(given);
        for name in given.keys().map(String::as_str) {
            if !KNOWN.contains(&name) && !IRRELEVANT.contains(&name) && name != "packages" {
                self.refuse(&format!("the bundler setting `{name}`"), place);
            }
        }
    }

    /// Stack traces should name the source unless the project says otherwise.
    fn sourcemap(&mut self, given: Option<&Value>) {
        match given {
            Some(Value::Bool(false)) => {}
            Some(Value::String(kind)) => self.flags.push(format!("--sourcemap={kind}")),
            Some(_) => self.flags.push("--sourcemap".to_owned()),
            None => self
                .flags
                .extend(["--sourcemap", "--sources-content=false"].map(str::to_owned)),
        }
    }

    fn tables(&mut self, given: &Map<String, Value>) {
        for (table, flag) in [("define", "--define:"), ("loader", "--loader:")] {
            let entries = given.get(table).and_then(Value::as_object);
            for (name, value) in entries.into_iter().flatten() {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.flags.push(format!("{flag}{name}={text}"));
            }
        }
    }

    fn refuse(&mut self, what: &str, place: &Span) {
        let warning = Diagnostic::warning(format!("{what} is not supported and has no effect"))
            .at(place)
            .hint("handlers are bundled by plain esbuild; if that is not enough, add a `build` script to package.json");
        self.warnings.push(warning);
    }
}

fn is_on(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::package::testing::{Workspace, function};

    fn settings(plugin: &str, custom: Value) -> Settings {
        let mut workspace = Workspace::new(&[], vec![function("f", "nodejs20.x", "x.handler")]);
        workspace.project.custom = json!({ "esbuild": custom });
        workspace.plugin(plugin);
        Settings::of(workspace.context())
    }

    #[test]
    fn plugins_choose_how_far_bundling_goes() {
        assert_eq!(settings("serverless-offline", Value::Null).mode, Mode::Translate);
        assert_eq!(
            settings("serverless-plugin-typescript", Value::Null).mode,
            Mode::PreferSource
        );
        assert_eq!(settings("serverless-webpack", Value::Null).mode, Mode::Bundle);
        let unbundled = settings("serverless-esbuild", json!({"bundle": false}));
        assert_eq!(unbundled.mode, Mode::PreferSource);
    }

    #[test]
    fn simple_settings_become_flags() {
        let settings = settings(
            "serverless-esbuild",
            json!({
                "minify": true, "sourcemap": "inline", "external": ["sharp"], "format": "esm",
                "define": {"A": "'x'"}, "conditions": ["a", "b"], "packager": "yarn",
            }),
        );
        let expected = [
            "--sourcemap=inline",
            "--minify",
            "--conditions=a,b",
            "--define:A='x'",
        ];
        assert_eq!(settings.flags, expected);
        assert_eq!(settings.external, ["sharp"]);
        assert_eq!(settings.module_format, Some(Format::Module));
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let settings = settings("serverless-esbuild", json!({"plugins": "./plugins.js"}));
        assert!(settings.warnings[0].message.contains("`plugins`"));
    }
}
