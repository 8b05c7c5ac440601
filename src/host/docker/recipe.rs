//! The arguments of `docker create` that recreate a container, from `docker inspect`.
//!
//! `inspect` does not tell what the user set from what the image brought along. So the image's settings are subtracted,
//! and the rest was set by the user. The flags and their fields are those of docker/cli, cli/command/container/opts.go.
//! What the daemon adds is in moby, daemon/create.go.

mod attached;
mod settings;

pub use settings::restart_policy;

use super::{ask, at, checked, inspect, inspected, json, list_at, text};
use crate::run::{Error, Result, Run};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The arguments, in groups that a caller can leave out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Recipe {
    /// Every option that is in no other group.
    pub options: Vec<String>,
    /// The published ports.
    pub ports: Vec<String>,
    /// Volumes, directories and tmpfs mounts.
    pub mounts: Vec<String>,
    /// The first network with its settings.
    pub network: Vec<String>,
    /// The arguments of `docker network connect` for each further network.
    pub connect: Vec<Vec<String>>,
    /// The arguments after the image.
    pub command: Vec<String>,
    /// The settings that no command line can express.
    pub refused: Vec<String>,
    /// Sentences about what a new container does differently.
    pub changed: Vec<String>,
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

/// Returns the arguments of `docker create` that recreate a container. `sources` are mounted instead, by the mount's
/// target.
///
/// # Errors
/// When there is no such container, and when the daemon cannot be reached.
pub fn recipe(run: &Run, name: &str, image: Option<&str>, sources: BTreeMap<String, String>) -> Result<Recipe> {
    let found = json("container inspect", &inspected(run, "recipe", name)?)?;
    let full = found.get(0).ok_or_else(|| Error::new(format!("recipe of `{name}`: docker printed nothing")))?;
    let mut around = images(run, text(full, "/Image"), image)?;
    around.info = json("info", &ask(run, ["info", "--format", "{{json .}}"], false)?.out)?;
    around.sources = sources;
    let modes = ["NetworkMode", "IpcMode", "PidMode"].map(|mode| text(full, &format!("/HostConfig/{mode}")));
    let others: Vec<&str> = modes.iter().filter_map(|mode| mode.strip_prefix("container:")).collect();
    if !others.is_empty() {
        for other in inspect(run, &["container", "inspect"], &others)? {
            let name = text(&other, "/Name").trim_start_matches('/').to_owned();
            around.names.insert(text(&other, "/Id").to_owned(), name);
        }
    }
    Ok(made(full, &around))
}

/// The same for a container that is gone. `found` is an earlier inspect of it, `own` the Config of the image that it
/// was first created from. An image that does not exist yet has no settings.
///
/// # Errors
/// When the daemon cannot be reached.
pub fn recorded(
    run: &Run,
    found: &Value,
    own: Value,
    image: &str,
    sources: BTreeMap<String, String>,
) -> Result<Recipe> {
    let image = checked("recipe", image)?;
    let next = inspect(run, &["image", "inspect"], &[image])?.pop();
    let around = Around {
        image: next.and_then(|image| image.get("Config").cloned()).unwrap_or_else(|| own.clone()),
        own,
        info: json("info", &ask(run, ["info", "--format", "{{json .}}"], false)?.out)?,
        sources,
        ..Around::default()
    };
    Ok(made(found, &around))
}

/// Returns the Config of the image that a container was created from, and of the image for the new one.
///
/// A backup image contains all settings that the user made. Its parent is the image that the container was created
/// from. So follow the parents to the first image that is not a backup.
fn images(run: &Run, own: &str, image: Option<&str>) -> Result<Around> {
    let image = image.unwrap_or(own);
    let mut found = inspect(run, &["image", "inspect"], &[own, image])?;
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
        let Some(older) = (!parent.is_empty()).then(|| inspect(run, &["image", "inspect"], &[parent])) else {
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
    fn option(&mut self, flag: &str, value: impl Into<String>) {
        add(&mut self.options, flag, value);
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

fn add(words: &mut Vec<String>, flag: &str, value: impl Into<String>) {
    let value = value.into();
    // Otherwise it would be taken for an option.
    if value.starts_with('-') {
        words.push(format!("{flag}={value}"));
    } else {
        words.extend([flag.to_owned(), value]);
    }
}

/// Returns one line of CSV (RFC 4180), as docker's client reads `--mount` and `--gpus`.
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
