//! Image registries: the digest of a tag, and the tags of a repository.
//!
//! `docker pull` would download the image for the digest, and no docker command lists tags. So both use the HTTP API of
//! the OCI distribution specification, version 2, with the accounts, certificates and settings of the docker client. A
//! HEAD request does not count against the pull limit of Docker Hub.

mod account;
mod reference;
mod tag;

pub use reference::Reference;
pub use tag::{newest, order};

use crate::host::http::{self, Client, Options, Page, Request, later};
use crate::run::{Error, Result, Run, lock};
use account::Account;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// The media types of what a tag can name, including multi-platform lists.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// Maximum number of seconds that a registry may ask moyai to wait.
const PATIENCE: i64 = 60;
/// Maximum number of tries while a registry answers 429 or 503.
const TRIES: usize = 3;
/// Maximum number of pages of a list of tags.
const PAGES: usize = 200;
/// Docker Hub has three names: in references, in the docker client's configuration, and on the network.
const HUB: [&str; 3] = ["docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"];

/// A layer of an image, as it is downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest of the compressed layer.
    pub digest: String,
    /// The compressed size.
    pub bytes: u64,
}

/// Shared by the requests of one script.
#[derive(Debug, Default)]
pub struct Registries {
    digests: Mutex<BTreeMap<String, Result<String>>>,
    tags: Mutex<BTreeMap<String, Result<Vec<String>>>>,
    layers: Mutex<BTreeMap<String, Result<Vec<Layer>>>>,
    tokens: Mutex<BTreeMap<String, String>>,
    /// Registries that refuse further requests for now, and their message.
    busy: Mutex<BTreeMap<String, String>>,
    /// Registries that speak HTTP without TLS.
    plain: Mutex<BTreeSet<String>>,
}

impl Registries {
    /// Returns the digest that a tag has in its registry. Each image is queried once.
    ///
    /// # Errors
    /// When the registry does not answer, refuses, or has no such tag.
    pub fn digest(&self, run: &Run, client: &Client, reference: &Reference) -> Result<String> {
        once(&self.digests, &reference.to_string(), || self.session(run, client, reference).digest())
    }

    /// Returns the tags of an image's repository, in the registry's order.
    ///
    /// # Errors
    /// Same as for `digest`.
    pub fn tags(&self, run: &Run, client: &Client, reference: &Reference) -> Result<Vec<String>> {
        once(&self.tags, &reference.name(), || self.session(run, client, reference).tags())
    }

    /// Returns the layers of an image, by its digest if it has one. Of a multi-platform list, the image for `platform`
    /// counts, such as `linux/amd64` or `linux/arm/v7`.
    ///
    /// # Errors
    /// Same as for `digest`, and when the list has no image for the platform.
    pub fn layers(&self, run: &Run, client: &Client, reference: &Reference, platform: &str) -> Result<Vec<Layer>> {
        let key = format!("{reference}@{} {platform}", reference.digest);
        once(&self.layers, &key, || self.session(run, client, reference).layers(platform))
    }

    fn session<'a>(&'a self, run: &'a Run, client: &'a Client, reference: &'a Reference) -> Session<'a> {
        Session { shared: self, run, client, reference }
    }
}

/// Does something once for each key. Another thread that needs it at the same time does it too.
fn once<T: Clone>(kept: &Mutex<BTreeMap<String, Result<T>>>, key: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if let Some(known) = lock(kept).get(key) {
        return known.clone();
    }
    let found = work();
    lock(kept).insert(key.to_owned(), found.clone());
    found
}

/// The queries about one image.
struct Session<'a> {
    shared: &'a Registries,
    run: &'a Run,
    client: &'a Client,
    reference: &'a Reference,
}

