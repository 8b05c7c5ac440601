//! Secrets: passwords and tokens that moyai reads and never shows.

use crate::run::text::quote;
use crate::run::{Error, Result, Run, cause, owned};
use std::os::unix::fs::MetadataExt;

/// Returns a secret, which is masked from now on. See the script function of the same name.
///
/// # Errors
/// When it does not exist, or other users can read its file.
pub fn secret(run: &Run, name: &str) -> Result<String> {
    let found = run.query(&format!("secret {name}"), Some(String::new()), || {
        let value = kept(run, name)?;
        run.output.hide(&value);
        Ok(value)
    })?;
    // A recording has no secrets, and a test gets none of this host's.
    let value = if run.plays().is_some() { format!("secret-{name}") } else { found };
    run.output.hide(&value);
    run.plan_secret(name);
    Ok(value)
}

/// Reads it from where it is kept.
fn kept(run: &Run, name: &str) -> Result<String> {
    if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') {
        return Err(Error::new(format!("read the secret `{name}`: this is not a valid name of a secret")));
    }
    // A shell cannot export a variable with a `-` in its name.
    let plain: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    let variable = format!("MOYAI_SECRET_{}", plain.to_ascii_uppercase());
    let named = [name, &plain].map(|name| format!("MOYAI_SECRET_{name}"));
    if let Some(value) = named.iter().chain([&variable]).find_map(|name| std::env::var(name).ok()) {
        return Ok(value);
    }
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| std::path::PathBuf::from(dir).join(name));
    let kept = run.options.places.secrets.join(name);
    let found = credentials.into_iter().chain([kept.clone()]).find(|path| path.exists());
    let Some(path) = found else {
        return Err(Error::not_found(format!("read the secret `{name}`: it does not exist"))
            .help(format!("save it in `{}` with mode 0600, or set ${variable}", kept.display())));
    };
    let failed = |error: std::io::Error| Error::new(format!("read the secret `{}`: {}", path.display(), cause(&error)));
    let metadata = std::fs::metadata(&path).map_err(failed)?;
    if path == kept && metadata.mode() & 0o077 != 0 {
        return Err(Error::refused(format!("read the secret `{}`: other users can read it too", path.display()))
            .help(format!("chmod 600 {}", quote(&path.to_string_lossy()))));
    }
    let text = owned::read(&path).map_err(failed)?;
    let text = String::from_utf8(text).map_err(|_| failed(std::io::Error::other("it is not UTF-8")))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
