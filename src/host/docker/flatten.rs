//! Saves a container as an image of one layer, if its image has so many layers that no commit can add one.

use super::{at, checked, images, inspected, json, labels, text};
use crate::host::file;
use crate::process::{self, Output, Plan, Stage};
use crate::run::{Result, Run};
use serde_json::{Map, Value, json};

/// The files of an image that `docker load` reads.
const FILES: [&str; 3] = ["config.json", "layer.tar", "manifest.json"];

/// Saves a container by `docker export` and `docker load`, with its complete configuration, which `docker import` would
/// lose. It should not write meanwhile. The files are in `dir` until Docker has them; then the directory is removed.
/// Returns the image's ID.
///
/// # Errors
/// Docker's own message, and when a file cannot be written.
pub fn flatten(run: &Run, name: &str, reference: &str, labels: &[(String, String)], dir: &str) -> Result<String> {
    let name = checked("flatten", name)?;
    // A killed run may have left some.
    empty(run, dir)?;
    let loaded = load(run, name, reference, labels, dir);
    let cleaned = empty(run, dir).and_then(|()| if file::exists(run, dir)? { file::remove(run, dir) } else { Ok(()) });
    loaded?;
    cleaned?;
    let made = images(run)?.into_iter().find(|image| image.reference() == reference);
    Ok(made.map_or_else(|| format!("<image of {reference}>"), |image| image.id))
}

/// Removes the files of an image. Others stay.
fn empty(run: &Run, dir: &str) -> Result<()> {
    for path in FILES.map(|name| format!("{dir}/{name}")) {
        if file::exists(run, &path)? {
            file::remove(run, &path)?;
        }
    }
    Ok(())
}

fn load(run: &Run, name: &str, reference: &str, own: &[(String, String)], dir: &str) -> Result<()> {
    let layer = format!("{dir}/layer.tar");
    file::fill(run, Plan::change(["docker", "export", name]), &layer, None)?;
    let found = json("container inspect", &inspected(run, "inspect", name)?)?;
    let container = found.get(0).unwrap_or(&Value::Null);
    let ask = Plan::read(["docker", "image", "inspect", "--format", "{{json .}}", text(container, "/Image")]);
    let from = json("image inspect", &process::run(run, &ask)?.out)?;
    let mut config = at(container, "/Config").cloned().unwrap_or_default();
    let mut all = at(&config, "/Labels").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    all.extend(own.iter().map(|(name, value)| (name.clone(), value.clone().into())));
    for (_, value) in all.iter_mut().filter(|(name, _)| labels::is_identity(name)) {
        *value = "".into();
    }
    config["Labels"] = all.into();
    // A dry run has made no file.
    let is_made = file::exists(run, &layer)? && !file::is_planned(run, &layer);
    let sum = if is_made { file::sha256(run, &layer)? } else { String::new() };
    let image = json!({
        "architecture": from["Architecture"], "os": from["Os"], "created": run.now().format("%FT%T%:z").to_string(),
        "config": config, "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{sum}")] },
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [reference], "Layers": ["layer.tar"] }]);
    for (name, mut content) in [("config.json", image), ("manifest.json", manifest)] {
        content.sort_all_objects();
        file::write(run, &format!("{dir}/{name}"), &content.to_string())?;
    }
    let pack = Stage::of(["tar", "-C", dir, "-c", "manifest.json", "config.json", "layer.tar"]);
    let plan = Plan::of(vec![pack, Stage::of(["docker", "load"])]);
    let plan = Plan { changes: true, quiet: true, output: Output::Capture, ..plan };
    process::run(run, &plan).map(drop)
}
