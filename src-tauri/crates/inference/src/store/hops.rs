//! Follows a request through its redirections and reads what the publisher says of the file on the way.
//!
//! Hugging Face answers a request for a large file with a redirection to another host. Headers of that answer name the
//! file's SHA-256 and size: `X-Linked-ETag`, `X-Linked-Size`.

use ureq::http::{HeaderMap, Response, Uri, header};
use ureq::{Agent, Body};

use super::download::DownloadError;
use super::fetch::Token;

/// Most requests made for one file, redirections included. Hugging Face needs two.
const MOST_HOPS: usize = 8;

/// What the publisher says of a file that another host serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// Lower-case hexadecimal.
    pub sha256: Option<String>,
    pub size_bytes: Option<u64>,
}

/// Requests `url` from byte `from` on and follows redirections. The token is sent to the host of `url` only. A
/// redirection from HTTPS to HTTP is refused.
pub fn follow(
    agent: &Agent,
    url: &str,
    from: u64,
    token: Option<&Token>,
) -> Result<(Response<Body>, Linked), DownloadError> {
    let astray = |to: &str, reason| DownloadError::Astray { url: url.to_owned(), to: to.to_owned(), reason };
    let origin: Uri = url.parse().map_err(|_| astray(url, "it is no address"))?;
    let (mut at, mut linked) = (origin.clone(), Linked::default());
    for _ in 0..MOST_HOPS {
        let mut request = agent.get(&at);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let at_home = is_same_host(&at, &origin);
        if let Some(token) = token.filter(|_| at_home) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.secret()));
        }
        let response = request.call().map_err(|e| DownloadError::Http(Box::new(e)))?;
        if at_home && linked == Linked::default() {
            linked = told(response.headers());
        }
        let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        let Some(location) = location.filter(|_| response.status().is_redirection()) else {
            return Ok((response, linked));
        };
        let next = join(&at, location).ok_or_else(|| astray(location, "it is no address"))?;
        if origin.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
            return Err(astray(location, "it is not encrypted"));
        }
        at = next;
    }
    Err(astray(&at.to_string(), "there is no end to it"))
}

/// Reads the publisher's headers. For small files the first holds a Git hash, which is shorter than the 64 digits of a
/// SHA-256 and is ignored.
fn told(headers: &HeaderMap) -> Linked {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let sum = text("x-linked-etag").map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase());
    Linked {
        sha256: sum.filter(|sum| sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit())),
        size_bytes: text("x-linked-size").and_then(|size| size.parse().ok()),
    }
}

fn is_same_host(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| uri.port_u16().or(if uri.scheme_str() == Some("https") { Some(443) } else { Some(80) });
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    a.scheme_str() == b.scheme_str() && host(a) == host(b) && port(a) == port(b)
}

/// Resolves `location`, an address or a path on the same host, against `at`.
fn join(at: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (at.scheme_str()?, at.authority()?);
    let absolute = match location {
        path if path.starts_with("//") => format!("{scheme}:{path}"),
        path if path.starts_with('/') => format!("{scheme}://{authority}{path}"),
        url if url.contains("://") => url.to_owned(),
        relative => {
            let folder = at.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{relative}")
        }
    };
    let joined: Uri = absolute.parse().ok()?;
    ["http", "https"].contains(&joined.scheme_str()?).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_are_read_as_browsers_read_them() {
        let at: Uri = "https://huggingface.co/a/b/resolve/main/x.json".parse().expect("an address");
        for (location, expected) in [
            ("/api/resolve-cache/x.json?a=b", Some("https://huggingface.co/api/resolve-cache/x.json?a=b")),
            ("https://cdn.example/x", Some("https://cdn.example/x")),
            ("//cdn.example/x", Some("https://cdn.example/x")),
            ("y.json", Some("https://huggingface.co/a/b/resolve/main/y.json")),
            ("file:///etc/passwd", None),
        ] {
            assert_eq!(join(&at, location).map(|uri| uri.to_string()).as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn another_port_or_scheme_is_another_host() {
        let uri = |text: &str| text.parse::<Uri>().expect("an address");
        assert!(is_same_host(&uri("https://hub.example/a"), &uri("https://HUB.example:443/b")));
        for other in
            ["http://hub.example/", "https://hub.example:444/", "https://evil.example/", "https://hub.example.evil/"]
        {
            assert!(!is_same_host(&uri("https://hub.example/"), &uri(other)), "{other}");
        }
    }

    #[test]
    fn a_git_sum_is_not_taken_for_a_sha256() {
        let headers = |tag: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-linked-etag", tag.parse().expect("a value"));
            headers
        };
        let sum = "AB".repeat(32);
        assert_eq!(told(&headers(&format!("\"{sum}\""))).sha256, Some(sum.to_lowercase()));
        assert_eq!(told(&headers("\"d670460b4b4aece5915caf5c68d12f560a9fe3e4\"")).sha256, None);
    }
}
