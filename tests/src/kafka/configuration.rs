//! What a broker is told: its properties, its Java, and how its folder is prepared.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

use super::{Options, PASSWORD, Ports, Tls, USER};

/// `server.properties`.
pub(super) fn of(folder: &Path, ports: Ports, options: &Options) -> String {
    let mut text = base(folder, ports, options);
    text.push_str(&listeners(ports, options));
    if options.sasl {
        text.push_str(&logins("sasl_plaintext"));
    }
    if let Some(tls) = &options.tls {
        text.push_str(&certificates(tls));
        if options.sasl {
            text.push_str(&logins("sasl_ssl"));
        }
    }
    text
}

/// One node that is broker and controller; groups begin without waiting for more members.
fn base(folder: &Path, ports: Ports, options: &Options) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
log.dirs={data}
num.partitions={partitions}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
message.max.bytes=10485760
inter.broker.listener.name=PLAINTEXT
broker.heartbeat.interval.ms=500
log.cleaner.backoff.ms=500
",
        controller = ports.controller,
        data = folder.join("data").display(),
        partitions = options.partitions.max(1),
    )
}

fn listeners(ports: Ports, options: &Options) -> String {
    let mut open = vec![("PLAINTEXT", "127.0.0.1", ports.plain)];
    if options.sasl {
        open.push(("SASL_PLAINTEXT", "localhost", ports.sasl));
    }
    if options.tls.is_some() {
        open.push(("SSL", "localhost", ports.tls));
    }
    if options.sasl && options.tls.is_some() {
        open.push(("SASL_SSL", "localhost", ports.sasl_tls));
    }
    let bound = open
        .iter()
        .map(|(name, _, port)| format!("{name}://127.0.0.1:{port}"));
    let told = open
        .iter()
        .map(|(name, host, port)| format!("{name}://{host}:{port}"));
    format!(
        "listeners={},CONTROLLER://127.0.0.1:{}\nadvertised.listeners={}\n",
        bound.collect::<Vec<_>>().join(","),
        ports.controller,
        told.collect::<Vec<_>>().join(","),
    )
}

/// PLAIN and both forms of SCRAM on one listener.
fn logins(listener: &str) -> String {
    let mut text = format!(
        "listener.name.{listener}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
         listener.name.{listener}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
         required user_{USER}=\"{PASSWORD}\";\n"
    );
    for mechanism in ["scram-sha-256", "scram-sha-512"] {
        writeln!(
            text,
            "listener.name.{listener}.{mechanism}.sasl.jaas.config=\
             org.apache.kafka.common.security.scram.ScramLoginModule required;"
        )
        .expect("a string takes all");
    }
    text
}

/// PEM in the properties themselves; the listener without SASL wants a certificate of the client.
fn certificates(tls: &Tls) -> String {
    format!(
        "ssl.keystore.type=PEM\nssl.keystore.certificate.chain={}\nssl.keystore.key={}\n\
         ssl.truststore.type=PEM\nssl.truststore.certificates={}\nlistener.name.ssl.ssl.client.auth=required\n",
        one_line(&tls.chain),
        one_line(&tls.key),
        one_line(&tls.ca),
    )
}

fn one_line(pem: &str) -> String {
    pem.trim().replace('\r', "").replace('\n', "\\n")
}

/// Java with the jars; a short life is not worth the optimising compiler.
pub(super) fn java(jars: &Path, measured: bool) -> Vec<String> {
    let sized: &[&str] = if measured {
        &["-Xmx1g", "-XX:+UseSerialGC"]
    } else {
        &["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    };
    let mut words = vec!["java".to_owned()];
    words.extend(sized.iter().map(|&word| word.to_owned()));
    words.push("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".into());
    words.extend(["-cp".into(), format!("{}/*", jars.display())]);
    words
}

/// Prepares the folder; logins by SCRAM are written into it, those by PLAIN are in the properties.
pub(super) fn format(jars: &Path, folder: &Path, sasl: bool) -> io::Result<()> {
    let mut command = Command::new("java");
    command
        .args(java(jars, false).into_iter().skip(1))
        .args([
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "dHJhZGV3aW5kLXRlc3Rz",
            "-c",
        ])
        .arg(folder.join("server.properties"));
    if sasl {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            command
                .arg("--add-scram")
                .arg(format!("{mechanism}=[name={USER},password={PASSWORD}]"));
        }
    }
    let done = command.output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    Err(io::Error::other(format!(
        "the broker's folder cannot be prepared: {}",
        String::from_utf8_lossy(&said)
    )))
}
