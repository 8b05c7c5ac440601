//! Collects facts about a program, before the walk that checks it.

use super::listed;
use super::nothing::CHANGING;
use super::program::Program;
use super::walk::{calls, chain};
use rhai::{ASTNode, Expr, Stmt};
use std::collections::BTreeSet;

/// The fields and variables that a program changes.
#[derive(Debug, Default)]
pub struct Facts {
    /// Names of all fields that it assigns. Any of them may hold a closure, and so be a method.
    pub fields: BTreeSet<String>,
    /// Variables whose value may get other fields.
    pub(super) touched: BTreeSet<String>,
    /// Its string constants. A field that is named in one may be tested for.
    pub(super) texts: BTreeSet<String>,
    /// Set if it throws values that could have any fields.
    pub(super) throws: bool,
}

/// Methods that can add fields or elements to a map or a list.
const GROWING: &[&str] = &["fill_with", "mixin", "push", "append", "insert", "set", "pad", "splice", "extend"];

/// Collects the facts of all files of a program.
pub fn facts(program: &Program) -> Facts {
    let mut facts = Facts::default();
    let asts = || program.files.iter().flat_map(|file| &file.ast);
    let functions: BTreeSet<&str> = asts().flat_map(rhai::AST::iter_functions).map(|function| function.name).collect();
    for ast in asts() {
        ast.walk(&mut |path| {
            match path.last() {
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    facts.fields.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                Some(ASTNode::Expr(Expr::StringConstant(text, _))) if text.len() < 40 => {
                    facts.texts.insert(text.to_string());
                }
                Some(ASTNode::Expr(expr @ (Expr::Dot(..) | Expr::Index(..)))) => facts.grows(expr, &functions),
                Some(ASTNode::Stmt(Stmt::Expr(expr))) => facts.grows(expr, &functions),
                Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => facts.assigns(&assignment.1.lhs),
                Some(ASTNode::Stmt(Stmt::Return(value, flags, _))) if flags.contains(rhai::ASTFlags::BREAK) => {
                    // `throw` is a `return` with this flag.
                    let known = |value: &Expr| {
                        matches!(value, Expr::StringConstant(..) | Expr::InterpolatedString(..) | Expr::Map(..))
                    };
                    facts.throws |= !value.as_ref().is_none_or(|value| known(value));
                }
                _ => {}
            }
            true
        });
    }
    facts
}

impl Facts {
    fn assigns(&mut self, to: &Expr) {
        let root = match chain(to) {
            Some((root, links)) => {
                self.fields.extend(links.iter().filter_map(|link| match link {
                    Expr::Property(property, _) => Some(property.2.to_string()),
                    Expr::StringConstant(text, _) => Some(text.to_string()),
                    _ => None,
                }));
                root
            }
            None => to,
        };
        self.touch(root);
    }

    /// Handles a method chain, in which a method may change its root.
    fn grows(&mut self, expr: &Expr, functions: &BTreeSet<&str>) {
        let Some((root, links)) = chain(expr) else { return };
        let grows = |name: &str| {
            GROWING.contains(&name)
                || (listed(CHANGING, name) && !["reverse", "sort", "sort_by", "sort_desc"].contains(&name))
                || functions.contains(name)
        };
        if calls(&links).any(|call| grows(&call.name)) {
            self.touch(root);
        }
    }

    fn touch(&mut self, root: &Expr) {
        match root {
            Expr::Variable(name, ..) => drop(self.touched.insert(name.1.to_string())),
            Expr::ThisPtr(_) => drop(self.touched.insert("this".to_owned())),
            _ => {}
        }
    }
}
