//! The location that answers a request, by the phases of nginx: rewrites of the server, the search for a location, its
//! rewrites, `try_files`, the content, `error_page`.
//!
//! Files are not checked. A static file is assumed to be absent, as for a request that the application answers. If only
//! an error would be left, the location's own handler answers. A condition on something that is unknown before a
//! request comes is false.

use super::choose::{choose, ways_to};
use super::config::Directive;
use super::regex::Pattern;
use super::rewrite::{Flow, Request};
use super::sites::{Listen, Map, Server, Site, is_pass};
use url::Url;

/// nginx gives up after ten internal redirects of a request (`uri_changes`).
const HOPS: usize = 10;

/// What answers a request.
#[derive(Debug)]
pub enum End<'a> {
    /// This directive passes it on, to this address.
    Pass(&'a Directive, String),
    /// A redirect to an address, or to a path on the same server.
    Redirect(String),
    /// nginx itself: a file, a status or a module. The status, such as 444, if it is known.
    Own(Option<u16>),
}

/// Returns the sites that nginx would choose for an address, with the addresses to reach them. `is_here` decides
/// whether a name without a server of its own leads to this host, where the default server answers for it.
pub fn serving(map: &Map<'_>, url: &Url, is_here: &dyn Fn(&Url) -> bool) -> Vec<Site> {
    let (mut url, mut ways) = (url.clone(), None);
    for _ in 0..HOPS {
        let Some(server) = choose(map, &url, is_here) else { return Vec::new() };
        // The client follows a redirect, but its first request is to the first server.
        let ways: &Vec<Listen> = ways.get_or_insert_with(|| ways_to(server, &url));
        match ask(server, &url) {
            End::Pass(pass, address) => {
                let sites = map.sites(server, pass, &address).into_iter();
                return sites.map(|site| Site { listen: ways.clone(), ..site }).collect();
            }
            End::Redirect(to) => match url.join(&to) {
                Ok(next) => url = next,
                Err(_) => return Vec::new(),
            },
            End::Own(_) => return Vec::new(),
        }
    }
    Vec::new()
}

/// Returns what answers a GET of an address at a server.
pub fn ask<'a>(server: &Server<'a>, url: &Url) -> End<'a> {
    Request::of(server, url).answer()
}

/// Why a request is not answered yet.
enum Again {
    /// `rewrite` changed the path: nginx searches the location again.
    Location,
    /// `error_page`, `try_files` or `index` leads to another path: the server's rewrites run again too.
    Redirect,
}

