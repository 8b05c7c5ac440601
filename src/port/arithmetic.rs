//! Translates bash arithmetic to Rhai.

use super::text::atom;
use super::walk::is_name;
use super::{No, Port};
use brush_parser::arithmetic;
use brush_parser::ast::{
    ArithmeticExpr as A, ArithmeticTarget as Target, BinaryOperator as B, UnaryAssignmentOperator, UnaryOperator as U,
};

/// A result of arithmetic: a number, or a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(String),
    /// True or false.
    Truth(String),
}

impl Value {
    /// Returns the value as a number: 1 or 0 for a comparison, as in bash.
    pub fn number(self) -> String {
        match self {
            Self::Number(text) => text,
            Self::Truth(text) => format!("if {text} {{ 1 }} else {{ 0 }}"),
        }
    }

    /// Returns the value as a condition: not 0.
    pub fn truth(self) -> String {
        match self {
            Self::Truth(text) => text,
            Self::Number(text) => format!("{} != 0", side(&text)),
        }
    }
}

/// Replaces expansions by names, so that the expression can be parsed. The second result is the expansions.
fn plain(text: &str) -> Result<(String, Vec<String>), No> {
    replaced(text).ok_or_else(|| No::new(format!("the arithmetic `{}` is built from text", text.trim())))
}

fn replaced(text: &str) -> Option<(String, Vec<String>)> {
    let mut out = String::new();
    let mut held = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '"' => at += 1,
            '$' if chars.get(at + 1).is_some_and(|c| c.is_ascii_alphabetic() || *c == '_') => at += 1,
            '$' => {
                let next = *chars.get(at + 1)?;
                let end = match next {
                    '{' | '(' => closing(&chars, at + 1)? + 1,
                    _ => at + 2,
                };
                let raw: String = chars[at..end].iter().collect();
                let name = raw.strip_prefix("${").and_then(|raw| raw.strip_suffix('}')).filter(|name| is_name(name));
                match name {
                    Some(name) => out.push_str(name),
                    None => {
                        if out.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '#') {
                            return None;
                        }
                        out.push_str(&format!("hole__{}", held.len()));
                        held.push(raw);
                    }
                }
                at = end;
            }
            '`' | '\'' | '\\' => return None,
            char => {
                out.push(char);
                at += 1;
            }
        }
    }
    Some((out, held))
}

