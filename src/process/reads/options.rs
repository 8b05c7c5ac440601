//! Options as getopt(3) and getopt_long(3) read them.

/// What a program's options are.
///
/// Written as one line, such as `"-bcn -k: --key= --check? ! -o: --output="`:
/// - `-bcn`: short options, which may be clustered; `-k:` takes an argument, `-k::` one that is glued;
/// - `--key=` takes an argument, `--check?` may have one after `=`;
/// - what follows `!` can change something;
/// - a `+` at the start: the first operand ends the options.
pub struct Spec(Vec<Known>, bool);

struct Known {
    name: String,
    argument: Argument,
    changes: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Argument {
    None,
    Needed,
    Glued,
}

/// A command line taken apart.
#[derive(Debug, Default, PartialEq)]
pub struct Parsed<'a> {
    /// The options in order, under their complete names, with their arguments.
    pub options: Vec<(String, Option<&'a str>)>,
    /// All other words.
    pub operands: Vec<&'a str>,
}

/// Why a command line is not known to be read-only.
#[derive(Debug, PartialEq)]
pub enum Odd {
    /// This option can change something.
    Changes(String),
    /// The program has no such option, as far as the table knows.
    Unknown(String),
}

impl Parsed<'_> {
    /// Returns whether one of these options is given.
    pub fn has(&self, names: &[&str]) -> bool {
        self.options.iter().any(|(name, _)| names.contains(&name.as_str()))
    }

    /// The arguments of these options.
    pub fn values<'s>(&'s self, names: &'s [&'s str]) -> impl Iterator<Item = &'s str> {
        self.options.iter().filter(|(name, _)| names.contains(&name.as_str())).filter_map(|(_, value)| *value)
    }
}

impl Spec {
    /// Reads the line that describes the options.
    pub fn new(text: &str) -> Self {
        let mut known = Vec::new();
        let (first, text) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        let mut changes = false;
        for word in text.split_whitespace() {
            let mut add = |name: String, argument| known.push(Known { name, argument, changes });
            if word == "!" {
                changes = true;
            } else if let Some(long) = word.strip_prefix("--") {
                let argument = match long.chars().last() {
                    Some('=') => Argument::Needed,
                    Some('?') => Argument::Glued,
                    _ => Argument::None,
                };
                add(format!("--{}", long.trim_end_matches(['=', '?'])), argument);
            } else {
                let letters: Vec<char> = word.chars().skip(1).collect();
                for (index, letter) in letters.iter().enumerate().filter(|(_, letter)| **letter != ':') {
                    let argument = match letters[index + 1..].iter().take_while(|char| **char == ':').count() {
                        0 => Argument::None,
                        1 => Argument::Needed,
                        _ => Argument::Glued,
                    };
                    add(format!("-{letter}"), argument);
                }
            }
        }
        Self(known, first)
    }

    /// Takes the words after the program's name apart.
    ///
    /// # Errors
    /// The first option that can change something, or is not known; a missing argument.
    pub fn parse<'a>(&self, words: &[&'a str]) -> Result<Parsed<'a>, Odd> {
        let mut parsed = Parsed::default();
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                let known = self.long(name)?;
                let value = match (known.argument, value) {
                    (Argument::None, Some(_)) => return Err(Odd::Unknown(word.to_owned())),
                    (Argument::Needed, None) => Some(words.next().ok_or_else(|| Odd::Unknown(word.to_owned()))?),
                    (_, value) => value,
                };
                parsed.options.push((known.name.clone(), value));
            } else if word.len() > 1 && word.starts_with('-') {
                let mut rest = &word[1..];
                while let Some(letter) = rest.chars().next() {
                    rest = &rest[letter.len_utf8()..];
                    let known = self.exact(&format!("-{letter}"))?;
                    let glued = (!rest.is_empty()).then_some(rest);
                    let value = match known.argument {
                        Argument::None => None,
                        Argument::Glued => glued,
                        Argument::Needed => {
                            Some(glued.or_else(|| words.next()).ok_or_else(|| Odd::Unknown(word.to_owned()))?)
                        }
                    };
                    parsed.options.push((known.name.clone(), value));
                    if known.argument != Argument::None {
                        break;
                    }
                }
            } else {
                parsed.operands.push(word);
                if self.1 {
                    break;
                }
            }
        }
        parsed.operands.extend(words);
        Ok(parsed)
    }

    /// A long option by its name or a prefix of it. Of several that fit, one that changes something
    /// decides: which one the program takes depends on its version.
    fn long(&self, name: &str) -> Result<&Known, Odd> {
        let wanted = format!("--{name}");
        if name.is_empty() || self.0.iter().any(|known| known.name == wanted) {
            return self.exact(&wanted);
        }
        let fitting = || self.0.iter().filter(|known| known.name.starts_with(&wanted));
        if let Some(known) = fitting().find(|known| known.changes) {
            return Err(Odd::Changes(known.name.clone()));
        }
        fitting().next().filter(|_| fitting().count() == 1).ok_or(Odd::Unknown(wanted))
    }

    fn exact(&self, name: &str) -> Result<&Known, Odd> {
        match self.0.iter().find(|known| known.name == name) {
            Some(known) if known.changes => Err(Odd::Changes(known.name.clone())),
            Some(known) => Ok(known),
            None => Err(Odd::Unknown(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SORT: &str = "-nru -k: -s:: --key= --check? --reverse ! -o: --output=";

    fn changes(option: &str) -> Result<Parsed<'static>, Odd> {
        Err(Odd::Changes(option.into()))
    }

    #[test]
    fn an_option_is_found_however_it_is_written() {
        let parse = |words: &[&'static str]| Spec::new(SORT).parse(words);
        for words in [&["-nro", "f"][..], &["-of"], &["x", "-o", "f"], &["-k2", "-uof"], &["-s1", "-o"]] {
            assert_eq!(parse(words), changes("-o"), "{words:?}");
        }
        for words in [&["--output=f"][..], &["--output", "f"], &["--out", "f"], &["--o=f"], &["x", "--outp=f"]] {
            assert_eq!(parse(words), changes("--output"), "{words:?}");
        }
    }

    #[test]
    fn an_argument_is_not_taken_for_an_option() {
        let parse = |words: &[&'static str]| Spec::new(SORT).parse(words).unwrap();
        assert_eq!(parse(&["-k", "-o", "f"]).operands, ["f"]);
        assert_eq!(parse(&["-nk-o", "f"]).operands, ["f"]);
        assert_eq!(parse(&["--key", "--output=f"]).options, [("--key".to_owned(), Some("--output=f"))]);
        assert_eq!(parse(&["-n", "--", "-o", "f"]).operands, ["-o", "f"]);
        assert_eq!(parse(&["-"]).operands, ["-"]);
        assert_eq!(parse(&["--che=quiet"]).options, [("--check".to_owned(), Some("quiet"))]);
        let first = Spec::new("+-n").parse(&["-n", "rm", "-f"]).unwrap();
        assert_eq!(first.operands, ["rm", "-f"]);
    }

    #[test]
    fn what_is_not_known_is_said() {
        for words in [&["-x"][..], &["-nx"], &["--frob"], &["-k"], &["--key"], &["--reverse=1"], &["--=x"]] {
            assert!(matches!(Spec::new(SORT).parse(words), Err(Odd::Unknown(_))), "{words:?}");
        }
    }
}
