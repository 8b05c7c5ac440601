//! Copies of images: the output of `docker save`.

use super::{checked, json, list_at};
use crate::process::{self, Plan, Stage};
use crate::run::{Error, Result, Run};
use std::collections::HashSet;
use std::time::Duration;

/// A copy that takes longer hangs.
const TAKES: Duration = Duration::from_secs(6 * 60 * 60);

/// Checks that a copy of an image has all of its layers. `copy` is a command that prints the output of `docker save`.
/// Docker knows a layer by the checksum of its unpacked content. The containerd image store saves layers compressed, and
/// `gzip -dcf` passes on those that are not.
///
/// # Errors
/// With the layer that is missing, and when the command fails.
pub fn check(run: &Run, id: &str, name: &str, copy: Plan) -> Result<()> {
    let inspect = Plan::read(["docker", "image", "inspect", checked("inspect the image", id)?]);
    let found = json("image inspect", &process::run(run, &inspect)?.out)?;
    let mut plan = copy.timeout(TAKES);
    plan.stages.push(Stage::of(["tar", "-x", "--to-command", "gzip -dcf | sha256sum"]));
    let said = process::run(run, &plan)?.text();
    let sums: HashSet<&str> = said.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let layers = found.get(0).into_iter().flat_map(|image| list_at(image, "/RootFS/Layers"));
    for layer in layers.filter_map(|layer| layer.as_str()) {
        if !sums.contains(layer.trim_start_matches("sha256:")) {
            return Err(Error::foreseen(format!("the copy of {name} lacks the layer {layer}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;

    #[test]
    fn an_image_that_docker_would_take_for_an_option_is_refused() {
        let run = Run::new(Options::default()).unwrap();
        let error = check(&run, "--help", "blog:Mon", Plan::read(["true"])).unwrap_err();
        assert_eq!(error.message, "inspect the image `--help`: this is not a valid name");
    }
}
