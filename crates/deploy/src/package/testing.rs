//! Small projects in temporary folders, for tests.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::build::{Context, Tools};
use crate::diagnostic::Span;
use crate::serverless::{PackageRequest, Project, ProjectFunction};

/// A temporary folder with these files.
pub(crate) fn tree(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        write(&dir.path().join(name), content);
    }
    dir
}

fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// An executable shell script.
pub(crate) fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    write(&path, &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// A function of the only package of a project.
pub(crate) fn function(key: &str, runtime: &str, handler: &str) -> ProjectFunction {
    let span = |line| Span {
        file: Path::new("serverless.yml").into(),
        line,
        column: 5,
    };
    ProjectFunction {
        key: key.to_owned(),
        name: format!("shop-dev-{key}"),
        logical_id: key.to_owned(),
        handler: handler.to_owned(),
        runtime: runtime.parse().unwrap(),
        runtime_span: span(3),
        span: span(7),
        package: 0,
        has_layers: false,
    }
}

/// A project with one package, and tools that find only the programs put into [`Workspace::bin`], beside the
/// basic ones of the system.
pub(crate) struct Workspace {
    dir: TempDir,
    pub(crate) project: Project,
    pub(crate) tools: Tools,
}

impl Workspace {
    pub(crate) fn new(files: &[(&str, &str)], functions: Vec<ProjectFunction>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("project");
        for (name, content) in files {
            write(&root.join(name), content);
        }
        std::fs::create_dir_all(&root).unwrap();
        let bin = dir.path().join("bin");
        let coreutils = dir.path().join("coreutils");
        std::fs::create_dir_all(&coreutils).unwrap();
        for tool in ["mkdir", "cat", "cp", "ls", "rm", "touch", "dirname"] {
            std::os::unix::fs::symlink(format!("/bin/{tool}"), coreutils.join(tool)).unwrap();
        }
        let path = std::env::join_paths([bin, coreutils]).unwrap();
        let request = PackageRequest {
            artifact_name: "shop.zip".to_owned(),
            artifact_key: "shop.zip".to_owned(),
            patterns: vec!["!serverless.yml".to_owned()],
            artifact: None,
            folder: None,
            exclude_dev_dependencies: true,
            functions: (0..functions.len()).collect(),
            span: Span::start_of(Path::new("serverless.yml")),
        };
        #[expect(
            clippy::field_reassign_with_default,
            reason = "the project has private fields, too"
        )]
        let project = {
            let mut project = Project::default();
            project.config_file = root.join("serverless.yml");
            project.root = root;
            project.service = "shop".to_owned();
            project.functions = functions;
            project.packages = vec![request];
            project
        };
        let tools = Tools::new(path, dir.path().join("cache"));
        Self { dir, project, tools }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.project.root
    }

    /// Where programs for the tools are put.
    pub(crate) fn bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    pub(crate) fn plugin(&mut self, name: &str) {
        let span = Span::start_of(Path::new("serverless.yml"));
        self.project.plugins.push((name.to_owned(), span));
    }

    pub(crate) fn request(&mut self) -> &mut PackageRequest {
        &mut self.project.packages[0]
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        write(&self.root().join(name), content);
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            project: &self.project,
            request: &self.project.packages[0],
            tools: &self.tools,
            progress: &|_| {},
        }
    }
}
