//! Functions whose cold start is measured: trivial ones, and some with the libraries users have.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zip::write::SimpleFileOptions;

use crate::command::{cache, command, root, run};
use crate::fixtures;
use crate::node::Function;

const NODE_SDK: [&str; 1] = ["@aws-sdk/client-s3@3.1169.0"];
const BOTO3: [&str; 2] = ["boto3==1.44.5", "requests==2.32.5"];
const JACKSON: [&str; 3] = ["jackson-core", "jackson-annotations", "jackson-databind"];
const JACKSON_VERSION: &str = "2.17.2";
const MAVEN: &str = "https://repo1.maven.org/maven2/com/fasterxml/jackson/core";

/// `bench/hello/handler.js`.
pub(super) fn node() -> Result<Function> {
    of_file("nodejs20.x", "handler.js")
}

/// `bench/hello/handler.py`.
pub(super) fn python() -> Result<Function> {
    of_file("python3.11", "handler.py")
}

fn of_file(runtime: &'static str, file: &str) -> Result<Function> {
    let content = fs::read_to_string(root().join("bench/hello").join(file))?;
    Function::of_file(runtime, file, &content)
}

/// The AWS SDK for JavaScript, S3's client, in `node_modules`.
pub(super) fn node_sdk() -> Result<Function> {
    let folder = built("node-sdk", &NODE_SDK, |folder| {
        fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        run(command("npm")
            .current_dir(folder)
            .args(["install", "--no-audit", "--no-fund"])
            .args(NODE_SDK))
    })?;
    of_folder("nodejs20.x", &folder)
}

/// boto3 and requests beside the handler, as source.
pub(super) fn python_boto3() -> Result<Function> {
    let folder = built("python-boto3", &BOTO3, |folder| {
        run(command("python3.11")
            .args(["-m", "pip", "install", "-q", "--no-compile", "--target"])
            .arg(folder)
            .args(BOTO3))
    })?;
    of_folder("python3.11", &folder)
}

/// A method of a class, without libraries.
pub(super) fn java() -> Result<Function> {
    let folder = built("java", &[], |folder| compile("java", folder, ""))?;
    of_java(&folder)
}

/// The same with Jackson in `lib/`.
pub(super) fn java_jackson() -> Result<Function> {
    let folder = built("java-jackson", &[JACKSON_VERSION], |folder| {
        let libraries = folder.join("lib");
        fs::create_dir_all(&libraries)?;
        for name in JACKSON {
            let jar = format!("{name}-{JACKSON_VERSION}.jar");
            let url = format!("{MAVEN}/{name}/{JACKSON_VERSION}/{jar}");
            run(command("curl")
                .args(["-sfL", "--output"])
                .arg(libraries.join(&jar))
                .arg(url))?;
        }
        compile("java-jackson", folder, "lib/*")
    })?;
    of_java(&folder)
}

fn compile(name: &str, folder: &Path, class_path: &str) -> Result<()> {
    run(command("javac")
        .current_dir(folder)
        .args(["-d", ".", "-cp", class_path])
        .arg(root().join("bench/cold").join(name).join("Handler.java")))
}

fn of_java(folder: &Path) -> Result<Function> {
    Ok(Function {
        handler: "Handler::handle",
        ..of_folder("java17", folder)?
    })
}

/// A folder in the cache with libraries and the handler of `bench/cold/NAME`.
fn built(name: &str, libraries: &[&str], build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = cache().join("bench").join(name);
    let mut sources = Vec::new();
    let mut inputs = libraries.join("\n");
    for entry in fs::read_dir(root().join("bench/cold").join(name))? {
        let file = entry?;
        inputs.push_str(&fs::read_to_string(file.path())?);
        sources.push(file);
    }
    let wanted = folder.with_extension("wanted");
    fs::create_dir_all(&folder)?;
    fs::write(&wanted, inputs)?;
    fixtures::once(&format!("bench-{name}"), &wanted, || {
        fs::remove_dir_all(&folder)?;
        fs::create_dir_all(&folder)?;
        build(&folder)?;
        for file in &sources {
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
        Ok(())
    })?;
    Ok(folder)
}

fn of_folder(runtime: &'static str, folder: &Path) -> Result<Function> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(&current)? {
            let path = entry?.path();
            // npm links the commands of packages; no function needs them
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
            zip.start_file(name, SimpleFileOptions::default().unix_permissions(0o644))?;
            zip.write_all(&fs::read(&path)?)?;
        }
    }
    Ok(Function {
        runtime,
        handler: "handler.handler",
        code: STANDARD.encode(zip.finish()?.into_inner()),
        memory_mb: 512,
        timeout_s: 30,
    })
}
