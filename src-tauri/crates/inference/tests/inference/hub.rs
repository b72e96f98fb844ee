//! What is particular to Hugging Face: files in folders, redirections, tokens, sums in headers, its cache.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nuthatch_engine::Cancel;
use nuthatch_inference::store::{DownloadError, FetchError, FetchOptions, Place, Token, hash_folder};
use nuthatch_inference::{Kind, LoadOptions, ModelStore, StoreOptions, load_reranker};
use tempfile::TempDir;

use crate::common::models;

const WEIGHTS: &str = "model.safetensors";

struct Request {
    /// Relative to the model's folder.
    file: String,
    authorization: Option<String>,
}

/// Which file was asked for, and with which `Authorization`.
type Seen = (String, Option<String>);

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn file(file: &str) -> Self {
        let body = fs::read(models().join("tiny/ettin-cross").join(file)).expect("is published");
        Self { status: 200, headers: Vec::new(), body }
    }

    fn redirect(to: String) -> Self {
        Self { status: 302, headers: vec![("Location", to)], body: Vec::new() }
    }
}

/// A host that answers as it is told to, and remembers who asked for what with which token.
struct Host {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Host {
    fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let address = format!("http://{}", listener.local_addr().expect("has an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(request) = read(&stream) else { continue };
                log.lock().expect("no panic").push((request.file.clone(), request.authorization.clone()));
                // Fails if the client has gone away, which does not matter here.
                let _ = write(stream, &answer(&request));
            }
        });
        Self { address, seen }
    }

    /// Serves the tiny ettin reranker.
    fn plain() -> Self {
        Self::start(|request| Reply::file(&request.file))
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned())))
        .collect();
    let file = path.split_once("/abc123/").map_or(path.as_str(), |(_, file)| file).to_owned();
    Some(Request { file, authorization: headers.get("authorization").cloned() })
}

fn write(mut stream: TcpStream, reply: &Reply) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n", reply.status, reply.body.len())?;
    for (name, value) in &reply.headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    stream.write_all(b"\r\n")?;
    stream.write_all(&reply.body)
}

/// A store whose manifest knows the tiny ettin reranker as `owner/ettin`, without its sums.
fn store(data: &TempDir) -> ModelStore {
    let shipped = data.path().join("shipped");
    fs::create_dir_all(&shipped).expect("creates");
    let mut manifest = String::from(
        "[[model]]\nname = \"owner/ettin\"\nkind = \"cross-encoder\"\narchitecture = \"ModernBertModel\"\n\
         repo = \"owner/ettin\"\naliases = [\"owner/old-ettin\"]\nrevision = \"abc123\"\nlicence = \"MIT\"\nwindow = 64\n\
         shape = { layers = 4, width = 32, words = 488 }\n",
    );
    for file in hash_folder(&models().join("tiny/ettin-cross")).expect("hashes") {
        manifest += &format!("[[model.file]]\nname = \"{}\"\n", file.name);
    }
    fs::write(shipped.join("manifest.toml"), manifest).expect("writes");
    let data_dir = data.path().join("data");
    ModelStore::open(StoreOptions { shipped: Some(shipped), data_dir }).expect("opens")
}

fn options(host: &Host) -> FetchOptions {
    FetchOptions {
        endpoints: vec![host.address.clone()],
        token: Token::new("hf_secret"),
        offline: false,
        cache: None,
        silence: Duration::from_millis(300),
        attempts: 2,
        first_wait: Duration::ZERO,
    }
}

fn fetch(store: &ModelStore, options: &FetchOptions) -> Result<(), FetchError> {
    let folder = store.fetch("owner/ettin", options, &Cancel::new(), &mut |_| {})?;
    let published = models().join("tiny/ettin-cross");
    assert_eq!(hash_folder(&folder).expect("hashes"), hash_folder(&published).expect("hashes"));
    Ok(())
}