impl Session<'_> {
    fn digest(&self) -> Result<String> {
        let page = self.ask("HEAD", &self.path(&self.reference.tag))?;
        if let Some(digest) = page.headers.get("docker-content-digest").filter(|digest| digest.contains(':')) {
            return Ok(digest.clone());
        }
        // The header is optional in the specification. It is the digest of the manifest's bytes.
        let (_, text) = self.manifest(&self.reference.tag)?;
        let sum = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        Ok(format!("sha256:{}", sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
    }

    fn path(&self, name: &str) -> String {
        format!("{}/manifests/{name}", self.reference.repository)
    }

    /// Returns the manifest of a tag or digest, and its text.
    fn manifest(&self, name: &str) -> Result<(Value, String)> {
        let page = self.ask("GET", &self.path(name))?;
        let manifest: Value = serde_json::from_str(&page.body).unwrap_or_default();
        match manifest.get("schemaVersion") {
            Some(_) => Ok((manifest, page.body)),
            None => Err(self.failed("it did not answer with a manifest")),
        }
    }

    fn layers(&self, platform: &str) -> Result<Vec<Layer>> {
        let Reference { tag, digest, .. } = self.reference;
        let (mut manifest, _) = self.manifest(if digest.is_empty() { tag } else { digest })?;
        if let Some(list) = manifest["manifests"].as_array() {
            let digest = for_platform(list, platform);
            let digest = digest.ok_or_else(|| self.failed(&format!("it has no image for {platform}")))?.to_owned();
            (manifest, _) = self.manifest(&digest)?;
        }
        let layers = manifest["layers"].as_array();
        let layer = |layer: &Value| {
            Some(Layer { digest: layer["digest"].as_str()?.to_owned(), bytes: layer["size"].as_u64()? })
        };
        let layers = layers.and_then(|layers| layers.iter().map(layer).collect::<Option<Vec<_>>>());
        layers.ok_or_else(|| self.failed("its manifest does not say how large the layers are"))
    }

    fn tags(&self) -> Result<Vec<String>> {
        let mut path = format!("{}/tags/list?n=1000", self.reference.repository);
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let page = self.ask("GET", &path)?;
            let list: Value = serde_json::from_str(&page.body).map_err(|error| self.failed(&error.to_string()))?;
            let found = list["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
            tags.extend(found.map(str::to_owned));
            // RFC 8288: `</v2/NAME/tags/list?last=...>; rel="next"`.
            let next = page.headers.get("link").filter(|link| link.contains("next"));
            let next = next.and_then(|link| link.split_once('<')?.1.split_once('>'));
            match next.and_then(|(url, _)| url.split_once("/v2/")) {
                Some((_, rest)) if rest != path => path = rest.to_owned(),
                _ => return Ok(tags),
            }
        }
        Err(self.failed(&format!("it has more than {PAGES} pages of tags")))
    }

    fn failed(&self, why: &str) -> Error {
        Error::new(format!("query {} for {}: {why}", self.reference.registry, self.reference))
    }

    /// Sends a request, with an account if the registry requires one.
    fn ask(&self, method: &str, path: &str) -> Result<Page> {
        if let Some(why) = lock(&self.shared.busy).get(&self.reference.registry) {
            return Err(self.failed(why));
        }
        let scope = self.reference.name();
        let token = lock(&self.shared.tokens).get(&scope).cloned();
        let mut page = self.patient(method, path, token.as_deref())?;
        if page.status == 401 {
            let challenge = page.headers.get("www-authenticate").cloned().unwrap_or_default();
            let token = self.authorization(&challenge)?;
            page = self.patient(method, path, Some(&token))?;
            lock(&self.shared.tokens).insert(scope, token);
        }
        match page.status {
            200..300 => Ok(page),
            401 | 403 => {
                let account = Account::of(self.run, &self.reference.server())?;
                let who = if account.is_some() { "the account may not read it" } else { "it requires an account" };
                Err(self.failed(who).help(format!("docker login {}", self.reference.login())))
            }
            404 => {
                let help = format!("docker pull {}", self.reference);
                Err(self.failed("the registry has no such tag").help(help))
            }
            status => Err(self.failed(&format!("it answered with status {status}{}", said(&page)))),
        }
    }

    /// Repeats a request while the registry is busy for a short time.
    fn patient(&self, method: &str, path: &str, authorization: Option<&str>) -> Result<Page> {
        for turn in 1.. {
            let page = self.send(method, path, authorization)?;
            if ![429, 503].contains(&page.status) {
                return Ok(page);
            }
            let header = |name: &str| page.headers.get(name).cloned();
            let pause = later::pause(header, &page.body, chrono::Utc::now().timestamp());
            let limit = if page.status == 429 { "its limit of requests is reached" } else { "it is overloaded" };
            let seconds = pause.unwrap_or(5);
            if turn >= TRIES || seconds > PATIENCE {
                let again = pause.map(|pause| format!(", try again in {pause} s")).unwrap_or_default();
                let why = format!("{limit} (status {}){again}", page.status);
                lock(&self.shared.busy).insert(self.reference.registry.clone(), why.clone());
                return Err(self.failed(&why));
            }
            self.run.sleep(Duration::from_secs(seconds.unsigned_abs()))?;
        }
        unreachable!("it returns after some tries")
    }

    /// Sends one request to the registry. Like Docker, it falls back to HTTP without TLS on loopback and where the
    /// daemon's settings allow it.
    fn send(&self, method: &str, path: &str, authorization: Option<&str>) -> Result<Page> {
        let registry = &self.reference.registry;
        let host = if *registry == HUB[0] { HUB[2] } else { registry };
        let url = |scheme: &str| format!("{scheme}://{host}/v2/{path}");
        let plain = lock(&self.shared.plain).contains(registry);
        let mut options = Options::new(method);
        options.timeout = Duration::from_secs(30);
        options.headers.push(("Accept".into(), MANIFESTS.into()));
        options.headers.extend(authorization.map(|text| ("Authorization".into(), text.to_owned())));
        let (_own, authorities) = certificates(registry)?;
        options.trust.authorities = authorities;
        options.trust.client = client_certificate(registry);
        let get = |url: String, options: &Options| http::fetch(self.client, &Request { url, options: options.clone() });
        let mut page = if plain { Page::default() } else { get(url("https"), &options) };
        if plain || page.error.is_some() && self.may_be_plain()? {
            let error = page.error.take();
            page = get(url("http"), &options);
            // Both failed. The first error, for example about the certificate, says more.
            page.error = page.error.map(|plain| error.unwrap_or(plain));
            if page.error.is_none() {
                lock(&self.shared.plain).insert(registry.clone());
            }
        }
        match page.error {
            Some(error) => {
                let unsafe_ca = page.fault.as_deref() == Some("tls");
                let failed = self.failed(&error);
                let help = format!("put the registry's CA certificate into /etc/docker/certs.d/{registry}/ca.crt");
                Err(if unsafe_ca { failed.help(help) } else { failed })
            }
            None => Ok(page),
        }
    }

    /// Returns whether Docker itself would use HTTP without TLS for the registry.
    fn may_be_plain(&self) -> Result<bool> {
        let registry = &self.reference.registry;
        let name = registry.rsplit_once(':').map_or(registry.as_str(), |(name, _)| name).trim_matches(['[', ']']);
        let address = name.parse::<std::net::IpAddr>().ok();
        if name == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return Ok(true);
        }
        let plan = crate::process::Plan::read(["docker", "info", "--format", "{{json .RegistryConfig}}"]);
        let text = crate::process::run(self.run, &plan)?.text();
        let info: Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(info["IndexConfigs"][registry.as_str()]["Secure"] == Value::Bool(false))
    }

    /// Returns the value of the Authorization header that a registry requires.
    fn authorization(&self, challenge: &str) -> Result<String> {
        let account = Account::of(self.run, &self.reference.server())?;
        let (scheme, rest) = challenge.trim().split_once(' ').unwrap_or((challenge, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            let Some(Account::Password(basic)) = account else {
                let help = format!("docker login {}", self.reference.login());
                return Err(self.failed("it requires an account").help(help));
            };
            return Ok(format!("Basic {basic}"));
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(
                self.failed(&format!("it requires the authentication `{scheme}`, which moyai does not support"))
            );
        }
        let fields = account::fields(rest);
        let realm = fields.get("realm").cloned().unwrap_or_default();
        let mut url = url::Url::parse(&realm).map_err(|error| self.failed(&format!("its realm `{realm}`: {error}")))?;
        let plain = lock(&self.shared.plain).contains(&self.reference.registry);
        if url.scheme() != "https" && !plain && account.is_some() {
            return Err(self.failed(&format!("it sends the account to {realm}, which has no TLS")));
        }
        let scope = fields.get("scope").cloned();
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.reference.repository));
        let service = fields.get("service").cloned().unwrap_or_default();
        let mut options = Options::new("GET");
        options.timeout = Duration::from_secs(30);
        let (_own, authorities) = certificates(&self.reference.registry)?;
        // The realm may be another host. Then this host's authorities apply.
        let same = url.host_str().is_some_and(|host| self.reference.registry.starts_with(host));
        options.trust.authorities = authorities.filter(|_| same);
        match account {
            // RFC 6749, 6: the token that `docker login` keeps of an account.
            Some(Account::Token(token)) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", &token);
                form.append_pair("service", &service).append_pair("scope", &scope).append_pair("client_id", "moyai");
                options.method = "POST".into();
                options.headers.push(("Content-Type".into(), "application/x-www-form-urlencoded".into()));
                options.body = Some(form.finish());
            }
            other => {
                if let Some(Account::Password(basic)) = other {
                    options.headers.push(("Authorization".into(), format!("Basic {basic}")));
                }
                url.query_pairs_mut().append_pair("service", &service).append_pair("scope", &scope);
            }
        }
        let page = http::fetch(self.client, &Request { url: url.to_string(), options });
        let why = page.error.clone().or_else(|| (page.status >= 400).then(|| format!("status {}", page.status)));
        if let Some(why) = why {
            let error = self.failed(&format!("get a token from {realm}: {why}"));
            let refused = [401, 403].contains(&page.status);
            return Err(if refused { error.help(format!("docker login {}", self.reference.login())) } else { error });
        }
        let answer: Value = serde_json::from_str(&page.body).unwrap_or_default();
        let token = answer["token"].as_str().or_else(|| answer["access_token"].as_str()).unwrap_or_default();
        if token.is_empty() {
            return Err(self.failed(&format!("get a token from {realm}: there is none in the answer")));
        }
        self.run.output.hide(token);
        Ok(format!("Bearer {token}"))
    }
}

