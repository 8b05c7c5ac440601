//! Finds the backup for `Mon`, `yesterday`, `latest`, or a date.

use super::record::{CONTAINER, TIME, record};
use super::{doubt, is_time, rank};
use crate::host::docker::{Image, images, text};
use crate::run::text::did_you_mean;
use crate::run::{Error, Result, Run};
use crate::schedule;
use serde::Serialize;

/// A backup that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Its image.
    #[serde(flatten)]
    pub image: Image,
    /// The image's name.
    pub reference: String,
    /// The reason not to restore it, `""` for none.
    pub doubt: String,
}

/// Finds a backup. It has labels for the container, the version and the time, and is in moyai's record. With `force`, a
/// version that is named need not be in the record.
///
/// # Errors
/// When there is no such backup. The message lists the existing ones.
pub fn find(run: &Run, name: &str, version: &str, force: bool) -> Result<Found> {
    let record = record(run)?;
    let now = run.now();
    let label = |image: &Image, name: &str| image.labels.get(name).cloned().unwrap_or_default();
    let own = images(run)?.into_iter();
    let own = own.filter(|image| {
        !name.is_empty() && label(image, CONTAINER) == name && !image.tag.is_empty() && is_time(&label(image, TIME))
    });
    let is_ours = |image: &Image| record.get(&image.id).is_some_and(|one| text(one, "/container") == name);
    let (mut all, claims): (Vec<Image>, Vec<Image>) = own.partition(is_ours);
    // The newest comes first. If an image has several names, the one that it was made with comes first.
    all.sort_by_key(|image| {
        let first = i64::from(image.tag == label(image, "moyai.version"));
        -first - 2 * rank(&label(image, TIME), now)
    });
    let yesterday = || schedule::shifted(now, "1 day", false).map(|day| day.format("%F").to_string());
    let day = if version == "yesterday" { yesterday()? } else { version.to_owned() };
    // An image that a restore has replaced does not count as a backup of that day: it has to be named. It may also have
    // the tag of a compose service, such as `latest`.
    let is_replaced =
        |image: &Image| image.tag.starts_with("replaced-") || label(image, "moyai.version").starts_with("replaced-");
    let is_meant = |image: &Image| match version {
        "latest" => !is_replaced(image),
        _ => image.tag == version || !is_replaced(image) && label(image, TIME).starts_with(&format!("{day}T")),
    };
    let found = all.iter().find(|image| is_meant(image));
    let found = found.or_else(|| claims.iter().find(|image| force && image.tag == version));
    let Some(image) = found else {
        let list: Vec<String> = all.iter().map(|image| format!("{} ({})", image.tag, label(image, TIME))).collect();
        let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
        let more = claims.first().map_or_else(String::new, |first| {
            let named: Vec<String> = claims.iter().map(Image::reference).collect();
            let command = format!("moyai run restore {name} {} --force", first.tag);
            format!(". Not in moyai's record: {}. To restore one of them: {command}", named.join(", "))
        });
        let near = did_you_mean(version, all.iter().map(|image| &*image.tag));
        let what = format!("there is no backup \"{version}\" of {name}{near}");
        return Err(Error::foreseen(format!("{what}; available: {list}{more}")));
    };
    let doubt = doubt(&image.tag, schedule::moment(&label(image, TIME))?, now);
    Ok(Found { reference: image.reference(), doubt, image: image.clone() })
}
