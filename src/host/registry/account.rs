//! The accounts of the docker client: `config.json` and its credential helpers.

use crate::host::http;
use crate::process::{self, Plan};
use crate::run::{Error, Result, Run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The secret that a registry gets.
pub(super) enum Account {
    /// User and password, as the value of `Authorization: Basic`.
    Password(String),
    /// A token that is exchanged for others.
    Token(String),
}

impl Account {
    /// Returns the account for a server, if the docker client has one.
    pub(super) fn of(run: &Run, server: &str) -> Result<Option<Self>> {
        let Some(config) = config()? else { return Ok(None) };
        let names = [server.to_owned(), format!("https://{server}"), format!("https://{server}/v1/")];
        let helper = config["credHelpers"][server].as_str().or_else(|| config["credsStore"].as_str());
        if let Some(helper) = helper.filter(|helper| !helper.is_empty()) {
            let found = helped(run, helper, server)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let auths = names.iter().filter_map(|name| config["auths"].get(name)).find(|auth| auth.is_object());
        let text = |field: &str| auths.and_then(|auth| auth[field].as_str()).filter(|text| !text.is_empty());
        let found = match (text("identitytoken"), text("auth"), text("username"), text("password")) {
            (Some(token), ..) => Some(Self::Token(token.to_owned())),
            (_, Some(auth), ..) => Some(Self::Password(auth.to_owned())),
            (_, _, Some(user), Some(password)) => {
                run.output.hide(password);
                Some(Self::Password(http::base64(format!("{user}:{password}").as_bytes())))
            }
            _ => None,
        };
        Ok(found.inspect(|account| account.hide(run)))
    }

    fn hide(&self, run: &Run) {
        let (Self::Password(secret) | Self::Token(secret)) = self;
        run.output.hide(secret);
    }
}

/// Reads the docker client's configuration: `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`.
fn config() -> Result<Option<Value>> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || {
        // cron sets HOME; a systemd unit may not have it.
        let root = rustix::process::geteuid().is_root().then(|| PathBuf::from("/root"));
        Some(set("HOME").or(root)?.join(".docker"))
    };
    let Some(path) = set("DOCKER_CONFIG").or_else(home).map(|dir| dir.join("config.json")) else { return Ok(None) };
    let failed = |why: &str| Error::new(format!("read the accounts of docker in `{}`: {why}", path.display()));
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(&error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&crate::run::cause(&error))),
    }
}

/// Queries a credential helper: it reads the server and prints `{"Username", "Secret"}`.
fn helped(run: &Run, helper: &str, server: &str) -> Result<Option<Account>> {
    let mut plan = Plan::read([format!("docker-credential-{helper}"), "get".to_owned()]);
    plan.input = Some(server.as_bytes().into());
    plan.reads = true;
    plan.lenient = true;
    let outcome = process::run(run, &plan)?;
    let said = outcome.text();
    if outcome.code() != 0 {
        // This is the text of docker/docker-credential-helpers, credentials/error.go.
        if said.contains("credentials not found") {
            return Ok(None);
        }
        let why = said.lines().next().unwrap_or_default().to_owned();
        return Err(Error::new(format!("query `docker-credential-{helper}` for the account of {server}: {why}")));
    }
    let answer: Value = serde_json::from_slice(&outcome.out)
        .map_err(|_| Error::new(format!("`docker-credential-{helper}` did not print JSON for {server}")))?;
    let (user, secret) =
        (answer["Username"].as_str().unwrap_or_default(), answer["Secret"].as_str().unwrap_or_default());
    run.output.hide(secret);
    let account = match user {
        _ if secret.is_empty() => return Ok(None),
        "<token>" => Account::Token(secret.to_owned()),
        user => Account::Password(http::base64(format!("{user}:{secret}").as_bytes())),
    };
    account.hide(run);
    Ok(Some(account))
}

/// Parses the parameters of a challenge: `realm="https://auth.example/token",service="x"` (RFC 9110, 11.2).
pub(super) fn fields(text: &str) -> BTreeMap<String, String> {
    let field = regex::Regex::new(r#"([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))"#);
    let field = field.unwrap_or_else(|_| unreachable!());
    let value = |found: &regex::Captures<'_>| {
        let text = found.get(2).or_else(|| found.get(3)).map_or("", |part| part.as_str());
        (found[1].to_ascii_lowercase(), text.replace("\\\"", "\"").replace("\\\\", "\\"))
    };
    field.captures_iter(text).map(|found| value(&found)).collect()
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn a_challenge_has_its_parameters_with_quotes_and_commas_in_them() {
        let found = fields(r#"realm="https://auth.test/token?a=b",service=reg,Scope="repository:a/b:pull,push""#);
        assert_eq!(found["realm"], "https://auth.test/token?a=b");
        assert_eq!(found["service"], "reg");
        assert_eq!(found["scope"], "repository:a/b:pull,push");
    }
}