impl<'a> Request<'a> {
    fn answer(&mut self) -> End<'a> {
        let mut of_server = true;
        for _ in 0..HOPS {
            let ended = if of_server { self.in_server() } else { Ok(None) };
            let again = match ended {
                Ok(Some(end)) => return end,
                Err(again) => again,
                Ok(None) => {
                    let mut chain = vec![self.http, self.server];
                    let slash = self.find(&mut chain);
                    match slash.map_or_else(|| self.enter(chain), |slash| Ok(End::Redirect(slash))) {
                        Ok(end) => return end,
                        Err(again) => again,
                    }
                }
            };
            self.is_inner = true;
            of_server = matches!(again, Again::Redirect);
        }
        End::Own(None)
    }

    /// Runs the rewrites of the server.
    fn in_server(&mut self) -> Result<Option<End<'a>>, Again> {
        match self.run(&self.server.block, &mut None) {
            Flow::End(end) => self.or_error_page(end, &[self.http, self.server]).map(Some),
            Flow::On | Flow::Stop => Ok(None),
        }
    }

    /// Answers in the last location of a chain, which begins with the http block and the server.
    fn enter(&mut self, mut chain: Vec<&'a Directive>) -> Result<End<'a>, Again> {
        let location = chain[chain.len() - 1];
        if location.block.iter().any(|line| line.is("internal")) && !self.is_inner {
            return self.or_error_page(End::Own(Some(404)), &chain);
        }
        let mut block = None;
        self.is_changed = false;
        if !std::ptr::eq(location, self.server) {
            let flow = self.run(&location.block, &mut block);
            chain.extend(block);
            match flow {
                Flow::End(end) => return self.or_error_page(end, &chain),
                _ if self.is_changed => return Err(Again::Location),
                Flow::On | Flow::Stop => {}
            }
        }
        // A block of `if` has no `try_files`. Without a handler of its own it uses the location's.
        let handler = block.and_then(handler).or_else(|| handler(location));
        let files = location.block.iter().find(|line| line.is("try_files")).filter(|_| block.is_none());
        if let Some(last) = files.and_then(|line| line.words.last()) {
            match last.strip_prefix('=') {
                Some(status) if handler.is_none() => return self.absent(status.parse().unwrap_or(404), &chain),
                Some(_) => {}
                None => return self.go(last),
            }
        }
        match handler {
            Some(pass) if is_pass(pass) => {
                let address = pass.value().unwrap_or_default();
                let address = self.expand(address).unwrap_or_else(|| address.to_owned());
                Ok(End::Pass(pass, address))
            }
            Some(_) => Ok(End::Own(None)),
            None => self.absent(404, &chain),
        }
    }

    /// Handles a missing file: an index that an application answers, a list of files, or an `error_page`.
    fn absent(&mut self, status: u16, chain: &[&'a Directive]) -> Result<End<'a>, Again> {
        if self.index(chain) {
            return Err(Again::Redirect);
        }
        let lists = ["autoindex", "fancyindex", "dav_methods"];
        let is_on = |name: &&str| inherited(chain, name).is_some_and(|line| line.value() != Some("off"));
        if self.uri.ends_with('/') && lists.iter().any(is_on) {
            return Ok(End::Own(None));
        }
        // A page for people, such as `/404.html`, is an existing file.
        let is_file = |line: &Directive| {
            let plain = !line.values().iter().any(|word| word.starts_with(['=', '@']));
            plain && line.words.last().is_some_and(|to| to.ends_with(".html") || to.ends_with(".htm"))
        };
        if error_page(status, chain).is_some_and(is_file) {
            return Ok(End::Own(None));
        }
        self.or_error_page(End::Own(Some(status)), chain)
    }

    /// Goes to a directory index that an application answers. Returns whether there is one.
    fn index(&mut self, chain: &[&'a Directive]) -> bool {
        let index = inherited(chain, "index").map_or(&[][..], |line| line.values());
        let directory = self.uri.ends_with('/');
        for name in index.iter().filter(|_| directory) {
            let Some(name) = self.expand(name) else { continue };
            let uri = if name.starts_with('/') { name } else { format!("{}{name}", self.uri) };
            let mut inside = vec![self.http, self.server];
            let old = std::mem::replace(&mut self.uri, uri);
            let found = self.find(&mut inside).is_none() && inside.last().and_then(|last| handler(last)).is_some();
            if found && !self.uri.ends_with('/') {
                return true;
            }
            self.uri = old;
        }
        false
    }

    /// Follows an `error_page` for a status of nginx itself.
    fn or_error_page(&mut self, end: End<'a>, chain: &[&'a Directive]) -> Result<End<'a>, Again> {
        let End::Own(Some(status)) = end else { return Ok(end) };
        let page = error_page(status, chain).and_then(|line| line.words.last()).filter(|_| !self.is_failed);
        let Some(to) = page else { return Ok(end) };
        let again = inherited(chain, "recursive_error_pages").is_some_and(|line| line.value() == Some("on"));
        self.is_failed = !again;
        self.go(to)
    }

    /// Continues at a named location, at a path, or outside.
    fn go(&mut self, to: &str) -> Result<End<'a>, Again> {
        self.is_inner = true;
        if to.starts_with('@') {
            let named = self.server.block.iter().find(|line| line.is("location") && line.value() == Some(to));
            self.hops += 1;
            return match named {
                Some(named) if self.hops < HOPS => self.enter(vec![self.http, self.server, named]),
                _ => Ok(End::Own(Some(500))),
            };
        }
        let Some(to) = self.expand(to) else { return Ok(End::Own(None)) };
        if super::rewrite::is_address(&to) {
            return Ok(End::Redirect(to));
        }
        self.set_uri(&to);
        Err(Again::Redirect)
    }

    /// Adds the locations for the path to a chain, outermost first: `ngx_http_core_find_location`. Returns the path
    /// with a slash if nginx redirects there.
    fn find(&mut self, chain: &mut Vec<&'a Directive>) -> Option<String> {
        let mut slash = None;
        self.find_in(chain, &mut slash);
        slash
    }

    /// Returns whether the search is over.
    fn find_in(&mut self, chain: &mut Vec<&'a Directive>, slash: &mut Option<String>) -> bool {
        let parent = chain[chain.len() - 1];
        let locations = parent.block.iter().filter(|line| line.is("location"));
        let here: Vec<(&str, &str, &'a Directive)> =
            locations.filter_map(|line| pattern(line).map(|(modifier, path)| (modifier, path, line))).collect();
        let plain = || here.iter().filter(|(modifier, ..)| matches!(*modifier, "" | "^~" | "="));
        if let Some((.., exact)) = plain().find(|(modifier, path, _)| *modifier == "=" && *path == self.uri) {
            chain.push(exact);
            return true;
        }
        let with_slash = format!("{}/", self.uri);
        let hands_over = |line: &Directive| handler(line).is_some_and(is_pass);
        if plain().any(|(_, path, line)| *path == with_slash && hands_over(line))
            && !plain().any(|(_, path, _)| *path == self.uri)
        {
            *slash = Some(with_slash);
            return true;
        }
        let prefixes = plain().filter(|(modifier, path, _)| *modifier != "=" && self.uri.starts_with(path));
        let longest = prefixes.max_by_key(|(_, path, _)| path.len());
        let mut regexes = true;
        if let Some((modifier, _, location)) = longest {
            chain.push(location);
            regexes = *modifier != "^~";
            if self.find_in(chain, slash) {
                return true;
            }
        }
        for (modifier, pattern, location) in here.iter().filter(|(modifier, ..)| regexes && modifier.starts_with('~')) {
            let Some(regex) = Pattern::new(pattern, *modifier == "~*") else { continue };
            if !self.captures(&regex, &self.uri.clone()) {
                continue;
            }
            // It replaces the prefix that was found here, if any.
            let own = chain.iter().position(|one| std::ptr::eq(*one, parent)).map_or(0, |at| at + 1);
            chain.truncate(own);
            chain.push(location);
            self.find_in(chain, slash);
            return true;
        }
        false
    }
}

/// Returns the `error_page` for a status, of the innermost level that has any.
fn error_page<'a>(status: u16, chain: &[&'a Directive]) -> Option<&'a Directive> {
    let level = chain.iter().rev().find(|level| level.block.iter().any(|line| line.is("error_page")))?;
    let has = |line: &&Directive| line.values().iter().any(|word| *word == status.to_string());
    level.block.iter().filter(|line| line.is("error_page")).find(has)
}

