//! What a walk finds between statements: lines of a shell that are expressions too, members of objects that other
//! languages have, and statements that never run.

use super::foreign;
use super::walk::{Walk, start};
use crate::run::Report;
use rhai::Expr;

impl Walk<'_> {
    /// `rm -rf /tmp/x` is an expression too: where its first word is unknown, one report takes the place of all.
    pub(super) fn shell_line(&mut self, expr: &Expr, wrong: usize) {
        let at = start(expr);
        let (line, column) = self.source.place(at);
        let begins = |report: &Report| (report.place.line, report.place.column) == (line, column);
        if !self.reports[wrong..].iter().any(begins) || matches!(expr, Expr::Variable(..)) {
            return;
        }
        let text = self.source.line(line).to_owned();
        let byte = text.char_indices().nth(column.saturating_sub(1)).map_or(0, |(byte, _)| byte);
        if let Some((message, help)) = foreign::run_test(&text, byte) {
            self.reports.truncate(wrong);
            self.report(at, message, help);
        } else if let Some(help) = foreign::run_line(&text, byte) {
            self.reports.truncate(wrong);
            self.report(at, "this is a line of a shell", help);
        }
    }

    /// `if -d /tmp {` is a condition too: where something in it is unknown, it is a test of a shell.
    pub(super) fn shell_test(&mut self, expr: &Expr, wrong: usize) {
        if self.reports.len() == wrong {
            return;
        }
        let (line, column) = self.source.place(start(expr));
        let text = self.source.line(line).to_owned();
        let byte = text.char_indices().nth(column.saturating_sub(1)).map_or(0, |(byte, _)| byte);
        if let Some((message, help)) = foreign::run_test(&text, byte) {
            self.reports.truncate(wrong);
            self.report(start(expr), message, help);
        }
    }

    /// The members of a variable that is not there: `console.log(...)`. Nothing else is wrong with them.
    pub(super) fn of_nothing(&mut self, root: &Expr, links: &[(bool, &Expr)], wrong: usize) {
        let member = |(_, link): &(bool, &'_ Expr)| match link {
            Expr::MethodCall(call, _) => Some(call.name.to_string()),
            Expr::Property(property, _) => Some(property.2.to_string()),
            Expr::StringConstant(text, _) => Some(text.to_string()),
            _ => None,
        };
        let members: Vec<String> = links.iter().filter_map(member).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        if let (Expr::Variable(name, ..), Some(report)) = (root, self.reports.get_mut(wrong))
            && let Some(help) = foreign::member(&name.1, &members)
        {
            report.help = Some(help);
        }
        for (_, link) in links {
            if let Expr::MethodCall(call, _) = link {
                call.args.iter().for_each(|arg| self.expr(arg));
            }
        }
    }
}
