//! Tools that gates need, installed once: into `.cache/` where they are ours alone, by apt where
//! they belong to the system.

use anyhow::{Result, bail};

use crate::command::{cache, command, run, succeeds};

const CARGO_DENY: &str = "0.20.2";

/// Makes `cargo deny` available.
pub(crate) fn cargo_deny() -> Result<()> {
    if succeeds("cargo-deny", &["--version"]) {
        return Ok(());
    }
    // Without optimisation it builds in half the time, and it runs for a second.
    run(command("cargo")
        .args([
            "install",
            "cargo-deny",
            "--locked",
            "--debug",
            "--version",
            CARGO_DENY,
            "--root",
        ])
        .arg(cache().join("tools"))
        .arg("--target-dir")
        .arg(cache().join("tools-target")))
}

/// Makes Ruby available.
pub(crate) fn ruby() -> Result<()> {
    apt("ruby", &["--version"], &["ruby"])
}

/// Makes `faketime` available, and with it the library that shows a process another wall clock.
pub(crate) fn faketime() -> Result<()> {
    apt("faketime", &["--version"], &["faketime"])
}

/// Makes Java and its compiler available.
pub(crate) fn java() -> Result<()> {
    apt("javac", &["-version"], &["default-jdk-headless"])
}

/// Makes a browser without a window available, with a font that has Chinese.
pub(crate) fn chromium() -> Result<()> {
    let packages = ["chromium-headless-shell", "fonts-droid-fallback"];
    apt("chromium-headless-shell", &["--version"], &packages)
}

/// Makes sure a program is there, installing Debian packages when it is not and we may.
pub(crate) fn apt(program: &str, probe: &[&str], packages: &[&str]) -> Result<()> {
    if succeeds(program, probe) {
        return Ok(());
    }
    if !succeeds("apt-get", &["--version"]) || !succeeds("sh", &["-c", "test $(id -u) = 0"]) {
        bail!("`{program}` is missing; install {}", packages.join(" "));
    }
    if !succeeds(
        "sh",
        &[
            "-c",
            "test -n \"$(ls /var/lib/apt/lists/*Packages* 2>/dev/null)\"",
        ],
    ) {
        run(command("apt-get").args(["update", "-q"]))?;
    }
    run(command("apt-get")
        .args(["install", "-q", "-y", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}
