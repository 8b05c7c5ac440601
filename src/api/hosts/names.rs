//! Which containers get which line: names that would hurt are passed over, with a reason.

use super::Entry;
use crate::run::{Error, Result};
use rhai::{Dynamic, Map};
use std::collections::HashMap;
use std::net::IpAddr;

/// What the hosts file needs to know of a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// Its name, without a slash.
    pub name: String,
    /// As Docker says it: `running`, `paused`, `exited` and so on.
    pub state: String,
    /// The networks it is in.
    pub networks: Vec<Network>,
}

/// A container in a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// The network's name.
    pub network: String,
    /// `bridge`, `host`, `null`, `macvlan` and so on.
    pub driver: String,
    /// The IPv4 address, or nothing.
    pub address: String,
    /// The IPv6 address, or nothing.
    pub address6: String,
}

impl Container {
    /// From one of the maps of `docker::ps()`.
    ///
    /// # Errors
    /// When a field is missing or is something else.
    pub fn from_map(value: &Dynamic) -> Result<Self> {
        let map = as_map(value)?;
        let networks = field(&map, "networks")?.into_typed_array::<Dynamic>().map_err(|_| odd("networks"))?;
        Ok(Self {
            name: text(&map, "name")?,
            state: text(&map, "state")?,
            networks: networks.iter().map(Network::from_map).collect::<Result<_>>()?,
        })
    }
}

impl Network {
    fn from_map(value: &Dynamic) -> Result<Self> {
        let map = as_map(value)?;
        Ok(Self {
            network: text(&map, "network")?,
            driver: text(&map, "driver")?,
            address: text(&map, "address")?,
            address6: text(&map, "address6")?,
        })
    }
}

fn odd(field: &str) -> Error {
    Error::new(format!("update the hosts file: a container's `{field}` is missing or is not what it should be"))
        .help("give `hosts::update` what `docker::ps()` gives")
}

fn as_map(value: &Dynamic) -> Result<Map> {
    value.clone().try_cast::<Map>().ok_or_else(|| odd("map"))
}

fn field(map: &Map, name: &str) -> Result<Dynamic> {
    map.get(name).cloned().ok_or_else(|| odd(name))
}

/// A string; `()` is an empty one.
fn text(map: &Map, name: &str) -> Result<String> {
    let value = field(map, name)?;
    if value.is_unit() { Ok(String::new()) } else { value.into_string().map_err(|_| odd(name)) }
}

/// A container without a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    /// The container's name.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

/// The lines of the block, sorted by name, and the running containers that get none.
///
/// `old` are the block's lines so far, `host` is this host's name. Under a dry run a container that
/// would have been started has a placeholder such as `<address of blog>` for an address.
pub fn choose(
    containers: &[Container],
    theirs: &[Entry],
    old: &[String],
    host: &str,
    dry: bool,
) -> (Vec<String>, Vec<Skipped>) {
    // A paused container keeps its address.
    let alive = |container: &&Container| matches!(container.state.as_str(), "running" | "paused");
    let known = |name: &str| old.iter().any(|line| line.split_once(' ').is_some_and(|(_, had)| had == name));
    let mut alive: Vec<&Container> = containers.iter().filter(alive).collect();
    // Of two names that differ only in case the one that is in the file already stays.
    alive.sort_by_cached_key(|one| (one.name.to_lowercase(), !known(&one.name), one.name.clone()));
    let mut taken: HashMap<String, (&str, String)> = HashMap::new();
    let (mut lines, mut skipped) = (Vec::new(), Vec::new());
    for container in alive {
        let name = container.name.as_str();
        let lower = name.to_lowercase();
        let line = harm(name, host).map_or_else(|| address(container, dry), Err).and_then(|address| {
            if let Some((other, its)) = taken.get(&lower) {
                return match name == *other {
                    true if address == *its => Ok(None),
                    true => Err(format!("another container of this name has the address {its}")),
                    false => Err(format!("`{other}` differs from it only in case, and hosts names have no case")),
                };
            }
            let same = |entry: &&Entry| entry.names.iter().any(|other| other.eq_ignore_ascii_case(name));
            let defined: Vec<&Entry> = theirs.iter().filter(same).collect();
            if let Some(entry) = defined.iter().find(|entry| entry.address.to_string() != address) {
                return Err(elsewhere(entry));
            }
            let line = defined.is_empty().then(|| format!("{address} {name}"));
            taken.insert(lower, (name, address));
            Ok(line)
        });
        match line {
            Ok(line) => lines.extend(line.map(|line| (name, line))),
            Err(reason) => skipped.push(Skipped { name: name.to_owned(), reason }),
        }
    }
    lines.sort_unstable();
    (lines.into_iter().map(|(_, line)| line).collect(), skipped)
}

