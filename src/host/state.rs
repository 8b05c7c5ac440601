//! Values that outlive a run, as scripts read and change them: recorded, and planned in a dry run.

use crate::run::{Error, Kind, Result, Run};
use crate::store::state as store;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Returns a saved value, `None` without one.
///
/// # Errors
/// When it cannot be read.
pub fn get<T: Serialize + DeserializeOwned>(run: &Run, name: &str) -> Result<Option<T>> {
    run.reading();
    kept(run, name, || store::get(run, name))
}

/// Changes a value, while no other run does. `change` gets the saved value and returns the new one as JSON.
///
/// # Errors
/// Those of `change`, and when it cannot be saved.
pub fn update<T, E>(
    run: &Run,
    name: &str,
    change: impl FnOnce(Option<T>) -> std::result::Result<String, E>,
) -> std::result::Result<(), E>
where
    T: Serialize + DeserializeOwned,
    E: From<Error>,
{
    let new = |old: &dyn Fn() -> Result<Option<String>>| {
        let text = change(kept(run, name, old)?)?;
        // The caller saves the value.
        run.change(|| line(name, &text), (), || Ok(()))?;
        Ok(text)
    };
    if run.options.dry_run || run.plays().is_some() {
        new(&|| store::get(run, name)).map(drop)
    } else {
        store::update(run, name, |old| new(&|| Ok(old.clone())))
    }
}

/// Saves a value.
///
/// # Errors
/// When it cannot be saved. The old one remains.
pub fn set<T: Serialize>(run: &Run, name: &str, value: &T) -> Result<()> {
    let text = json(name, value)?;
    run.change(|| line(name, &text), (), || store::set(run, name, &text))
}

/// Changes a saved value in place, or the default if nothing was saved yet, while no other run does.
///
/// # Errors
/// When it cannot be read or saved. The old one remains.
pub fn edit<T: Serialize + DeserializeOwned + Default>(
    run: &Run,
    name: &str,
    change: impl FnOnce(&mut T),
) -> Result<()> {
    update(run, name, |old: Option<T>| {
        let mut value = old.unwrap_or_default();
        change(&mut value);
        json(name, &value)
    })
}

/// Warns once when a problem begins and prints once when it is resolved, because cron mails all output. The state `key`
/// has the lines of the last call.
///
/// # Errors
/// When the state cannot be read.
pub fn warn_once(run: &Run, key: &str, lines: &[String]) -> Result<()> {
    let known: Vec<String> = get(run, key)?.unwrap_or_default();
    for line in lines.iter().filter(|line| !known.contains(line)) {
        run.warn(line);
    }
    for line in known.iter().filter(|line| !lines.contains(line)) {
        run.say(&format!("resolved: {line}"));
    }
    if lines != known
        && let Err(error) = set(run, key, &lines)
    {
        // On a full disk the state cannot be saved. Then the next run warns again.
        run.warn(&error.message);
    }
    Ok(())
}

/// Returns the directory for everything that outlives a run.
///
/// # Errors
/// When its path is not UTF-8.
pub fn directory(run: &Run) -> Result<String> {
    let place = &run.options.places.state;
    let text = place.to_str().map(str::to_owned);
    let odd = || Error::new(format!("the state's directory `{}` is not UTF-8", place.display()));
    // A replay may have another one, but its commands must be the same.
    run.query("state::directory", text.clone(), || text.ok_or_else(odd))
}

fn json<T: Serialize>(name: &str, value: &T) -> Result<String> {
    sorted(value).map_err(|error| Error::new(format!("keep the state `{name}`: {error}")))
}

/// Returns data as JSON with sorted fields, as that of a script's map.
///
/// # Errors
/// When JSON cannot express it.
pub fn sorted(data: &impl Serialize) -> Result<String> {
    let mut value = serde_json::to_value(data).map_err(|error| Error::new(format!("write JSON: {error}")))?;
    value.sort_all_objects();
    Ok(value.to_string())
}

/// Parses the saved JSON.
fn kept<T: Serialize + DeserializeOwned>(
    run: &Run,
    name: &str,
    text: impl FnOnce() -> Result<Option<String>>,
) -> Result<Option<T>> {
    let odd = |error| {
        Error::new(format!("read the state `{name}`: {error}"))
            .kind(Kind::Damaged)
            .help(format!("correct its file in `{}`", run.options.places.state.join("state").display()))
    };
    let parsed = |text: String| serde_json::from_str(&text).map_err(odd);
    run.query(&format!("state::get {name}"), Some(None), || text()?.map(parsed).transpose())
}

/// Returns the plan's line for a value: a comment, because no other program needs it.
pub fn line(name: &str, text: &str) -> String {
    format!("# keep the state {name} = {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sorted_at_every_level() {
        let value = serde_json::json!({ "b": [{ "d": 1, "c": null }], "a": { "z": "x", "y": 2.5 } });
        assert_eq!(sorted(&value).unwrap(), r#"{"a":{"y":2.5,"z":"x"},"b":[{"c":null,"d":1}]}"#);
    }

    #[test]
    fn a_value_of_another_type_is_a_damaged_state_and_remains() {
        let place = tempfile::tempdir().unwrap();
        let mut options = crate::run::Options::default();
        options.places.state = place.path().to_owned();
        let run = Run::new(options).unwrap();
        set(&run, "counts", &[1, 2]).unwrap();
        assert_eq!(get::<Vec<i64>>(&run, "counts").unwrap(), Some(vec![1, 2]));
        let changed = edit(&run, "counts", |text: &mut String| text.push('x'));
        for error in [get::<String>(&run, "counts").unwrap_err(), changed.unwrap_err()] {
            assert!(error.message.starts_with("read the state `counts`: invalid type"), "{error}");
            assert!(error.kind == Kind::Damaged && error.help.unwrap().contains("/state"));
        }
        assert_eq!(get::<Vec<i64>>(&run, "counts").unwrap(), Some(vec![1, 2]));
    }
}
