//! Reads nginx configurations as nginx does.
//!
//! `nginx -T` prints a configuration only if every name in it resolves, so moyai cannot use it to find the names that
//! do not. This reader follows the includes itself.
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | files to a tree of directives, through `include` |
//! | [`lex`] | text to words, by the rules of `ngx_conf_read_token`; Lua blocks |
//! | [`glob`] | the patterns of `include`, by the rules of glob(3) |
//! | [`sites`] | servers, where they listen, and the upstreams they pass requests to |
//! | [`choose`] | which server answers a request |
//! | [`route`] | which location answers a request |
//! | [`rewrite`] | its rewrites and variables |
//! | [`regex`] | patterns of PCRE |
//! | [`names`] | every name that nginx resolves when it starts |
//! | [`master`] | the process: test, reload, start, and whether that is due |
//! | [`write`](mod@write) | values and places for configurations that moyai writes |

pub mod choose;
pub mod config;
pub mod glob;
pub mod lex;
pub mod master;
pub mod names;
pub mod regex;
pub mod rewrite;
pub mod route;
pub mod sites;
pub mod write;