#[test]
fn a_model_with_its_head_in_folders_is_fetched_and_scores() {
    let (data, host) = (tempfile::tempdir().expect("a folder"), Host::plain());
    let store = store(&data);
    fetch(&store, &options(&host)).expect("fetches");
    assert!(host.seen().iter().any(|(file, _)| file == "2_Dense/model.safetensors"), "{:?}", host.seen());
    let model = load_reranker(&store, Some("owner/old-ettin"), &LoadOptions::default()).expect("loads by its old name");
    let scores = nuthatch_engine::Reranker::score(&model, "undo", &["git reset"], &Cancel::new());
    assert_eq!(scores.expect("scores").len(), 1);
}

#[test]
fn the_token_is_shown_to_the_endpoint_and_to_no_host_it_leads_to() {
    let elsewhere = Host::plain();
    let other = elsewhere.address.clone();
    let host = Host::start(move |request| match request.file.as_str() {
        WEIGHTS => Reply::redirect(format!("{other}/cdn/abc123/{WEIGHTS}")),
        // Small files are moved within the same host.
        "config.json" => Reply::redirect("/api/resolve-cache/abc123/moved.json".to_owned()),
        "moved.json" => Reply::file("config.json"),
        file => Reply::file(file),
    });
    let data = tempfile::tempdir().expect("a folder");
    fetch(&store(&data), &options(&host)).expect("fetches");
    let bearer = Some("Bearer hf_secret".to_owned());
    assert!(host.seen().iter().all(|(_, authorization)| *authorization == bearer), "{:?}", host.seen());
    assert!(host.seen().iter().any(|(file, _)| file == "moved.json"), "{:?}", host.seen());
    assert_eq!(elsewhere.seen(), [(WEIGHTS.to_owned(), None)]);
}

#[test]
fn without_a_known_sum_the_one_in_the_publishers_header_counts() {
    let right = hash_folder(&models().join("tiny/ettin-cross")).expect("hashes");
    let right = right.iter().find(|f| f.name == WEIGHTS).and_then(|f| f.sha256.clone()).expect("has a sum");
    for (sum, is_right) in [(right, true), ("0".repeat(64), false)] {
        let elsewhere = Host::plain();
        let other = elsewhere.address.clone();
        let host = Host::start(move |request| {
            if request.file != WEIGHTS {
                return Reply::file(&request.file);
            }
            let mut reply = Reply::redirect(format!("{other}/cdn/abc123/{WEIGHTS}"));
            reply.headers.push(("X-Linked-ETag", format!("\"{sum}\"")));
            reply
        });
        let data = tempfile::tempdir().expect("a folder");
        let store = store(&data);
        match fetch(&store, &options(&host)) {
            Ok(()) => assert!(is_right, "a wrong sum passed"),
            Err(error) => {
                assert!(!is_right && matches!(error, FetchError::WrongSum { .. }), "{error:?}");
                assert!(matches!(store.list()[0].place, Place::Absent { .. }));
            }
        }
    }
}

#[test]
fn a_size_in_the_publishers_header_shows_what_was_cut_off() {
    let host = Host::start(|request| {
        let mut reply = Reply::file(&request.file);
        if request.file == WEIGHTS {
            reply.headers.push(("X-Linked-Size", reply.body.len().to_string()));
            reply.body.truncate(1000);
        }
        reply
    });
    let data = tempfile::tempdir().expect("a folder");
    let error = fetch(&store(&data), &options(&host)).expect_err("is cut off");
    assert!(matches!(&error, FetchError::Download { source: DownloadError::CutOff { .. }, .. }), "{error:?}");
}

#[test]
fn redirections_that_never_end_are_given_up() {
    let host = Host::start(|request| Reply::redirect(format!("/round/abc123/{}", request.file)));
    let data = tempfile::tempdir().expect("a folder");
    let error = fetch(&store(&data), &options(&host)).expect_err("goes round");
    assert!(matches!(&error, FetchError::Download { source: DownloadError::Astray { .. }, .. }), "{error:?}");
    assert!(host.seen().len() < 20, "{} requests", host.seen().len());
}