/// Returns the digest of the image for a platform in a list. An entry without a platform matches all.
fn for_platform<'a>(list: &'a [Value], platform: &str) -> Option<&'a str> {
    let mut wanted = platform.split('/').map(Some).chain(std::iter::repeat(None));
    let (os, architecture, variant) = (wanted.next()?, wanted.next()?, wanted.next()?);
    let is_for = |entry: &&Value| {
        let own = &entry["platform"];
        own.is_null() || own["os"].as_str() == os && own["architecture"].as_str() == architecture
    };
    let found: Vec<&Value> = list.iter().filter(is_for).collect();
    let exact = found.iter().find(|entry| entry["platform"]["variant"].as_str() == variant);
    exact.or(found.first())?["digest"].as_str()
}

/// Returns the first error in a response of a registry.
fn said(page: &Page) -> String {
    let answer: Value = serde_json::from_str(&page.body).unwrap_or_default();
    answer["errors"][0]["message"].as_str().map(|text| format!(": {text}")).unwrap_or_default()
}

/// Returns the directory of a registry's certificates, as in Docker.
fn directory(registry: &str) -> PathBuf {
    Path::new("/etc/docker/certs.d").join(registry.replace('/', ""))
}

/// Returns the files of a directory whose names end like this, sorted.
fn files(registry: &str, end: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(directory(registry)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|found| found == end)).collect();
    all.sort();
    all
}

/// Returns the file of a registry's authorities. Several are joined in a file that lives as long as the first value.
fn certificates(registry: &str) -> Result<(Option<tempfile::NamedTempFile>, Option<PathBuf>)> {
    let mut all = files(registry, "crt");
    if all.len() < 2 {
        return Ok((None, all.pop()));
    }
    let failed = |error: &std::io::Error| {
        Error::new(format!("read the certificates in {}: {}", directory(registry).display(), crate::run::cause(error)))
    };
    let mut text = Vec::new();
    for path in all {
        text.extend(std::fs::read(path).map_err(|error| failed(&error))?);
        text.push(b'\n');
    }
    let joined = tempfile::NamedTempFile::new().map_err(|error| failed(&error))?;
    std::fs::write(joined.path(), text).map_err(|error| failed(&error))?;
    let path = joined.path().to_owned();
    Ok((Some(joined), Some(path)))
}

/// Returns the files of the client's certificate for a registry and of its key.
fn client_certificate(registry: &str) -> Option<(PathBuf, PathBuf)> {
    let certificate = files(registry, "cert").into_iter().next()?;
    let key = certificate.with_extension("key");
    key.exists().then_some((certificate, key))
}
