//! Translates bash patterns to regular expressions.

use super::No;
use super::text::{atom, escaped, quoted};

/// How much a `*` in a pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// `.*`
    Long,
    /// `.*?`
    Short,
}

/// Returns the regular expression of a pattern, without anchors. `raw` is the word, whose quotes `parts` has
/// removed.
///
/// # Errors
/// For an extended pattern.
pub fn regex(pattern: &str, reach: Reach) -> Result<String, No> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => {
                at += 1;
                out.push_str(&escaped(&chars.get(at).map(char::to_string).unwrap_or_default()));
            }
            '*' => out.push_str(if reach == Reach::Long { ".*" } else { ".*?" }),
            '?' => out.push('.'),
            '[' => {
                let mut end = at + 1;
                if matches!(chars.get(end), Some('!' | '^')) {
                    end += 1;
                }
                if chars.get(end) == Some(&']') {
                    end += 1;
                }
                while end < chars.len() && chars[end] != ']' {
                    // A class such as `[:space:]` contains a bracket.
                    if chars[end] == '[' && chars.get(end + 1) == Some(&':') {
                        end += 2;
                        while end < chars.len() && chars[end] != ']' {
                            end += 1;
                        }
                    }
                    end += 1;
                }
                if end >= chars.len() {
                    out.push_str("\\[");
                } else {
                    let inside: String = chars[at + 1..end].iter().collect();
                    let (not, inside) = match inside.strip_prefix(['!', '^']) {
                        Some(rest) => ("^", rest.to_owned()),
                        None => ("", inside),
                    };
                    let inside = inside.replace('\\', "\\\\").replace("&&", "&\\&").replace('~', "\\~");
                    let inside = if inside.starts_with('[') && !inside.starts_with("[:") {
                        format!("\\{inside}")
                    } else {
                        inside
                    };
                    out.push_str(&format!("[{not}{inside}]"));
                    at = end;
                }
            }
            char => {
                refuse_if!("@+!".contains(char) && chars.get(at + 1) == Some(&'('), "an extended pattern");
                out.push_str(&escaped(&char.to_string()));
            }
        }
        at += 1;
    }
    Ok(out)
}

/// Returns true if the text contains a pattern character.
pub fn is_special(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

/// Returns the test of a subject against a `case` or `[[ == ]]` pattern. `bare` is the pattern with its quoted
/// parts escaped.
///
/// # Errors
/// For an extended pattern.
pub fn matches(subject: &str, bare: &str) -> Result<String, No> {
    let subject = atom(subject);
    if !is_special(bare) {
        return Ok(format!("{subject} == {}", quoted(bare)));
    }
    if bare == "*" {
        return Ok("true".to_owned());
    }
    let plain = |text: &str| !is_special(text);
    if let Some(middle) = bare.strip_prefix('*').and_then(|rest| rest.strip_suffix('*'))
        && plain(middle)
        && !middle.is_empty()
    {
        return Ok(format!("{subject}.contains({})", quoted(middle)));
    }
    if let Some(end) = bare.strip_prefix('*').filter(|end| plain(end)) {
        return Ok(format!("{subject}.ends_with({})", quoted(end)));
    }
    if let Some(start) = bare.strip_suffix('*').filter(|start| plain(start)) {
        return Ok(format!("{subject}.starts_with({})", quoted(start)));
    }
    let regex = regex(bare, Reach::Long)?;
    let dots = if regex.contains('.') && regex.replace("\\.", "").contains('.') { "(?s)" } else { "" };
    Ok(format!("{subject}.matches({})", quoted(&format!("{dots}^{regex}$"))))
}

/// Returns the expression for `${x%pattern}` and similar expansions.
///
/// # Errors
/// For an extended pattern.
pub fn strip(subject: &str, bare: &str, prefix: bool, largest: bool) -> Result<String, No> {
    let subject = atom(subject);
    // `*X` and `X*` with one character are the most common.
    let single = |text: &&str| text.chars().count() == 1 && !is_special(text);
    let not =
        |text: &str| if matches!(text, "^" | "]" | "\\" | "-") { format!("[^\\{text}]") } else { format!("[^{text}]") };
    let one = if prefix { bare.strip_prefix('*') } else { bare.strip_suffix('*') }.filter(single);
    let regex = match (prefix, largest, one) {
        (true, ..) if !is_special(bare) => format!("^{}", escaped(bare)),
        (false, ..) if !is_special(bare) => format!("{}$", escaped(bare)),
        (true, true, Some(one)) => return Ok(format!("{subject}.split({})[-1]", quoted(one))),
        (false, true, Some(one)) => return Ok(format!("{subject}.cut({}, 1)", quoted(one))),
        (true, false, Some(one)) => format!("^{}*{}", not(one), escaped(one)),
        (false, false, Some(one)) => format!("{}{}*$", escaped(one), not(one)),
        (true, true, None) => format!("(?s)^{}", regex(bare, Reach::Long)?),
        (true, false, None) => format!("(?s)^{}", regex(bare, Reach::Short)?),
        (false, true, None) => format!("(?s){}$", regex(bare, Reach::Long)?),
        (false, false, None) => {
            let regex = format!("(?s)^(.*){}$", regex(bare, Reach::Short)?);
            return Ok(format!("{subject}.sub({}, \"$1\")", quoted(&regex)));
        }
    };
    Ok(format!("{subject}.sub({}, \"\")", quoted(&regex)))
}
