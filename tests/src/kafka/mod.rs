//! Apache Kafka, real and small: one node (KRaft) in a temporary folder on free ports, from the jars that
//! `cargo xtask setup` copied. Tests, `cargo xtask kafka`, chaos and benches share it.
//!
//! A shell keeps the broker (`tests/kafka/keeper.sh`): when whoever started it ends, in whatever way, the broker
//! and its folder go too.

mod configuration;
mod wire;

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{cache, root};

/// Long enough for a machine that does much else; a broker takes three seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a broker is to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The port of the plain listener; any free one without it.
    pub port: Option<u16>,
    /// A listener with SASL too, where [`USER`] logs in with [`PASSWORD`] by PLAIN and SCRAM.
    pub sasl: bool,
    /// Listeners with TLS too: one with client certificates, one with SASL.
    pub tls: Option<Tls>,
    /// Compiled by the optimising compiler too, and with more memory: for those who measure.
    pub measured: bool,
    /// The partitions of a topic that came to be by being written to; one if zero.
    pub partitions: u16,
}

/// Who may log in.
pub const USER: &str = "tradewind";
/// With what.
pub const PASSWORD: &str = "a secret=with;signs";

/// Certificates, as PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Who signed the certificates of clients.
    pub ca: String,
    /// The broker's, and those above it.
    pub chain: String,
    /// The broker's private key (PKCS 8).
    pub key: String,
}

/// A running broker. Dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Kafka {
    keeper: Child,
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pid: u32,
    folder: PathBuf,
    ports: Ports,
}

/// The ports of the listeners on loopback, whether opened or not.
#[derive(Clone, Copy, Debug)]
struct Ports {
    plain: u16,
    controller: u16,
    sasl: u16,
    tls: u16,
    sasl_tls: u16,
}

impl Ports {
    fn free(plain: Option<u16>) -> io::Result<Self> {
        // all held until all are known, so that none is given twice
        let held: Vec<TcpListener> = (0..5)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<io::Result<_>>()?;
        let mut ports = held.iter().map(|one| Ok(one.local_addr()?.port()));
        let mut next = || ports.next().unwrap_or_else(|| Err(io::Error::other("no port")));
        let any = next()?;
        Ok(Self {
            plain: plain.unwrap_or(any),
            controller: next()?,
            sasl: next()?,
            tls: next()?,
            sasl_tls: next()?,
        })
    }
}

impl Kafka {
    /// A broker for an end-to-end test.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn of_test(options: &Options) -> Self {
        Self::start(&cache().join("kafka"), options).expect("`cargo xtask setup` installed Apache Kafka")
    }

    /// Starts a broker from the jars in that folder and waits until it answers.
    ///
    /// # Errors
    /// When Java is missing, or the broker ends or does not answer for five minutes; with its log.
    pub fn start(jars: &Path, options: &Options) -> io::Result<Self> {
        let folder = TempDir::with_prefix("tradewind-kafka-")?.keep();
        let ports = Ports::free(options.port)?;
        std::fs::write(
            folder.join("server.properties"),
            configuration::of(&folder, ports, options),
        )?;
        if let Err(error) = configuration::format(jars, &folder, options.sasl) {
            std::fs::remove_dir_all(&folder)?;
            return Err(error);
        }
        let mut keeper = Command::new("sh")
            .arg(root().join("tests/kafka/keeper.sh"))
            .arg(&folder)
            .args(configuration::java(jars, options.measured))
            .arg("kafka.Kafka")
            .arg(folder.join("server.properties"))
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answers = keeper
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no output"))?;
        let mut broker = Self {
            words: keeper.stdin.take(),
            answers: BufReader::new(answers),
            keeper,
            pid: 0,
            folder,
            ports,
        };
        broker.pid = broker.read_pid()?;
        broker.wait_until_ready()?;
        Ok(broker)
    }

    /// The bootstrap server without encryption and login.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
    }

    /// The bootstrap server that wants SASL, without encryption.
    #[must_use]
    pub fn sasl(&self) -> String {
        format!("localhost:{}", self.ports.sasl)
    }

    /// The bootstrap server that wants a client's certificate.
    #[must_use]
    pub fn tls(&self) -> String {
        format!("localhost:{}", self.ports.tls)
    }

    /// The bootstrap server that wants SASL within TLS.
    #[must_use]
    pub fn sasl_tls(&self) -> String {
        format!("localhost:{}", self.ports.sasl_tls)
    }

    /// The process id of the broker.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its log segments lie.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Makes a topic; `settings` are the topic's own (`cleanup.policy` …).
    ///
    /// # Errors
    /// When the broker refuses: with its words.
    pub fn create_topic(&self, name: &str, partitions: u16, settings: &[(&str, &str)]) -> io::Result<()> {
        wire::create_topic(self.ports.plain, name, partitions, settings)
    }

    /// Deletes a topic with all its records.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn delete_topic(&self, name: &str) -> io::Result<()> {
        wire::delete_topic(self.ports.plain, name)
    }

    /// Kills the broker without any warning; its folder stays.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn kill(&mut self) -> io::Result<()> {
        self.say("kill", "killed")
    }

    /// Starts the killed broker again, with the same ports and records.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> io::Result<()> {
        self.tell("start")?;
        self.pid = self.read_pid()?;
        self.wait_until_ready()
    }

    /// Stops the broker from answering, without closing a connection.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn hang(&mut self) -> io::Result<()> {
        self.say("hang", "hangs")
    }

    /// Lets a hanging broker go on.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn resume(&mut self) -> io::Result<()> {
        self.say("resume", "resumed")
    }

    fn tell(&mut self, word: &str) -> io::Result<()> {
        let words = self.words.as_mut();
        let words = words.ok_or_else(|| io::Error::other("the keeper of the broker was let go"))?;
        writeln!(words, "{word}")
    }

    fn say(&mut self, word: &str, answer: &str) -> io::Result<()> {
        self.tell(word)?;
        let line = self.read_line()?;
        if line == answer {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "the keeper of the broker said `{line}`"
        )))
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn read_pid(&mut self) -> io::Result<u32> {
        self.read_line()?.parse().map_err(io::Error::other)
    }

    /// A broker opens its ports early, and answers once it has read all that it keeps.
    fn wait_until_ready(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while let Err(error) = wire::probe(self.ports.plain) {
            let ended = !Path::new(&format!("/proc/{}/fd", self.pid)).exists();
            if ended || begun.elapsed() > PATIENCE {
                let log = self.log();
                return Err(io::Error::other(format!(
                    "the broker does not answer: {error}\n{log}"
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        drop(self.words.take());
        self.keeper.wait().expect("a child can be waited for");
    }
}
