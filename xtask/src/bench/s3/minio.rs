//! MinIO as a peer, built from its Go module.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Result;

use crate::command::{cache, command, run};
use crate::server::{Server, free_port};

const MODULE: &str = "github.com/minio/minio@latest";

/// MinIO on one disk, with a data folder that goes with it.
#[derive(Debug)]
pub(super) struct Minio {
    pub(super) server: Server,
    data: PathBuf,
}

impl Drop for Minio {
    fn drop(&mut self) {
        self.server.end();
        if let Err(error) = std::fs::remove_dir_all(&self.data) {
            eprintln!("{}: {error}", self.data.display());
        }
    }
}

/// MinIO, built from its module.
pub(super) fn start(key_id: &str, secret: &str) -> Result<Minio> {
    let home = cache().join("bench").join("minio");
    let program = home.join("bin/minio");
    if !program.exists() {
        run(command("go")
            .args(["install", MODULE])
            .env("GOBIN", home.join("bin"))
            .env("GOFLAGS", "-p=2"))?;
    }
    let port = free_port()?;
    let data = std::env::temp_dir().join(format!("tradewind-bench-minio-{}-{port}", std::process::id()));
    let server = Server::start(
        command(program)
            .args(["server", "--quiet", "--address", &format!("127.0.0.1:{port}")])
            .arg(&data)
            .env("MINIO_ROOT_USER", key_id)
            .env("MINIO_ROOT_PASSWORD", secret)
            .env("MINIO_BROWSER", "off")
            .stderr(Stdio::null()),
        port,
        "/minio/health/live",
    )?;
    Ok(Minio { server, data })
}
