//! Networks.

use super::{checked, list_at, text};
use crate::process::{self, Plan};
use crate::run::{Result, Run};
use serde_json::Value;

/// Creates a network as `docker network inspect` has described it, unless it exists.
///
/// # Errors
/// Docker's own message.
pub fn create(run: &Run, like: &Value) -> Result<()> {
    let name = checked("create the network", text(like, "/Name"))?;
    if ["bridge", "host", "none"].contains(&name) {
        return Ok(());
    }
    let there = Plan::read(["docker", "network", "inspect", name]).patient();
    if process::attempt(run, &there)?.code() == 0 {
        return Ok(());
    }
    let make = |words: Vec<String>| {
        let all = ["docker", "network", "create"].map(str::to_owned).into_iter().chain(words).chain([name.to_owned()]);
        Plan { quiet: true, ..Plan::change(all.collect::<Vec<_>>()) }
    };
    let (words, addresses) = options(like);
    let first = Plan { lenient: true, asked: true, ..make([words.clone(), addresses].concat()) };
    let made = process::attempt(run, &first)?;
    if made.planned || made.code() == 0 {
        return Ok(());
    }
    // Another network of this host has these addresses.
    process::run(run, &make(words))?;
    run.warn(&format!("the network {name} has other addresses than in the backup"));
    Ok(())
}

/// Returns the options of a network, and those of its addresses.
fn options(like: &Value) -> (Vec<String>, Vec<String>) {
    let mut words = vec!["--driver".to_owned(), text(like, "/Driver").to_owned()];
    for (field, option) in [("Internal", "--internal"), ("Attachable", "--attachable"), ("EnableIPv6", "--ipv6")] {
        if like.get(field).and_then(Value::as_bool).unwrap_or_default() {
            words.push(option.to_owned());
        }
    }
    for (field, option) in [("Options", "--opt"), ("Labels", "--label")] {
        let pairs = like.get(field).and_then(Value::as_object).into_iter().flatten();
        for (key, value) in pairs {
            words.extend([option.to_owned(), format!("{key}={}", value.as_str().unwrap_or_default())]);
        }
    }
    let mut addresses = Vec::new();
    for pool in list_at(like, "/IPAM/Config") {
        for (field, option) in [("/Subnet", "--subnet"), ("/Gateway", "--gateway"), ("/IPRange", "--ip-range")] {
            let value = text(pool, field);
            if !value.is_empty() {
                addresses.extend([option.to_owned(), value.to_owned()]);
            }
        }
    }
    (words, addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_network_gets_the_options_and_addresses_that_it_had() {
        let like = json!({
            "Name": "back", "Driver": "bridge", "Internal": true, "Attachable": false, "EnableIPv6": false,
            "Options": { "a": "b" }, "Labels": { "of": "us" },
            "IPAM": { "Config": [{ "Subnet": "10.77.0.0/16", "Gateway": "10.77.0.1" }] },
        });
        let (words, addresses) = options(&like);
        assert_eq!(words.join(" "), "--driver bridge --internal --opt a=b --label of=us");
        assert_eq!(addresses.join(" "), "--subnet 10.77.0.0/16 --gateway 10.77.0.1");
        assert!(options(&json!({ "Driver": "null", "Options": null, "IPAM": { "Config": null } })).1.is_empty());
    }
}
