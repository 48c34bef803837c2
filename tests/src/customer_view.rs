//! The customer view as a retailer has it: a cluster, a node, and the app deployed to it. For those who kill one of
//! them, and for those who look for what is left of a person.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::kafka::{Kafka, Options};
use crate::{Project, get, root};

const PATIENCE: Duration = Duration::from_secs(120);

/// Which part of the app is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The steps from Kafka to the golden record.
    Pipeline,
    /// All of it: requests, view and desk, too.
    Whole,
}

/// Where what has been built and installed is.
#[derive(Clone, Debug)]
pub struct Built {
    /// `tradewind`, `customer-view`, `resolve` and `merge`.
    pub binaries: PathBuf,
    /// What `cargo xtask setup` installed.
    pub cache: PathBuf,
}

/// A running retailer. Dropping it ends node and broker, and removes what they wrote.
#[derive(Debug)]
pub struct Retailer {
    built: Built,
    folder: TempDir,
    project: Project,
    kafka: Kafka,
    node: Option<Child>,
    port: u16,
    smtp_port: u16,
}

impl Retailer {
    /// Starts broker and node, makes the topics, and deploys.
    ///
    /// # Errors
    /// When one of them does not start, or the deploy fails.
    pub fn start(built: Built, part: Part) -> io::Result<Self> {
        let kafka = Kafka::start(&built.cache.join("kafka"), &Options::default())?;
        let project = project(&built.binaries, part)?;
        let mut retailer = Self {
            folder: TempDir::with_prefix("tradewind-retailer-")?,
            project,
            kafka,
            node: None,
            port: free_port()?,
            smtp_port: free_port()?,
            built,
        };
        retailer.start_node()?;
        let servers = retailer.kafka.bootstrap();
        succeed(&mut retailer.generator(&["topics", "--kafka", &servers]))?;
        succeed(&mut retailer.deploy())?;
        Ok(retailer)
    }

    /// Where the node answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// For what those who drive it write; it goes with the retailer.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The broker.
    pub fn kafka(&mut self) -> &mut Kafka {
        &mut self.kafka
    }

    /// Kills the node as a power cut would, and starts it again.
    ///
    /// # Errors
    /// When it does not start.
    pub fn kill_node(&mut self) -> io::Result<()> {
        self.end_node()?;
        self.start_node()
    }

    /// The generator with these arguments.
    #[must_use]
    pub fn generator(&self, arguments: &[&str]) -> Command {
        let mut command = self.on_node(self.built.binaries.join("customer-view"));
        command.args(arguments);
        command
    }

    /// A script of `tests/clients`.
    #[must_use]
    pub fn client(&self, arguments: &[&str]) -> Command {
        let mut command = self.on_node(self.python());
        command.args(arguments).current_dir(root().join("tests/clients"));
        command
    }

    /// The proof that forgetting is real (`requests/tests/forgotten.py`), with so many people, of whom some are
    /// erased, and so many records of the others a second.
    #[must_use]
    pub fn forgetting(&self, packages: &Path, people: usize, canaries: usize, rate: u32) -> Command {
        let mut command = self.on_node(self.python());
        command
            .current_dir(self.project.path())
            .args(["-m", "requests.tests.forgotten", &self.url()])
            .arg(self.smtp_port.to_string())
            .arg(self.data())
            .arg(self.kafka.bootstrap())
            .arg(self.kafka.data())
            .arg(self.built.binaries.join("customer-view"))
            .args([people.to_string(), canaries.to_string(), rate.to_string()])
            .env("TEST_CLIENTS", root().join("tests/clients"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", packages);
        command
    }

    /// What the node keeps, and what it logged.
    fn data(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    fn python(&self) -> PathBuf {
        self.built.cache.join("venv/bin/python3")
    }

    fn deploy(&self) -> Command {
        let mut command = Command::new(self.built.binaries.join("tradewind"));
        command
            .current_dir(self.project.path())
            .args(["deploy", "--endpoint", &self.url()])
            .args(["--param", "resolve=resolve.zip", "--param", "merge=merge.zip"])
            .env_remove("CUSTOMER_VIEW_PEPPER")
            // all requests come from here
            .env("REQUESTS_PER_SOURCE", "100000")
            .stdout(Stdio::null());
        command
    }

    fn on_node(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command
            .env_remove("AWS_PROFILE")
            .env_remove("CUSTOMER_VIEW_PEPPER")
            .env("AWS_ACCESS_KEY_ID", "000000000000")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", self.url());
        command
    }

    fn start_node(&mut self) -> io::Result<()> {
        let data = self.data();
        std::fs::create_dir_all(&data)?;
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(data.join("node.log"))?;
        let node = Command::new(self.built.binaries.join("tradewind"))
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)])
            .arg("--data")
            .arg(data.join("data"))
            .args(["--kafka", &format!("main={}", self.kafka.bootstrap())])
            .args(["--smtp-relay", &format!("smtp://127.0.0.1:{}", self.smtp_port)])
            .args(["--smtp-sender", "Privacy <privacy@retail.example>"])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let node = self.node.insert(node);
        let (health, begun) = (
            format!("http://127.0.0.1:{}/_tradewind/health", self.port),
            Instant::now(),
        );
        while get(&health).is_none_or(|answer| answer.status != 200) {
            if let Some(status) = node.try_wait()? {
                let log = std::fs::read_to_string(data.join("node.log")).unwrap_or_default();
                return Err(io::Error::other(format!("the node ended ({status})\n{log}")));
            }
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other("the node does not answer"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn end_node(&mut self) -> io::Result<()> {
        let Some(mut node) = self.node.take() else {
            return Ok(());
        };
        node.kill()?;
        node.wait().map(drop)
    }
}

impl Drop for Retailer {
    fn drop(&mut self) {
        self.end_node().expect("a child can be ended");
    }
}

/// A copy of the app with steps that were built before.
fn project(binaries: &Path, part: Part) -> io::Result<Project> {
    let project = Project::copy_of(&root().join("apps/customer-view"));
    if part == Part::Pipeline {
        let alone = std::fs::read_to_string(project.join("pipeline/test/serverless.yml"))?;
        project.write("serverless.yml", &alone);
    }
    for step in ["resolve", "merge"] {
        let folder = project.join(&format!("built-{step}"));
        std::fs::create_dir(&folder)?;
        std::fs::copy(binaries.join(step), folder.join("bootstrap"))?;
        let archive = project.join(&format!("{step}.zip"));
        let mut zip = Command::new("python3");
        zip.args(["-m", "zipfile", "-c"]).arg(archive).arg("bootstrap");
        succeed(zip.current_dir(&folder))?;
    }
    Ok(project)
}

/// Runs a command, which has to succeed.
///
/// # Errors
/// When it does not.
pub fn succeed(command: &mut Command) -> io::Result<()> {
    let status: ExitStatus = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{command:?} failed ({status})")))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
