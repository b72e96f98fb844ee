//! Fetching from a server that behaves, and from one that does not.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nuthatch_engine::Cancel;
use nuthatch_inference::store::{DownloadError, FetchError, FetchOptions, Place, hash_folder};
use nuthatch_inference::{ModelStore, StoreOptions};
use tempfile::TempDir;

use crate::common::models;

const FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

/// How the server answers a request for the weights.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Well,
    /// Closes the connection after this many bytes.
    CutOff(usize),
    /// Sends this many bytes, then nothing more, and keeps the connection open.
    Stall(usize),
    /// Announces a length that is this much too large, or too small if negative.
    Misstate(isize),
    Status(u16),
    /// Other bytes of the right length.
    Corrupt,
}

/// A server of the tiny bi-encoder. It answers the first requests for the weights in the given moods, then well.
struct Server {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(moods: &[Mood]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let endpoint = format!("http://{}", listener.local_addr().expect("has an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, mut moods) = (Arc::clone(&requests), moods.to_vec());
        moods.reverse();
        std::thread::spawn(move || {
            // Stalled connections stay open until the test is over.
            let mut kept = Vec::new();
            for stream in listener.incoming().flatten() {
                kept.extend(answer(stream, &mut moods, &log));
            }
        });
        Self { endpoint, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }
}

fn answer(mut stream: TcpStream, moods: &mut Vec<Mood>, log: &Mutex<Vec<String>>) -> Option<TcpStream> {
    let mut lines = BufReader::new(stream.try_clone().expect("clones")).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned())))
        .collect();
    let from: usize =
        headers.get("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).unwrap_or(0);
    let name = path.rsplit('/').next()?;
    log.lock().expect("no panic").push(format!("{name} from {from}"));
    let mood = if name == "model.safetensors" { moods.pop().unwrap_or(Mood::Well) } else { Mood::Well };
    let mut bytes = fs::read(models().join("tiny/bert-bi").join(name)).ok()?;
    if let Mood::Corrupt = mood {
        bytes.iter_mut().rev().take(64).for_each(|b| *b ^= 0x15);
    }
    let total = bytes.len();
    let rest = &bytes[from.min(total)..];
    let status = match (mood, from) {
        (Mood::Status(status), _) => status,
        (_, 0) => 200,
        _ => 206,
    };
    let (announced, sent) = match mood {
        Mood::Status(_) => (0, 0),
        Mood::CutOff(n) | Mood::Stall(n) => (rest.len(), n.min(rest.len())),
        Mood::Misstate(by) => {
            let announced = rest.len().saturating_add_signed(by);
            (announced, rest.len().min(announced))
        }
        Mood::Well | Mood::Corrupt => (rest.len(), rest.len()),
    };
    let range = format!("Content-Range: bytes {from}-{}/{total}\r\n", total.saturating_sub(1));
    let range = if status == 206 { range.as_str() } else { "" };
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {announced}\r\n{range}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&rest[..sent]).ok()?;
    matches!(mood, Mood::Stall(_)).then_some(stream)
}

/// A store whose manifest knows one model, `owner/tiny`; `with_sums` says whether the manifest has its files' sums.
fn store(data: &TempDir, with_sums: bool) -> ModelStore {
    let shipped = data.path().join("shipped");
    fs::create_dir_all(&shipped).expect("creates");
    let mut manifest = String::from(
        "[[model]]\nname = \"owner/tiny\"\nkind = \"bi-encoder\"\narchitecture = \"BertModel\"\n\
         repo = \"owner/tiny\"\nrevision = \"abc123\"\nlicence = \"MIT\"\nwindow = 64\n",
    );
    for file in hash_folder(&models().join("tiny/bert-bi")).expect("hashes") {
        manifest += &format!("[[model.file]]\nname = \"{}\"\n", file.name);
        if with_sums {
            let (sum, size) = (file.sha256.expect("has a sum"), file.size_bytes.expect("has a size"));
            manifest += &format!("sha256 = \"{sum}\"\nsize_bytes = {size}\n");
        }
    }
    fs::write(shipped.join("manifest.toml"), manifest).expect("writes");
    let data_dir = data.path().join("data");
    ModelStore::open(StoreOptions { shipped: Some(shipped), data_dir }).expect("opens")
}

fn options(server: &Server) -> FetchOptions {
    FetchOptions {
        endpoints: vec![server.endpoint.clone()],
        token: None,
        offline: false,
        cache: None,
        silence: Duration::from_millis(300),
        attempts: 3,
        first_wait: Duration::ZERO,
    }
}

fn fetch(store: &ModelStore, options: &FetchOptions) -> Result<Vec<u64>, FetchError> {
    let mut seen = Vec::new();
    let folder = store.fetch("owner/tiny", options, &Cancel::new(), &mut |p| {
        if p.file == "model.safetensors" {
            seen.push(p.done_bytes);
        }
    })?;
    assert_whole(&folder);
    Ok(seen)
}

fn assert_whole(folder: &Path) {
    let fetched = hash_folder(folder).expect("hashes");
    assert_eq!(fetched, hash_folder(&models().join("tiny/bert-bi")).expect("hashes"));
}

fn weights_size() -> u64 {
    fs::metadata(models().join("tiny/bert-bi/model.safetensors")).expect("is there").len()
}

#[test]
fn a_model_is_fetched_and_then_is_there() {
    let (data, server) = (tempfile::tempdir().expect("a folder"), Server::start(&[]));
    let seen = fetch(&store(&data, true), &options(&server)).expect("fetches");
    assert_eq!(seen.last(), Some(&weights_size()));
    assert!(seen.is_sorted());
    assert_eq!(server.requests(), FILES.map(|f| format!("{f} from 0")));
    let reopened = store(&data, true);
    assert!(matches!(reopened.list()[0].place, Place::Local { .. }));
    fetch(&reopened, &options(&server)).expect("is there");
    assert_eq!(server.requests().len(), 3, "asked again for what was there");
}

