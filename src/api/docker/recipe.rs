//! The arguments of `docker create` that recreate a container, from `docker inspect`.
//!
//! `inspect` does not tell what the user set from what the image brought along. So the image's settings are subtracted,
//! and the rest was set by the user. The flags and their fields are those of docker/cli, cli/command/container/opts.go.
//! What the daemon adds is in moby, daemon/create.go.

use super::{ask, at, checked, inspect_fields, json, labels, list_at, near, text};
use crate::api::map;
use crate::run::{Error, Result, Run};
use rhai::{Array, Map};
use serde_json::Value;
use std::collections::BTreeMap;

/// Keeps every field of an inspect.
const ALL: super::picked::Names = &[];

/// How a field of HostConfig becomes arguments.
enum Form {
    /// A new container does not depend on it, or other code here handles it.
    Apart,
    /// Bytes, numbers or names: one argument. Skipped if it has the daemon's default.
    Word(&'static str, &'static str),
    /// True or false.
    Switch(&'static str),
    /// One argument for each element of a list.
    Each(&'static str),
    /// One argument `name=value` for each entry of a map.
    Pairs(&'static str),
    /// One argument for each device of a list: its path, and this field of it.
    Rates(&'static str, &'static str),
}
use Form::{Apart, Each, Pairs, Rates, Switch, Word};

/// The fields of HostConfig, sorted. A field that is not listed and not empty is refused.
const HOST: &[(&str, Form)] = &[
    ("Annotations", Pairs("--annotation")),
    // Callers check this themselves: the container vanishes when it is stopped.
    ("AutoRemove", Apart),
    ("Binds", Apart),
    ("BlkioDeviceReadBps", Rates("--device-read-bps", "Rate")),
    ("BlkioDeviceReadIOps", Rates("--device-read-iops", "Rate")),
    ("BlkioDeviceWriteBps", Rates("--device-write-bps", "Rate")),
    ("BlkioDeviceWriteIOps", Rates("--device-write-iops", "Rate")),
    ("BlkioWeight", Word("--blkio-weight", "0")),
    ("BlkioWeightDevice", Rates("--blkio-weight-device", "Weight")),
    ("CapAdd", Each("--cap-add")),
    ("CapDrop", Each("--cap-drop")),
    ("CgroupParent", Word("--cgroup-parent", "")),
    ("CgroupnsMode", Apart),
    ("ConsoleSize", Apart),
    ("ContainerIDFile", Apart),
    ("CpuPeriod", Word("--cpu-period", "0")),
    ("CpuQuota", Word("--cpu-quota", "0")),
    ("CpuRealtimePeriod", Word("--cpu-rt-period", "0")),
    ("CpuRealtimeRuntime", Word("--cpu-rt-runtime", "0")),
    ("CpuShares", Word("--cpu-shares", "0")),
    ("CpusetCpus", Word("--cpuset-cpus", "")),
    ("CpusetMems", Word("--cpuset-mems", "")),
    ("DeviceCgroupRules", Each("--device-cgroup-rule")),
    ("DeviceRequests", Apart),
    ("Devices", Apart),
    ("Dns", Each("--dns")),
    ("DnsOptions", Each("--dns-option")),
    ("DnsSearch", Each("--dns-search")),
    ("ExtraHosts", Each("--add-host")),
    ("GroupAdd", Each("--group-add")),
    ("Init", Switch("--init")),
    ("IpcMode", Apart),
    ("Isolation", Word("--isolation", "default")),
    ("KernelMemory", Word("--kernel-memory", "0")),
    ("Links", Apart),
    ("LogConfig", Apart),
    ("MaskedPaths", Apart),
    ("Memory", Word("--memory", "0")),
    ("MemoryReservation", Word("--memory-reservation", "0")),
    ("MemorySwap", Word("--memory-swap", "0")),
    ("MemorySwappiness", Word("--memory-swappiness", "-1")),
    ("Mounts", Apart),
    ("NanoCpus", Apart),
    ("NetworkMode", Apart),
    ("OomKillDisable", Switch("--oom-kill-disable")),
    ("OomScoreAdj", Word("--oom-score-adj", "0")),
    ("PidMode", Apart),
    ("PidsLimit", Word("--pids-limit", "0")),
    ("PortBindings", Apart),
    ("Privileged", Switch("--privileged")),
    ("PublishAllPorts", Apart),
    ("ReadonlyPaths", Apart),
    ("ReadonlyRootfs", Switch("--read-only")),
    ("RestartPolicy", Apart),
    ("Runtime", Apart),
    ("SecurityOpt", Apart),
    ("ShmSize", Word("--shm-size", "67108864")),
    ("StorageOpt", Pairs("--storage-opt")),
    ("Sysctls", Pairs("--sysctl")),
    ("Tmpfs", Apart),
    ("UTSMode", Word("--uts", "")),
    ("Ulimits", Apart),
    ("UsernsMode", Word("--userns", "")),
    ("VolumeDriver", Apart),
    ("VolumesFrom", Apart),
];

/// The fields of Config. Values from the image come with the image.
const CONFIG: [&str; 23] = [
    // What a client attached itself to.
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Cmd",
    "Domainname",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Hostname",
    "Image",
    "Labels",
    "MacAddress",
    "OnBuild",
    "OpenStdin",
    "Shell",
    "StdinOnce",
    "StopSignal",
    "StopTimeout",
    "Tty",
    "User",
    "Volumes",
    "WorkingDir",
];

/// The arguments, in groups that a caller can leave out.
#[derive(Debug, Default)]
struct Recipe {
    options: Vec<String>,
    ports: Vec<String>,
    mounts: Vec<String>,
    network: Vec<String>,
    connect: Vec<Vec<String>>,
    command: Vec<String>,
    refused: Vec<String>,
    changed: Vec<String>,
}

/// What else the arguments depend on.
#[derive(Debug, Default)]
struct Around {
    /// The Config of the image whose values the user did not set.
    own: Value,
    /// The Config of the image that the new container is created from.
    image: Value,
    /// The output of `docker info`.
    info: Value,
    /// The names of the containers whose namespaces it shares, by ID.
    names: BTreeMap<String, String>,
    /// Sources to mount instead, by the mount's target.
    sources: BTreeMap<String, String>,
}

/// Returns the arguments of `docker create` that recreate a container.
pub fn recipe(run: &Run, name: &str, image: Option<&str>, sources: &Map) -> Result<Map> {
    let name = checked("recipe", name)?;
    let found = ask(run, ["container", "inspect", name], false).map_err(|error| near(run, name, error))?;
    let found = json("container inspect", &found.out)?;
    let full = found.get(0).ok_or_else(|| Error::new(format!("recipe of `{name}`: docker printed nothing")))?;
    let mut around = images(run, text(full, "/Image"), image)?;
    around.info = json("info", &ask(run, ["info", "--format", "{{json .}}"], false)?.out)?;
    around.sources = sources.iter().map(|(target, source)| (target.to_string(), source.to_string())).collect();
    let modes = ["NetworkMode", "IpcMode", "PidMode"].map(|mode| text(full, &format!("/HostConfig/{mode}")));
    let others: Vec<&str> = modes.iter().filter_map(|mode| mode.strip_prefix("container:")).collect();
    if !others.is_empty() {
        for other in inspect_fields(run, ALL, &["container", "inspect"], &others)? {
            let name = text(&other, "/Name").trim_start_matches('/').to_owned();
            around.names.insert(text(&other, "/Id").to_owned(), name);
        }
    }
    Ok(made(full, &around).into_map())
}

/// The same for a container that is gone. `found` is an earlier inspect of it, `base` the Config of the image that it
/// was first created from. An image that does not exist yet has no settings.
pub fn recorded(run: &Run, found: &Map, base: &Map, image: &str, sources: &Map) -> Result<Map> {
    let value = |map: &Map| -> Result<Value> {
        json("container inspect", crate::api::to_json(&map.clone().into())?.as_bytes())
    };
    let image = checked("recipe", image)?;
    let own = value(base)?;
    let next = inspect_fields(run, ALL, &["image", "inspect"], &[image])?.pop();
    let around = Around {
        image: next.and_then(|image| image.get("Config").cloned()).unwrap_or_else(|| own.clone()),
        own,
        info: json("info", &ask(run, ["info", "--format", "{{json .}}"], false)?.out)?,
        sources: sources.iter().map(|(target, source)| (target.to_string(), source.to_string())).collect(),
        ..Around::default()
    };
    Ok(made(&value(found)?, &around).into_map())
}

/// Returns the Config of the image that a container was created from, and of the image for the new one.
///
/// A backup image contains all settings that the user made. Its parent is the image that the container was created
/// from. So follow the parents to the first image that is not a backup.
fn images(run: &Run, own: &str, image: Option<&str>) -> Result<Around> {
    let image = image.unwrap_or(own);
    let mut found = inspect_fields(run, ALL, &["image", "inspect"], &[own, image])?;
    let named = |found: &Value| {
        let tags = list_at(found, "/RepoTags").filter_map(Value::as_str);
        text(found, "/Id").trim_start_matches("sha256:").starts_with(image.trim_start_matches("sha256:"))
            || tags.into_iter().any(|tag| tag == image || tag.strip_suffix(":latest") == Some(image))
    };
    let config = |image: Option<&Value>| image.and_then(|image| image.get("Config")).cloned().unwrap_or_default();
    let next = config(found.iter().find(|found| named(found)));
    let mut base = found.iter().position(|found| text(found, "/Id") == own).map(|at| found.swap_remove(at));
    while let Some(backup) = base.as_ref().filter(|image| at(image, "/Config/Labels/moyai.container").is_some()) {
        let parent = text(backup, "/Parent");
        // The image was flattened, or containerd keeps it without a parent.
        let Some(older) = (!parent.is_empty()).then(|| inspect_fields(run, ALL, &["image", "inspect"], &[parent]))
        else {
            break;
        };
        let Some(older) = older?.pop() else { break };
        base = Some(older);
    }
    Ok(Around { own: config(base.as_ref()), image: next, ..Around::default() })
}

fn made(full: &Value, around: &Around) -> Recipe {
    let mut recipe = Recipe::default();
    let host = full.get("HostConfig").unwrap_or(&Value::Null);
    recipe.host(host, around);
    recipe.config(full, around);
    recipe.published(host);
    recipe.mounted(full, host, around);
    recipe.connected(full, host, around);
    recipe
}

impl Recipe {
    fn into_map(self) -> Map {
        let words = |words: Vec<String>| words.into_iter().map(Into::into).collect::<Array>().into();
        let connect: Array = self.connect.into_iter().map(words).collect();
        map([
            ("options", words(self.options)),
            ("ports", words(self.ports)),
            ("mounts", words(self.mounts)),
            ("network", words(self.network)),
            ("connect", connect.into()),
            ("command", words(self.command)),
            ("refused", words(self.refused)),
            ("changed", words(self.changed)),
        ])
    }

    fn option(&mut self, flag: &str, value: impl Into<String>) {
        add(&mut self.options, flag, value);
    }

    /// HostConfig, without ports, mounts and networks.
    fn host(&mut self, host: &Value, around: &Around) {
        for (field, value) in host.as_object().into_iter().flatten().filter(|(_, value)| !is_empty(value)) {
            match HOST.iter().find(|(name, _)| name == field).map(|(_, form)| form) {
                None => self.refused.push(format!("HostConfig.{field}")),
                Some(Apart) => {}
                Some(Word(flag, filled)) if *filled == shown(value) => {}
                Some(Word(flag, _)) => self.option(flag, shown(value)),
                Some(Switch(flag)) => self.options.push((*flag).to_owned()),
                Some(Each(flag)) => list_at(host, &format!("/{field}")).for_each(|one| self.option(flag, shown(one))),
                Some(Pairs(flag)) => self.pairs(flag, value),
                Some(Rates(flag, rate)) => {
                    for one in value.as_array().into_iter().flatten() {
                        self.option(flag, format!("{}:{}", text(one, "/Path"), shown(&one[rate])));
                    }
                }
            }
        }
        // 0 is not the same as unset.
        if host["MemorySwappiness"] == 0 {
            self.option("--memory-swappiness", "0");
        }
        if host["Init"] == false {
            self.options.push("--init=false".to_owned());
        }
        if let Some(cpus) = host["NanoCpus"].as_u64().filter(|cpus| *cpus > 0) {
            let text = format!("{}.{:09}", cpus / 1_000_000_000, cpus % 1_000_000_000);
            self.option("--cpus", text.trim_end_matches('0').trim_end_matches('.'));
        }
        for (field, flag) in [("IpcMode", "--ipc"), ("PidMode", "--pid")] {
            let mode = around.shared(text(host, &format!("/{field}")));
            if !["", "private"].contains(&&*mode) {
                self.option(flag, mode);
            }
        }
        // The daemon's defaults depend on its settings and on the kernel.
        let private = if text(&around.info, "/CgroupVersion") == "2" { "private" } else { "host" };
        let runtime = Some(text(&around.info, "/DefaultRuntime")).filter(|name| !name.is_empty()).unwrap_or("runc");
        for (field, flag, filled) in [("CgroupnsMode", "--cgroupns", private), ("Runtime", "--runtime", runtime)] {
            let value = text(host, &format!("/{field}"));
            if !["", filled].contains(&value) {
                self.option(flag, value);
            }
        }
        let driver = text(host, "/LogConfig/Type");
        let log = &host["LogConfig"]["Config"];
        if !["", text(&around.info, "/LoggingDriver")].contains(&driver) || !is_empty(log) {
            self.option("--log-driver", driver);
        }
        self.pairs("--log-opt", log);
        self.restarts(&host["RestartPolicy"]);
        for device in list_at(host, "/Devices") {
            let part = |field: &str| text(device, field).to_owned();
            let parts = ["/PathOnHost", "/PathInContainer", "/CgroupPermissions"].map(part);
            self.option("--device", parts.join(":"));
        }
        for limit in list_at(host, "/Ulimits") {
            let limit = format!("{}={}:{}", text(limit, "/Name"), shown(&limit["Soft"]), shown(&limit["Hard"]));
            self.option("--ulimit", limit);
        }
        for request in list_at(host, "/DeviceRequests") {
            self.requested(request);
        }
        self.secured(host);
    }

    fn pairs(&mut self, flag: &str, pairs: &Value) {
        for (name, value) in pairs.as_object().into_iter().flatten() {
            self.option(flag, format!("{name}={}", shown(value)));
        }
    }

    fn restarts(&mut self, policy: &Value) {
        match (text(policy, "/Name"), policy["MaximumRetryCount"].as_u64().unwrap_or(0)) {
            ("" | "no", _) => {}
            (name, 0) => self.option("--restart", name),
            (name, times) => self.option("--restart", format!("{name}:{times}")),
        }
    }

    /// `--gpus`, and `--device vendor.com/class=name`.
    fn requested(&mut self, request: &Value) {
        let ids: Vec<&str> = list_at(request, "/DeviceIDs").filter_map(Value::as_str).collect();
        if text(request, "/Driver") == "cdi" {
            ids.iter().for_each(|id| self.option("--device", *id));
            return;
        }
        let sets: Vec<&Value> = list_at(request, "/Capabilities").collect();
        let set = sets.first().and_then(|set| set.as_array()).map(Vec::as_slice).unwrap_or_default();
        if sets.len() != 1 || !set.iter().any(|capability| capability == "gpu") {
            self.refused.push("HostConfig.DeviceRequests".to_owned());
            return;
        }
        let mut fields = Vec::new();
        match request["Count"].as_i64().unwrap_or(0) {
            0 => {}
            count => fields.push(format!("count={count}")),
        }
        if !ids.is_empty() {
            fields.push(format!("device={}", ids.join(",")));
        }
        if !text(request, "/Driver").is_empty() {
            fields.push(format!("driver={}", text(request, "/Driver")));
        }
        // The client adds `gpu` by itself.
        let others: Vec<&str> =
            set.iter().filter_map(Value::as_str).filter(|capability| *capability != "gpu").collect();
        if !others.is_empty() {
            fields.push(format!("capabilities={}", others.join(",")));
        }
        let options = request["Options"].as_object().into_iter().flatten();
        let options: Vec<String> = options.map(|(name, value)| format!("{name}={}", shown(value))).collect();
        if !options.is_empty() {
            fields.push(format!("options={}", row(options)));
        }
        self.option("--gpus", row(fields));
    }

    fn secured(&mut self, host: &Value) {
        for rule in list_at(host, "/SecurityOpt").filter_map(Value::as_str) {
            // The client reads a file and sends its content.
            match rule.strip_prefix("seccomp=").filter(|profile| profile.trim_start().starts_with('{')) {
                Some(_) => self.refused.push("HostConfig.SecurityOpt: the text of a seccomp profile".to_owned()),
                None => self.option("--security-opt", rule),
            }
        }
        let bare = |field: &str| host[field].as_array().is_some_and(Vec::is_empty);
        if host["Privileged"] != true && bare("MaskedPaths") && bare("ReadonlyPaths") {
            self.option("--security-opt", "systempaths=unconfined");
        }
    }

    /// Config: values that neither the old image brought along nor the new image has.
    fn config(&mut self, full: &Value, around: &Around) {
        let config = &full["Config"];
        for (field, value) in config.as_object().into_iter().flatten() {
            if !CONFIG.contains(&&**field) && !is_empty(value) && around.asked(value, field) {
                self.refused.push(format!("Config.{field}"));
            }
        }
        let mode = text(full, "/HostConfig/NetworkMode");
        let hostname = text(config, "/Hostname");
        // The daemon uses the container's ID as host name, and its own name on the host's network.
        let own = text(full, "/Id").starts_with(hostname) || mode == "host" && hostname == text(&around.info, "/Name");
        if !own && !mode.starts_with("container:") && text(full, "/HostConfig/UTSMode") != "host" {
            self.option("--hostname", hostname);
            if !text(config, "/Domainname").is_empty() {
                self.option("--domainname", text(config, "/Domainname"));
            }
        }
        for (field, flag) in [("User", "--user"), ("WorkingDir", "--workdir"), ("StopSignal", "--stop-signal")] {
            if !is_empty(&config[field]) && around.asked(&config[field], field) {
                self.option(flag, shown(&config[field]));
            }
        }
        // 0 means to kill it at once and is not a missing value. Images do not have this field.
        if !config["StopTimeout"].is_null() {
            self.option("--stop-timeout", shown(&config["StopTimeout"]));
        }
        for variable in list_at(config, "/Env") {
            let has = |config: &Value| list_at(config, "/Env").any(|other| other == variable);
            if !has(&around.own) && !has(&around.image) {
                match shown(variable) {
                    // A bare name would take the value from this client's environment.
                    bare if !bare.contains('=') => self.refused.push(format!("Config.Env: {bare}, without a value")),
                    pair => self.option("--env", pair),
                }
            }
        }
        for (name, value) in config["Labels"].as_object().into_iter().flatten() {
            let has = |config: &Value| config["Labels"].get(name) == Some(value);
            // Labels of compose, Swarm or moyai on the image never counted. In a backup the others are empty.
            let asked = if labels::is_containers(name) {
                is_empty(value) || labels::is_own(name, &config["Labels"], Some(&around.own["Labels"]))
            } else {
                !has(&around.own) || around.image["Labels"].get(name).is_some_and(|value| value == "")
            };
            if asked && !has(&around.image) && !labels::BACKUP.contains(&&**name) {
                self.option("--label", format!("{name}={}", shown(value)));
            }
        }
        for port in config["ExposedPorts"].as_object().into_iter().flatten().map(|(port, _)| port) {
            let has = |ports: &Value| ports.get(port).is_some();
            let published = has(&full["HostConfig"]["PortBindings"]);
            if !published && !has(&around.own["ExposedPorts"]) && !has(&around.image["ExposedPorts"]) {
                add(&mut self.ports, "--expose", port);
            }
        }
        if config["Tty"] == true {
            self.options.push("--tty".to_owned());
        }
        if config["OpenStdin"] == true {
            self.options.push("--interactive".to_owned());
            if config["StdinOnce"] != true {
                self.changed.push("its input closes when the first `docker attach` to it ends".to_owned());
            }
        }
        self.healthy(&config["Healthcheck"], around);
        self.started(config, around);
    }

    fn healthy(&mut self, check: &Value, around: &Around) {
        if is_empty(check) || !around.asked(check, "Healthcheck") {
            return;
        }
        let image = &around.image["Healthcheck"];
        let test: Vec<&str> = list_at(check, "/Test").filter_map(Value::as_str).collect();
        match test[..] {
            ["NONE"] => return self.options.push("--no-healthcheck".to_owned()),
            _ if check["Test"] == image["Test"] => {}
            [] => {}
            ["CMD-SHELL", line] => self.option("--health-cmd", line),
            _ => self.refused.push("Config.Healthcheck.Test: a program and its arguments, without a shell".to_owned()),
        }
        for (field, flag, unit) in [
            ("Interval", "--health-interval", "ns"),
            ("Timeout", "--health-timeout", "ns"),
            ("StartPeriod", "--health-start-period", "ns"),
            ("StartInterval", "--health-start-interval", "ns"),
            ("Retries", "--health-retries", ""),
        ] {
            if check[field].as_u64().unwrap_or(0) > 0 && check[field] != image[field] {
                self.option(flag, format!("{}{unit}", shown(&check[field])));
            }
        }
    }

    /// Entrypoint and command. `--entrypoint` takes one argument; the others go before the command.
    fn started(&mut self, config: &Value, around: &Around) {
        let words = |config: &Value, field: &str| list_at(config, field).map(shown).collect::<Vec<_>>();
        let both = |config: &Value| (words(config, "/Entrypoint"), words(config, "/Cmd"));
        let (asked, image) = (both(config), both(&around.image));
        if asked == both(&around.own) && !is_empty(&around.own) || asked == image {
            return;
        }
        let (entrypoint, command) = asked;
        if entrypoint != image.0 || command.is_empty() {
            self.option("--entrypoint", entrypoint.first().cloned().unwrap_or_default());
            self.command.extend(entrypoint.into_iter().skip(1));
        }
        self.command.extend(command);
    }

    fn published(&mut self, host: &Value) {
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
    fn mounted(&mut self, full: &Value, host: &Value, around: &Around) {
        let mut told: Vec<&str> = Vec::new();
        for bind in list_at(host, "/Binds").filter_map(Value::as_str) {
            let (source, rest) = bind.split_once(':').unwrap_or((bind, ""));
            let target = rest.split(':').next().unwrap_or_default();
            told.push(target);
            let source = around.sources.get(target).map_or(source, String::as_str);
            add(&mut self.mounts, "--volume", format!("{source}:{rest}"));
        }
        for mount in list_at(host, "/Mounts") {
            let target = text(mount, "/Target");
            told.push(target);
            match made_source(mount, around.sources.get(target).map(String::as_str)) {
                Some(volume) => add(&mut self.mounts, "--volume", volume),
                None => self.mount(full, mount, around),
            }
        }
        for (target, options) in host["Tmpfs"].as_object().into_iter().flatten() {
            told.push(target);
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
            if !told.contains(&target) && !from_others {
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

    fn connected(&mut self, full: &Value, host: &Value, around: &Around) {
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

impl Around {
    /// Returns whether the user set this field, and the new image does not have the value.
    fn asked(&self, value: &Value, field: &str) -> bool {
        self.own.get(field) != Some(value) && self.image.get(field) != Some(value)
    }

    /// Returns a mode with the other container's name: a new container of that name has another ID.
    fn shared(&self, mode: &str) -> String {
        let name = mode.strip_prefix("container:").and_then(|id| self.names.get(id));
        name.map_or_else(|| mode.to_owned(), |name| format!("container:{name}"))
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

fn add(words: &mut Vec<String>, flag: &str, value: impl Into<String>) {
    let value = value.into();
    // Otherwise it would be taken for an option.
    if value.starts_with('-') {
        words.push(format!("{flag}={value}"));
    } else {
        words.extend([flag.to_owned(), value]);
    }
}

/// Returns a row of CSV (RFC 4180), as docker's client reads `--mount` and `--gpus`.
fn row(fields: Vec<String>) -> String {
    let quote = |field: String| match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    };
    fields.into_iter().map(quote).collect::<Vec<_>>().join(",")
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Returns the recipe of a container with these settings beyond the usual ones.
    fn of(more: Value, around: Around) -> Recipe {
        let mut full = json!({ "Id": "0123456789abcdef", "Config": { "Hostname": "0123456789ab" },
            "HostConfig": { "NetworkMode": "default" }, "NetworkSettings": { "Networks": { "bridge": {} } } });
        merge(&mut full, more);
        made(&full, &around)
    }

    fn merge(into: &mut Value, more: Value) {
        match (into, more) {
            (Value::Object(into), Value::Object(more)) => {
                for (name, value) in more {
                    merge(into.entry(name).or_insert(Value::Null), value);
                }
            }
            (into, more) => *into = more,
        }
    }

    fn host(field: &str, value: Value) -> Recipe {
        of(json!({ "HostConfig": { field: value } }), Around::default())
    }

    #[test]
    fn options_that_no_engine_of_the_tests_has_are_said_too() {
        let gpu = |more: Value| {
            let mut request =
                json!({ "Driver": "", "Count": 0, "DeviceIDs": null, "Capabilities": [["gpu"]], "Options": {} });
            merge(&mut request, more);
            json!([request])
        };
        for (field, value, words) in [
            ("Annotations", json!({ "a": "b=c" }), "--annotation a=b=c"),
            ("BlkioWeight", json!(300), "--blkio-weight 300"),
            ("BlkioWeightDevice", json!([{ "Path": "/dev/sda", "Weight": 200 }]), "--blkio-weight-device /dev/sda:200"),
            ("CgroupParent", json!("/sites"), "--cgroup-parent /sites"),
            ("CpuRealtimeRuntime", json!(950), "--cpu-rt-runtime 950"),
            ("DeviceRequests", gpu(json!({ "Count": -1 })), "--gpus count=-1"),
            ("DeviceRequests", gpu(json!({ "DeviceIDs": ["0", "2"] })), "--gpus \"device=0,2\""),
            (
                "DeviceRequests",
                gpu(json!({ "Count": 1, "Driver": "nvidia", "Capabilities": [["gpu", "compute", "utility"]] })),
                "--gpus count=1,driver=nvidia,\"capabilities=compute,utility\"",
            ),
            (
                "DeviceRequests",
                json!([{ "Driver": "cdi", "DeviceIDs": ["vendor.com/gpu=1"] }]),
                "--device vendor.com/gpu=1",
            ),
            ("Init", json!(false), "--init=false"),
            ("IpcMode", json!("host"), "--ipc host"),
            ("MemorySwap", json!(-1), "--memory-swap=-1"),
            ("MemorySwappiness", json!(-1), ""),
            ("NanoCpus", json!(1_500_000_000), "--cpus 1.5"),
            ("NanoCpus", json!(10_000_000_000_i64), "--cpus 10"),
            ("RestartPolicy", json!({ "Name": "always", "MaximumRetryCount": 0 }), "--restart always"),
            ("StorageOpt", json!({ "size": "2G" }), "--storage-opt size=2G"),
            ("UsernsMode", json!("host"), "--userns host"),
        ] {
            let recipe = host(field, value.clone());
            assert_eq!((recipe.options.join(" "), recipe.refused), (words.to_owned(), Vec::new()), "{field} {value}");
        }
    }

    #[test]
    fn what_the_command_line_cannot_say_is_refused_by_its_name() {
        for (more, refused) in [
            (json!({ "HostConfig": { "KernelMemoryTCP": 1 } }), "HostConfig.KernelMemoryTCP"),
            (json!({ "HostConfig": { "Invented": ["x"] } }), "HostConfig.Invented"),
            (json!({ "HostConfig": { "Invented": [], "CpuCount": 0 } }), ""),
            (
                json!({ "HostConfig": { "DeviceRequests": [{ "Capabilities": [["tpu"]] }] } }),
                "HostConfig.DeviceRequests",
            ),
            (json!({ "Config": { "NetworkDisabled": true } }), "Config.NetworkDisabled"),
            (json!({ "Config": { "Env": ["BARE"] } }), "Config.Env: BARE, without a value"),
            (
                json!({ "Config": { "Healthcheck": { "Test": ["CMD", "true"] } } }),
                "Config.Healthcheck.Test: a program and its arguments, without a shell",
            ),
            (
                json!({ "HostConfig": { "SecurityOpt": ["seccomp={\"a\":1}"] } }),
                "HostConfig.SecurityOpt: the text of a seccomp profile",
            ),
            (
                json!({ "HostConfig": { "Mounts": [{ "Type": "bind", "Source": "/a", "Target": "/b",
                    "BindOptions": { "CreateMountpoint": true, "NonRecursive": true } }] } }),
                "HostConfig.Mounts: BindOptions.CreateMountpoint of /b",
            ),
            (
                json!({ "HostConfig": { "Mounts": [{ "Type": "bind", "Source": "/a:c", "Target": "/b",
                    "BindOptions": { "CreateMountpoint": true } }] } }),
                "HostConfig.Mounts: BindOptions.CreateMountpoint of /b",
            ),
        ] {
            assert_eq!(of(more.clone(), Around::default()).refused.join("; "), refused, "{more}");
        }
    }

    #[test]
    fn a_bind_mount_whose_source_docker_creates_becomes_a_volume_option() {
        let mount = |more: Value| {
            let mut mount =
                json!({ "Type": "bind", "Source": "/a", "Target": "/b", "BindOptions": { "CreateMountpoint": true } });
            merge(&mut mount, more);
            let around = Around { sources: [("/copied".to_owned(), "/a.new".to_owned())].into(), ..Around::default() };
            of(json!({ "HostConfig": { "Mounts": [mount] } }), around).mounts.join(" ")
        };
        for (more, words) in [
            (json!({}), "--volume /a:/b"),
            (json!({ "ReadOnly": true }), "--volume /a:/b:ro"),
            (json!({ "Target": "/copied" }), "--volume /a.new:/copied"),
            (
                json!({ "ReadOnly": true, "BindOptions": { "Propagation": "rslave", "NonRecursive": false } }),
                "--volume /a:/b:ro,rslave",
            ),
            (json!({ "BindOptions": { "CreateMountpoint": false } }), "--mount type=bind,source=/a,target=/b"),
        ] {
            assert_eq!(mount(more.clone()), words, "{more}");
        }
    }

    #[test]
    fn what_the_image_says_itself_is_not_asked_for() {
        let config = json!({ "Env": ["A=1", "B=2"], "Labels": { "a": "1", "moyai.container": "web" }, "Entrypoint": ["/a", "b"], "Cmd": ["c"],
            "User": "me", "Healthcheck": { "Test": ["CMD", "true"] }, "ExposedPorts": { "80/tcp": {} } });
        let around = |own: Value, image: Value| Around { own, image, ..Around::default() };
        let full = || json!({ "Config": config });
        let nothing = of(full(), around(config.clone(), json!({})));
        assert_eq!((nothing.options, nothing.ports, nothing.command), (vec![], vec![], vec![]));
        let nothing = of(full(), around(json!({}), config.clone()));
        assert_eq!((nothing.options, nothing.refused, nothing.command), (vec![], vec![], vec![]));
        // Another image that has some of it.
        let image = json!({ "Env": ["A=1", "B=3"], "Labels": { "a": "2" }, "Healthcheck": config["Healthcheck"], "Entrypoint": ["/x"] });
        let some = of(full(), around(json!({}), image));
        assert_eq!(some.options.join(" "), "--user me --env B=2 --label a=1 --entrypoint /a");
        assert_eq!(
            (some.command, some.ports),
            (vec!["b".to_owned(), "c".to_owned()], vec!["--expose".to_owned(), "80/tcp".to_owned()])
        );
        // The same entrypoint, another command; and no entrypoint where the image has one.
        let command = |own: &Value| {
            of(
                json!({ "Config": { "Entrypoint": own, "Cmd": ["c"] } }),
                around(json!({ "Cmd": ["d"] }), json!({ "Entrypoint": ["/x"] })),
            )
        };
        assert_eq!((command(&json!(["/x"])).options, command(&json!(["/x"])).command), (vec![], vec!["c".to_owned()]));
        assert_eq!(command(&Value::Null).options, ["--entrypoint", ""]);
    }

    #[test]
    fn networks_are_asked_for_as_somebody_made_them_and_not_as_they_are() {
        let recipe = |more: Value| {
            let recipe =
                of(more, Around { names: [("beef".to_owned(), "web".to_owned())].into(), ..Around::default() });
            let connect: Vec<String> = recipe.connect.iter().map(|words| words.join(" ")).collect();
            (recipe.network.join(" "), connect.join("; "))
        };
        let mode = |mode: &str, networks: Value| {
            let mut full = json!({ "HostConfig": { "NetworkMode": mode }, "NetworkSettings": {} });
            full["NetworkSettings"]["Networks"] = json!({ "bridge": null });
            merge(&mut full, json!({ "NetworkSettings": { "Networks": networks } }));
            full
        };
        let end = json!({ "Aliases": ["0123456789ab", "shop"], "IPAddress": "10.0.0.7", "NetworkID": "fedcba9876543210",
            "IPAMConfig": { "IPv4Address": "10.0.0.9", "IPv6Address": "fd00::9", "LinkLocalIPs": ["169.254.1.1"] } });
        let words = "--ip 10.0.0.9 --ip6 fd00::9 --link-local-ip 169.254.1.1";
        assert_eq!(recipe(json!({})), (String::new(), String::new()));
        assert_eq!(recipe(mode("container:beef", json!({}))).0, "--network container:web");
        assert_eq!(
            recipe(mode("default", json!({ "back": end }))),
            (String::new(), format!("{words} --alias shop back"))
        );
        // By its ID too. The network that it was created with is not the first of the list.
        for name in ["back", "fedcba9876543210"] {
            assert_eq!(
                recipe(mode(name, json!({ "back": end }))),
                (format!("--network {name} {words} --network-alias shop"), "bridge".to_owned())
            );
        }
        // It was disconnected from the network that it was created with.
        assert_eq!(recipe(mode("gone", json!({}))), ("--network bridge".to_owned(), String::new()));
        let options = json!({ "back": { "DriverOpts": { "a": "b,c" }, "GwPriority": 3 } });
        assert_eq!(recipe(mode("back", options)).0, "--network name=back,\"driver-opt=a=b,c\",gw-priority=3");
        let links = json!({ "HostConfig": { "Links": ["/db:/web/base"] }, "NetworkSettings": { "Networks": { "bridge": { "Links": ["db:base"] } } } });
        assert_eq!(recipe(links).0, "--link db:base");
    }

    #[test]
    fn ports_and_mounts_keep_their_addresses_and_other_sources_take_their_place() {
        let around = Around {
            sources: [("/data".to_owned(), "copy".to_owned()), ("/n".to_owned(), "copy-n".to_owned())].into(),
            ..Around::default()
        };
        let recipe = of(
            json!({ "HostConfig": {
                "PortBindings": { "80/tcp": [{ "HostIp": "", "HostPort": "8080" }, { "HostIp": "::1", "HostPort": "81" }, { "HostIp": "1.2.3.4", "HostPort": "" }, { "HostIp": "", "HostPort": "" }] },
                "PublishAllPorts": true, "Binds": ["/srv:/data:ro"], "VolumesFrom": ["other"], "VolumeDriver": "nfs",
                "Mounts": [{ "Type": "volume", "Target": "/n", "VolumeOptions": { "Labels": { "a": "b" }, "DriverConfig": { "Name": "local", "Options": { "o": "x,y" } } } }],
                "Tmpfs": { "/run": "", "/tmp": "size=1m" } },
                "Config": { "Volumes": { "/mine": {} } },
                "Mounts": [{ "Type": "volume", "Name": "1", "Destination": "/mine" }, { "Type": "volume", "Name": "2", "Destination": "/of-other" }, { "Type": "bind", "Destination": "/data" }] }),
            around,
        );
        assert_eq!(
            recipe.ports.join(" "),
            "--publish 8080:80/tcp --publish [::1]:81:80/tcp --publish 1.2.3.4::80/tcp --publish 80/tcp --publish-all"
        );
        assert_eq!(
            recipe.mounts.join(" "),
            "--volume copy:/data:ro --mount type=volume,source=copy-n,target=/n,volume-label=a=b,volume-driver=local,\"volume-opt=o=x,y\" \
             --tmpfs /run --tmpfs /tmp:size=1m --volumes-from other --volume 1:/mine --volume-driver nfs"
        );
    }
}
