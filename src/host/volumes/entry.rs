//! An entry of the list of a backup's volumes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The copy of a volume, directory or file in a backup: an archive, or a part of a snapshot in the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Its path in the container.
    pub target: String,
    /// `volume` or `bind`.
    pub kind: String,
    /// The volume's name, or the path on the host.
    pub source: String,
    /// The path of the archive: complete in memory, only its last part in the list. `""` in the store.
    #[serde(default)]
    pub file: String,
    /// The ID of the image that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The checksum of the archive, or the ID of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The size of the archive, or of the data in the snapshot, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
    /// When it was copied, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// The number of names in the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<i64>,
    /// What is wrong with the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
    /// In the store: the ID of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// In the store: the path of the data in the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// In the store: the address of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// In the store: the name of the group, until the backup is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Everything else, such as the driver, options and labels of a volume.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}
