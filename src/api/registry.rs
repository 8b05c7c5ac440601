//! `registry`: image registries.

use super::{Context, Fallible};
use crate::host::registry::{self as host, Reference};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, exported_manifest};

/// Registers the namespace.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("registry", super::namespace(&[exported_manifest!(registry)]));
}

/// Image registries, such as Docker Hub or your own. moyai uses the accounts of `docker login` (with credential
/// helpers), the certificates in `/etc/docker/certs.d`, and HTTP without TLS where Docker uses it: on this host, and
/// where `insecure-registries` of the daemon allows it.
#[export_module(manifest)]
mod registry {
    /// The digest of an image's tag in its registry. No image is downloaded, and a script asks for each once.
    ///
    /// - `reference`: the image, such as `nginx:1.25` or `registry.example.jp:5000/site`.
    ///
    /// Returns text such as `sha256:0123...`: that of the list, if there is an image for each of several platforms.
    /// `docker image inspect` has it in `RepoDigests`.
    ///
    /// Errors: when the registry does not answer, wants another account, or has no such tag; when its limit of
    /// requests is reached and it says to wait for more than a minute.
    ///
    /// ```rhai
    /// let is_new = |c| !docker::inspect(c.name).Image.contains(registry::digest(c.image));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn digest(call: NativeCallContext, reference: &str) -> Fallible<String> {
        let context = Context::of(&call);
        let parts = Reference::new(reference)?;
        let real = || context.registries.digest(&context.run, &context.http, &parts);
        context.run.reading();
        Ok(context.run.told(&format!("registry::digest {reference}"), None, real)?)
    }

    /// The tags of an image's repository.
    ///
    /// - `reference`: the image; its own tag does not matter.
    ///
    /// Returns an array of text, in the registry's order.
    ///
    /// Errors: as `registry::digest`.
    ///
    /// ```rhai
    /// let newest = || registry::newest(registry::tags("nginx"), regex("^1[.]"), "1.25.3");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn tags(call: NativeCallContext, reference: &str) -> Fallible<Array> {
        let context = Context::of(&call);
        let parts = Reference::new(reference)?;
        let real = || context.registries.tags(&context.run, &context.http, &parts);
        context.run.reading();
        let tags = context.run.told(&format!("registry::tags {reference}"), None, real)?;
        Ok(tags.into_iter().map(Dynamic::from).collect())
    }

    /// The layers of an image, as they are downloaded.
    ///
    /// - `reference`: the image, with a tag or a digest. A registry counts this as a download.
    /// - `platform`: which image of a list counts, such as `linux/amd64` or `linux/arm/v7`.
    ///
    /// Returns an array of `#{digest: text, bytes: number}`: the digest and the size of each packed layer.
    ///
    /// Errors: as `registry::digest`, and when there is no image for the platform.
    ///
    /// ```rhai
    /// let download = || registry::layers("nginx:1.25", "linux/amd64").map(|layer| layer.bytes).sum();
    /// ```
    #[rhai_fn(return_raw)]
    pub fn layers(call: NativeCallContext, reference: &str, platform: &str) -> Fallible<Array> {
        let context = Context::of(&call);
        let parts = Reference::new(reference)?;
        let real = || {
            let layers = context.registries.layers(&context.run, &context.http, &parts, platform)?;
            let row = |layer: host::Layer| (layer.digest, i64::try_from(layer.bytes).unwrap_or(i64::MAX));
            Ok(layers.into_iter().map(row).collect::<Vec<_>>())
        };
        context.run.reading();
        let layers = context.run.told(&format!("registry::layers {reference} {platform}"), None, real)?;
        let map = |(digest, bytes): (String, i64)| {
            Dynamic::from_map(super::super::map([("digest", digest.into()), ("bytes", bytes.into())]))
        };
        Ok(layers.into_iter().map(map).collect())
    }

    /// The newest of some tags, in the order of semantic versioning: 1.10 is newer than 1.9, and 2.0-rc1 older than
    /// 2.0.
    ///
    /// - `tags`: an array of tags; those that are no versions, such as `latest`, are left out.
    /// - `pattern`: a regular expression that the tag has to match, as text or `regex(...)`.
    /// - `current`: the tag that is there. A tag with a suffix, such as `1.26-alpine` or `2.0-rc1`, counts if
    ///   `current` has one of that kind, or if `pattern` has a `-`.
    ///
    /// Returns the tag, `""` if none is newer than `current`.
    ///
    /// Errors: when the pattern is not a regular expression.
    ///
    /// ```rhai
    /// assert_eq(registry::newest(["1.9.0", "1.10.0", "2.0.0"], "^1[.]", "1.9.0"), "1.10.0");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn newest(call: NativeCallContext, tags: Array, pattern: Dynamic, current: &str) -> Fallible<String> {
        let known = pattern.read_lock::<super::super::text::Pattern>().map(|pattern| pattern.0.clone());
        let pattern = known.map_or_else(|| Context::of(&call).patterns.get(&pattern.to_string()), Ok)?;
        let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
        Ok(host::newest(&tags, &pattern, current).unwrap_or_default().to_owned())
    }

    /// The parts of an image's reference.
    ///
    /// - `reference`: the reference.
    ///
    /// Returns `#{registry: text, repository: text, tag: text, digest: text}`: `registry` is `docker.io` and `tag` is
    /// `latest` where none is written, `digest` is `""` if it is not pinned to one.
    ///
    /// Errors: when it is an image's id, or not a reference.
    ///
    /// ```rhai
    /// assert_eq(registry::parts("nginx:1.25").repository, "library/nginx");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parts(reference: &str) -> Fallible<Map> {
        let parts = Reference::new(reference)?;
        Ok(super::super::map([
            ("registry", parts.registry.into()),
            ("repository", parts.repository.into()),
            ("tag", parts.tag.into()),
            ("digest", parts.digest.into()),
        ]))
    }
}
