//! `registry`: image registries.

use super::{Context, Fallible};
use crate::host::registry::{self as host, Reference};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

/// Image registries, such as Docker Hub or your own. moyai uses the accounts of `docker login` (with credential
/// helpers), the certificates in `/etc/docker/certs.d`, and HTTP without TLS where Docker uses it: on this host, and
/// where the daemon's `insecure-registries` allows it.
#[export_module(manifest)]
pub(super) mod registry {
    /// Returns the digest of an image's tag in its registry. No image is downloaded, and a script queries each one only
    /// once.
    ///
    /// - `reference`: the image, such as `nginx:1.25` or `registry.example.jp:5000/site`.
    ///
    /// Returns text such as `sha256:0123...`. For a multi-platform image it is the digest of the list, which `docker
    /// image inspect` has in `RepoDigests`.
    ///
    /// Errors: when the registry does not answer, requires another account, or has no such tag, and when its rate limit
    /// is reached and it wants more than a minute of pause.
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
        Ok(context.run.query(&format!("registry::digest {reference}"), None, real)?)
    }

    /// Returns the tags of an image's repository.
    ///
    /// - `reference`: the image. Its own tag does not matter.
    ///
    /// Returns an array of text, in the registry's order.
    ///
    /// Errors: same as `registry::digest`.
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
        let tags = context.run.query(&format!("registry::tags {reference}"), None, real)?;
        Ok(tags.into_iter().map(Dynamic::from).collect())
    }

    /// Returns the layers of an image, as they are downloaded.
    ///
    /// - `reference`: the image, with a tag or a digest. A registry counts this as a download.
    /// - `platform`: the platform of a multi-platform image, such as `linux/amd64` or `linux/arm/v7`.
    ///
    /// Returns an array of `#{digest: text, bytes: number}`: the digest and the size of each compressed layer.
    ///
    /// Errors: same as `registry::digest`, and when there is no image for the platform.
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
        let layers = context.run.query(&format!("registry::layers {reference} {platform}"), None, real)?;
        let map = |(digest, bytes): (String, i64)| {
            Dynamic::from_map(super::super::map([("digest", digest.into()), ("bytes", bytes.into())]))
        };
        Ok(layers.into_iter().map(map).collect())
    }

    /// Returns the newest of some tags in the order of semantic versioning: 1.10 is newer than 1.9, and 2.0-rc1 is
    /// older than 2.0.
    ///
    /// - `tags`: an array of tags. Tags that are not versions, such as `latest`, are left out.
    /// - `pattern`: a regular expression that the tag must match, as text or `regex(...)`.
    /// - `current`: the current tag. A tag with a suffix, such as `1.26-alpine` or `2.0-rc1`, counts only if `current`
    ///   has a suffix of the same kind, or if `pattern` has a `-`.
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
        Ok(host::newest(&super::super::texts(&tags), &pattern, current).unwrap_or_default().to_owned())
    }

    /// Splits an image's reference into its parts.
    ///
    /// - `reference`: the reference.
    ///
    /// Returns `#{registry: text, repository: text, tag: text, digest: text}`: `registry` is `docker.io` and `tag` is
    /// `latest` by default; `digest` is `""` if there is none.
    ///
    /// Errors: when it is an image ID, or not a reference.
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
