//! `nginx`: this host's nginx: test, verified reload, and the upstreams in its configuration.

use super::{Context, Fallible, map, optional, texts};
use crate::host::nginx::config::{Config, Directive};
use crate::host::nginx::master::{self, Layout, News, Tested};
use crate::host::nginx::sites::{self, Listen, Server, Site};
use crate::host::nginx::{choose, names, route, write};
use crate::host::nginxd::Unit;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};
use std::path::{Path, PathBuf};

fn outdated(call: &NativeCallContext<'_>, lines: &Array, containers: &Array) -> Fallible<bool> {
    let context = Context::of(call);
    let starts = containers.iter().flat_map(|container| {
        let of = |map: &Map, name: &str| map.get(name).cloned().unwrap_or_default();
        let container = container.read_lock::<Map>();
        let started = container.as_ref().and_then(|map| of(map, "started").as_int().ok());
        let networks = container.and_then(|map| of(&map, "networks").into_typed_array::<Map>().ok());
        let all = networks.into_iter().flatten().flat_map(move |network| {
            ["address", "address6"].map(|name| Some((of(&network, name).into_string().ok()?, started?)))
        });
        all.flatten().collect::<Vec<_>>()
    });
    let news = News { lines: texts(lines), starts: starts.collect() };
    Ok(context
        .run
        .query("nginx::outdated", Some(false), || master::is_outdated(&context.run, &context.nginx, &news, true))?)
}

fn number(value: usize) -> Dynamic {
    i64::try_from(value).unwrap_or_default().into()
}

fn array<T>(all: impl IntoIterator<Item = T>, to: impl Fn(T) -> Dynamic) -> Dynamic {
    all.into_iter().map(to).collect::<Array>().into()
}

fn listen(way: &Listen) -> Dynamic {
    map([("address", way.address.clone().into()), ("tls", way.tls.into()), ("default", way.default.into())]).into()
}

/// Returns a site as a map for scripts.
fn row(site: &Site) -> Dynamic {
    let mut row = upstream(site);
    row.extend([("server".into(), site.server.clone().into()), ("listen".into(), array(&site.listen, listen))]);
    row.into()
}

fn upstream(site: &Site) -> Map {
    map([
        ("upstream", site.upstream.clone().into()),
        ("port", optional(site.port.map(i64::from))),
        ("file", site.file.as_ref().into()),
        ("line", number(site.line)),
    ])
}

/// Returns the upstreams that an address of a server leads to.
fn upstreams(sites: &[Site]) -> Dynamic {
    array(sites, |site| upstream(site).into())
}

