//! SES: boto3, unmodified, against `tradewind serve` with a mail relay of the test's own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use tradewind_tests::{Node, succeeds, until};

/// The recipients and contents of the mails that a relay took.
type Mails = Arc<Mutex<Vec<(String, String)>>>;

/// Takes every mail, until the test ends.
fn relay(listener: TcpListener) -> Mails {
    let mails = Mails::default();
    let taken = Arc::clone(&mails);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let taken = Arc::clone(&taken);
            thread::spawn(move || session(&stream.unwrap(), &taken));
        }
    });
    mails
}

fn session(stream: &TcpStream, mails: &Mails) {
    let (mut answers, mut lines) = (stream, BufReader::new(stream).lines());
    let (mut to, mut answer) = (String::new(), "220 relay");
    loop {
        answers.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
        let Some(Ok(line)) = lines.next() else { return };
        answer = match line.split([' ', ':']).next() {
            Some("RCPT") => {
                to = line.split(['<', '>']).nth(1).unwrap().to_owned();
                "250 ok"
            }
            Some("DATA") => {
                answers.write_all(b"354 go on\r\n").unwrap();
                let content: Vec<String> = lines
                    .by_ref()
                    .map(Result::unwrap)
                    .take_while(|line| line != ".")
                    .collect();
                mails.lock().unwrap().push((to.clone(), content.join("\n")));
                "250 taken"
            }
            Some("QUIT") => "221 bye",
            _ => "250 ok",
        };
    }
}

fn serve(data: &Path, relay: &str) -> Node {
    let data = data.to_str().unwrap();
    let sender = "Node <node@example.net>";
    let arguments = [
        "serve",
        "--data",
        data,
        "--smtp-relay",
        relay,
        "--smtp-sender",
        sender,
    ];
    Node::start(Path::new("/"), &arguments)
}

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["ses_api.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

/// The content of the mail for `to`, when it is there.
fn mail_for(mails: &Mails, to: &str) -> String {
    until(&format!("a mail for {to}"), || {
        let mails = mails.lock().unwrap();
        let found = mails.iter().find(|(recipient, _)| recipient == to);
        found.map(|(_, content)| content.clone())
    })
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_sends_mail_through_the_relay() {
    let data = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let mails = relay(listener);
    part("send", &serve(data.path(), &url));
    let written = mail_for(&mails, "one@example.org");
    assert!(
        written.contains("multipart/alternative") && written.contains("From: Shop <shop@example.com>"),
        "{written}"
    );
    let raw = mail_for(&mails, "two@example.org");
    assert!(
        raw.contains("filename=\"data.bin\"") && raw.contains("AAECAwQFBgcICQ"),
        "{raw}"
    );
    assert!(mail_for(&mails, "three@example.org").contains("Subject: older"));
    assert!(mail_for(&mails, "four@example.org").contains("Subject: older raw"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn what_was_accepted_is_sent_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let url = format!("smtp://{address}");
    let node = serve(data.path(), &url);
    part("owe", &node);
    node.kill();
    let mails = relay(TcpListener::bind(address).unwrap());
    let _node = serve(data.path(), &url);
    assert!(mail_for(&mails, "late@example.org").contains("Subject: Order 5"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn without_a_relay_sending_is_refused_by_the_options_name() {
    let data = tempfile::tempdir().unwrap();
    part("no_relay", &Node::serve(data.path()));
}
