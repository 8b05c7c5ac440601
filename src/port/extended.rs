//! `[[ ]]`.

use super::conditions::{compared, joined, negated};
use super::expansions::Pattern;
use super::text::{Kind, Template, atom, quoted};
use super::{No, Port, pattern};
use brush_parser::ast::{BinaryPredicate as Two, ExtendedTestExpr as E, UnaryPredicate as One};

impl<'a> Port<'a> {
    pub(super) fn extended(&mut self, test: &E) -> Result<String, No> {
        match test {
            E::And(left, right) => Ok(joined(&self.extended(left)?, "&&", &self.extended(right)?)),
            E::Or(left, right) => Ok(joined(&self.extended(left)?, "||", &self.extended(right)?)),
            E::Not(inner) => Ok(negated(&self.extended(inner)?)),
            E::Parenthesized(inner) => Ok(format!("({})", self.extended(inner)?)),
            E::UnaryTest(One::ShellVariableIsSetAndAssigned, word) => self.is_set(&word.value),
            E::UnaryTest(operator, word) => self.quoted_unary(&operator.to_string(), &word.value),
            E::BinaryTest(operator, left, right) => self.extended_binary(operator, &left.value, &right.value),
        }
    }

    /// `[[ ]]` does not split words, so quotes do not matter.
    pub(super) fn quoted_unary(&mut self, operator: &str, raw: &str) -> Result<String, No> {
        match raw.contains(['"', '\'', '\\']) || !raw.contains('$') {
            true => self.unary(operator, raw),
            false => self.unary(operator, &format!("\"{raw}\"")),
        }
    }

    pub(super) fn is_set(&mut self, raw: &str) -> Result<String, No> {
        if let Some((name, key)) = raw.split_once('[') {
            let key = self.word(key.trim_end_matches(']'))?.string();
            let (map, kind) = self.variable(name)?;
            if kind == Kind::Map {
                return Ok(format!("{} in {map}", atom(&key)));
            }
        }
        Err(No::new("`-v`, the test whether a variable is set"))
    }

    pub(super) fn extended_binary(&mut self, operator: &Two, left: &str, right: &str) -> Result<String, No> {
        match operator {
            Two::ArithmeticEqualTo => self.numbers(left, "==", right),
            Two::ArithmeticNotEqualTo => self.numbers(left, "!=", right),
            Two::ArithmeticLessThan => self.numbers(left, "<", right),
            Two::ArithmeticLessThanOrEqualTo => self.numbers(left, "<=", right),
            Two::ArithmeticGreaterThan => self.numbers(left, ">", right),
            Two::ArithmeticGreaterThanOrEqualTo => self.numbers(left, ">=", right),
            Two::StringExactlyMatchesPattern
            | Two::StringDoesNotExactlyMatchPattern
            | Two::StringExactlyMatchesString
            | Two::StringDoesNotExactlyMatchString => {
                let not =
                    matches!(operator, Two::StringDoesNotExactlyMatchPattern | Two::StringDoesNotExactlyMatchString);
                let subject = self.word(left)?;
                let text = match self.pattern(right)? {
                    Pattern::Fixed(bare) if pattern::is_special(&bare) => pattern::matches(&subject.string(), &bare)?,
                    Pattern::Fixed(bare) => {
                        return self.equal(&subject, if not { "!=" } else { "==" }, &Template::text(bare));
                    }
                    Pattern::Text(other) => return self.equal(&subject, if not { "!=" } else { "==" }, &other),
                };
                Ok(if not { negated(&text) } else { text })
            }
            Two::StringMatchesRegex | Two::StringContainsSubstring => self.regex(left, right),
            Two::LeftSortsBeforeRight | Two::LeftSortsAfterRight => {
                let sign = if matches!(operator, Two::LeftSortsBeforeRight) { "<" } else { ">" };
                let (left, right) = (self.word(left)?.string(), self.word(right)?.string());
                self.hazard("the order of text follows the locale", "the port compares bytes, like `LC_ALL=C`");
                Ok(format!("{} {sign} {}", atom(&left), atom(&right)))
            }
            other => self.binary(left, &other.to_string(), right),
        }
    }

    /// Compares numbers, which are arithmetic within `[[ ]]`.
    fn numbers(&mut self, left: &str, sign: &str, right: &str) -> Result<String, No> {
        let left = self.calculate(left.trim_matches('"'))?;
        Ok(compared(left, sign, self.calculate(right.trim_matches('"'))?))
    }

    pub(super) fn regex(&mut self, left: &str, right: &str) -> Result<String, No> {
        let subject = atom(&self.word(left)?.string());
        // A pattern is often in a variable that is assigned once, because bash needs that for spaces.
        let regex = match fixed_regex(right) {
            Some(text) => quoted(&text),
            None => {
                let template = self.word(right)?;
                refuse_if!(right.contains('"'), "a regular expression with quoted parts");
                template.string()
            }
        };
        let fixed = fixed_regex(right);
        let plain = regex.trim_matches(['#', '"']).to_owned();
        if plain.contains("(?") || plain.contains("[[.") || plain.contains("[[=") || plain.contains("\\<") {
            return Err(No::new("a regular expression that only bash has"));
        }
        // With one group, `find` returns its text.
        let groups = plain.replace("\\(", "").matches('(').count();
        self.groups = match (groups, &fixed) {
            (1, _) => Some(format!("{subject}.find({regex})")),
            (2.., Some(text)) => Some(format!("{subject}\u{1}{text}")),
            _ => None,
        };
        // A dot matches any character, including a newline.
        let dots = fixed.is_some() && plain.replace("\\.", "").contains('.');
        let regex = match fixed {
            Some(text) if dots => quoted(&format!("(?s){text}")),
            _ => regex,
        };
        Ok(format!("{subject}.matches({regex})"))
    }
}

/// Returns the regular expression of `=~` if it contains no value. A quoted part is literal.
fn fixed_regex(raw: &str) -> Option<String> {
    if raw.contains(['$', '`']) && !raw.ends_with('$') && !raw.contains("$)") && !raw.contains("$|") {
        return None;
    }
    if raw.contains(['"', '\'']) {
        return None;
    }
    let mut out = String::new();
    let mut chars = raw.chars();
    while let Some(char) = chars.next() {
        if char == '\\' {
            match chars.next() {
                Some(' ') => out.push(' '),
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => return None,
            }
            continue;
        }
        out.push(char);
    }
    Some(out)
}
