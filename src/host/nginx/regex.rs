//! The regular expressions of a configuration. nginx has those of PCRE, with look-around and back references.

use fancy_regex::{Regex, RegexBuilder};

/// A compiled pattern.
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles a pattern of PCRE. Returns nothing for one that has no meaning here: it never matches.
    pub fn new(pattern: &str, no_case: bool) -> Option<Self> {
        RegexBuilder::new(pattern).case_insensitive(no_case).build().ok().map(Self)
    }

    /// Returns whether it matches a part of a text. One that would take too long does not.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text).unwrap_or(false)
    }

    /// What each of its brackets caught, by number and by name: an empty text where one caught nothing.
    pub fn captures(&self, text: &str) -> Option<Vec<(String, String)>> {
        let found = self.0.captures(text).ok()??;
        let mut all = Vec::new();
        for (index, name) in self.0.capture_names().enumerate() {
            let value = found.get(index).map_or("", |group| group.as_str());
            all.extend(name.map(|name| (name.to_ascii_lowercase(), value.to_owned())));
            all.push((index.to_string(), value.to_owned()));
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_pcre_mean_what_nginx_means() {
        for (pattern, yes, no) in [
            (r"^/(?!api|static)", "/x", "/api/x"),
            (r"\.(?:css|js)$", "/a.css", "/a.csx"),
            (r"(?<!\.min)\.js$", "/a.js", "/a.min.js"),
            (r"^/(a+)\-\1$", "/aa-aa", "/aa-a"),
            (r"^\/x\_y", "/x_y", "/xy"),
            (r"^/[^/]++/z", "/b/z", "/b/c/z"),
        ] {
            let regex = Pattern::new(pattern, false).unwrap();
            assert!(regex.is_match(yes) && !regex.is_match(no), "{pattern}");
        }
        assert!(Pattern::new("(", false).is_none());
        let caught = Pattern::new(r"^/(?<user>\w+)(?P<rest>/.*)?$", false).unwrap().captures("/ann").unwrap();
        assert!(caught.contains(&("user".into(), "ann".into())) && caught.contains(&("2".into(), String::new())));
    }
}