#[test]
fn what_breaks_off_goes_on_where_it_stopped() {
    for mood in [Mood::CutOff(1000), Mood::Stall(1000)] {
        let (data, server) = (tempfile::tempdir().expect("a folder"), Server::start(&[mood]));
        fetch(&store(&data, true), &options(&server)).expect("fetches");
        assert_eq!(server.requests()[2..], ["model.safetensors from 0", "model.safetensors from 1000"], "{mood:?}");
    }
}

#[test]
fn a_server_in_trouble_is_asked_again_and_a_refusal_is_not() {
    let (data, server) =
        (tempfile::tempdir().expect("a folder"), Server::start(&[Mood::Status(500), Mood::Status(503)]));
    fetch(&store(&data, true), &options(&server)).expect("fetches");
    assert_eq!(server.requests().len(), 5);

    let (data, server) = (tempfile::tempdir().expect("a folder"), Server::start(&[Mood::Status(404)]));
    let error = fetch(&store(&data, true), &options(&server)).expect_err("is refused");
    let refused = matches!(&error, FetchError::Download { source: DownloadError::Refused { status: 404, .. }, .. });
    assert!(refused, "{error:?}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_server_that_stays_unwell_is_given_up() {
    let moods = [Mood::Status(500); 9];
    let (data, server) = (tempfile::tempdir().expect("a folder"), Server::start(&moods));
    let error = fetch(&store(&data, true), &options(&server)).expect_err("gives up");
    assert!(error.to_string().contains("500"), "{error}");
    assert_eq!(server.requests().len(), 2 + 3);
}

#[test]
fn a_length_that_is_not_true_does_not_make_a_model() {
    for (by, with_sums) in [(5000, false), (-5000, true), (-5000, false)] {
        let moods = [Mood::Misstate(by); 9];
        let (data, server) = (tempfile::tempdir().expect("a folder"), Server::start(&moods));
        let store = store(&data, with_sums);
        let error = fetch(&store, &options(&server)).expect_err("cannot be whole");
        assert!(!matches!(error, FetchError::Place(_)), "{error:?}");
        assert!(matches!(store.list()[0].place, Place::Absent { .. }), "{by}: {error}");
    }
}

#[test]
fn a_whole_file_is_taken_whatever_length_was_announced() {
    let moods = [Mood::Misstate(5000); 9];
    let (data, server) = (tempfile::tempdir().expect("a folder"), Server::start(&moods));
    fetch(&store(&data, true), &options(&server)).expect("has the right size and sum");
}

#[test]
fn bytes_with_another_sum_are_thrown_away() {
    let (data, server) = (tempfile::tempdir().expect("a folder"), Server::start(&[Mood::Corrupt]));
    let store = store(&data, true);
    let error = fetch(&store, &options(&server)).expect_err("has another sum");
    assert!(matches!(error, FetchError::WrongSum { .. }), "{error:?}");
    assert!(matches!(store.list()[0].place, Place::Absent { .. }));
    fetch(&store, &options(&server)).expect("fetches, now that the server is well");
}

#[test]
fn the_next_endpoint_is_asked_where_one_fails() {
    let (bad, good) = (Server::start(&[Mood::Status(403)]), Server::start(&[]));
    let data = tempfile::tempdir().expect("a folder");
    let mut options = options(&bad);
    options.endpoints.push(good.endpoint.clone());
    fetch(&store(&data, true), &options).expect("fetches");
    assert_eq!(good.requests(), ["model.safetensors from 0"]);
}

#[test]
fn without_known_sums_those_seen_are_recorded() {
    let (data, server) = (tempfile::tempdir().expect("a folder"), Server::start(&[]));
    fetch(&store(&data, false), &options(&server)).expect("fetches");
    let reopened = store(&data, false);
    let checks = reopened.verify("owner/tiny").expect("verifies");
    assert!(checks.iter().all(|c| c.expected.is_some() && c.is_right()), "{checks:?}");
}

#[test]
fn offline_takes_the_cache_or_says_so() {
    let data = tempfile::tempdir().expect("a folder");
    let mut options = options(&Server::start(&[]));
    options.endpoints.clear();
    options.offline = true;
    let store = store(&data, true);
    let error = fetch(&store, &options).expect_err("is offline");
    assert!(matches!(error, FetchError::Offline { .. }), "{error:?}");

    let snapshot = data.path().join("hub/models--owner--tiny/snapshots/abc123");
    fs::create_dir_all(&snapshot).expect("creates");
    for name in FILES {
        fs::copy(models().join("tiny/bert-bi").join(name), snapshot.join(name)).expect("copies");
    }
    options.cache = Some(data.path().join("hub"));
    fetch(&store, &options).expect("is in the cache");
}

#[test]
fn a_cancelled_download_goes_on_later() {
    let (data, server) = (tempfile::tempdir().expect("a folder"), Server::start(&[]));
    let store = store(&data, true);
    let cancel = Cancel::new();
    let flag = cancel.clone();
    let error = store
        .fetch("owner/tiny", &options(&server), &cancel, &mut |p| {
            if p.file == "model.safetensors" && p.done_bytes > 0 {
                flag.cancel();
            }
        })
        .expect_err("is cancelled");
    assert!(matches!(error, FetchError::Cancelled), "{error:?}");
    fetch(&store, &options(&server)).expect("fetches");
    assert!(server.requests().last().is_some_and(|r| !r.ends_with("from 0")), "{:?}", server.requests());
}