#[test]
fn a_licence_wall_says_that_a_token_is_needed() {
    let host = Host::start(|_| Reply { status: 401, headers: Vec::new(), body: Vec::new() });
    let data = tempfile::tempdir().expect("a folder");
    let error = fetch(&store(&data), &options(&host)).expect_err("is refused");
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    assert!(!error.to_string().contains("hf_secret"), "{error}");
}

/// Lays the model out in a cache as Hugging Face's tools do: blobs, and a snapshot of links to them.
fn cache(at: &Path, repo: &str, revision: &str) {
    let (blobs, snapshot) = (at.join(repo).join("blobs"), at.join(repo).join("snapshots").join(revision));
    fs::create_dir_all(&blobs).expect("creates");
    for (i, file) in hash_folder(&models().join("tiny/ettin-cross")).expect("hashes").iter().enumerate() {
        let (blob, link) = (blobs.join(i.to_string()), snapshot.join(&file.name));
        fs::copy(models().join("tiny/ettin-cross").join(&file.name), &blob).expect("copies");
        fs::create_dir_all(link.parent().expect("has a folder")).expect("creates");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&blob, &link).expect("links");
        #[cfg(not(unix))]
        fs::copy(&blob, &link).expect("copies");
    }
}

#[test]
fn what_the_cache_has_of_the_pinned_revision_is_not_asked_for() {
    for (repo, revision, asked) in [
        ("models--owner--ettin", "abc123", false),
        ("models--owner--old-ettin", "abc123", false),
        ("models--owner--ettin", "def456", true),
    ] {
        let (data, host) = (tempfile::tempdir().expect("a folder"), Host::plain());
        let hub = data.path().join("hub");
        cache(&hub, repo, revision);
        let options = FetchOptions { cache: Some(hub), ..options(&host) };
        fetch(&store(&data), &options).expect("fetches");
        assert_eq!(!host.seen().is_empty(), asked, "{repo} at {revision}");
    }
}

#[test]
fn a_snapshot_in_the_cache_can_be_imported_under_its_published_name() {
    let data = tempfile::tempdir().expect("a folder");
    cache(&data.path().join("hub"), "models--owner--old-ettin", "abc123");
    let mut store = store(&data);
    let snapshot = data.path().join("hub/models--owner--old-ettin/snapshots/abc123");
    assert_eq!(store.import(&snapshot).expect("imports"), "owner/ettin");
    let (_, entry) = store.find(Kind::CrossEncoder, Some("owner/ettin")).expect("is there");
    assert_eq!((entry.licence.as_str(), entry.window), ("MIT", 64), "what the manifest says of it");
    assert!(store.verify("owner/ettin").expect("verifies").iter().all(|check| check.is_right()));
}

#[test]
fn a_model_that_has_lost_a_file_is_fetched_anew() {
    let (data, host) = (tempfile::tempdir().expect("a folder"), Host::plain());
    fetch(&store(&data), &options(&host)).expect("fetches");
    fs::remove_file(data.path().join("data/models/owner--ettin/3_LayerNorm/model.safetensors")).expect("removes");
    assert!(matches!(store(&data).list()[0].place, Place::Absent { .. }));
    fetch(&store(&data), &options(&host)).expect("fetches anew");
    let left: Vec<_> = fs::read_dir(data.path().join("data/models")).expect("lists").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn what_has_come_of_another_revision_is_not_gone_on_with() {
    let (data, host) = (tempfile::tempdir().expect("a folder"), Host::plain());
    let old = data.path().join("data/models/.fetching-owner--ettin@0ld");
    fs::create_dir_all(&old).expect("creates");
    fs::write(old.join("config.json"), "{}").expect("writes");
    fetch(&store(&data), &options(&host)).expect("fetches");
    assert!(!old.exists(), "it is still there");
}
