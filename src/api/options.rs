//! The options of functions: their names and the check of their values, for the check of a script.

use super::{docker, file, hosts, http, probe, rules};
use crate::host::tls::Trust;
use crate::run::{Error, Result};
use rhai::{Dynamic, Map};

/// The options of one function.
#[derive(Clone, Copy)]
pub struct Options {
    /// Their names.
    pub names: &'static [&'static str],
    /// Refuses a value of the wrong type, with the function's own message.
    pub refuse: fn(&str, &Map) -> Result<()>,
}

/// Returns the options that a function takes as its argument with this number. Methods have no namespace.
pub fn of(function: &str, place: usize) -> Option<Options> {
    let any: fn(&str, &Map) -> Result<()> = |_, _| Ok(());
    let (names, refuse): (&[&str], _) = match (function, place) {
        ("http::get" | "http::get_all", 1) | ("http::post" | "http::post_form", 2) => {
            (&http::OPTIONS, http::refuse as fn(&str, &Map) -> Result<()>)
        }
        ("probe::check" | "probe::check_all", 1) => (&probe::OPTIONS, probe::refuse),
        ("http::oauth1", 2) => (&["consumer_key", "consumer_secret", "token", "token_secret"], any),
        ("docker::commit", 2) => (&docker::COMMIT, docker::refuse),
        ("docker::exec", 2) => (&docker::EXEC, docker::refuse_of),
        ("docker::logs", 1) => (&docker::LOGS, docker::refuse_of),
        ("hosts::update", 2) => (&hosts::OPTIONS, hosts::refuse),
        ("file::write" | "file::append", 2) | ("to_file", 1) => {
            (&["mode"], |what, map| file::mode_of(what, map).map(drop))
        }
        ("every" | "on", 3) => (&rules::OPTIONS, any),
        ("try_script", 1) => (&["answers", "args", "at", "config"], any),
        _ => return None,
    };
    Some(Options { names, refuse })
}

/// Returns the error for an option that does not exist.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> Error {
    let near = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name)).copied().unwrap_or_default();
    Error::new(format!("`{what}` has no option `{name}`"))
        .help(format!("did you mean `{near}`? There are {}", known.join(", ")))
}

/// Returns the address of one of several sites, and its own options.
///
/// # Errors
/// When it is neither an address nor a map with one.
pub fn of_site(what: &str, site: Dynamic) -> Result<(String, Map)> {
    let site = site.flatten();
    let Some(mut own) = site.read_lock::<Map>().map(|map| map.clone()) else {
        let odd = |kind| format!("`{what}`: a site is an address or a map with one, not a value of type `{kind}`");
        return Ok((site.into_string().map_err(|kind| Error::new(odd(kind)))?, Map::new()));
    };
    let url = own.remove("url").and_then(|url| url.into_string().ok());
    Ok((url.ok_or_else(|| Error::new(format!("`{what}`: a site has no `url`")))?, own))
}

/// Refuses a value of the wrong type for one of the options that are read by [`trust`].
///
/// # Errors
/// With the type that the value must have, as `bad` words it.
pub fn refuse_trust(name: &str, value: &Dynamic, bad: impl Fn(&str) -> Error) -> Result<()> {
    match name {
        "self_signed" if !value.is_bool() => Err(bad("true or false")),
        "self_signed" => Ok(()),
        _ if value.is_string() => Ok(()),
        _ => Err(bad("a file")),
    }
}

/// Reads `ca`, `cert`, `key` and `self_signed`, which requests and TLS checks have. Other values stay.
pub fn trust(map: &Map, common: Trust) -> Trust {
    let file = |name: &str| map.get(name).and_then(|value| value.clone().into_string().ok());
    let (cert, key) = (file("cert"), file("key"));
    // One file may have both. A key alone is an error of the connection: the check of a script sees one option at a
    // time.
    let client = match (&cert, &key) {
        (None, None) => common.client,
        _ => {
            let cert_file = cert.clone().unwrap_or_default();
            Some((cert_file.into(), key.or(cert).unwrap_or_default().into()))
        }
    };
    Trust {
        authorities: file("ca").map(Into::into).or(common.authorities),
        client,
        self_signed: map.get("self_signed").and_then(|value| value.as_bool().ok()).unwrap_or(common.self_signed),
    }
}
