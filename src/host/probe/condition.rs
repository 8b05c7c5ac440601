//! Conditions on an answer, such as `json.queue.length < 100` or `header.content-type contains json`.

use regex::Regex;
use serde_json::Value;

/// The parts of an answer that conditions test.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: i64,
    /// How long it took.
    pub seconds: f64,
    /// Days until the certificate expires.
    pub cert_days: Option<i64>,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The text.
    pub body: String,
}

/// A condition: what it is about, an operator, and a value.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    subject: Subject,
    not: bool,
    operator: Operator,
    values: Vec<Literal>,
    pattern: Option<Regex>,
}

#[derive(Clone, Debug)]
struct Subject {
    text: String,
    kind: Kind,
    len: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Status,
    Seconds,
    CertDays,
    Body,
    Header(String),
    Json(Vec<Step>),
}

#[derive(Clone, Debug)]
enum Step {
    Name(String),
    Index(i64),
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Equal,
    /// Compares numbers.
    Order(fn(&f64, &f64) -> bool),
    Contains,
    Matches,
    In,
    Exists,
}

/// The operators as they are written. A longer one comes before its prefix. The second field is true for a negation.
const OPERATORS: [(&str, bool, Operator); 14] = [
    ("==", false, Operator::Equal),
    ("!=", true, Operator::Equal),
    ("<=", false, Operator::Order(f64::le)),
    (">=", false, Operator::Order(f64::ge)),
    ("<", false, Operator::Order(f64::lt)),
    (">", false, Operator::Order(f64::gt)),
    ("not contains", true, Operator::Contains),
    ("contains", false, Operator::Contains),
    ("not matches", true, Operator::Matches),
    ("matches", false, Operator::Matches),
    ("not in", true, Operator::In),
    ("in", false, Operator::In),
    ("exists", false, Operator::Exists),
    ("is missing", true, Operator::Exists),
];

/// A value as it is written. Without quotes it is text and, if possible, a number.
#[derive(Clone, Debug)]
struct Literal {
    text: String,
    quoted: bool,
}

impl Literal {
    fn new(text: &str) -> Self {
        let text = text.trim();
        match serde_json::from_str::<Value>(text) {
            Ok(Value::String(inner)) => Self { text: inner, quoted: true },
            _ => Self { text: text.to_owned(), quoted: false },
        }
    }

    fn number(&self) -> Option<f64> {
        self.text.parse().ok().filter(|number: &f64| !self.quoted && number.is_finite())
    }

    fn equals(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => *text == self.text,
            Value::Number(number) if !self.quoted => {
                // Large integers are exact as integers, but not as fractions.
                let exact = || Some(self.text.parse::<i64>().ok()? == number.as_i64()?);
                exact().unwrap_or_else(|| self.number().is_some_and(|own| number.as_f64() == Some(own)))
            }
            value => !self.quoted && serde_json::from_str::<Value>(&self.text).is_ok_and(|own| own == *value),
        }
    }
}

impl Condition {
    /// Parses a condition.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write.
    pub fn new(text: &str) -> Result<Self, String> {
        let failed = |why: String| format!("the condition `{text}`: {why}");
        if let Some(better) = from_gatus(text) {
            return Err(failed(format!("write `{better}`")));
        }
        let (subject, rest) = subject(text.trim()).map_err(failed)?;
        let rest = rest.trim();
        let found = OPERATORS.iter().find_map(|(name, not, operator)| {
            let value = rest.strip_prefix(name)?;
            let word = name.ends_with(|char: char| char.is_ascii_alphabetic());
            (!word || value.is_empty() || value.starts_with([' ', '[', '"'])).then_some((*not, *operator, value.trim()))
        });
        let (not, operator, value) = found.ok_or_else(|| {
            let names = OPERATORS.map(|(name, ..)| name).join(", ");
            failed(format!("there is no operator after `{}`; there are {names}", subject.text))
        })?;
        if matches!(operator, Operator::Exists) != value.is_empty() {
            let why =
                if value.is_empty() { "there is no value after the operator" } else { "nothing follows `exists`" };
            return Err(failed(why.into()));
        }
        let values = match operator {
            Operator::In => {
                let inner = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
                let inner = inner.ok_or_else(|| failed("after `in` comes a list such as `[200, 401]`".into()))?;
                match serde_json::from_str::<Vec<Value>>(value) {
                    Ok(values) => values.iter().map(|value| Literal::new(&value.to_string())).collect(),
                    Err(_) => inner.split(',').map(Literal::new).collect(),
                }
            }
            _ => vec![Literal::new(value)],
        };
        if matches!(operator, Operator::Order(_)) && values[0].number().is_none() {
            return Err(failed(format!("`{}` is not a number", values[0].text)));
        }
        let pattern = match operator {
            Operator::Matches => {
                let pattern = Regex::new(&values[0].text);
                Some(pattern.map_err(|_| failed(format!("`{}` is not a regular expression", values[0].text)))?)
            }
            _ => None,
        };
        Ok(Self { text: text.trim().to_owned(), subject, not, operator, values, pattern })
    }

