//! Ruby gems: `bundle install` into `vendor/bundle`, from where the packaged code loads them.

use std::path::Path;

use super::command::Invocation;
use super::stamp::{Fingerprint, Stamp};
use super::{Built, Context, cannot_write};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};

/// Installs the gems of the service's Gemfile.
pub(super) async fn run(context: Context<'_>, built: &mut Built) -> Result<(), Diagnostics> {
    let root = context.root();
    let gemfile = root.join("Gemfile");
    if !has_gems(&gemfile) {
        return Ok(());
    }
    built.watched.extend([gemfile.clone(), root.join("Gemfile.lock")]);
    let stamp = Stamp::of(root, "bundle-install");
    let installed = root.join("vendor/bundle").is_dir();
    if installed && (stamp.is(&fingerprint(root)) || !stamp.exists()) {
        return Ok(());
    }
    let Some(bundler) = context.tools.find("bundle") else {
        return Err(Diagnostic::error("the Gemfile asks for gems, and there is no bundler to install them")
            .at(&Span::start_of(&gemfile))
            .hint("install it with `gem install bundler`, or put the gems into vendor/bundle by other means")
            .into());
    };
    context.build_dir()?;
    context.say("installing gems: bundle install");
    Invocation::new("bundle install", &bundler, root)
        .args(["install"])
        .env("BUNDLE_PATH", "vendor/bundle")
        .env("BUNDLE_WITHOUT", "development:test")
        .run(context.tools)
        .await
        .map_err(|error| {
            Diagnostics::from(
                Diagnostic::error(error.to_string())
                    .at(&Span::start_of(&gemfile))
                    .hint("run the command in the service directory to see all of its output"),
            )
        })?;
    let written = |cause| cannot_write(root, &cause);
    stamp.write(&fingerprint(root)).map_err(written)
}

fn has_gems(gemfile: &Path) -> bool {
    let text = std::fs::read_to_string(gemfile).unwrap_or_default();
    let mut lines = text.lines().map(str::trim_start);
    lines.any(|line| line.starts_with("gem ") || line.starts_with("gem(") || line.starts_with("gemspec"))
}

fn fingerprint(root: &Path) -> String {
    let gemfile = Fingerprint::default().file(&root.join("Gemfile"));
    gemfile.file(&root.join("Gemfile.lock")).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::testing::{Workspace, function, program};

    fn workspace(gemfile: &str) -> Workspace {
        Workspace::new(&[("Gemfile", gemfile)], vec![function("f", "ruby3.2", "x.run")])
    }

    async fn run_here(workspace: &Workspace) -> Result<(), Diagnostics> {
        run(workspace.context(), &mut Built::default()).await
    }

    #[tokio::test]
    async fn gems_are_installed_once() {
        let workspace = workspace("source 'x'\n  gem 'rack'\n");
        program(
            &workspace.bin(),
            "bundle",
            "echo run >> log; mkdir -p $BUNDLE_PATH",
        );
        run_here(&workspace).await.unwrap();
        run_here(&workspace).await.unwrap();
        let log = std::fs::read_to_string(workspace.root().join("log")).unwrap();
        assert_eq!(log, "run\n");
    }

    #[tokio::test]
    async fn a_gemfile_without_gems_needs_nothing() {
        run_here(&workspace("source 'x'\n# gem 'rack'\n")).await.unwrap();
    }

    #[tokio::test]
    async fn without_bundler_it_says_so() {
        let error = run_here(&workspace("gem 'rack'")).await.unwrap_err();
        assert!(error.to_string().contains("no bundler"), "{error}");
    }
}
