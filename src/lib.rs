//! moyai runs small, readable Rhai scripts that keep a Docker host in order.
//!
//! # The map of the house
//!
//! | module | what lives there | may use |
//! |---|---|---|
//! | [`cli`] | one file a subcommand: parses, calls the engine, maps an error to an exit code | everything |
//! | [`engine`] | Rhai: finds, checks and runs scripts; the command literal; error reports | `api` and below |
//! | [`api`] | what a script can call: one file a namespace, the doc comments are the user's documentation | `host` and below |
//! | [`host`] | docker, nginx, hosts, http and routes as plain Rust, without Rhai | the four below |
//! | [`process`] | programs: resolve, run, pipe, time out, trace, plan; the one place where a process starts | `run` |
//! | [`schedule`] | crontab lines, rules, zones, moments and durations | `run`, `process::quote` |
//! | [`store`] | files that outlive a run: replacement that is whole or not at all, locks on things | `run` |
//! | [`run`] | [`run::Run`]: dry run, clock, trace, secrets, settings, cancellation; and [`run::Error`] | nothing of ours |
//!
//! A [`run::Run`] is made by `cli` and handed down; there are no globals. Scripts carry it in an
//! [`api::Context`], the engine's default tag, so that natives, modules, worker threads and
//! literals all see the same one.
//!
//! Every operation is a *read* or an *act*. Acts pass [`process::start`] or [`run::Run::planned`]:
//! under `--dry-run` they are printed as lines that can be pasted into a shell, and not done.

pub mod api;
pub mod cli;
pub mod engine;
pub mod host;
pub mod port;
pub mod process;
pub mod run;
pub mod schedule;
pub mod store;