    /// Returns whether it needs the body as JSON.
    pub fn needs_json(&self) -> bool {
        matches!(self.subject.kind, Kind::Json(_))
    }

    /// Returns why the condition is false, or `None`. `json` is the parsed body.
    pub fn failure(&self, answer: &Answer, json: Option<&Value>) -> Option<String> {
        let failed = |why: String| Some(format!("the condition `{}` failed: {why}", self.text));
        if self.needs_json() && json.is_none() {
            return failed("the body is not JSON".into());
        }
        let Some(value) = self.value(answer, json) else {
            let is_meant = self.not && matches!(self.operator, Operator::Exists);
            return if is_meant { None } else { failed(format!("{} is missing", self.subject.text)) };
        };
        let first = self.values.first()?;
        let holds = match self.operator {
            Operator::Exists => true,
            Operator::Equal => first.equals(&value),
            Operator::In => self.values.iter().any(|literal| literal.equals(&value)),
            Operator::Contains => match &value {
                Value::String(text) => text.contains(&first.text),
                Value::Array(list) => list.iter().any(|one| first.equals(one)),
                Value::Object(map) => map.contains_key(&first.text),
                other => other.to_string().contains(&first.text),
            },
            Operator::Matches => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(&text))
            }
            Operator::Order(holds) => {
                let own = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
                let (Some(own), Some(limit)) = (own, first.number()) else {
                    return failed(format!("{} is {}, which is not a number", self.subject.text, shown(&value)));
                };
                holds(&own, &limit)
            }
        };
        if holds == self.not { failed(format!("{} is {}", self.subject.text, shown(&value))) } else { None }
    }

    fn value(&self, answer: &Answer, json: Option<&Value>) -> Option<Value> {
        let value = match &self.subject.kind {
            Kind::Status => Value::from(answer.status),
            Kind::Seconds => Value::from(answer.seconds),
            Kind::CertDays => Value::from(answer.cert_days?),
            Kind::Body => Value::from(answer.body.as_str()),
            Kind::Header(name) => {
                answer.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())?.into()
            }
            Kind::Json(path) => path.iter().try_fold(json?, part)?.clone(),
        };
        if !self.subject.len {
            return Some(value);
        }
        Some(Value::from(match value {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            Value::String(text) => text.chars().count(),
            _ => return None,
        }))
    }
}

/// Returns a part of a value.
fn part<'a>(value: &'a Value, step: &Step) -> Option<&'a Value> {
    match (step, value) {
        (Step::Name(name), Value::Object(map)) => map.get(name),
        (Step::Index(index), Value::Array(list)) => {
            let length = i64::try_from(list.len()).ok()?;
            let at = if *index < 0 { length + index } else { *index };
            list.get(usize::try_from(at).ok()?)
        }
        _ => None,
    }
}

/// Returns the first condition that is false, as a sentence.
pub fn failure(conditions: &[Condition], answer: &Answer) -> Option<String> {
    let json = conditions.iter().any(Condition::needs_json).then(|| serde_json::from_str(&answer.body).ok()).flatten();
    conditions.iter().find_map(|condition| condition.failure(answer, json.as_ref()))
}

