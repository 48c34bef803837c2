//! `tradewind init`: a new project from a template that is part of this binary.

use std::path::{Path, PathBuf};

use super::arguments::{Init, TemplateName};
use super::failure::Failure;
use super::output::{self, GOOD, STRONG};
use super::surroundings::Surroundings;

/// Stands for the project's name in a template.
const NAME: &str = "{{name}}";

/// A template: its files, with their places in the project.
struct Template {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    /// What to try once it runs.
    try_it: &'static str,
}

macro_rules! file {
    ($template:literal, $path:literal) => {
        (
            $path,
            include_str!(concat!("../../templates/", $template, "/", $path)),
        )
    };
    ($template:literal, $path:literal, $source:literal) => {
        (
            $path,
            include_str!(concat!("../../templates/", $template, "/", $source)),
        )
    };
}

const NODE_HTTP: Template = Template {
    name: "node-http",
    files: &[
        file!("node-http", "serverless.yml"),
        file!("node-http", "handler.mjs"),
        file!("node-http", ".gitignore", "gitignore"),
    ],
    try_it: "open the URL it prints, then edit handler.mjs and reload",
};

const PYTHON_HTTP: Template = Template {
    name: "python-http",
    files: &[
        file!("python-http", "serverless.yml"),
        file!("python-http", "handler.py"),
        file!("python-http", ".gitignore", "gitignore"),
    ],
    try_it: "open the URL it prints, then edit handler.py and reload",
};

const RUST_HTTP: Template = Template {
    name: "rust-http",
    files: &[
        file!("rust-http", "serverless.yml"),
        file!("rust-http", "Cargo.toml", "Cargo.toml.template"),
        file!("rust-http", "src/main.rs"),
        file!("rust-http", ".gitignore", "gitignore"),
    ],
    try_it: "open the URL it prints, then edit src/main.rs and reload; the first build takes a while",
};

fn template(name: TemplateName) -> &'static Template {
    match name {
        TemplateName::Node => &NODE_HTTP,
        TemplateName::Python => &PYTHON_HTTP,
        TemplateName::Rust => &RUST_HTTP,
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &Init, surroundings: &Surroundings) -> Result<(), Failure> {
    let template = template(arguments.template);
    let dir = arguments.dir.clone().unwrap_or_else(|| template.name.into());
    let target = surroundings.directory.join(&dir);
    if !arguments.force {
        refuse_full(&target, &dir)?;
    }
    let name = project_name(&target, template.name);
    let written = write(template, &target, &name).map_err(|(path, error)| {
        Failure::new(format!("cannot write `{}`", path.display())).because(&error)
    })?;
    output::note(&format!(
        "{GOOD}made{GOOD:#} {} in {}: {}",
        name,
        dir.display(),
        written.join(", ")
    ));
    output::note(&format!(
        "\nnext:\n  {STRONG}tradewind up {}{STRONG:#}\n  {}",
        dir.display(),
        template.try_it
    ));
    Ok(())
}

/// A folder with something in it is somebody's; a fresh git repository is not.
fn refuse_full(target: &Path, shown: &Path) -> Result<(), Failure> {
    let full = match std::fs::read_dir(target) {
        Ok(entries) => entries.flatten().any(|entry| entry.file_name() != ".git"),
        Err(_) if !target.exists() => false,
        Err(error) => return Err(Failure::new(format!("cannot use `{}`", shown.display())).because(&error)),
    };
    if full {
        return Err(Failure::new(format!("`{}` is not empty", shown.display()))
            .hint("name another folder, or write over it with `--force`"));
    }
    Ok(())
}

/// A service name made of the folder's: a letter, then letters, digits and dashes.
fn project_name(target: &Path, fallback: &str) -> String {
    let folder = target.components().next_back().and_then(|last| match last {
        std::path::Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let spelled: String = folder
        .unwrap_or_default()
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let name = spelled
        .trim_start_matches(|character: char| !character.is_ascii_alphabetic())
        .trim_end_matches('-');
    if name.is_empty() {
        fallback.to_owned()
    } else {
        name.to_owned()
    }
}

fn write(
    template: &Template,
    target: &Path,
    name: &str,
) -> Result<Vec<&'static str>, (PathBuf, std::io::Error)> {
    let mut written = Vec::new();
    for (path, text) in template.files {
        let file = target.join(path);
        let folder = file.parent().unwrap_or(target);
        std::fs::create_dir_all(folder).map_err(|error| (folder.to_path_buf(), error))?;
        std::fs::write(&file, text.replace(NAME, name)).map_err(|error| (file.clone(), error))?;
        written.push(*path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_template_is_written_with_the_project_s_name() {
        for name in TemplateName::value_variants() {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("my shop");
            write(template(*name), &target, &project_name(&target, "x")).unwrap();
            let yaml = std::fs::read_to_string(target.join("serverless.yml")).unwrap();
            assert!(yaml.contains("service: my-shop"), "{yaml}");
            for (path, _) in template(*name).files {
                assert!(
                    !std::fs::read_to_string(target.join(path)).unwrap().contains(NAME),
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn names_of_folders_become_names_of_services() {
        let name = |folder: &str| project_name(Path::new(folder), "fallback");
        assert_eq!(name("/a/My_Shop!"), "my-shop");
        assert_eq!(name("/a/2fast"), "fast");
        assert_eq!(name("/a/42"), "fallback");
        assert_eq!(name("/"), "fallback");
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let shown = Path::new("x");
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        assert!(refuse_full(dir.path(), shown).is_ok());
        assert!(refuse_full(&dir.path().join("absent"), shown).is_ok());
        std::fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        assert!(
            refuse_full(dir.path(), shown)
                .unwrap_err()
                .render()
                .contains("--force")
        );
    }
}
