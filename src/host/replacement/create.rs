//! The new container, and how it takes the place of the old one.

use super::{Note, add, quietly, save};
use crate::host::docker::recipe::Recipe;
use crate::host::docker::{checked, halt, halt_as_seen};
use crate::host::file;
use crate::run::{Result, Run};
use serde_json::Value;

/// Creates the new container beside the old one. Most errors come up here, while the site still runs. Returns the note
/// with its ID, `""` in a dry run.
///
/// # Errors
/// When it cannot be created, or the note cannot be saved.
pub fn create(run: &Run, root: &str, mut note: Note, image: &str, recipe: &Recipe) -> Result<Note> {
    add(run, root, &note)?;
    let mut words = vec!["docker", "create", "--pull", "never", "--name", checked("create", &note.fresh)?];
    let options = [&recipe.options, &recipe.ports, &recipe.mounts, &recipe.network];
    words.extend(options.into_iter().flatten().map(String::as_str));
    words.push(checked("create from", image)?);
    words.extend(recipe.command.iter().map(String::as_str));
    for name in recipe.connect.iter().filter_map(|network| network.last()) {
        checked("connect to the network", name)?;
    }
    let made = quietly(run, &words, true)?.text().trim().to_owned();
    for network in &recipe.connect {
        let mut words = vec!["docker", "network", "connect"];
        words.extend(network.iter().map(String::as_str));
        words.push(&note.fresh);
        quietly(run, &words, false)?;
    }
    note.made = made;
    add(run, root, &note)?;
    Ok(note)
}

/// Gives the old container's name to the new one.
///
/// # Errors
/// Those of docker.
pub fn rename(run: &Run, note: &Note) -> Result<()> {
    let Note { name, kept, fresh, .. } = note;
    for name in [name, kept, fresh] {
        checked("rename", name)?;
    }
    quietly(run, &["docker", "update", "--restart", "no", name], false)?;
    quietly(run, &["docker", "rename", name, kept], false)?;
    quietly(run, &["docker", "rename", fresh, name], false)?;
    Ok(())
}

/// Gives the old container's name to the new one, and stops the old one. While neither runs, restored data takes the
/// place of the old data, after the containers `users` have been stopped. The data of an update is copied. The new
/// container is not started yet.
///
/// # Errors
/// Those of docker and of the files.
pub fn exchange(run: &Run, note: &Note, old: &Value, users: &[String]) -> Result<()> {
    rename(run, note)?;
    halt_as_seen(run, &note.kept, old)?;
    let swaps = note.swaps.as_deref().unwrap_or_default();
    if !swaps.is_empty() {
        users.iter().try_for_each(|name| halt(run, name))?;
    }
    for swap in swaps {
        file::exchange(run, &swap.place, &swap.beside)?;
    }
    if let Some(aside) = &note.aside {
        save(run, aside)?;
        add(run, note.root(), &Note { written: true, ..note.clone() })?;
    }
    Ok(())
}

/// Returns the arguments that recreate a container which depends on `from`, with `to` in its place.
pub fn follow(mut recipe: Recipe, from: &str, to: &str) -> Recipe {
    for words in [&mut recipe.options, &mut recipe.network] {
        let mut is_link = false;
        for word in words {
            let link = word.strip_prefix(from).filter(|rest| is_link && rest.starts_with(':'));
            let new = match link {
                Some(rest) => Some(format!("{to}{rest}")),
                None => (word.strip_prefix("container:") == Some(from)).then(|| format!("container:{to}")),
            };
            is_link = word == "--link";
            if let Some(new) = new {
                *word = new;
            }
        }
    }
    recipe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependent_container_follows_the_new_one_and_nothing_else_is_renamed() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let recipe = Recipe {
            options: words("--ipc container:web --pid container:web2 --add-host web:1.2.3.4"),
            network: words("--network container:web --link web:base --link web2:web"),
            ..Recipe::default()
        };
        let recipe = follow(recipe, "web", "web.new-1");
        assert_eq!(recipe.options.join(" "), "--ipc container:web.new-1 --pid container:web2 --add-host web:1.2.3.4");
        assert_eq!(recipe.network.join(" "), "--network container:web.new-1 --link web.new-1:base --link web2:web");
    }

    #[test]
    fn a_name_that_docker_would_take_for_an_option_is_refused_before_anything_is_renamed() {
        let run = Run::new(crate::run::Options::default()).unwrap();
        let note = Note { name: "web".into(), kept: "web.old".into(), fresh: "-x".into(), ..Note::default() };
        assert_eq!(rename(&run, &note).unwrap_err().message, "rename `-x`: this is not a valid name");
    }
}