/// Returns a value on one line, at most 60 characters.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Parses the subject of a condition, and returns the rest of the text.
fn subject(text: &str) -> Result<(Subject, &str), String> {
    let whole = |rest: &str| text[..text.len() - rest.len()].trim().to_owned();
    if let Some(inner) = text.strip_prefix("len(") {
        let (subject, rest) = subject(inner)?;
        let rest = rest.trim_start().strip_prefix(')').ok_or("`len(` has no `)`")?;
        return Ok((Subject { text: whole(rest), kind: subject.kind, len: true }, rest));
    }
    let end = text.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).unwrap_or(text.len());
    let (word, mut rest) = text.split_at(end);
    let kind = match word {
        "status" => Kind::Status,
        "seconds" => Kind::Seconds,
        "cert_days" => Kind::CertDays,
        "body" => Kind::Body,
        "header" => {
            let name = rest.strip_prefix('.').unwrap_or_default();
            let end = name.find(|char: char| char.is_whitespace() || "()<>=!".contains(char)).unwrap_or(name.len());
            if end == 0 {
                return Err("a header has a name: `header.content-type`".into());
            }
            rest = &name[end..];
            Kind::Header(name[..end].to_ascii_lowercase())
        }
        "json" => {
            let mut path = Vec::new();
            loop {
                if let Some(name) = rest.strip_prefix('.') {
                    let end = name.find(|char: char| char.is_whitespace() || ".[]()<>=!".contains(char));
                    let end = end.unwrap_or(name.len());
                    if end == 0 {
                        return Err(format!("`{}` has a dot without a name", whole(rest)));
                    }
                    path.push(Step::Name(name[..end].to_owned()));
                    rest = &name[end..];
                } else if let Some(inner) = rest.strip_prefix('[') {
                    let mut values = serde_json::Deserializer::from_str(inner).into_iter::<Value>();
                    let step = match values.next() {
                        Some(Ok(Value::String(name))) => Some(Step::Name(name)),
                        Some(Ok(number)) => number.as_i64().map(Step::Index),
                        _ => None,
                    };
                    let after =
                        inner.get(values.byte_offset()..).and_then(|after| after.trim_start().strip_prefix(']'));
                    let (Some(step), Some(after)) = (step, after) else {
                        return Err("in `[ ]` is a number, or a name in quotes".into());
                    };
                    path.push(step);
                    rest = after;
                } else {
                    break;
                }
            }
            Kind::Json(path)
        }
        _ => {
            let odd = if word.is_empty() { text.split(' ').next().unwrap_or_default() } else { word };
            let known = "status, seconds, cert_days, body, header.NAME, json.PATH and len(json.PATH)";
            return Err(format!("it is about `{odd}`, which does not exist; there are {known}"));
        }
    };
    if matches!(kind, Kind::Status | Kind::Seconds | Kind::CertDays | Kind::Body) && rest.starts_with(['.', '[']) {
        return Err(format!("`{word}` has no parts; a value in the body is `json.NAME`"));
    }
    Ok((Subject { text: whole(rest), kind, len: false }, rest))
}

