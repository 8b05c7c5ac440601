//! The settings of a container: the fields HostConfig and Config, without ports, mounts and networks.

use super::{Around, Recipe, add, is_empty, row, shown};
use crate::host::docker::{labels, list_at, text};
use serde_json::Value;

/// How a field of HostConfig becomes arguments.
enum Form {
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
use Form::{Each, Pairs, Rates, Switch, Word};

/// The fields of HostConfig, sorted. A field that is neither here nor in [`APART`] and not empty is refused.
const HOST: &[(&str, Form)] = &[
    ("Annotations", Pairs("--annotation")),
    ("BlkioDeviceReadBps", Rates("--device-read-bps", "Rate")),
    ("BlkioDeviceReadIOps", Rates("--device-read-iops", "Rate")),
    ("BlkioDeviceWriteBps", Rates("--device-write-bps", "Rate")),
    ("BlkioDeviceWriteIOps", Rates("--device-write-iops", "Rate")),
    ("BlkioWeight", Word("--blkio-weight", "0")),
    ("BlkioWeightDevice", Rates("--blkio-weight-device", "Weight")),
    ("CapAdd", Each("--cap-add")),
    ("CapDrop", Each("--cap-drop")),
    ("CgroupParent", Word("--cgroup-parent", "")),
    ("CpuPeriod", Word("--cpu-period", "0")),
    ("CpuQuota", Word("--cpu-quota", "0")),
    ("CpuRealtimePeriod", Word("--cpu-rt-period", "0")),
    ("CpuRealtimeRuntime", Word("--cpu-rt-runtime", "0")),
    ("CpuShares", Word("--cpu-shares", "0")),
    ("CpusetCpus", Word("--cpuset-cpus", "")),
    ("CpusetMems", Word("--cpuset-mems", "")),
    ("DeviceCgroupRules", Each("--device-cgroup-rule")),
    ("Dns", Each("--dns")),
    ("DnsOptions", Each("--dns-option")),
    ("DnsSearch", Each("--dns-search")),
    ("ExtraHosts", Each("--add-host")),
    ("GroupAdd", Each("--group-add")),
    ("Init", Switch("--init")),
    ("Isolation", Word("--isolation", "default")),
    ("KernelMemory", Word("--kernel-memory", "0")),
    ("Memory", Word("--memory", "0")),
    ("MemoryReservation", Word("--memory-reservation", "0")),
    ("MemorySwap", Word("--memory-swap", "0")),
    ("MemorySwappiness", Word("--memory-swappiness", "-1")),
    ("OomKillDisable", Switch("--oom-kill-disable")),
    ("OomScoreAdj", Word("--oom-score-adj", "0")),
    ("PidsLimit", Word("--pids-limit", "0")),
    ("Privileged", Switch("--privileged")),
    ("ReadonlyRootfs", Switch("--read-only")),
    ("ShmSize", Word("--shm-size", "67108864")),
    ("StorageOpt", Pairs("--storage-opt")),
    ("Sysctls", Pairs("--sysctl")),
    ("UTSMode", Word("--uts", "")),
    ("UsernsMode", Word("--userns", "")),
];

/// The fields of HostConfig that a new container does not depend on, or that other code handles. Callers check
/// `AutoRemove` themselves: the container vanishes when it is stopped.
const APART: &str = "AutoRemove Binds CgroupnsMode ConsoleSize ContainerIDFile DeviceRequests Devices IpcMode Links \
    LogConfig MaskedPaths Mounts NanoCpus NetworkMode PidMode PortBindings PublishAllPorts ReadonlyPaths \
    RestartPolicy Runtime SecurityOpt Tmpfs Ulimits VolumeDriver VolumesFrom";

/// The fields of Config. Values from the image come with the image. The first three are what a client attached
/// itself to.
const CONFIG: &str = "AttachStderr AttachStdin AttachStdout Cmd Domainname Entrypoint Env ExposedPorts Healthcheck \
    Hostname Image Labels MacAddress OnBuild OpenStdin Shell StdinOnce StopSignal StopTimeout Tty User Volumes \
    WorkingDir";

/// Returns the restart policy in a HostConfig, as an argument of docker.
pub fn restart_policy(host: &Value) -> String {
    let policy = &host["RestartPolicy"];
    match (text(policy, "/Name"), policy["MaximumRetryCount"].as_u64().unwrap_or(0)) {
        ("" | "no", _) => "no".to_owned(),
        (name, 0) => name.to_owned(),
        (name, times) => format!("{name}:{times}"),
    }
}

impl Recipe {
    /// HostConfig, without ports, mounts and networks.
    pub(super) fn host(&mut self, host: &Value, around: &Around) {
        for (field, value) in host.as_object().into_iter().flatten().filter(|(_, value)| !is_empty(value)) {
            match HOST.iter().find(|(name, _)| name == field).map(|(_, form)| form) {
                None if APART.split_whitespace().any(|name| name == field) => {}
                None => self.refused.push(format!("HostConfig.{field}")),
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
        let restart = restart_policy(host);
        if restart != "no" {
            self.option("--restart", restart);
        }
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
    pub(super) fn config(&mut self, full: &Value, around: &Around) {
        let config = &full["Config"];
        for (field, value) in config.as_object().into_iter().flatten() {
            if !CONFIG.split_whitespace().any(|known| known == field) && !is_empty(value) && around.asked(value, field)
            {
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
}
