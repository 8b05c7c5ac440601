//! The notes of open restores and updates.

use super::{Copied, Swap};
use crate::host::docker::recipe::restart_policy;
use crate::host::docker::{at, compose, list_at, text, valid_reference};
use crate::run::{Error, Kind, Result, Run};
use crate::store::journal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The kind of the notes in the journal. The name of a note is the container that is restored or updated, the root.
/// The note is a list: one part for the root, and one for each container that is replaced or stopped with it.
pub(super) const KIND: &str = "restore";

/// The note of one container. Older versions of moyai wrote the same fields, without `reference`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Note {
    /// Copies of the data in its mounts, if it is updated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<Vec<Copied>>,
    /// `update`, or nothing for a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// True if compose would count the old container too.
    #[serde(default)]
    pub composed: bool,
    /// The name of the new container until it takes the place of the old one.
    pub fresh: String,
    /// The ID of the old container.
    pub id: String,
    /// The name of the old container afterwards.
    pub kept: String,
    /// The ID of the new container. Once it is set, the old one may be stopped.
    #[serde(default)]
    pub made: String,
    /// The container's name.
    pub name: String,
    /// The name of the image that keeps the files of an old container that has to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Its restart policy, as an argument of `docker update`.
    pub restart: String,
    /// The name of the note in the journal. Notes of an update have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// True if the old container ran.
    pub runs: bool,
    /// True if its files are in an image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub saved: bool,
    /// True if the restore or update succeeded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// Restored data beside the old data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swaps: Option<Vec<Swap>>,
    /// The tag that an update moves to the new image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// The volumes that are created for the restore.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// True if the new container may have changed its mounts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub written: bool,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A tag and the image that it named before an update.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tag {
    /// The ID of the image, or `""` if the tag is new.
    pub id: String,
    /// The reference with the tag.
    pub reference: String,
}

impl Note {
    /// Returns the note of a container that `docker container inspect` has printed. `stamp` is the date in the names of
    /// what is kept.
    ///
    /// # Errors
    /// When it is not the result of an inspect.
    pub fn new(old: &Value, stamp: &str) -> Result<Self> {
        let (name, id) = (text(old, "/Name").trim_start_matches('/'), text(old, "/Id"));
        if name.is_empty() || id.is_empty() {
            return Err(Error::new("make a note of a container: this is not a result of `docker::inspect`"));
        }
        let labels = at(old, "/Config/Labels");
        Ok(Self {
            composed: compose::counts(|name| labels?.get(name)?.as_str()),
            fresh: format!("{name}.new-{stamp}"),
            id: id.to_owned(),
            kept: format!("{name}.old-{stamp}"),
            name: name.to_owned(),
            restart: restart_policy(&old["HostConfig"]),
            runs: at(old, "/State/Running") == Some(&Value::Bool(true)),
            ..Self::default()
        })
    }

    pub(super) fn is_update(&self) -> bool {
        self.by.as_deref() == Some("update")
    }

    /// Returns the name of its note in the journal.
    pub(super) fn root(&self) -> &str {
        self.root.as_deref().unwrap_or(&self.name)
    }

    /// Returns the name of the image that keeps its files. Notes of older versions of moyai have none.
    pub(super) fn reference(&self) -> String {
        let default = || valid_reference(&format!("backup/{0}:replaced-{0}", self.name));
        self.reference.clone().unwrap_or_else(default)
    }

    /// Returns the note for the journal, with its fields sorted as those of a script's map.
    fn value(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        value.sort_all_objects();
        value
    }
}

/// Returns the open notes of a root as they are in the journal, `None` if there are none.
pub(super) fn open(run: &Run, root: &str) -> Result<Option<Vec<Value>>> {
    Ok(listed(journal::read(run, KIND, root)?))
}

/// Returns the parts of a note in the journal.
pub(super) fn listed(note: Value) -> Option<Vec<Value>> {
    match note {
        Value::Null => None,
        Value::Array(all) => Some(all),
        one => Some(vec![one]),
    }
}

/// Reads notes from the journal.
pub(super) fn parsed(root: &str, notes: Vec<Value>) -> Result<Vec<Note>> {
    let odd = |error| Error::new(format!("read the notes of `{root}`: {error}")).kind(Kind::Damaged);
    notes.into_iter().map(|note| serde_json::from_value(note).map_err(odd)).collect()
}

/// Adds or replaces a note. `root` is the container that is restored or updated.
///
/// # Errors
/// When the journal cannot be read or written.
pub fn add(run: &Run, root: &str, note: &Note) -> Result<()> {
    let others = open(run, root)?.unwrap_or_default();
    journal::save(run, KIND, root, &with(others, note.clone()))
}