/// Translates a condition of gatus, with `[BODY]` and the like.
fn from_gatus(text: &str) -> Option<String> {
    let text = text.trim();
    let begun = text.starts_with("len([") || text.starts_with("has([") || text.starts_with('[');
    if !begun {
        return None;
    }
    let mut better = text.replace("[STATUS]", "status").replace("[CERTIFICATE_EXPIRATION]", "cert_days");
    better = better.replace("[RESPONSE_TIME]", "seconds").replace("[BODY].", "json.").replace("[BODY][", "json[");
    better = better.replace("[BODY]", "body");
    if let Some(inner) = better.strip_prefix("has(").and_then(|rest| rest.split_once(')')) {
        better = format!("{} {}", inner.0, if inner.1.ends_with("false") { "is missing" } else { "exists" });
    }
    if let Some((subject, pattern)) = better.split_once(" == pat(") {
        better = format!("{subject} contains {}", pattern.trim_end_matches(')').trim_matches('*'));
    }
    if let Some((subject, list)) = better.split_once(" == any(") {
        better = format!("{subject} in [{}]", list.trim_end_matches(')'));
    }
    let hours = |text: &str| text.strip_suffix('h').and_then(|hours| hours.parse::<f64>().ok());
    let mut words: Vec<String> = better.split(' ').map(str::to_owned).collect();
    if let [subject, _, limit] = words.as_mut_slice() {
        if let (true, Ok(milliseconds)) = (subject == "seconds", limit.parse::<f64>()) {
            *limit = (milliseconds / 1000.0).to_string();
        }
        if let (true, Some(hours)) = (subject == "cert_days", hours(limit)) {
            *limit = (hours / 24.0).to_string();
        }
    }
    let better = words.join(" ");
    Condition::new(&better).is_ok().then_some(better).or_else(|| Some("status == 200".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(condition: &str) -> String {
        let answer = Answer {
            status: 200,
            seconds: 0.25,
            cert_days: Some(30),
            headers: vec![("content-type".into(), "application/json".into()), ("x-queue".into(), "12".into())],
            body: r#"{"status":"UP","ok":true,"n":3,"id":9007199254740993,"v":"2","none":null,"list":[{"a":1},{"a":2}],"a b":{"c.d":"e"},"tags":["x","y"]}"#.into(),
        };
        match Condition::new(condition) {
            Ok(condition) => failure(&[condition], &answer).unwrap_or_default(),
            Err(error) => format!("ERROR {error}"),
        }
    }

    #[test]
    fn conditions_hold_or_say_what_is_there_instead() {
        for holds in [
            "status == 200",
            "status in [200, 401]",
            "status not in [500]",
            "status < 400",
            "seconds <= 0.25",
            "cert_days >= 14",
            "body contains UP",
            "body not contains DOWN",
            "header.Content-Type == application/json",
            "header.content-type contains json",
            "header.content-type matches ^application/",
            "header.x-queue < 100",
            "header.x-none is missing",
            "json.status == UP",
            "json.status == \"UP\"",
            "json.status != DOWN",
            "json.status in [UP, \"DEGRADED\"]",
            "json.ok == true",
            "json.n == 3",
            "json.n == 3.0",
            "json.id == 9007199254740993",
            "json.v == 2",
            "json.v == \"2\"",
            "json.none == null",
            "json.none exists",
            "json.gone is missing",
            "json.list[0].a == 1",
            "json.list[-1].a == 2",
            "json[\"a b\"][\"c.d\"] == e",
            "len(json.list) >= 2",
            "len(json) == 9",
            "len(body) > 10",
            "json.tags contains x",
            "json.tags not contains z",
            "json contains ok",
        ] {
            assert_eq!(said(holds), "", "{holds}");
        }
        for (fails, why) in [
            ("status == 500", "the condition `status == 500` failed: status is 200"),
            ("json.status == DOWN", "the condition `json.status == DOWN` failed: json.status is \"UP\""),
            ("json.n == \"3\"", "the condition `json.n == \"3\"` failed: json.n is 3"),
            (
                "json.id == 9007199254740992",
                "the condition `json.id == 9007199254740992` failed: json.id is 9007199254740993",
            ),
            ("json.gone != 1", "the condition `json.gone != 1` failed: json.gone is missing"),
            ("json.ok is missing", "the condition `json.ok is missing` failed: json.ok is true"),
            ("json.list[7].a == 1", "the condition `json.list[7].a == 1` failed: json.list[7].a is missing"),
            ("json.status < 3", "the condition `json.status < 3` failed: json.status is \"UP\", which is not a number"),
            ("len(json.n) == 1", "the condition `len(json.n) == 1` failed: len(json.n) is missing"),
        ] {
            assert_eq!(said(fails), why);
        }
        let html = Answer { body: "<html>".into(), ..Answer::default() };
        let condition = Condition::new("json.status == UP").unwrap();
        let why = failure(&[condition], &html).unwrap();
        assert_eq!(why, "the condition `json.status == UP` failed: the body is not JSON");
    }

    #[test]
    fn a_condition_that_cannot_be_read_says_what_to_write() {
        for (bad, why) in [
            ("", "it is about ``, which does not exist"),
            ("statsu == 200", "it is about `statsu`, which does not exist; there are status, seconds"),
            ("json.x", "there is no operator after `json.x`; there are ==, !="),
            ("json.x = 3", "there is no operator after `json.x`"),
            ("json.x ==", "there is no value after the operator"),
            ("json.x exists 3", "nothing follows `exists`"),
            ("json..x == 3", "has a dot without a name"),
            ("json[x] == 3", "in `[ ]` is a number, or a name in quotes"),
            ("json.x < many", "`many` is not a number"),
            ("json.x matches (", "`(` is not a regular expression"),
            ("json.x in 3", "after `in` comes a list"),
            ("len(json.x == 3", "`len(` has no `)`"),
            ("header == x", "a header has a name"),
            ("body.status == UP", "`body` has no parts; a value in the body is `json.NAME`"),
            ("[STATUS] == 200", "write `status == 200`"),
            ("[BODY].status == UP", "write `json.status == UP`"),
            ("[BODY] == pat(*ok*)", "write `body contains ok`"),
            ("[STATUS] == any(200, 429)", "write `status in [200, 429]`"),
            ("[RESPONSE_TIME] < 500", "write `seconds < 0.5`"),
            ("[CERTIFICATE_EXPIRATION] > 48h", "write `cert_days > 2`"),
            ("len([BODY].data) < 5", "write `len(json.data) < 5`"),
            ("has([BODY].errors) == false", "write `json.errors is missing`"),
        ] {
            let said = said(bad);
            assert!(said.starts_with("ERROR") && said.contains(why), "{bad}: {said}");
        }
    }
}
