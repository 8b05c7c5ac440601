//! The order of tags, by semantic versioning 2.0.0.

use std::cmp::Ordering;

/// A tag as a version: `v1.25.3-alpine` has the numbers 1, 25, 3 and the suffix `alpine`.
#[derive(Debug, PartialEq, Eq)]
struct Version<'a> {
    numbers: Vec<u128>,
    suffix: &'a str,
}

impl<'a> Version<'a> {
    /// Returns `None` for a tag that is not a version, such as `latest`.
    fn new(tag: &'a str) -> Option<Self> {
        let text = tag.strip_prefix(['v', 'V']).unwrap_or(tag);
        // Build metadata, after a `+`, cannot be in a tag.
        let (core, suffix) = text.split_once('-').unwrap_or((text, ""));
        let numbers = core.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u128>>>()?;
        Some(Self { numbers, suffix })
    }

    /// Returns the suffix without its numbers: that of `alpine3.19` is `alpine`.
    fn kind(&self) -> String {
        self.suffix.chars().filter(char::is_ascii_alphabetic).collect()
    }

    fn order(&self, other: &Self) -> Ordering {
        let at = |numbers: &[u128], index: usize| numbers.get(index).copied().unwrap_or(0);
        let most = self.numbers.len().max(other.numbers.len());
        let core = (0..most).map(|index| at(&self.numbers, index).cmp(&at(&other.numbers, index)));
        core.fold(Ordering::Equal, Ordering::then)
            .then_with(|| suffixes(self.suffix, other.suffix))
            // `1.2.0` is more specific than `1.2`, which moves on.
            .then(self.numbers.len().cmp(&other.numbers.len()))
    }
}

/// Section 11: a version without a suffix is newer. Parts are compared as numbers if both are numbers.
fn suffixes(one: &str, other: &str) -> Ordering {
    if one.is_empty() || other.is_empty() {
        return one.is_empty().cmp(&other.is_empty());
    }
    one.split('.').map(part).cmp(other.split('.').map(part))
}

/// Splits off the number at the end of a text: `rc10` is newer than `rc9`, unlike in plain text order. A number alone
/// is older than any text.
fn part(text: &str) -> (bool, &str, u128) {
    let words = text.trim_end_matches(|char: char| char.is_ascii_digit());
    // An empty part and a number that is too long are texts.
    (text.parse::<u128>().is_err(), words, text[words.len()..].parse().unwrap_or(0))
}

/// Compares two tags. A tag that is not a version is older than one that is.
pub fn order(one: &str, other: &str) -> Ordering {
    match (Version::new(one), Version::new(other)) {
        (Some(one), Some(other)) => one.order(&other),
        (None, None) => one.cmp(other),
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
    }
}

/// Returns the newest of the tags that match, `None` if that is not newer than `current`.
///
/// A tag with a suffix, such as `2.0-rc1` or `1.25-alpine`, counts if `current` has a suffix of that kind, or if the
/// pattern mentions suffixes. Otherwise `^1\.` would lead from a release to a test version.
pub fn newest<'a>(tags: &'a [String], pattern: &regex::Regex, current: &str) -> Option<&'a str> {
    let kind = Version::new(current).map(|version| version.kind()).unwrap_or_default();
    let wants = pattern.as_str().contains('-');
    let counts = |tag: &&str| {
        let version = Version::new(tag);
        pattern.is_match(tag) && version.is_some_and(|version| wants || version.kind() == kind)
    };
    let newest = tags.iter().map(String::as_str).filter(counts).max_by(|one, other| order(one, other))?;
    let newer = Version::new(current).is_none() || order(newest, current) == Ordering::Greater;
    newer.then_some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_the_order_of_semantic_versioning() {
        // The example of section 11, and other forms of tags.
        for row in [
            "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0",
            "1.0.0 2.0.0 2.1.0 2.1.1",
            "latest 1.9 1.10 v1.11.0 1.11.1 2",
            "1.0-rc9 1.0-rc10 1.0 1.0.0 1.0.1",
            "20231201 20240115.1",
            "1.0-a.1 1.0-a..b 1.0-a.b",
        ] {
            let tags: Vec<&str> = row.split(' ').collect();
            for pair in tags.windows(2) {
                assert_eq!(order(pair[0], pair[1]), Ordering::Less, "{pair:?}");
                assert_eq!(order(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
            }
            assert!(tags.iter().all(|tag| order(tag, tag) == Ordering::Equal), "{row}");
        }
    }

    #[test]
    fn the_newest_tag_is_of_the_pattern_and_of_the_kind_that_runs() {
        let tags = "latest 1.2.0 1.10.0 1.9.5 1.11.0-rc1 1.10.1-alpine 1.12.0-alpine3.19 2.0.0 1 1.10 nightly";
        let tags: Vec<String> = tags.split(' ').map(str::to_owned).collect();
        for (pattern, current, found) in [
            (r"^1\.", "1.2.0", Some("1.10.0")),
            (r"^1\.", "1.10.0", None),
            (r"^1\.", "2.0.0", None),
            ("", "1.2.0", Some("2.0.0")),
            (r"^1\.", "1.9.0-alpine3.18", Some("1.12.0-alpine3.19")),
            (r"^1\..*-rc", "1.2.0", Some("1.11.0-rc1")),
            (r"^3\.", "1.2.0", None),
            (r"^1\.", "latest", Some("1.10.0")),
        ] {
            let pattern = regex::Regex::new(pattern).unwrap();
            assert_eq!(newest(&tags, &pattern, current), found, "{pattern} {current}");
        }
    }
}