/// Returns notes with another one, in the place of an earlier one of the same container. No volume is forgotten.
fn with(notes: Vec<Value>, mut note: Note) -> Value {
    let (same, mut all): (Vec<_>, Vec<_>) = notes.into_iter().partition(|one| text(one, "/id") == note.id);
    for volume in same.iter().flat_map(|one| list_at(one, "/volumes")).filter_map(Value::as_str) {
        if !note.volumes.iter().any(|known| known == volume) {
            note.volumes.push(volume.to_owned());
        }
    }
    all.push(note.value());
    all.into()
}

/// Notes that it succeeded. From here on, the run after a kill completes it instead of rolling it back.
///
/// # Errors
/// When the journal cannot be read or written.
pub fn settle(run: &Run, root: &str) -> Result<()> {
    let Some(mut notes) = open(run, root)? else { return Ok(()) };
    for fields in notes.iter_mut().filter_map(Value::as_object_mut) {
        fields.insert("settled".into(), true.into());
    }
    journal::save(run, KIND, root, &notes.into())
}

/// Refuses a container whose older restore or update could not be repaired.
///
/// # Errors
/// When it is still open.
pub fn refuse_open(run: &Run, root: &str) -> Result<()> {
    match open(run, root)? {
        None => Ok(()),
        Some(_) => {
            let what = "an older restore or update of it is still open";
            Err(Error::foreseen(format!("{root}: {what}; nothing was changed")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn web(more: Value) -> Value {
        let mut full = json!({ "Id": "beef", "Name": "/web", "State": { "Running": true },
            "HostConfig": { "RestartPolicy": { "Name": "", "MaximumRetryCount": 0 } }, "Config": { "Labels": null } });
        for (path, value) in more.as_object().unwrap() {
            *full.pointer_mut(path).unwrap() = value.clone();
        }
        full
    }

    #[test]
    fn a_new_note_has_the_fields_that_a_roll_back_needs() {
        let note = Note::new(&web(json!({})), "20261125-090000").unwrap();
        let text = r#"{"composed":false,"fresh":"web.new-20261125-090000","id":"beef","kept":"web.old-20261125-090000","made":"","name":"web","restart":"no","runs":true,"volumes":[]}"#;
        assert_eq!(note.value().to_string(), text);
        let note = |path: &str, value: Value| Note::new(&web(json!({ path: value })), "1").unwrap();
        let policy = json!({ "Name": "on-failure", "MaximumRetryCount": 3 });
        assert_eq!(note("/HostConfig/RestartPolicy", policy).restart, "on-failure:3");
        assert!(!note("/State/Running", json!(false)).runs);
        let labels = json!({ "com.docker.compose.service": "web" });
        assert!(note("/Config/Labels", labels.clone()).composed);
        let mut once = labels;
        once["com.docker.compose.oneoff"] = json!("True");
        assert!(!note("/Config/Labels", once).composed);
        Note::new(&json!({}), "1").unwrap_err();
    }

    #[test]
    fn notes_of_older_versions_are_read_and_unknown_fields_are_kept() {
        let old = json!([{ "id": "beef", "name": "web", "fresh": "a", "kept": "b", "made": "c", "volumes": ["v"],
            "runs": true, "restart": "no", "engine": "", "by": "update", "root": "web", "written": true,
            "tag": { "reference": "site:1", "id": "" }, "aside": [{ "source": "/a", "copy": "/b", "file": false }],
            "swaps": [{ "place": "/a", "beside": "/b", "inode": "1:2" }], "new": { "in": [3] } }]);
        let notes = parsed("web", listed(old).unwrap()).unwrap();
        assert!(notes[0].is_update() && notes[0].written && !notes[0].composed && !notes[0].settled);
        let written = notes[0].value();
        assert_eq!((&written["new"], &written["engine"]), (&json!({ "in": [3] }), &json!("")));
        let named = Note { name: "Web..1".into(), ..notes[0].clone() };
        assert_eq!(named.reference(), "backup/web-1:replaced-Web..1");
        assert_eq!(parsed("web", vec![json!({ "id": "beef" })]).unwrap_err().kind, Kind::Damaged);
    }

    #[test]
    fn a_note_replaces_the_earlier_one_and_keeps_its_volumes() {
        let other = json!({ "id": "cafe", "unknown": 1 });
        let earlier = json!({ "id": "beef", "volumes": ["a", "b"] });
        let mut note = Note::new(&web(json!({})), "1").unwrap();
        note.volumes = vec!["b".into(), "c".into()];
        let all = with(vec![earlier, other.clone()], note);
        assert_eq!((&all[0], &all[1]["volumes"]), (&other, &json!(["b", "c", "a"])));
        assert_eq!(all.as_array().unwrap().len(), 2);
    }
}
