//! Tokens of a configuration, by the rules of nginx's `ngx_conf_read_token`.

use regex::Regex;
use std::sync::LazyLock;

/// A token.
#[derive(Debug, PartialEq)]
pub enum Token {
    /// A name or a parameter, without its quotes.
    Word(String),
    /// `{`
    Open,
    /// `}`
    Close,
    /// `;`
    End,
}

/// The tokens of a text.
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// The current line, from 1.
    pub line: usize,
}

/// The tokens of lua-nginx-module's lexer in Lua code. The first match at each place counts (its `util/gen-lexer-c`). A
/// string ends on its line, or it is not a string.
static LUA: LazyLock<Regex> = LazyLock::new(|| {
    let parts = [
        r"\{",
        r"\}",
        r"(?<open>(?:--)?\[(?<level>=*)\[)",
        r"\]=*\]",
        r"--[^\n]*",
        r#""(?:\\[^\n]|[^"\n\\])*""#,
        r"'(?:\\[^\n]|[^'\n\\])*'",
    ];
    Regex::new(&parts.join("|")).expect("a regular expression of ours")
});

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Tokens<'a> {
    /// Starts at the first line.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips some bytes and counts their lines.
    fn pass(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.text.len());
        self.line += self.text.as_bytes()[self.at..end].iter().filter(|byte| **byte == b'\n').count();
        self.at = end;
    }

    /// Returns the next token and its line.
    pub fn token(&mut self) -> Option<(Token, usize)> {
        loop {
            match self.peek()? {
                byte if is_space(byte) => self.pass(1),
                b'#' => {
                    let rest = &self.text[self.at..];
                    self.pass(rest.find('\n').map_or(rest.len(), |end| end + 1));
                }
                _ => break,
            }
        }
        let line = self.line;
        let token = match self.peek()? {
            b'{' => Token::Open,
            b'}' => Token::Close,
            b';' => Token::End,
            quote @ (b'"' | b'\'') => {
                self.pass(1);
                return Some((Token::Word(self.word(Some(quote))), line));
            }
            _ => return Some((Token::Word(self.word(None)), line)),
        };
        self.pass(1);
        Some((token, line))
    }

    /// Returns the rest of a word, up to its closing quote or to the end of a bare word.
    fn word(&mut self, quote: Option<u8>) -> String {
        let start = self.at;
        let mut variable = false;
        while let Some(byte) = self.peek() {
            // `${` belongs to the word.
            if byte == b'{' && variable {
                self.pass(1);
                continue;
            }
            variable = byte == b'$';
            if byte == b'\\' {
                self.pass(2);
            } else if quote == Some(byte) {
                let word = unescaped(&self.text[start..self.at]);
                self.pass(1);
                return word;
            } else if quote.is_none() && (is_space(byte) || byte == b';' || byte == b'{') {
                return unescaped(&self.text[start..self.at]);
            } else {
                self.pass(1);
            }
        }
        unescaped(&self.text[start..])
    }

    /// Skips a block of Lua. In its strings, comments and long brackets, braces have no meaning.
    pub fn skip_lua(&mut self) {
        let mut depth = 1;
        while depth > 0 {
            let rest = &self.text[self.at..];
            let Some(found) = LUA.captures(rest) else { return self.pass(rest.len()) };
            match &found[0] {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            let end = found.get(0).map_or(rest.len(), |all| all.end());
            let close = found.name("level").map_or_else(String::new, |level| format!("]{}]", level.as_str()));
            self.pass(rest[end..].find(&close).map_or(rest.len(), |at| end + at + close.len()));
        }
    }
}

/// Returns a word without its backslashes.
fn unescaped(raw: &str) -> String {
    let mut word = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            word.push(char);
            continue;
        }
        match chars.next() {
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(char @ ('"' | '\'' | '\\')) => word.push(char),
            other => word.extend(['\\'].into_iter().chain(other)),
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let mut tokens = Tokens::new(text);
        let mut all = Vec::new();
        while let Some((token, _)) = tokens.token() {
            all.push(match token {
                Token::Word(word) => format!("<{word}>"),
                Token::Open => "{".into(),
                Token::Close => "}".into(),
                Token::End => ";".into(),
            });
        }
        all.join("")
    }

    #[test]
    fn words_are_those_of_nginx() {
        for (text, expected) in [
            (r#"a "b c" 'd"' e\;f g"h;"#, r#"<a><b c><d"><e\;f><g"h>;"#),
            ("a ${x}y $z {", "<a><${x}y><$z>{"),
            ("a $x{b;", "<a><$x>{<b>;"),
            ("a x${{y;", "<a><x${{y>;"),
            (r"a \${x;", r"<a><\$>{<x>;"),
            ("a}b ;}", "<a}b>;}"),
            ("a#b # c;\n;", "<a#b>;"),
            ("if ($x = \"a\") {", "<if><($x><=><a><)>{"),
            (r#"a "b\n\t\x\\";"#, "<a><b\n\t\\x\\>;"),
            ("a \"b\"c;", "<a><b><c>;"),
            ("a\u{c}b;", "<a\u{c}b>;"),
            ("a 'b", "<a><b>"),
            ("é \\é;", "<é><\\é>;"),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    /// Each of these is followed by `} after`, which must be found.
    #[test]
    fn lua_ends_where_its_own_module_ends_it() {
        for lua in [
            "x = {1, {2}}",
            "s = '}' t = \"{\\\"}\" u = '\\'}'",
            "-- } it's\n",
            "--[[ } ' \" \n { ]] x",
            "--[==[ } ]] ]=] { ]==] x",
            "s = [[ } ' ]] t = [=[ ]] } ]=]",
            "a[b[1]] = c[d] -- [[ }\n",
            "--[ [ }\n",
            "don't = 1",
            "s = 'open\n",
            "x = y--[[ } ]]z",
        ] {
            let text = format!("{lua}}} after;");
            let mut tokens = Tokens::new(&text);
            tokens.skip_lua();
            assert_eq!(tokens.token().map(|(token, _)| token), Some(Token::Word("after".into())), "{lua}");
            assert_eq!(tokens.line, 1 + lua.matches('\n').count(), "{lua}");
        }
        for lua in ["[[ }", "x = {", "--[=[ ]] }"] {
            let mut tokens = Tokens::new(lua);
            tokens.skip_lua();
            assert!(tokens.token().is_none(), "{lua}");
        }
    }
}
