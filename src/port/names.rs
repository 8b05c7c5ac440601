//! Names of moyai's own functions.

/// Returns true if moyai has a function of this name.
pub fn is_taken(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "print", "log", "warn", "die", "exit", "defer", "sleep", "lock", "flag", "opt", "env", "secret", "glob",
        "every", "on", "alarm", "regex", "html", "now", "time", "human", "random", "which", "ask", "read", "run",
        "lines", "json", "ok", "code", "output", "stop", "start", "wait", "trim", "replace", "split", "join", "find",
        "sort", "map", "filter", "push", "pop", "remove", "contains", "len", "range", "test", "call", "format", "head",
        "tail", "field", "fields", "cut", "sub", "grep", "get", "set", "keys", "values", "max", "min", "sum", "first",
        "last", "info", "debug", "assert", "visible", "outside",
    ];
    NAMES.contains(&name)
}
