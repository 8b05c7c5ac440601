//! The ports, mounts and networks of a container.

use super::{Around, Recipe, add, is_empty, row, shown};
use crate::host::docker::{list_at, text};
use serde_json::Value;

impl Recipe {
    pub(super) fn published(&mut self, host: &Value) {
        for (port, bindings) in host["PortBindings"].as_object().into_iter().flatten() {
            for bound in bindings.as_array().into_iter().flatten() {
                let (address, number) = (text(bound, "/HostIp"), text(bound, "/HostPort"));
                let address = match address {
                    "" => String::new(),
                    six if six.contains(':') => format!("[{six}]:"),
                    four => format!("{four}:"),
                };
                let number = if number.is_empty() && address.is_empty() { String::new() } else { format!("{number}:") };
                add(&mut self.ports, "--publish", format!("{address}{number}{port}"));
            }
        }
        if host["PublishAllPorts"] == true {
            self.ports.push("--publish-all".to_owned());
        }
    }

    /// Volumes, directories of the host, and tmpfs mounts.
    pub(super) fn mounted(&mut self, full: &Value, host: &Value, around: &Around) {
        let mut named: Vec<&str> = Vec::new();
        for bind in list_at(host, "/Binds").filter_map(Value::as_str) {
            let (source, rest) = bind.split_once(':').unwrap_or((bind, ""));
            let target = rest.split(':').next().unwrap_or_default();
            named.push(target);
            let source = around.sources.get(target).map_or(source, String::as_str);
            add(&mut self.mounts, "--volume", format!("{source}:{rest}"));
        }
        for mount in list_at(host, "/Mounts") {
            let target = text(mount, "/Target");
            named.push(target);
            match made_source(mount, around.sources.get(target).map(String::as_str)) {
                Some(volume) => add(&mut self.mounts, "--volume", volume),
                None => self.mount(full, mount, around),
            }
        }
        for (target, options) in host["Tmpfs"].as_object().into_iter().flatten() {
            named.push(target);
            let separator = if is_empty(options) { "" } else { ":" };
            add(&mut self.mounts, "--tmpfs", format!("{target}{separator}{}", shown(options)));
        }
        for from in list_at(host, "/VolumesFrom") {
            add(&mut self.mounts, "--volumes-from", shown(from));
        }
        // Anonymous volumes: a new container would get new and empty ones.
        for mount in list_at(full, "/Mounts").filter(|mount| text(mount, "/Type") == "volume") {
            let target = text(mount, "/Destination");
            let from_others = !is_empty(&host["VolumesFrom"]) && full["Config"]["Volumes"].get(target).is_none();
            if !named.contains(&target) && !from_others {
                let source = around.sources.get(target).map_or(text(mount, "/Name"), String::as_str);
                add(&mut self.mounts, "--volume", format!("{source}:{target}"));
            }
        }
        if !is_empty(&host["VolumeDriver"]) {
            add(&mut self.mounts, "--volume-driver", text(host, "/VolumeDriver"));
        }
    }

