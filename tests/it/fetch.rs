//! `nuthatch models fetch` follows the environment variables that Hugging Face's tools read.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::support::{Nuthatch, root};

const MANIFEST: &str = r#"
[[model]]
name = "owner/tiny"
kind = "cross-encoder"
architecture = "BertForSequenceClassification"
repo = "owner/tiny"
revision = "abc123"
licence = "MIT"
window = 64
"#;

/// A host that serves the tiny cross-encoder. As a proxy it answers in place of any host that it is asked to reach.
struct Host {
    address: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Host {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&lines);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &log);
            }
        });
        Self { address, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

/// Answers requests until the client closes the connection.
fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(n) if n > 0 && line.trim().is_empty() => break,
                Ok(n) if n > 0 => head.push(line.trim().to_owned()),
                _ => return,
            }
        }
        log.lock().unwrap().extend(head.clone());
        let request: Vec<&str> = head[0].split(' ').collect();
        let sent = if request[0] == "CONNECT" {
            stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
        } else {
            let name = request[1].rsplit('/').next().unwrap();
            let body = fs::read(root().join("models/tiny/bert-cross").join(name)).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body))
        };
        if sent.is_err() {
            return;
        }
    }
}

fn nuthatch() -> Nuthatch {
    let nuthatch = Nuthatch::without_models();
    fs::write(nuthatch.models_dir().join("manifest.toml"), MANIFEST).unwrap();
    nuthatch
}

/// `models fetch` with these variables, and without those that the machine's own environment sets.
fn fetch(nuthatch: &Nuthatch, variables: &[(&str, &str)]) -> Command {
    let mut command = nuthatch.command(&["models", "fetch", "owner/tiny", "--json"]);
    for proxy in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    for name in ["HF_ENDPOINT", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "HF_HUB_CACHE"] {
        command.env_remove(name);
    }
    command.env("HF_HOME", nuthatch.data_dir().join("hf"));
    command.envs(variables.iter().copied());
    command
}

#[test]
fn a_mirror_is_asked_with_the_token() {
    let (nuthatch, mirror) = (nuthatch(), Host::start());
    let output = fetch(&nuthatch, &[("HF_ENDPOINT", &mirror.address), ("HF_TOKEN", "hf_secret")]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = mirror.lines();
    assert!(lines.contains(&"GET /owner/tiny/resolve/abc123/config.json HTTP/1.1".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.to_lowercase() == "authorization: bearer hf_secret"), "{lines:?}");
    let scored = nuthatch.run_with_input(&["rerank", "--query", "q", "--reranker", "owner/tiny"], "a passage\n");
    assert_eq!(scored.code, 0, "{scored:?}");
}

#[test]
fn a_proxy_is_gone_through() {
    let (nuthatch, proxy) = (nuthatch(), Host::start());
    let variables = [("HF_ENDPOINT", "http://models.invalid"), ("HTTPS_PROXY", proxy.address.as_str())];
    let output = fetch(&nuthatch, &variables).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = proxy.lines();
    assert!(lines.iter().any(|line| line.starts_with("CONNECT models.invalid:80 ")), "{lines:?}");
}

#[test]
fn a_host_in_no_proxy_is_asked_itself() {
    let (nuthatch, mirror, proxy) = (nuthatch(), Host::start(), Host::start());
    let variables =
        [("HF_ENDPOINT", mirror.address.as_str()), ("HTTPS_PROXY", proxy.address.as_str()), ("NO_PROXY", "127.0.0.1")];
    let output = fetch(&nuthatch, &variables).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(proxy.lines(), Vec::<String>::new());
    assert!(!mirror.lines().is_empty());
}

#[test]
fn offline_nobody_is_asked_and_the_cache_is_enough() {
    let (nuthatch, mirror) = (nuthatch(), Host::start());
    let variables = [("HF_ENDPOINT", mirror.address.as_str()), ("HF_HUB_OFFLINE", "1")];
    let output = fetch(&nuthatch, &variables).output().unwrap();
    assert!(!output.status.success());
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.contains("HF_HUB_OFFLINE"), "{output:?}");

    let snapshot = nuthatch.data_dir().join("hf/hub/models--owner--tiny/snapshots/abc123");
    fs::create_dir_all(&snapshot).unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(root().join("models/tiny/bert-cross").join(name), snapshot.join(name)).unwrap();
    }
    let output = fetch(&nuthatch, &variables).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(mirror.lines(), Vec::<String>::new());
}
