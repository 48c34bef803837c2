//! A PostgreSQL server of the tests' own: in a temporary folder, on a loopback port, gone afterwards.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::{command, run, succeeds};
use crate::tools;

const INSTALLED: &str = "/usr/lib/postgresql";
const OLDEST: u32 = 15;

/// The user `tradewind` gets in without a password, as everybody does on a developer's machine; all
/// others need theirs, so that the tests see what a wrong one does.
const WHO: &str = "host all tradewind 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// A running server.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Installs PostgreSQL if need be.
    pub(crate) fn install() -> Result<PathBuf> {
        if let Some(programs) = newest(Path::new(INSTALLED)) {
            return Ok(programs);
        }
        tools::apt("/nonexistent/initdb", &[], &["postgresql"])?;
        newest(Path::new(INSTALLED))
            .with_context(|| format!("no PostgreSQL {OLDEST} or newer below {INSTALLED}"))
    }

    /// Starts a server. It compares text as English does, unlike SQLite: nothing may depend on that.
    pub(crate) fn start() -> Result<Self> {
        let programs = Self::install()?;
        let folder = std::env::temp_dir().join(format!("tradewind-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        if is_root() {
            run(command("chown").arg("postgres").arg(&folder))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self {
            programs,
            folder,
            port,
        };
        server.initialise()?;
        let options = format!(
            "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300"
        );
        run(server
            .program("pg_ctl")
            .args(["start", "-w", "-s", "-l"])
            .arg(server.folder.join("log"))
            .args(["-o", &options]))?;
        Ok(server)
    }

    fn initialise(&self) -> Result<()> {
        let mut initdb = self.program("initdb");
        initdb.args([
            "-U",
            "tradewind",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-instructions",
        ]);
        initdb.args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"]);
        run(initdb.stdout(std::process::Stdio::null()))?;
        std::fs::write(self.data().join("pg_hba.conf"), WHO)?;
        Ok(())
    }

    /// Where tests find it.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://tradewind@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of its programs on its folder; not as root, which the server refuses.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = command("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            command(program)
        };
        command.current_dir(&self.folder).arg("-D").arg(self.data());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let stopped = run(self.program("pg_ctl").args(["stop", "-s", "-m", "immediate"]));
        let removed = std::fs::remove_dir_all(&self.folder);
        if let Err(error) = stopped.and(removed.map_err(Into::into)) {
            println!("the test server could not be cleared away: {error:#}");
        }
    }
}

fn is_root() -> bool {
    succeeds("sh", &["-c", "test $(id -u) = 0"])
}

/// The programs of the newest version that we support.
fn newest(installed: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(installed).ok()?.flatten();
    let versions = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let version = versions.filter(|version| *version >= OLDEST).max()?;
    Some(installed.join(version.to_string()).join("bin"))
}