fn closing(chars: &[char], open: usize) -> Option<usize> {
    let (begin, end) = if chars[open] == '{' { ('{', '}') } else { ('(', ')') };
    let mut depth = 0;
    for (at, char) in chars.iter().enumerate().skip(open) {
        if *char == begin {
            depth += 1;
        } else if *char == end {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// Returns the names that an expression reads, and those that it sets.
pub fn names(text: &str) -> Option<(Vec<String>, Vec<String>)> {
    let (plain, _) = plain(text).ok()?;
    let parsed = arithmetic::parse(&plain).ok()?;
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    collect(&parsed, &mut reads, &mut writes);
    reads.retain(|name| !name.starts_with("hole__"));
    Some((reads, writes))
}

fn collect(expr: &A, reads: &mut Vec<String>, writes: &mut Vec<String>) {
    match expr {
        A::Literal(_) => {}
        A::Reference(Target::Variable(name)) => reads.push(name.clone()),
        A::Reference(Target::ArrayElement(name, index)) => {
            reads.push(name.clone());
            collect(index, reads, writes);
        }
        A::UnaryOp(_, inner) => collect(inner, reads, writes),
        A::BinaryOp(_, left, right) => {
            collect(left, reads, writes);
            collect(right, reads, writes);
        }
        A::Conditional(test, left, right) => [test, left, right].iter().for_each(|part| collect(part, reads, writes)),
        A::Assignment(target, value) | A::BinaryAssignment(_, target, value) => {
            collect(value, reads, writes);
            if matches!(expr, A::BinaryAssignment(..)) {
                reads.push(name_of(target).to_owned());
            }
            set(target, reads, writes);
        }
        A::UnaryAssignment(_, target) => {
            reads.push(name_of(target).to_owned());
            set(target, reads, writes);
        }
    }
}

fn set(target: &Target, reads: &mut Vec<String>, writes: &mut Vec<String>) {
    match target {
        Target::Variable(name) => writes.push(name.clone()),
        // An array remains an array.
        Target::ArrayElement(name, index) => {
            reads.push(name.clone());
            collect(index, reads, writes);
        }
    }
}

fn name_of(target: &Target) -> &str {
    match target {
        Target::Variable(name) | Target::ArrayElement(name, _) => name,
    }
}

/// Translates an expression that changes nothing.
///
/// # Errors
/// If it assigns, or uses what Rhai does not have.
pub fn value(port: &mut Port<'_>, text: &str) -> Result<Value, No> {
    let (plain, held) = plain(text)?;
    let octal = |word: &str| word.len() > 1 && word.starts_with('0') && word.chars().all(|c| c.is_ascii_digit());
    let mut words = plain.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '#');
    refuse_if!(words.any(octal), "a number with a leading zero is octal");
    render(port, &parsed(&plain, text)?, &held)
}

fn parsed(plain: &str, text: &str) -> Result<A, No> {
    arithmetic::parse(plain).map_err(|_| No::new(format!("the arithmetic `{}`", text.trim())))
}

/// An assignment of arithmetic: the name, the operator of `+=`, and the value.
pub type Assignment = (String, Option<&'static str>, String);

/// Translates a statement of arithmetic: `((i++))`, `((n += 2))`, `i = 0, j = 1`.
///
/// # Errors
/// If an assignment is inside an expression.
pub fn statements(port: &mut Port<'_>, text: &str) -> Result<Vec<Assignment>, No> {
    let (plain, held) = plain(text)?;
    statement(port, &parsed(&plain, text)?, &held)
}

fn statement(port: &mut Port<'_>, expr: &A, held: &[String]) -> Result<Vec<Assignment>, No> {
    use UnaryAssignmentOperator::{PostfixIncrement, PrefixIncrement};
    let refuse = || No::new("arithmetic whose result is a status");
    let (target, operator, text) = match expr {
        A::BinaryOp(B::Comma, left, right) => {
            let first = statement(port, left, held)?;
            return Ok([first, statement(port, right, held)?].concat());
        }
        A::UnaryAssignment(operator, target) => {
            let plus = matches!(operator, PrefixIncrement | PostfixIncrement);
            (target, Some(if plus { "+" } else { "-" }), "1".to_owned())
        }
        A::BinaryAssignment(operator, target, value) => {
            let operator = symbol(*operator).ok_or_else(refuse)?;
            (target, Some(operator), render(port, value, held)?.number())
        }
        A::Assignment(target, value) => (target, None, render(port, value, held)?.number()),
        _ => return Err(refuse()),
    };
    match target {
        Target::Variable(name) if !name.starts_with("hole__") => Ok(vec![(name.clone(), operator, text)]),
        _ => Err(No::new("arithmetic on an element of an array")),
    }
}

fn symbol(operator: B) -> Option<&'static str> {
    Some(match operator {
        B::Power => "**",
        B::Multiply => "*",
        B::Divide => "/",
        B::Modulo => "%",
        B::Add => "+",
        B::Subtract => "-",
        B::ShiftLeft => "<<",
        B::ShiftRight => ">>",
        B::LessThan => "<",
        B::LessThanOrEqualTo => "<=",
        B::GreaterThan => ">",
        B::GreaterThanOrEqualTo => ">=",
        B::Equals => "==",
        B::NotEquals => "!=",
        B::BitwiseAnd => "&",
        B::BitwiseXor => "^",
        B::BitwiseOr => "|",
        B::LogicalAnd => "&&",
        B::LogicalOr => "||",
        B::Comma => return None,
    })
}

/// Returns the precedence of an operator that is the same in both languages. Others get parentheses.
fn strength(text: &str) -> u8 {
    let outside = |symbols: &[&str]| symbols.iter().any(|symbol| text.contains(&format!(" {symbol} ")));
    if super::text::is_atom(text) || text.parse::<i64>().is_ok() {
        9
    } else if text.contains(['&', '|', '^', '<', '>', '=', '{']) || outside(&["**"]) {
        0
    } else if outside(&["+", "-"]) {
        5
    } else {
        6
    }
}

/// Puts an operand in parentheses if needed.
fn side(text: &str) -> String {
    if strength(text) == 9 { text.to_owned() } else { format!("({text})") }
}

fn render(port: &mut Port<'_>, expr: &A, held: &[String]) -> Result<Value, No> {
    Ok(match expr {
        A::Literal(number) => Value::Number(number.to_string()),
        A::Reference(Target::Variable(name)) => {
            match name.strip_prefix("hole__").and_then(|number| number.parse::<usize>().ok()) {
                Some(number) => Value::Number(port.held_number(&held[number])?),
                None => Value::Number(port.number_of(name)?),
            }
        }
        A::Reference(Target::ArrayElement(name, index)) => {
            let index = render(port, index, held)?.number();
            Value::Number(port.element(name, &index)?)
        }
        A::UnaryOp(U::UnaryPlus, inner) => Value::Number(render(port, inner, held)?.number()),
        A::UnaryOp(U::UnaryMinus, inner) => Value::Number(format!("-{}", side(&render(port, inner, held)?.number()))),
        A::UnaryOp(U::LogicalNot, inner) => match render(port, inner, held)? {
            Value::Truth(text) => Value::Truth(format!("!{}", atom(&text))),
            Value::Number(text) => Value::Truth(format!("{} == 0", side(&text))),
        },
        A::UnaryOp(U::BitwiseNot, _) => return Err(No::new("the operator `~`")),
        A::BinaryOp(operator, left, right) => {
            let text = symbol(*operator).ok_or_else(|| No::new("the operator `,` in an expression"))?;
            let (left, right) = (render(port, left, held)?, render(port, right, held)?);
            let shifts = matches!(operator, B::ShiftLeft | B::ShiftRight);
            if shifts && !matches!(&right, Value::Number(text) if text.parse::<u8>().is_ok_and(|by| by < 64)) {
                return Err(No::new("a shift by more than 63"));
            }
            match operator {
                B::LogicalAnd | B::LogicalOr => {
                    let group = |text: String| {
                        if text.contains("||") || text.contains("&&") { format!("({text})") } else { text }
                    };
                    Value::Truth(format!("{} {text} {}", group(left.truth()), group(right.truth())))
                }
                B::LessThan
                | B::LessThanOrEqualTo
                | B::GreaterThan
                | B::GreaterThanOrEqualTo
                | B::Equals
                | B::NotEquals => {
                    let group = |text: String| if strength(&text) == 0 { format!("({text})") } else { text };
                    Value::Truth(format!("{} {text} {}", group(left.number()), group(right.number())))
                }
                B::Add | B::Subtract | B::Multiply | B::Divide | B::Modulo => {
                    let own = if matches!(operator, B::Add | B::Subtract) { 5 } else { 6 };
                    let (left, right) = (left.number(), right.number());
                    let left = if strength(&left) >= own { left } else { format!("({left})") };
                    let right = if strength(&right) > own { right } else { format!("({right})") };
                    Value::Number(format!("{left} {text} {right}"))
                }
                _ => Value::Number(format!("{} {text} {}", side(&left.number()), side(&right.number()))),
            }
        }
        A::Conditional(test, left, right) => {
            let (test, left, right) =
                (render(port, test, held)?, render(port, left, held)?, render(port, right, held)?);
            Value::Number(format!("if {} {{ {} }} else {{ {} }}", test.truth(), left.number(), right.number()))
        }
        A::Assignment(..) | A::BinaryAssignment(..) | A::UnaryAssignment(..) => {
            return Err(No::new("an assignment within arithmetic"));
        }
    })
}
