//! The binary as a running node, and plain HTTP to it.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::{command, until};

/// A running `tradewind up` or `tradewind serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Node {
    child: Child,
    port: u16,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// What an HTTP request was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The first header of that name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Node {
    /// `tradewind up` in a project, ready.
    ///
    /// # Panics
    /// When it does not get ready; so for all that start or stop here.
    #[must_use]
    pub fn up(project: &Path) -> Self {
        let node = Self::start(project, &["up"]);
        until(&format!("{} to be deployed", project.display()), || {
            node.assert_alive();
            node.output().contains("ready at ").then_some(())
        });
        node
    }

    /// `tradewind serve` over a data folder, ready.
    #[must_use]
    pub fn serve(data: &Path) -> Self {
        let data = data.to_str().expect("temporary folders have plain names");
        Self::start(Path::new("/"), &["serve", "--data", data])
    }

    /// Starts a command that becomes a node, on a port of its own, and waits until it answers.
    #[must_use]
    pub fn start(directory: &Path, arguments: &[&str]) -> Self {
        Self::start_with(directory, arguments, |_command| {})
    }

    /// The same with more to say of how it is started.
    #[must_use]
    pub fn start_with(directory: &Path, arguments: &[&str], edit: impl FnOnce(&mut Command)) -> Self {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let mut arguments = arguments.to_vec();
        arguments.extend(["--listen", &listen]);
        let mut command = command(directory, &arguments);
        edit(&mut command);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let output = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            collect(child.stdout.take().expect("stdout is piped"), &output),
            collect(child.stderr.take().expect("stderr is piped"), &output),
        ];
        let mut node = Self {
            child,
            port,
            output,
            readers,
        };
        until("the node's health", || {
            node.assert_alive_mut();
            get(&node.url("/_tradewind/health")).filter(|answer| answer.status == 200)
        });
        node
    }

    /// A URL on the node.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().expect("no reader panics").clone()
    }

    /// Waits until it has printed `text`.
    pub fn wait_for_output(&self, text: &str) {
        until(
            &format!("`{text}` in the output of the node:\n{}", self.output()),
            || self.output().contains(text).then_some(()),
        );
    }

    /// The URL of a route, as `tradewind list --json` gives it; the `path` of a REST API's begins
    /// with its stage.
    #[must_use]
    pub fn route(&self, method: &str, path: &str) -> String {
        let functions = get(&self.url("/_tradewind/functions"))
            .expect("the node answers")
            .json();
        let urls = functions["functions"].as_array().into_iter().flatten();
        let mut urls = urls.flat_map(|function| function["urls"].as_array().into_iter().flatten());
        let found = urls.find(|url| {
            url["method"] == method
                && url["url"]
                    .as_str()
                    .is_some_and(|url| path_in_api(url) == Some(path))
        });
        let found = found.unwrap_or_else(|| panic!("no route {method} {path} in {functions:#}"));
        found["url"].as_str().expect("urls are text").to_owned()
    }

    /// Sends the signal that Ctrl-C sends and waits for the end.
    #[must_use]
    pub fn interrupt(self) -> (ExitStatus, String) {
        self.signal(libc::SIGINT);
        self.ended()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_some()
    }

    /// Waits for its end.
    #[must_use]
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("a child can be waited for");
        self.readers
            .drain(..)
            .for_each(|reader| reader.join().expect("no reader panics"));
        (status, self.output())
    }

    /// Kills it without any warning.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    #[expect(
        unsafe_code,
        reason = "sending a signal to our own child has no safe call in std"
    )]
    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        // SAFETY: kill takes two integers and touches no memory; the child has not been waited for.
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0, "the node is gone:\n{}", self.output());
    }

    fn assert_alive(&self) {
        let alive = Path::new(&format!("/proc/{}/fd", self.child.id())).exists();
        assert!(alive, "the node ended:\n{}", self.output());
    }

    fn assert_alive_mut(&mut self) {
        let ended = self.child.try_wait().expect("a child can be asked");
        assert!(ended.is_none(), "the node ended ({ended:?}):\n{}", self.output());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.child.kill().expect("a child can be killed");
            self.child.wait().expect("a child can be waited for");
        }
    }
}

/// What follows `/_api/{api}` in a URL.
fn path_in_api(url: &str) -> Option<&str> {
    let behind = url.split_once("/_api/")?.1;
    behind.find('/').and_then(|slash| behind.get(slash..))
}

fn collect(stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = output.lock().expect("no reader panics");
            output.push_str(&line);
            output.push('\n');
        }
    })
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// GET; none while nothing answers.
#[must_use]
pub fn get(url: &str) -> Option<Answer> {
    request("GET", url, &[], b"")
}

/// Any request; none while nothing answers. Every status is an answer.
///
/// # Panics
/// When the URL or a header is not valid.
#[must_use]
pub fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .allow_non_standard_methods(true)
        .timeout_global(Some(std::time::Duration::from_secs(60)))
        .build()
        .into();
    let mut builder = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let mut response = agent
        .run(builder.body(body).expect("the request is valid"))
        .ok()?;
    let headers = response.headers().iter();
    let headers = headers
        .map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
        .collect();
    let status = response.status().as_u16();
    let body = response
        .body_mut()
        .with_config()
        .limit(64 * 1024 * 1024)
        .read_to_vec()
        .ok()?;
    Some(Answer {
        status,
        headers,
        body,
    })
}
