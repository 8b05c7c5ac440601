//! The Docker daemon's API at its Unix socket, for reading where milliseconds count: a `docker` process takes about 15
//! ms, a response of the API less than one.

use crate::run::{Error, Result, cause};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long the daemon may be silent. The caller then runs the client, which waits longer and explains more.
const LIMIT: Duration = Duration::from_secs(2);
/// Maximum size of a response.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Maximum number of parallel requests.
const AT_ONCE: usize = 16;

/// Gets a path of the API, such as `/containers/json?all=1`. Returns `None` if it does not exist.
///
/// # Errors
/// Same as for [`get_all`].
pub fn get(socket: &Path, path: &str) -> Result<Option<Vec<u8>>> {
    Ok(get_all(socket, &[path.to_owned()])?.remove(0))
}

/// Gets several paths of the API, in their order. `None` for what does not exist.
///
/// A path without a version uses the daemon's newest one (<https://docs.docker.com/reference/api/engine/>). After a
/// response in HTTP/1.0 the daemon closes the connection, so no length and no chunks have to be read. The caller
/// notices a truncated response: it is not JSON.
///
/// # Errors
/// When the daemon cannot be reached, is silent for 2 s, or sends something else.
pub fn get_all(socket: &Path, paths: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
    let failed = |path: &str, why: &str| Error::new(format!("query `{path}` at `{}`: {why}", socket.display()));
    let mut answers = Vec::with_capacity(paths.len());
    for paths in paths.chunks(AT_ONCE) {
        let asked = paths.iter().map(|path| ask(socket, path).map_err(|error| failed(path, &cause(&error))));
        let asked = asked.collect::<Result<Vec<_>>>()?;
        for (path, stream) in paths.iter().zip(asked) {
            let mut answer = Vec::with_capacity(16 * 1024);
            stream.take(LONGEST).read_to_end(&mut answer).map_err(|error| failed(path, &cause(&error)))?;
            answers.push(body(answer).map_err(|why| failed(path, &why))?);
        }
    }
    Ok(answers)
}

fn ask(socket: &Path, path: &str) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n").as_bytes())?;
    Ok(stream)
}

/// Returns the body of a response with status 200, `None` for 404.
fn body(mut answer: Vec<u8>) -> std::result::Result<Option<Vec<u8>>, String> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("the answer is not HTTP")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let line = head.lines().next().unwrap_or_default();
    match line.split(' ').nth(1) {
        Some("200") => Ok(Some(answer.split_off(end + 4))),
        Some("404") => Ok(None),
        _ => Err(format!("the answer is `{}`", line.escape_debug())),
    }
}