/// Returns a server as a map for scripts.
fn server(all: &sites::Map<'_>, server: &Server<'_>) -> Dynamic {
    let mut locations: Vec<(Option<&Directive>, Vec<Site>)> = Vec::new();
    for (pass, location) in sites::passes(server.block) {
        let found = all.sites(server, pass, pass.value().unwrap_or_default());
        let same = |(other, _): &(Option<&Directive>, _)| match (other, location) {
            (Some(one), Some(other)) => std::ptr::eq(*one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        match locations.iter_mut().find(|one| same(one)) {
            Some((_, sites)) => sites.extend(found),
            None => locations.push((location, found)),
        }
    }
    let location = |(location, sites): (Option<&Directive>, Vec<Site>)| {
        let (modifier, path) = location.and_then(route::pattern).unwrap_or(("", ""));
        let (modifier, path): (Dynamic, Dynamic) = (modifier.into(), path.into());
        Dynamic::from(map([("modifier", modifier), ("path", path), ("upstreams", upstreams(&sites))]))
    };
    let ask = |way: &Listen, path: &str| {
        let mut url =
            url::Url::parse(&format!("{}://{}/", if way.tls { "https" } else { "http" }, way.address)).ok()?;
        url.set_path(path);
        let named = server.names.iter().find(|name| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
                && !name.is_empty()
                && !name.starts_with('.')
        });
        if let Some(name) = named {
            url.set_host(Some(name)).ok()?;
        }
        let route::End::Pass(pass, address) = route::ask(server, &url) else { return None };
        let sites = all.sites(server, pass, &address);
        let path = url.path().to_owned();
        (!sites.is_empty()).then(|| Dynamic::from(map([("path", path.into()), ("upstreams", upstreams(&sites))])))
    };
    let all_paths = if server.http { route::paths(server.block) } else { Vec::new() };
    // An address may only redirect to another one: http to https.
    let paths: Array =
        all_paths.iter().filter_map(|path| server.listen.iter().find_map(|way| ask(way, path))).collect();
    Dynamic::from(map([
        ("names", array(&server.names, |name| (*name).into())),
        ("listen", array(&server.listen, listen)),
        ("tls", server.listen.iter().any(|way| way.tls).into()),
        ("http", server.http.into()),
        ("password", server.has_password().into()),
        ("file", server.block.file.as_ref().into()),
        ("line", number(server.block.line)),
        ("locations", array(locations, location)),
        ("paths", paths.into()),
    ]))
}

/// This host's nginx.
#[export_module(manifest)]
pub(super) mod nginx {
    /// Tests the configuration: `nginx -t`.
    ///
    /// Returns `#{ok: bool, message, file, line, missing, listens}`: `message` is nginx's own error or warnings; `file`
    /// and `line` are its place; `missing` is the first name, in any directive, that this host cannot resolve; the
    /// three are `()` if they do not apply. `listens` is true if nginx would listen at that name's address.
    ///
    /// Errors: when nginx is not installed, and when only root can test it. A wrong configuration is not an error.
    ///
    /// ```rhai
    /// let check = || { let test = nginx::test(); if !test.ok { warn(test.message); } };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn test(call: NativeCallContext) -> Fallible<Map> {
        let tested = Tested::run(&Context::of(&call).run)?;
        let (file, line) = tested.place.unzip();
        let (missing, listens) = tested.missing.unzip();
        Ok(map([
            ("ok", tested.ok.into()),
            ("message", tested.message.into()),
            ("file", optional(file)),
            ("line", optional(line)),
            ("missing", optional(missing)),
            ("listens", listens.unwrap_or(false).into()),
        ]))
    }

    /// Returns whether nginx is installed on this host.
    ///
    /// Returns true or false.
    ///
    /// Errors: only in a replay, if the recording has another question here.
    ///
    /// ```rhai
    /// let sites = || if nginx::installed() { nginx::sites() } else { [] };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn installed(call: NativeCallContext) -> Fallible<bool> {
        Ok(Context::of(&call).run.query("nginx::installed", Some(false), || Ok(master::is_installed()))?)
    }

    /// Returns whether nginx runs: the process in its pid file exists and is nginx's master.
    ///
    /// Returns true or false. It is false on a host without nginx.
    ///
    /// Errors: when nginx does not say where it keeps its files.
    ///
    /// ```rhai
    /// let alive = || if nginx::installed() && !nginx::running() { warn("nginx is down"); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn running(call: NativeCallContext) -> Fallible<bool> {
        let context = Context::of(&call);
        Ok(context.run.query("nginx::running", Some(true), || master::is_running(&context.run, &context.nginx))?)
    }

    /// Reloads nginx, which also makes it resolve all names again. Starts nginx if it is down, through systemd if that
    /// manages it, but not if it is down on purpose: see `nginx::stopped`. The configuration is tested first, and the
    /// reload has worked once new workers run. In a unit that nginx's own unit waits for, nginx starts later. A
    /// changing command; on a host without nginx it does nothing.
    ///
    /// Errors: when the test fails (with nginx's message and place; nginx keeps running with its old configuration),
    /// when no new workers run after ten seconds, and in a run about another host's Docker daemon (`--context`).
    ///
    /// ```rhai
    /// let fresh = || if nginx::older_than("/etc/hosts") { nginx::reload(); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn reload(call: NativeCallContext) -> Fallible<()> {
        let context = Context::of(&call);
        Ok(context.run.change_in_steps(
            || "nginx -t && nginx -s reload".into(),
            || master::reload(&context.run, &context.nginx),
        )?)
    }

    /// Returns why nginx is down on purpose. moyai does not start it then.
    ///
    /// nginx is down on purpose if its unit is masked or disabled, or if it was up since the boot and then stopped
    /// (`systemctl stop`, `nginx -s quit`, `certbot --standalone` with its hooks). An nginx that failed, was killed, or
    /// has not been up since the boot is not.
    ///
    /// Returns a string, or `()` if nginx runs, may be started, or is not installed.
    ///
    /// Errors: when nginx does not say where it keeps its files, or systemd does not answer.
    ///
    /// ```rhai
    /// let why = || { let why = nginx::stopped(); if why != () { warn(why); } };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn stopped(call: NativeCallContext) -> Fallible<Dynamic> {
        let context = Context::of(&call);
        let real = || {
            let Some(layout) = Layout::of(&context.run, &context.nginx)? else { return Ok(None) };
            let config = Config::read(&layout.conf).unwrap_or_default().directives;
            let unit = if layout.master(&config).is_none() { Unit::query(&context.run)? } else { None };
            master::stopped(&context.run, layout, &config, unit.as_ref())
        };
        let why = context.run.query("nginx::stopped", Some(None), real)?;
        Ok(optional(why.map(|why| format!("nginx is down and stays down: {why}"))))
    }

    /// Returns whether nginx has to be reloaded or started because of `/etc/hosts`: a name in its configuration has
    /// another address than at nginx's last reload. Names that only other programs use do not count, so a container
    /// that keeps crashing does not reload nginx. A reload is also due if the configuration was changed and `nginx -t`
    /// reports a missing name.
    ///
    /// If nginx is down, it has to be started if its configuration has a name of moyai's block or misses a name, and if
    /// it is not down on purpose: see `nginx::stopped`.
    ///
    /// - `lines`: the lines that `hosts::update` changed, such as `"172.17.0.2 blog"`. A dry run did not write them, so
    ///   they cannot be read from the file.
    ///
    /// Returns true or false. On a host without nginx it is true if there are any lines.
    ///
    /// Errors: when `/etc/hosts` cannot be read.
    ///
    /// ```rhai
    /// let fresh = || if nginx::outdated([]) { nginx::reload(); };
    /// ```
    #[rhai_fn(return_raw)]
    pub fn outdated(call: NativeCallContext, lines: Array) -> Fallible<bool> {
        super::outdated(&call, &lines, &Array::new())
    }

    /// Like `nginx::outdated`, and also true for replicas that were restarted at the same address. After an error,
    /// nginx sends nothing to one of several addresses of a name for 10 s; a reload ends that.
    ///
    /// - `lines`: the lines that `hosts::update` changed.
    /// - `containers`: the result of `docker::ps_all()`.
    ///
    /// Returns true or false, as `nginx::outdated` does.
    ///
    /// Errors: same as `nginx::outdated`.
    ///
    /// ```rhai
    /// let fresh = || if nginx::outdated([], docker::ps_all()) { nginx::reload(); };
    /// ```
    #[rhai_fn(name = "outdated", return_raw)]
    pub fn outdated_for(call: NativeCallContext, lines: Array, containers: Array) -> Fallible<bool> {
        super::outdated(&call, &lines, &containers)
    }

    /// Returns whether nginx has not read a file in its current form: the file was changed after nginx's start or last
    /// reload, or nginx is down.
    ///
    /// - `path`: a file that nginx reads only then: `/etc/hosts`, or a file of its configuration.
    ///
    /// Returns true or false. It is false on a host without nginx.
    ///
    /// Errors: when there is no such file.
    ///
    /// ```rhai
    /// if nginx::older_than("/etc/hosts") { log("nginx does not know the latest names"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn older_than(call: NativeCallContext, path: &str) -> Fallible<bool> {
        let context = Context::of(&call);
        Ok(context.run.query(&format!("nginx::older_than {path}"), Some(false), || {
            master::is_older(&context.run, &context.nginx, path)
        })?)
    }

    /// Returns the names that nginx passes requests to, read from its configuration. nginx need not accept the
    /// configuration.
    ///
    /// Returns an array of `#{server, upstream, port, file, line, listen}`. `server` has the `server_name`s separated
    /// by spaces, or `upstream NAME` for a block that no server uses. `upstream` is the name in a `proxy_pass` (or
    /// another `..._pass`) without its port; each name of an `upstream` block has an entry of its own. `port` is the
    /// port for plain http, otherwise `()`. `file` and `line` are the place of the name. `listen` has `#{address, tls,
    /// default}` for each address at which this host can reach the server over http, such as `"127.0.0.1:80"`. Sockets
    /// and names from variables are left out.
    ///
    /// Errors: when nginx is not installed, or when its configuration cannot be read.
    ///
    /// ```rhai
    /// let unknown = |known| nginx::sites().filter(|site| !(site.upstream in known));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sites(call: NativeCallContext) -> Fallible<Array> {
        let context = Context::of(&call);
        let real = || {
            let config = Config::read(&Layout::need(&context.run, &context.nginx)?.conf)?;
            Ok(sites::Map::of(&config).all().iter().map(row).collect::<Array>())
        };
        Ok(context.run.query("nginx::sites", None, real)?)
    }

    /// Returns every name that nginx resolves when it starts: those of `sites`, and those in `listen`, `resolver`,
    /// `access_log syslog:`, `set_real_ip_from`, `auth_http` and so on. A single name that cannot be resolved keeps
    /// nginx and all sites down.
    ///
    /// - `held`: names that were held for nginx before. The result includes those that the configuration still has in
    ///   any directive.
    ///
    /// Returns an array of `#{upstream, server, listens, missing, file, line}` for `hosts::update`: `upstream` is the
    /// name and `server` what needs it; `listens` is true if nginx would listen at its address; `missing` is true for a
    /// name that only `held` added.
    ///
    /// Errors: same as `sites`.
    ///
    /// ```rhai
    /// for name in nginx::names([]) { print(`${name.server} needs ${name.upstream}`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn names(call: NativeCallContext, held: Array) -> Fallible<Array> {
        let context = Context::of(&call);
        let asked = format!("nginx::names {}", super::super::to_json(&held.clone().into())?);
        let real = || {
            Layout::need(&context.run, &context.nginx)?;
            let row = |one: &names::Name| {
                Dynamic::from(map([
                    ("upstream", one.name.clone().into()),
                    ("server", one.needed_by.clone().into()),
                    ("listens", one.listens.into()),
                    ("missing", one.missing.into()),
                    ("file", one.file.as_ref().into()),
                    ("line", number(one.line)),
                ]))
            };
            let rows: Array = master::needed(&context.run, &context.nginx, &texts(&held))?.iter().map(row).collect();
            Ok(rows)
        };
        Ok(context.run.query(&asked, None, real)?)
    }

    /// Returns the servers of the configuration, also those without an upstream.
    ///
    /// Returns an array of `#{names, listen, tls, http, password, file, line, locations, paths}` in the order of the
    /// configuration. `names` has the `server_name`s as they are written. `listen` is that of `sites`. `tls` is true if
    /// any of these addresses uses TLS. `http` is false for a server of the stream block. `password` is true if `/`
    /// requires one (`auth_basic`). `locations` has `#{modifier, path, upstreams}` for each location that passes
    /// requests to a name, such as `#{modifier: "~", path: "\\.php$"}`. `paths` has `#{path, upstreams}` for each path
    /// that a client can request (`/` and the locations without a regular expression) and that finally leads to a name.
    /// `upstreams` is an array of `#{upstream, port, file, line}`.
    ///
    /// Errors: same as `sites`.
    ///
    /// ```rhai
    /// for server in nginx::servers() { print(`${server.names} at ${server.file}:${server.line}`); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn servers(call: NativeCallContext) -> Fallible<Array> {
        let context = Context::of(&call);
        let real = || {
            let config = Config::read(&Layout::need(&context.run, &context.nginx)?.conf)?;
            let all = sites::Map::of(&config);
            Ok(all.servers.iter().map(|one| server(&all, one)).collect::<Array>())
        };
        Ok(context.run.query("nginx::servers", None, real)?)
    }

    /// Returns the sites that nginx would choose for addresses, by their names, ports and paths.
    ///
    /// The location is chosen as nginx does it, through `try_files`, `error_page`, `rewrite` and redirects to a server
    /// of this host. Files are assumed to be absent, so that the application answers. A condition on something that
    /// only a request has is assumed to be false.
    ///
    /// - `urls`: an array of addresses.
    ///
    /// Returns an array of arrays as `sites` returns them, one for each address in its order. An `upstream` block with
    /// several servers gives several rows. A name of no server belongs to the default server if it leads to this host,
    /// otherwise it has no rows. `listen` has only the addresses that such a request uses.
    ///
    /// Errors: same as `sites`.
    ///
    /// ```rhai
    /// let upstream = |url| nginx::sites_of([url])[0].map(|site| site.upstream);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn sites_of(call: NativeCallContext, urls: Array) -> Fallible<Array> {
        let context = Context::of(&call);
        let asked = format!("nginx::sites_of {}", super::super::to_json(&urls.clone().into())?);
        let real = || {
            let config = Config::read(&Layout::need(&context.run, &context.nginx)?.conf)?;
            let all = sites::Map::of(&config);
            let of = |url: Dynamic| {
                let url = url::Url::parse(&url.to_string()).ok();
                let rows = url.map_or_else(Vec::new, |url| route::serving(&all, &url, &choose::is_here));
                Dynamic::from(rows.iter().map(row).collect::<Array>())
            };
            Ok(urls.into_iter().map(of).collect::<Array>())
        };
        Ok(context.run.query(&asked, None, real)?)
    }

    /// Returns where the file of a site belongs, according to the includes in the http block of the configuration.
    ///
    /// - `name`: the site's name, which becomes the file's name, with `.conf` appended if the include requires it.
    ///
    /// Returns `#{file, link}`: in a layout with `sites-available` and `sites-enabled`, the file is in the former and
    /// `link` is the path of the symbolic link that enables it. Otherwise `link` is `()`, and the file is in the first
    /// directory that is included.
    ///
    /// Errors: when no include would read a file of that name, when nginx is not installed, and when its configuration
    /// cannot be read.
    ///
    /// ```rhai
    /// let there = |name| file::exists(nginx::place(name).file);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn place(call: NativeCallContext, name: &str) -> Fallible<Dynamic> {
        let context = Context::of(&call);
        let real = || {
            let layout = Layout::need(&context.run, &context.nginx)?;
            let dir = layout.conf.parent().unwrap_or(Path::new("/"));
            let (file, link) = write::place(&Config::read(&layout.conf)?, dir, name)?;
            let text = |path: PathBuf| path.to_string_lossy().into_owned();
            Ok(map([("file", text(file).into()), ("link", optional(link.map(text)))]).into())
        };
        Ok(context.run.query(&format!("nginx::place {name}"), None, real)?)
    }

    /// Returns a domain name as `server_name` takes it: in lower case, `なんとか.jp` as `xn--u8jxcf8n.jp`. The result has
    /// only letters, digits, hyphens and dots, and possibly a leading `*.`.
    ///
    /// - `text`: a domain name. The prefix `*.` means any subdomain.
    ///
    /// Returns a string.
    ///
    /// Errors: when it is not a domain name (UTS 46 with the rules for host names).
    ///
    /// ```rhai
    /// if nginx::server_name("なんとか.jp") != "xn--u8jxcf8n.jp" { die("another IDN?"); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn server_name(text: &str) -> Fallible<String> {
        Ok(write::server_name(text)?)
    }

    /// Quotes a value as one word of the configuration. Whatever it contains, it cannot add a directive.
    ///
    /// - `text`: for example the path of a file.
    ///
    /// Returns a string with its quotes.
    ///
    /// Errors: for control characters, for `$`, which nginx cannot escape, and for more than 4 kB.
    ///
    /// ```rhai
    /// let line = `ssl_certificate ${nginx::quote("/etc/ssl/a b.pem")};`;
    /// ```
    #[rhai_fn(return_raw)]
    pub fn quote(text: &str) -> Fallible<String> {
        Ok(write::quote(text)?)
    }
}