/// Why a name must not stand in a hosts file.
fn harm(name: &str, host: &str) -> Option<String> {
    // `^[a-zA-Z0-9][a-zA-Z0-9_.-]+$` in moby/moby:daemon/names/names.go; a newline would be a line.
    let bytes = name.as_bytes();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    if bytes.len() < 2 || !bytes[0].is_ascii_alphanumeric() || !bytes.iter().all(part) {
        return Some("it is not a name that Docker gives".to_owned());
    }
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    // The names that distributions give to ::1 and the multicast groups, and RFC 6761, section 6.3.
    let family = ["localhost4", "localhost6", "localdomain", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix"];
    let local = lower == "localhost"
        || lower.ends_with(".localhost")
        || lower.starts_with("localhost.")
        || lower.ends_with(".localdomain")
        || ["ip6-localhost", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts"].contains(&lower.as_str())
        || family.iter().any(|name| lower == *name);
    if local {
        return Some("this name means the host itself: rename the container".to_owned());
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if lower == host || Some(lower.as_str()) == host.split('.').next() {
        return Some("it is this host's own name: rename the container".to_owned());
    }
    // inet_aton(3) takes one to four decimal, octal or hexadecimal numbers for an address, so that
    // the hosts file is never asked.
    let number = |part: &str| {
        let hex = part.strip_prefix("0x").map(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        hex.unwrap_or_else(|| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    lower.split('.').all(number).then(|| "programs read it as a number, not as a name: rename the container".to_owned())
}

/// The address at which this host reaches a container: the first in a network of the kind
/// `bridge`, of IPv4 if there is one.
fn address(container: &Container, dry: bool) -> std::result::Result<String, String> {
    let bridges = || container.networks.iter().filter(|network| network.driver == "bridge");
    let texts = bridges().map(|network| &network.address).chain(bridges().map(|network| &network.address6));
    let mut bad = None;
    for text in texts.filter(|text| !text.is_empty()) {
        match text.parse() {
            Ok(address) if usable(address) => return Ok(address.to_string()),
            Err(_) if dry && text.starts_with('<') => return Ok(text.clone()),
            _ => bad = Some(format!("`{}` is not the address of a container", text.escape_debug())),
        }
    }
    Err(bad.unwrap_or_else(|| match container.networks.first() {
        None => "it has no network of its own".to_owned(),
        Some(_) if bridges().next().is_some() => "it has no address".to_owned(),
        Some(network) if network.driver == "host" => "it shares the network of this host".to_owned(),
        Some(network) if network.driver == "null" => "it has no network".to_owned(),
        Some(network) => {
            format!("this host cannot reach it: its network `{}` is of the kind `{}`", network.network, network.driver)
        }
    }))
}

/// Whether a container can have this address. (`fe80::` needs an interface, which hosts(5) cannot say.)
fn usable(address: IpAddr) -> bool {
    let local = matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
    !(local || address.is_unspecified() || address.is_loopback() || address.is_multicast())
}

/// A line outside of the block gives the name another address: programs would use both by turns.
fn elsewhere(entry: &Entry) -> String {
    let (line, text) = (entry.line, &entry.text);
    // What the script of 2014 wrote: Docker's only network then, one name a line, at the file's end.
    let old = entry.names.len() == 1 && matches!(entry.address, IpAddr::V4(four) if four.octets()[..2] == [172, 17]);
    if old {
        format!("line {line}, `{text}`, gives it another address; it looks like a line of the old script: delete it")
    } else if entry.names.len() == 1 {
        format!("line {line}, `{text}`, gives it another address: delete it, or rename the container")
    } else {
        format!("line {line}, `{text}`, gives it another address: take the name off it, or rename the container")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(driver: &str, address: &str, address6: &str) -> Network {
        let [driver, address, address6] = [driver, address, address6].map(str::to_owned);
        Network { network: format!("{driver}0"), driver, address, address6 }
    }

    fn container(name: &str, networks: Vec<Network>) -> Container {
        Container { name: name.to_owned(), state: "running".to_owned(), networks }
    }

    fn simple(name: &str, last: u8) -> Container {
        container(name, vec![on("bridge", &format!("172.17.0.{last}"), "")])
    }

    fn chosen(containers: &[Container], file: &str, old: &[&str]) -> (Vec<String>, Vec<String>) {
        let theirs: Vec<Entry> = super::super::entries(file.as_bytes()).collect();
        let old: Vec<String> = old.iter().map(|line| (*line).to_owned()).collect();
        let (lines, skipped) = choose(containers, &theirs, &old, "Pier.example.org", false);
        (lines, skipped.into_iter().map(|skipped| format!("{}: {}", skipped.name, skipped.reason)).collect())
    }

    #[test]
    fn names_that_would_hurt_are_passed_over_and_others_are_not() {
        let bad = [
            "localhost",
            "LocalHost",
            "localhost.",
            "localhost.localdomain",
            "x.localhost",
            "localhost6",
            "ip6-loopback",
            "ip6-allnodes",
            "pier",
            "PIER",
            "pier.example.org",
            "10.11",
            "10",
            "127.1",
            "0x7f",
            "0x7f.1",
            "1.2.3.4",
            "0177.0.0.1",
            "10.",
            "99999999999",
            "",
            "x",
            "-ab",
            "_ab",
            "a b",
            "ab\n10.0.0.1 cd",
            "a\tb",
            "ab#",
            "なんとか",
            "a/b",
        ];
        for name in bad {
            let (lines, skipped) = chosen(&[simple(name, 2)], "", &[]);
            assert_eq!((lines.len(), skipped.len()), (0, 1), "{name:?}: {lines:?}");
        }
        for name in
            ["blog", "my_App", "x-", "a-.b", "1a", "10.blog", "0xg1", "beef", "a.b.c", "localhosts", "pier2", "example"]
        {
            let (lines, skipped) = chosen(&[simple(name, 2)], "", &[]);
            assert_eq!(lines, [format!("172.17.0.2 {name}")], "{skipped:?}");
        }
    }

    #[test]
    fn only_an_address_that_this_host_reaches_is_taken() {
        for (networks, expected) in [
            (vec![on("macvlan", "10.0.0.2", ""), on("bridge", "172.18.0.3", "")], "172.18.0.3 blog"),
            (vec![on("bridge", "", "fd00::2"), on("bridge", "172.19.0.2", "")], "172.19.0.2 blog"),
            (vec![on("bridge", "", "FD00:0::2")], "fd00::2 blog"),
            (vec![], "blog: it has no network of its own"),
            (vec![on("host", "", "")], "blog: it shares the network of this host"),
            (vec![on("null", "", "")], "blog: it has no network"),
            (vec![on("bridge", "", "")], "blog: it has no address"),
            (
                vec![on("overlay", "10.0.1.2", "")],
                "blog: this host cannot reach it: its network `overlay0` is of the kind `overlay`",
            ),
            (
                vec![on("bridge", "1.2.3.4\n6.6.6.6 bank", "")],
                "blog: `1.2.3.4\\n6.6.6.6 bank` is not the address of a container",
            ),
            (vec![on("bridge", "127.0.0.1", "")], "blog: `127.0.0.1` is not the address of a container"),
            (
                vec![on("bridge", "<address of blog>", "")],
                "blog: `<address of blog>` is not the address of a container",
            ),
        ] {
            let (lines, skipped) = chosen(&[container("blog", networks)], "", &[]);
            assert_eq!([lines, skipped].concat(), [expected]);
        }
        let planned = container("blog", vec![on("bridge", "<address of blog>", "")]);
        assert_eq!(choose(&[planned], &[], &[], "pier", true).0, ["<address of blog> blog"]);
    }

    #[test]
    fn a_name_of_the_admins_is_left_to_the_admin_and_an_old_line_is_called_by_its_age() {
        let file = "127.0.0.1 localhost\n172.17.0.9 blog\n10.0.0.1 DB db.example.org # main\n172.17.0.4 same\n# 10.9.9.9 wiki\nx wiki\n";
        let containers = [simple("blog", 2), simple("db", 3), simple("same", 4), simple("wiki", 5)];
        let (lines, skipped) = chosen(&containers, file, &[]);
        assert_eq!(lines, ["172.17.0.5 wiki"]);
        assert_eq!(
            skipped,
            [
                "blog: line 2, `172.17.0.9 blog`, gives it another address; it looks like a line of the old script: delete it",
                "db: line 3, `10.0.0.1 DB db.example.org`, gives it another address: take the name off it, or rename the container",
            ]
        );
    }

    #[test]
    fn the_order_is_that_of_the_names_and_a_new_namesake_does_not_take_the_place() {
        let some = [simple("web", 4), simple("Blog", 2), simple("blog", 3), simple("app", 5), simple("app", 5)];
        let (lines, skipped) = chosen(&some, "", &["172.17.0.3 blog"]);
        assert_eq!(lines, ["172.17.0.5 app", "172.17.0.3 blog", "172.17.0.4 web"]);
        assert_eq!(skipped, ["Blog: `blog` differs from it only in case, and hosts names have no case"]);
        let mut backwards = some.to_vec();
        backwards.reverse();
        assert_eq!(chosen(&backwards, "", &["172.17.0.3 blog"]).0, lines);
    }

    #[test]
    fn stopped_containers_are_no_matter_and_paused_ones_keep_their_line() {
        let mut containers = [simple("gone", 2), simple("still", 3)];
        containers[0].state = "exited".to_owned();
        containers[1].state = "paused".to_owned();
        assert_eq!(chosen(&containers, "", &[]), (vec!["172.17.0.3 still".to_owned()], vec![]));
    }
}
