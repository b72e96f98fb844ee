//! Downloads one file over HTTP and resumes where an earlier attempt broke off.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use nuthatch_engine::Cancel;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use super::fetch::FetchOptions;
use super::hops::{Linked, follow};

/// Bytes read at once. The cancel flag is checked before each block.
const BLOCK_BYTES: usize = 1 << 16;

#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("cancelled")]
    Cancelled,
    /// The server refused; asking again would not help.
    #[error("{url} answered {status}{}", hint(*status))]
    Refused { url: String, status: u16 },
    /// The server is overloaded or has failed.
    #[error("{url} answered {status}, again and again")]
    Unwell { url: String, status: u16 },
    #[error("{url} leads to {to}: {reason}")]
    Astray { url: String, to: String, reason: &'static str },
    #[error("the connection broke off after {got} of {wanted} bytes")]
    CutOff { got: u64, wanted: u64 },
    #[error("{source}")]
    Broken { source: io::Error },
    #[error("{0}")]
    Http(Box<ureq::Error>),
}

impl DownloadError {
    fn is_final(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Refused { .. } | Self::Astray { .. })
    }
}

fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (a model behind a licence needs HF_TOKEN)",
        _ => "",
    }
}

/// A download into the file `part`, which may already hold the beginning.
pub struct Download<'a> {
    pub url: &'a str,
    pub part: &'a Path,
    /// The size that the manifest states.
    pub size_bytes: Option<u64>,
    pub options: &'a FetchOptions,
}

impl Download<'_> {
    /// Downloads until `part` is complete and returns what the publisher says of the file. `report` gets the number of
    /// bytes received and the total, if that is known.
    pub fn run(&self, cancel: &Cancel, report: &mut dyn FnMut(u64, Option<u64>)) -> Result<Linked, DownloadError> {
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            // `follow` does it: it must keep the token from other hosts and read the headers on the way.
            .max_redirects(0)
            .timeout_connect(Some(self.options.silence))
            .timeout_recv_response(Some(self.options.silence))
            .timeout_per_read(Some(self.options.silence))
            .build()
            .into();
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(self.part)?;
        let mut tries_left = self.options.attempts.max(1);
        let mut wait = self.options.first_wait;
        loop {
            let before = file.metadata()?.len();
            let error = match self.attempt(&agent, &mut file, cancel, report) {
                Ok(linked) => return Ok(linked),
                Err(error) => error,
            };
            tries_left = if file.metadata()?.len() > before { self.options.attempts } else { tries_left - 1 };
            if error.is_final() || tries_left == 0 {
                return Err(error);
            }
            tracing::warn!(url = self.url, %error, tries_left, "download broke off");
            rest(wait, cancel)?;
            wait = wait.saturating_mul(2).min(Duration::from_secs(60));
        }
    }

    fn attempt(
        &self,
        agent: &Agent,
        file: &mut File,
        cancel: &Cancel,
        report: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<Linked, DownloadError> {
        if cancel.is_cancelled() {
            return Err(DownloadError::Cancelled);
        }
        let mut have = file.seek(SeekFrom::End(0))?;
        if self.size_bytes.is_some_and(|size| have > size) {
            have = restart(file)?;
        }
        if have > 0 && self.size_bytes == Some(have) {
            return Ok(Linked::default());
        }
        let (response, linked) = follow(agent, self.url, have, self.options.token.as_ref())?;
        let size_bytes = self.size_bytes.or(linked.size_bytes);
        let refused = |status: StatusCode| DownloadError::Refused { url: self.url.to_owned(), status: status.as_u16() };
        match response.status() {
            StatusCode::OK => have = restart(file)?,
            StatusCode::PARTIAL_CONTENT if begins_at(&response, have) => {}
            // The server cannot continue where we stopped, so the next attempt starts over.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                restart(file)?;
                return Err(DownloadError::CutOff { got: have, wanted: size_bytes.unwrap_or(have) });
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(DownloadError::Unwell { url: self.url.to_owned(), status: status.as_u16() });
            }
            status => return Err(refused(status)),
        }
        let wanted = length(&response).map(|rest| have + rest);
        let mut body = response.into_body().into_reader();
        let mut block = vec![0; BLOCK_BYTES];
        report(have, wanted);
        loop {
            if cancel.is_cancelled() {
                return Err(DownloadError::Cancelled);
            }
            match body.read(&mut block)? {
                0 => break,
                n => file.write_all(&block[..n])?,
            }
            have = file.stream_position()?;
            report(have, wanted);
        }
        // The size from the manifest or the publisher counts for more than the length that the serving host announces.
        match size_bytes.or(wanted) {
            Some(wanted) if have != wanted => Err(DownloadError::CutOff { got: have, wanted }),
            _ => Ok(linked),
        }
    }
}

fn restart(file: &mut File) -> io::Result<u64> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))
}

/// Sleeps in slices, so that cancelling takes effect soon.
fn rest(wait: Duration, cancel: &Cancel) -> Result<(), DownloadError> {
    let slice = Duration::from_millis(100);
    let mut left = wait;
    while !left.is_zero() {
        if cancel.is_cancelled() {
            return Err(DownloadError::Cancelled);
        }
        std::thread::sleep(left.min(slice));
        left = left.saturating_sub(slice);
    }
    Ok(())
}

fn length(response: &Response<Body>) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether `Content-Range: bytes START-END/TOTAL` starts at `have`.
fn begins_at(response: &Response<Body>, have: u64) -> bool {
    let start = || {
        let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
        range.strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok()
    };
    start() == Some(have)
}