    /// `--mount`: one row of CSV.
    fn mount(&mut self, full: &Value, mount: &Value, around: &Around) {
        let (kind, target) = (text(mount, "/Type"), text(mount, "/Target"));
        // The daemon has given an anonymous volume a name.
        let is = list_at(full, "/Mounts").find(|mount| text(mount, "/Destination") == target).unwrap_or(&Value::Null);
        let own = if kind == "volume" { text(is, "/Name") } else { "" };
        let own = Some(text(mount, "/Source")).filter(|source| !source.is_empty()).unwrap_or(own);
        let mut fields = vec![format!("type={kind}")];
        let source = around.sources.get(target).map_or(own, String::as_str);
        if !source.is_empty() {
            fields.push(format!("source={source}"));
        }
        fields.push(format!("target={target}"));
        let known =
            ["Type", "Target", "Source", "ReadOnly", "Consistency", "BindOptions", "VolumeOptions", "TmpfsOptions"];
        let mut refused: Vec<String> = mount
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(field, value)| !known.contains(&&***field) && !is_empty(value))
            .map(|(field, _)| field.clone())
            .collect();
        for (field, key) in [("ReadOnly", "readonly"), ("Consistency", "consistency")] {
            if !is_empty(&mount[field]) {
                fields.push(format!("{key}={}", shown(&mount[field])));
            }
        }
        for (group, known) in [
            ("BindOptions", &[("Propagation", "bind-propagation"), ("NonRecursive", "bind-nonrecursive")][..]),
            ("VolumeOptions", &[("NoCopy", "volume-nocopy"), ("Subpath", "volume-subpath")]),
            ("TmpfsOptions", &[("SizeBytes", "tmpfs-size")]),
        ] {
            for (field, value) in mount[group].as_object().into_iter().flatten().filter(|(_, value)| !is_empty(value)) {
                match (known.iter().find(|(name, _)| name == field), &**field) {
                    (Some((_, key)), _) => fields.push(format!("{key}={}", shown(value))),
                    (None, "Labels") => {
                        let labels = value.as_object().into_iter().flatten();
                        fields.extend(labels.map(|(name, value)| format!("volume-label={name}={}", shown(value))));
                    }
                    (None, "DriverConfig") => {
                        let options = value["Options"].as_object().into_iter().flatten();
                        fields.extend(
                            Some(text(value, "/Name"))
                                .filter(|name| !name.is_empty())
                                .map(|name| format!("volume-driver={name}")),
                        );
                        fields.extend(options.map(|(name, value)| format!("volume-opt={name}={}", shown(value))));
                    }
                    (None, "Mode") => fields.push(format!("tmpfs-mode={:o}", value.as_u64().unwrap_or(0))),
                    _ => refused.push(format!("{group}.{field}")),
                }
            }
        }
        add(&mut self.mounts, "--mount", row(fields));
        self.refused.extend(refused.iter().map(|field| format!("HostConfig.Mounts: {field} of {target}")));
    }

    pub(super) fn connected(&mut self, full: &Value, host: &Value, around: &Around) {
        let mode = text(host, "/NetworkMode");
        let networks = full["NetworkSettings"]["Networks"].as_object();
        let of_mode = |(name, end): &(&String, &Value)| {
            *name == mode
                || (mode == "default" && *name == "bridge")
                || (mode.len() >= 12 && text(end, "/NetworkID").starts_with(mode))
        };
        let first = networks.and_then(|all| all.iter().find(of_mode));
        // The container was disconnected from the network that it was created with.
        let first =
            first.or_else(|| networks.and_then(|all| all.iter().next()).filter(|_| !mode.starts_with("container:")));
        match first {
            Some(first) if of_mode(&first) && mode == "default" => self.first(first.1, host, ""),
            Some(first) if of_mode(&first) => self.first(first.1, host, mode),
            Some((name, end)) => self.first(end, host, name),
            None if mode.starts_with("container:") => add(&mut self.network, "--network", around.shared(mode)),
            None if networks.is_some_and(serde_json::Map::is_empty) => add(&mut self.network, "--network", "none"),
            None => {}
        }
        let mac = text(full, "/Config/MacAddress");
        if !mac.is_empty() {
            add(&mut self.network, "--mac-address", mac);
        }
        for (name, end) in
            networks.into_iter().flatten().filter(|(name, _)| first.is_none_or(|(first, _)| first != *name))
        {
            let mut words = addresses(end, &full["Id"], "--alias");
            for link in list_at(end, "/Links") {
                add(&mut words, "--link", shown(link));
            }
            for (key, value) in end["DriverOpts"].as_object().into_iter().flatten() {
                add(&mut words, "--driver-opt", format!("{key}={}", shown(value)));
            }
            if !is_empty(&end["GwPriority"]) {
                add(&mut words, "--gw-priority", shown(&end["GwPriority"]));
            }
            words.push(name.clone());
            self.connect.push(words);
        }
        self.network.extend(first.map(|(_, end)| addresses(end, &full["Id"], "--network-alias")).unwrap_or_default());
    }

    /// The network that it is created with. `network` is "" for the default one.
    fn first(&mut self, end: &Value, host: &Value, network: &str) {
        let mut fields = Vec::new();
        for (key, value) in end["DriverOpts"].as_object().into_iter().flatten() {
            fields.push(format!("driver-opt={key}={}", shown(value)));
        }
        if !is_empty(&end["GwPriority"]) {
            fields.push(format!("gw-priority={}", shown(&end["GwPriority"])));
        }
        if !fields.is_empty() {
            fields.insert(0, format!("name={}", if network.is_empty() { "bridge" } else { network }));
            add(&mut self.network, "--network", row(fields));
        } else if !network.is_empty() {
            add(&mut self.network, "--network", network);
        }
        // `/db:/web/alias`, with the names of both containers.
        let legacy = list_at(host, "/Links").map(shown).map(|link| {
            let (other, alias) = link.split_once(':').unwrap_or((&link, &link));
            format!("{}:{}", other.trim_start_matches('/'), alias.rsplit('/').next().unwrap_or(alias))
        });
        let mut links: Vec<String> = list_at(end, "/Links").map(shown).chain(legacy).collect();
        links.sort_unstable();
        links.dedup();
        links.into_iter().for_each(|link| add(&mut self.network, "--link", link));
    }
}

/// Returns the value of `--volume` for a bind mount whose missing source directory Docker creates, `None`
/// for any other mount.
///
/// `--mount` has no key for that in Docker 28 (docker/cli, opts/mount.go), and `--volume` always creates it. Docker
/// compose 2.40 sets the field. Settings that `--volume` cannot express are refused later.
fn made_source(mount: &Value, source: Option<&str>) -> Option<String> {
    let options = mount["BindOptions"].as_object()?;
    let known =
        |(name, value): (&String, &Value)| ["CreateMountpoint", "Propagation"].contains(&&**name) || is_empty(value);
    let (source, target) = (source.unwrap_or(text(mount, "/Source")), text(mount, "/Target"));
    if options.get("CreateMountpoint") != Some(&Value::Bool(true))
        || !options.iter().all(known)
        || !is_empty(&mount["Consistency"])
        || [source, target].iter().any(|path| path.contains(':'))
    {
        return None;
    }
    let flags = [if mount["ReadOnly"] == true { "ro" } else { "" }, text(mount, "/BindOptions/Propagation")];
    let flags: Vec<&str> = flags.into_iter().filter(|flag| !flag.is_empty()).collect();
    let separator = if flags.is_empty() { "" } else { ":" };
    Some(format!("{source}:{target}{separator}{}", flags.join(",")))
}

/// Returns the addresses and names that the user set in a network. Assigned addresses are not in IPAMConfig.
fn addresses(end: &Value, id: &Value, alias: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (field, flag) in [("IPv4Address", "--ip"), ("IPv6Address", "--ip6")] {
        if !is_empty(&end["IPAMConfig"][field]) {
            add(&mut words, flag, shown(&end["IPAMConfig"][field]));
        }
    }
    for address in list_at(end, "/IPAMConfig/LinkLocalIPs") {
        add(&mut words, "--link-local-ip", shown(address));
    }
    // Docker before 25 adds the short ID.
    let short = id.as_str().and_then(|id| id.get(..12));
    for name in list_at(end, "/Aliases").filter(|name| name.as_str() != short) {
        add(&mut words, alias, shown(name));
    }
    words
}
