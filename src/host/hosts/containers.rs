//! What the hosts file needs to know about containers: their names, and the addresses at which this host reaches them.

use crate::host::docker::{self, Network};
use crate::host::routes::Routes;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What the hosts file needs to know about a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// Its name, without a slash.
    pub name: String,
    /// The state as Docker reports it: `running`, `paused`, `exited` and so on.
    pub state: String,
    /// The networks it is in.
    pub networks: Vec<Network>,
    /// Its other names: its aliases in networks, and its compose service alone and with the project's name.
    pub further: BTreeSet<String>,
    /// Its compose project and service. The replicas of a service share their other names.
    pub service: Option<(String, String)>,
}

impl Container {
    /// Selects what the hosts file needs.
    pub fn of(container: &docker::Container) -> Self {
        let docker::Container { name, state, labels, networks, .. } = container.clone();
        // An alias with a dot is usually a public name that other containers are meant to resolve internally.
        let aliases = networks.iter().flat_map(|network| &network.aliases).filter(|alias| !alias.contains('.'));
        let mut further: BTreeSet<String> = aliases.cloned().collect();
        // A backup image has empty labels.
        let label = |name: &str| {
            let value = labels.get(&format!("com.docker.compose.{name}")).cloned();
            value.filter(|value| !value.is_empty())
        };
        // The container of `docker compose run` does not serve the service.
        let serves = !label("oneoff").is_some_and(|oneoff| oneoff.eq_ignore_ascii_case("true"));
        let mut replica_of = None;
        // The labels may come from the image: a dot in one would name a host on the Internet.
        if let Some(service) = label("service").filter(|service| serves && !service.contains('.')) {
            if let Some(project) = label("project").filter(|project| !project.contains('.')) {
                further.insert(format!("{service}.{project}"));
                replica_of = Some((project, service.clone()));
            }
            further.insert(service);
        }
        further.retain(|other| !other.eq_ignore_ascii_case(&name));
        Self { name, state, networks, further, service: replica_of }
    }

    /// Returns whether it has its addresses. A paused container keeps them.
    pub fn alive(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused")
    }

    /// Returns whether it has this name, ignoring case.
    pub fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.further.iter().any(|other| other.eq_ignore_ascii_case(name))
    }
}

/// Returns the address at which this host reaches a container: the first one in a `bridge` network that this host has a
/// route to, preferably IPv4.
///
/// # Errors
/// The reason why it has none.
pub fn address(container: &Container, dry: bool, routes: Option<&Routes>) -> std::result::Result<String, String> {
    let bridges = || container.networks.iter().filter(|network| network.driver == "bridge");
    let four = bridges().map(|network| (network, &network.address));
    let texts = four.chain(bridges().map(|network| (network, &network.address6)));
    let (mut bad, mut away) = (None, None);
    for (network, text) in texts.filter(|(_, text)| !text.is_empty()) {
        match text.parse() {
            Ok(address) if usable(address) && routes.is_none_or(|routes| routes.reach(address)) => {
                return Ok(address.to_string());
            }
            Ok(address) if usable(address) => {
                let name = &network.network;
                away.get_or_insert_with(|| {
                    format!("this host cannot reach it: no route leads into its network `{name}`")
                });
            }
            Err(_) if dry && text.starts_with('<') => return Ok(text.clone()),
            _ => bad = Some(format!("`{}` is not the address of a container", text.escape_debug())),
        }
    }
    Err(bad.or(away).unwrap_or_else(|| match container.networks.first() {
        None => "it has no network of its own".to_owned(),
        Some(_) if bridges().next().is_some() => "it has no address".to_owned(),
        Some(network) if network.driver == "host" => "it shares the network of this host".to_owned(),
        Some(network) if network.driver == "null" => "it has no network".to_owned(),
        Some(network) if network.driver == "container" => {
            let other = network.network.strip_prefix("container:").unwrap_or_default();
            format!("it shares the network of `{other}`, which does not run")
        }
        Some(network) => {
            format!("this host cannot reach it: its network `{}` is of the kind `{}`", network.network, network.driver)
        }
    }))
}

/// Returns whether a container can have this address. (`fe80::` needs an interface, which hosts(5) cannot express.)
fn usable(address: IpAddr) -> bool {
    let local = matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
    !(local || address.is_unspecified() || address.is_loopback() || address.is_multicast())
}
