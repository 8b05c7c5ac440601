//! What moyai writes into a configuration: the path of a new file, names and values.

use super::config::Config;
use super::glob;
use crate::run::{Error, Result};
use std::path::{Path, PathBuf};

/// Returns where the file of a new site belongs, and the link to it if the layout has one. `dir` is the main file's
/// directory: patterns of `include` are relative to it.
///
/// # Errors
/// When no include of the http block would read a file of that name.
pub fn place(config: &Config, dir: &Path, name: &str) -> Result<(PathBuf, Option<PathBuf>)> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(Error::new(format!(
            "find the place of the site `{}`: that is not a valid file name",
            name.escape_debug()
        )));
    }
    let http = config.directives.iter().filter(|part| part.is("http")).flat_map(|part| &part.block);
    let spot = |include: &super::config::Directive| {
        let pattern = dir.join(include.words.get(1)?);
        let (dir, last) = (pattern.parent()?, pattern.file_name()?.to_str()?);
        // An include of a single file is not for sites.
        if !glob::is_pattern(last) || !dir.is_dir() {
            return None;
        }
        let matches = glob::matcher(last.as_bytes());
        let fits = |file: &String| matches(file.as_bytes());
        let file = [name.to_owned(), format!("{name}.conf")].into_iter().find(fits)?;
        Some(dir.join(file))
    };
    let spots: Vec<PathBuf> = http.filter(|line| line.is("include")).filter_map(spot).collect();
    let available = |link: &PathBuf| {
        let (dir, file) = (link.parent()?, link.file_name()?);
        let pair = dir.file_name()?.to_str()?.strip_suffix("-enabled")?;
        let file = dir.with_file_name(format!("{pair}-available")).join(file);
        file.parent()?.is_dir().then(|| (file, Some(link.clone())))
    };
    spots.iter().find_map(available).or_else(|| spots.first().map(|file| (file.clone(), None))).ok_or_else(|| {
        Error::new(format!("find the place of the site `{name}`: no include in nginx's http block would read its file"))
            .help(format!("write `include {}/conf.d/*.conf;` into the block, and make that directory", dir.display()))
    })
}

/// Returns a domain name as nginx compares it: ASCII, in lower case.
///
/// # Errors
/// When it is not a domain name.
pub fn server_name(text: &str) -> Result<String> {
    let (star, rest) = text.strip_prefix("*.").map_or(("", text), |rest| ("*.", rest));
    // UTS 46 with the STD 3 rules: letters, digits and hyphens, at most 63 bytes a label and 253 in all.
    match idna::domain_to_ascii_strict(rest) {
        Ok(name) if !name.is_empty() => Ok(format!("{star}{name}")),
        _ => {
            let shown: String = text.escape_debug().take(80).collect();
            Err(Error::new(format!("`{shown}` is not a domain name"))
                .help("one is `example.jp`, `なんとか.jp` or `*.example.jp`"))
        }
    }
}

/// Returns a value as one quoted word, by the rules of `ngx_conf_read_token`.
///
/// # Errors
/// When the configuration cannot express it.
pub fn quote(text: &str) -> Result<String> {
    let refused = |why: &str| {
        let shown: String = text.escape_debug().take(80).collect();
        Err(Error::new(format!("write `{shown}` into nginx's configuration: {why}")))
    };
    if text.chars().any(char::is_control) {
        return refused("it has a control character");
    }
    if text.contains('$') {
        return refused("nginx would take what follows the `$` for a variable's name");
    }
    let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    // NGX_CONF_BUFFER, the maximum length of a word.
    if quoted.len() >= 4096 { refused("it is too long") } else { Ok(quoted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        Config::parse(text).directives.into_iter().map(|directive| directive.words).collect()
    }

    #[test]
    fn what_nginx_cannot_say_is_refused() {
        for text in ["a\nb", "a\0", "a\u{85}", "$host", "/etc/$", &"x".repeat(4094), &"\\".repeat(2047)] {
            assert!(quote(text).is_err(), "{text:?}");
        }
        assert_eq!(quote("/a b.pem").unwrap(), r#""/a b.pem""#);
        assert_eq!(quote(r#"a"\'"#).unwrap(), r#""a\"\\'""#);
        assert_eq!(quote(&"x".repeat(4093)).unwrap().len(), 4095);
    }

    #[test]
    fn a_domain_name_has_one_form_and_nothing_else_is_one() {
        for (text, name) in [
            ("Example.JP", "example.jp"),
            ("*.example.jp", "*.example.jp"),
            ("なんとか.jp", "xn--u8jxcf8n.jp"),
            ("xn--u8jxcf8n.jp", "xn--u8jxcf8n.jp"),
            ("*.なんとか.jp", "*.xn--u8jxcf8n.jp"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(server_name(text).unwrap(), name);
        }
        let long = format!("{}.jp", "a".repeat(64));
        for text in [
            "", "*", "*.", "www.*", "a b.jp", "a;b", "a\n.jp", "a/b", "~^a", ".jp", "a..jp", "-a.jp", "a_b.jp",
            "a.jp:80", "xn--a.jp", &long, "$host", "\"a\"", "a}", "a#", "a\0",
        ] {
            assert!(server_name(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_value_is_one_word_whatever_is_in_it(text in r#"([ -~]|[;{}#"'\\$ \t\n]|\PC){0,40}"#) {
            if let Ok(quoted) = quote(&text) {
                prop_assert_eq!(words(&format!("a {quoted} b; c;")), vec![vec!["a".to_owned(), text, "b".into()], vec!["c".into()]]);
            }
        }

        #[test]
        fn a_server_name_has_only_the_letters_of_one(text in r#"([a-z0-9.*-]|[;{}#"'\\$ \t\n_/]|\PC){0,20}"#) {
            if let Ok(name) = server_name(&text) {
                let rest = name.strip_prefix("*.").unwrap_or(&name);
                prop_assert!(!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte)));
            }
        }
    }
}
