//! The Docker daemon's API at its Unix socket, for reading where milliseconds count: a `docker` process takes
//! about 15 ms, an answer of the API takes less than one.

use crate::run::{Error, Result, cause};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long the daemon may be silent. The caller then asks the client, which waits longer and explains more.
const LIMIT: Duration = Duration::from_secs(2);
/// How long an answer may be.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Gets what is at a path of the API, such as `/containers/json?all=1`. Returns nothing if it is not there.
///
/// A path without a version is answered in the daemon's newest one
/// (<https://docs.docker.com/reference/api/engine/>). After an answer in HTTP/1.0 the daemon closes the
/// connection, so that no length and no chunks have to be read. The caller notices an answer that is cut off:
/// it is not JSON.
///
/// # Errors
/// When the daemon cannot be reached, is silent for 2 s, or answers with something else.
pub fn get(socket: &Path, path: &str) -> Result<Option<Vec<u8>>> {
    let failed = |why: String| Error::new(format!("query `{path}` at `{}`: {why}", socket.display()));
    let answer = ask(socket, path).map_err(|error| failed(cause(&error)))?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| failed("the answer is not HTTP".to_owned()))?;
    let line = String::from_utf8_lossy(&answer[..end]);
    let line = line.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some("200") => Ok(Some(answer[end + 4..].to_vec())),
        Some("404") => Ok(None),
        _ => Err(failed(format!("the answer is `{}`", line.escape_debug()))),
    }
}

fn ask(socket: &Path, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(answer)
}
