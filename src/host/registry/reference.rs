//! Image references, as `distribution/reference` parses them.

use crate::run::{Error, Result};
use std::fmt;

/// The parts of `registry/repository:tag@digest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// `docker.io` by default.
    pub registry: String,
    /// With `library/` for official images of Docker Hub.
    pub repository: String,
    /// `latest` by default.
    pub tag: String,
    /// `""` without a digest.
    pub digest: String,
    /// The original text, without tag and digest.
    written: String,
}

impl Reference {
    /// Parses a reference.
    ///
    /// # Errors
    /// When it is an ID or not a reference.
    pub fn new(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::new(format!("`{text}` {why}"));
        let is_hex = |text: &str| text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.strip_prefix("sha256:").is_some_and(is_hex) || text.len() == 64 && is_hex(text) {
            return Err(wrong("is the id of an image: no registry has a name for it"));
        }
        let (rest, digest) = text.split_once('@').unwrap_or((text, ""));
        let colon = rest.rfind(':').filter(|at| !rest[*at..].contains('/'));
        let (name, tag) = colon.map_or((rest, "latest"), |at| (&rest[..at], &rest[at + 1..]));
        let is_registry = |part: &str| part.contains(['.', ':']) || part == "localhost";
        let (registry, path) = match name.split_once('/').filter(|(first, _)| is_registry(first)) {
            Some(("docker.io" | "index.docker.io", path)) => (super::HUB[0], path),
            Some(found) => found,
            None => (super::HUB[0], name),
        };
        let part = regex::Regex::new("^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$").unwrap_or_else(|_| unreachable!());
        let is_tag = regex::Regex::new("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$").unwrap_or_else(|_| unreachable!());
        if !path.split('/').all(|text| part.is_match(text)) || !is_tag.is_match(tag) {
            return Err(wrong("is not the reference of an image"));
        }
        let library = registry == super::HUB[0] && !path.contains('/');
        Ok(Self {
            registry: registry.to_owned(),
            repository: if library { format!("library/{path}") } else { path.to_owned() },
            tag: tag.to_owned(),
            digest: digest.to_owned(),
            written: name.to_owned(),
        })
    }

    /// Returns registry and repository.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Returns the name under which the docker client keeps the account.
    pub(super) fn server(&self) -> String {
        if self.registry == super::HUB[0] { super::HUB[1].to_owned() } else { self.registry.clone() }
    }

    /// Returns the argument of `docker login`.
    pub(super) fn login(&self) -> &str {
        if self.registry == super::HUB[0] { "" } else { &self.registry }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.written, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_the_parts_that_docker_gives_it() {
        for (text, parts) in [
            ("nginx", "docker.io library/nginx latest  nginx:latest"),
            ("nginx:1.25", "docker.io library/nginx 1.25  nginx:1.25"),
            ("mnagaku/site:1", "docker.io mnagaku/site 1  mnagaku/site:1"),
            ("docker.io/nginx", "docker.io library/nginx latest  docker.io/nginx:latest"),
            ("localhost/site", "localhost site latest  localhost/site:latest"),
            ("localhost:5000/a/b:v1.2", "localhost:5000 a/b v1.2  localhost:5000/a/b:v1.2"),
            ("reg.example.jp/site", "reg.example.jp site latest  reg.example.jp/site:latest"),
            ("[::1]:5000/site:2", "[::1]:5000 site 2  [::1]:5000/site:2"),
            ("nginx:1.25@sha256:abc", "docker.io library/nginx 1.25 sha256:abc nginx:1.25"),
        ] {
            let r = Reference::new(text).unwrap();
            assert_eq!(format!("{} {} {} {} {r}", r.registry, r.repository, r.tag, r.digest), parts, "{text}");
        }
        for text in ["", "sha256:0123456789ab", &"0a".repeat(32), "Site:1", "site:", "-x", "a//b", "site:a/b:c d"] {
            assert!(Reference::new(text).is_err(), "{text}");
        }
    }
}
