//! Names of images that Docker accepts.

/// Returns whether a part of a repository is valid: lower case, with single separators between letters and digits.
fn is_valid(part: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [part.bytes().next(), part.bytes().next_back()];
    let mut separators = part.split(|char: char| char.is_ascii_lowercase() || char.is_ascii_digit());
    let is_separator = |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    ends.into_iter().all(|end| end.is_some_and(is_letter)) && separators.all(is_separator)
}

fn encoded(part: &str) -> String {
    let low = part.to_lowercase();
    if is_valid(&low) {
        return low;
    }
    let words = low.split(|char: char| !(char.is_ascii_lowercase() || char.is_ascii_digit()));
    let text = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    if text.is_empty() { "x".to_owned() } else { text }
}

/// Returns a reference that Docker accepts: its repository is lower case, with single separators between letters. The
/// tag and the address of a registry stay.
pub fn valid_reference(reference: &str) -> String {
    let tag = reference.rsplit(':').next().unwrap_or_default();
    let name = match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => reference,
    };
    let parts: Vec<&str> = name.split('/').collect();
    let part = |(index, part): (usize, &&str)| {
        let is_registry = index == 0 && parts.len() > 1 && (part.contains(['.', ':']) || *part == "localhost");
        if is_registry || is_valid(part) { (*part).to_owned() } else { encoded(part) }
    };
    format!("{}:{tag}", parts.iter().enumerate().map(part).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_that_docker_accepts() {
        for (name, valid) in [
            ("backup/blog:Mon", "backup/blog:Mon"),
            ("backup/Blog_1:Mon", "backup/blog_1:Mon"),
            ("backup/a__b--c.d:Mon", "backup/a__b--c.d:Mon"),
            ("backup/a..b:Mon", "backup/a-b:Mon"),
            ("backup/-Blog-:Mon", "backup/blog:Mon"),
            ("backup/___:Mon", "backup/x:Mon"),
            ("backup/ブログ:Mon", "backup/x:Mon"),
            ("Host.example:5000/Web:Tue", "Host.example:5000/web:Tue"),
            ("localhost/web:Tue", "localhost/web:Tue"),
            ("My/web:Tue", "my/web:Tue"),
            ("Web:Tue", "web:Tue"),
        ] {
            assert_eq!(valid_reference(name), valid);
        }
    }
}