/// Returns what makes the content of a location: the last `..._pass`, or a module of nginx itself.
fn handler(location: &Directive) -> Option<&Directive> {
    let own = ["stub_status", "empty_gif", "perl", "js_content", "echo", "mp4", "flv", "api", "hls"];
    let is =
        |line: &&Directive| is_pass(line) || own.contains(&line.name()) || line.name().starts_with("content_by_lua");
    location.block.iter().rfind(is)
}

/// Returns the innermost directive of a name in a chain, starting at the http block.
fn inherited<'a>(chain: &[&'a Directive], name: &str) -> Option<&'a Directive> {
    chain.iter().rev().find_map(|level| level.block.iter().rfind(|line| line.is(name)))
}

/// Returns the modifier and the pattern of a location: `""`, `=`, `^~`, `~`, `~*` or `@`. nginx also accepts both in
/// one word.
pub fn pattern(location: &Directive) -> Option<(&str, &str)> {
    match location.values() {
        [modifier, pattern] => Some((modifier, pattern)),
        [word] => {
            let modifier = ["=", "^~", "~*", "~"].into_iter().find(|modifier| word.starts_with(modifier));
            let modifier = modifier.unwrap_or("");
            Some(if word.starts_with('@') { ("@", word) } else { (modifier, &word[modifier.len()..]) })
        }
        _ => None,
    }
}

/// Returns the paths at which the servers' locations can be requested from outside, in the order of the configuration:
/// `/`, and each exact or prefix location.
pub fn paths(server: &Directive) -> Vec<String> {
    fn find(block: &[Directive], all: &mut Vec<String>) {
        for location in block.iter().filter(|line| line.is("location")) {
            if let Some(("" | "=" | "^~", path)) = pattern(location)
                && path.starts_with('/')
                && !all.iter().any(|one| one == path)
            {
                all.push(path.to_owned());
            }
            find(&location.block, all);
        }
    }
    let mut all = vec!["/".to_owned()];
    find(&server.block, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;

    /// From nginx.org, "Server names" and the `location` directive.
    #[test]
    fn an_address_is_served_by_the_server_and_the_location_that_nginx_chooses() {
        let text = "http {
            upstream pool { server one:81; server two; }
            server { server_name *.example.jp; location / { proxy_pass http://star; } }
            server { server_name example.jp www.example.jp; location / { proxy_pass http://exact:8080; }
                     location /api/ { proxy_pass http://api/v1/; } location = /api/x { proxy_pass http://pool; }
                     location ~ php { fastcgi_pass php:9000; } }
            server { server_name shop.example.jp; listen 443 ssl; listen 8080; location / { proxy_pass https://safe; } }
            server { server_name *.deep.example.jp; location / { proxy_pass http://deep; } }
            server { server_name www.*; location / { proxy_pass http://any; } }
            server { server_name .other.jp; proxy_pass http://dot; }
            server { server_name _; location / { proxy_pass http://default; } }
        }";
        let config = Config::parse(text);
        let map = Map::of(&config);
        for (url, expected) in [
            ("http://example.jp/", "exact:8080"),
            ("http://EXAMPLE.jp/ap", "exact:8080"),
            ("http://example.jp/api/", "api:80"),
            ("http://example.jp/api/x?a", "one:81 two:80"),
            ("http://example.jp:81/", ""),
            ("https://example.jp/", ""),
            ("http://a.example.jp/", "star:80"),
            ("http://a.deep.example.jp/", "deep:80"),
            ("https://shop.example.jp/", "safe:-"),
            ("http://shop.example.jp:8080/", "safe:-"),
            ("http://shop.example.jp/", "star:80"),
            ("http://www.test/", "any:80"),
            ("http://other.jp/", "dot:80"),
            ("http://a.other.jp/", "dot:80"),
            ("http://elsewhere.jp/", ""),
        ] {
            let port = |site: &Site| site.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
            let found = serving(&map, &Url::parse(url).unwrap(), &|_| false);
            let found: Vec<String> = found.iter().map(|site| format!("{}:{}", site.upstream, port(site))).collect();
            assert_eq!(found.join(" "), expected, "{url}");
        }
        let ways = serving(&map, &Url::parse("https://shop.example.jp/").unwrap(), &|_| false)[0].listen.clone();
        assert_eq!(ways, [Listen { address: "127.0.0.1:443".into(), tls: true, default: false }]);
    }

    /// Checks what answers for each path, as `path=upstream`.
    fn check(server: &str, expected: &[(&str, &str)]) {
        let text = format!(
            "http {{ upstream puma {{ server rails:3000; }} upstream streaming {{ server stream:4000; }}
             server {{ server_name a.jp; {server} }} server {{ server_name a.jp; listen 443 ssl; location / {{ proxy_pass http://safe; }} }} }}"
        );
        let config = Config::parse(&text);
        let map = Map::of(&config);
        for (path, name) in expected {
            let found = serving(&map, &Url::parse(&format!("http://a.jp{path}")).unwrap(), &|_| false);
            assert!(found.iter().all(|site| site.listen[0].address == "127.0.0.1:80"));
            assert_eq!(
                found.iter().map(|site| site.upstream.as_str()).collect::<Vec<_>>().join(" "),
                *name,
                "{path}: {server}"
            );
        }
    }

    #[test]
    fn applications_behind_a_folder_of_files_are_found() {
        // Rails with a named location, and with the older `if`.
        check(
            "root /srv/public; try_files $uri/index.html $uri @puma; error_page 500 502 /500.html;
             location @puma { proxy_pass http://puma; } location ^~ /assets/ { gzip_static on; }",
            &[("/", "rails"), ("/users/1", "rails"), ("/assets/a.css", "")],
        );
        check(
            "location / { if (!-f $request_filename) { proxy_pass http://puma; break; } }
             location /b { if (-f /srv/maintenance) { return 503; } proxy_pass http://puma; }",
            &[("/", "rails"), ("/b", "rails")],
        );
        // Django, with its own files.
        check(
            "location /static/ { alias /srv/static/; } location / { try_files $uri @django; }
             location @django { include uwsgi_params_none*; uwsgi_pass django:8000; }",
            &[("/", "django"), ("/admin/", "django"), ("/static/x.css", "")],
        );
        // A forum: regular expressions within the prefix, and one after it.
        check(
            r"location / { root /srv;
                location ~* (assets|plugins)/.*\.(css|js)$ { expires 1y; }
                location ~ ^/uploads/short/ { proxy_pass http://puma; break; }
                location = /srv/status { proxy_pass http://one; }
                try_files $uri @forum; }
              location @forum { proxy_pass http://puma; }
              location ~ ^/secure { proxy_pass http://secure; }",
            &[
                ("/", "rails"),
                ("/assets/a.css", ""),
                ("/uploads/short/x", "rails"),
                ("/srv/status", "one"),
                ("/secure/x", "secure"),
                ("/t/1", "rails"),
            ],
        );
        // A social network: two applications.
        check(
            "error_page 404 500 501 502 503 504 /500.html;
             location / { try_files $uri @proxy; } location = /sw.js { try_files $uri =404; }
             location ~ ^/assets/ { try_files $uri =404; }
             location ^~ /api/v1/streaming { proxy_pass http://streaming; } location @proxy { proxy_pass http://puma; }",
            &[("/", "rails"), ("/api/v1/streaming/health", "stream"), ("/sw.js", ""), ("/assets/x", ""), ("/about", "rails")],
        );
        // PHP in each of its usual forms.
        let php = r"location ~ \.php$ { try_files $uri =404; fastcgi_pass php:9000; }";
        for front in [
            "location / { try_files $uri $uri/ /index.php?$args; }",
            "location / { try_files $uri $uri/ =404; index index.html index.php; }",
            "index index.php; location / { }",
            "location / { error_page 404 = /index.php; }",
            "location / { if (!-e $request_filename) { rewrite ^/(.*)$ /index.php?q=$1 last; } }",
            "rewrite ^/$ /index.php;",
        ] {
            check(&format!("{front} {php}"), &[("/", "php"), ("/index.php", "php")]);
        }
    }

    #[test]
    fn a_location_is_chosen_as_nginx_chooses_it() {
        check(
            r"location /images/ { proxy_pass http://prefix; } location ~ \.png$ { proxy_pass http://png; }
              location ^~ /fixed/ { proxy_pass http://fixed; } location = /images/x.png { proxy_pass http://exact; }
              location ~* \.GIF$ { proxy_pass http://gif; } location ~\.jpg$ { proxy_pass http://jpg; }
              location =/word { proxy_pass http://word; }
              location /deep/ { proxy_pass http://deep; location /deep/er/ { proxy_pass http://deeper; } location ~ x$ { proxy_pass http://inner; } }",
            &[
                ("/images/a.png", "png"),
                ("/images/a", "prefix"),
                ("/fixed/a.png", "fixed"),
                ("/images/x.png", "exact"),
                ("/a.gif", "gif"),
                ("/a.jpg", "jpg"),
                ("/word", "word"),
                ("/deep/er/", "deeper"),
                ("/deep/x", "inner"),
                ("/deep/a.png", "png"),
                ("/deep/a", "deep"),
                ("/deep/er/x", "inner"),
                ("/images", "prefix"),
                ("/", ""),
                ("/%69mages/a", "prefix"),
            ],
        );
    }

    #[test]
    fn redirects_and_errors_inside_of_nginx_are_followed_to_an_end() {
        check("return 301 https://$host$request_uri;", &[("/", "safe"), ("/x?y", "safe")]);
        check("location / { rewrite ^ https://a.jp$request_uri? permanent; }", &[("/", "safe")]);
        check(
            "if ($scheme = http) { return 302 https://a.jp/; } location / { proxy_pass http://never; }",
            &[("/", "safe")],
        );
        check(
            "if ($http_x_forwarded_proto = 'http') { return 301 https://$host/; } location / { proxy_pass http://app; }",
            &[("/", "app")],
        );
        check("location / { return 302 http://elsewhere.jp/; }", &[("/", "")]);
        check("location / { return 302 /; }", &[("/", "")]);
        check("location / { rewrite ^ /; }", &[("/", "")]);
        check(
            "error_page 418 = @app; location / { return 418; } location @app { proxy_pass http://app; }",
            &[("/", "app")],
        );
        check(
            "location = / { rewrite ^ /app/ last; } location /app/ { internal; proxy_pass http://app; }",
            &[("/", "app"), ("/app/", "")],
        );
        check("location /v1/ { rewrite ^/v1/(.*) /$1 break; proxy_pass http://app; }", &[("/v1/x", "app")]);
        check(
            "location / { if ($request_method = POST) { return 405; } if ($uri ~ ^/(a|b)$) { rewrite ^ /to/$1 last; } } location /to/b { proxy_pass http://b; }",
            &[("/b", "b"), ("/a", "")],
        );
        check(
            "set $up http://app:81; location / { proxy_pass $up; } location /x { proxy_pass http://$unknown; }",
            &[("/", "app"), ("/x", "")],
        );
        check("location / { return 444; }", &[("/", "")]);
        check(r"server_name ~^b\.jp$; location / { proxy_pass http://app; }", &[("/", "app")]);
    }
}
