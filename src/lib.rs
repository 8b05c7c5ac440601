//! moyai runs small, readable Rhai scripts that keep a Docker host in order.
//!
//! # Architecture
//!
//! The modules form layers. A module calls only modules below it:
//!
//! ```text
//! main -> cli -> engine -> api -> host -> { process, schedule, store } -> run
//!          \-> port -> process
//! ```
//!
//! | module | contents |
//! |---|---|
//! | [`cli`] | One file per subcommand. It parses the options, calls the layers below, and returns an exit code. |
//! | [`port`] | `moyai port`: translates a bash script to a Rhai script. |
//! | [`engine`] | Rhai: finds, checks and runs scripts, implements the command literals, and renders errors. |
//! | [`api`] | The functions that a script can call: one file per namespace. Their doc comments are the output of `moyai api`. |
//! | [`host`] | Docker, nginx, files, the hosts file, disk usage, HTTP, registries, routes and messages in plain Rust, without Rhai. Also what could lose data: archives of volumes, the store, the record of backups, and the replacement of a container. Lists are structs that `api` converts to maps. |
//! | [`process`] | Programs: finds, starts, pipes, traces and times them out. No other module starts a process. |
//! | [`schedule`] | Crontab lines, rules, time zones, times and durations. |
//! | [`store`] | What outlives a run: atomic replacement of files, state, the journal, history and locks. |
//! | [`run`] | [`run::Run`] with the options, the output, the clock, the locks and the recording of a run, and [`run::Error`]. |
//!
//! `cli` makes a [`run::Run`] and passes it down: there are no globals. Scripts carry it in an [`api::Context`], which
//! is the engine's default tag. So functions, modules, worker threads and literals all use the same one.
//!
//! # From a script to a process
//!
//! The way of ``cmd(`docker restart ${name}`).run()`` in a script:
//!
//! 1. `engine::load` finds the script, and `engine::program` reads it with all its imports.
//! 2. `engine::check` walks the code before anything runs. `engine::words` splits the literal into words, and refuses
//!    shell syntax. `process::reads` knows which commands are read-only.
//! 3. Rhai evaluates the literal. `engine::literal` puts each value into its place as one argument, so that no value
//!    can add an option or a command. The result is an [`api::command::Command`].
//! 4. `.run()` describes the process and calls [`process::run`].
//! 5. In a dry run, a changing command is only printed, as a line that can be pasted into a shell. A read-only command
//!    runs in a process that cannot change anything. [`run::Run::planned`] does the same for changes without a process.
//! 6. Otherwise [`process::start`] starts the program and traces it. A failure becomes a [`run::Error`] with a message
//!    and a `help`. `engine::report` adds the line of the script, and `cli::print_error` prints it.
//!
//! # Where to add something
//!
//! | to add | do this |
//! |---|---|
//! | a script function | Write it in the file of its namespace in `src/api`, with a doc comment and an example, and register it there. Put code that does not need Rhai in `src/host`. `moyai api`, the checks and the completions find it automatically. |
//! | a new namespace | Add a file in `src/api`, and register it in `src/api/mod.rs`. |
//! | a script | Add `scripts/NAME.rhai`, whose `//!` lines are its help, and `scripts/NAME.test.rhai` with its tests. It is built in automatically. Put shared code in `scripts/lib`. |
//! | a setting | Add a constant or function with a comment to `scripts/config.rhai`. If its kind is not obvious from its value, add it to the tables in `src/engine/settings.rs`. |
//! | a notification service | Add its length and a case to `scripts/lib/services.rhai`, what it answers to `scripts/lib/answer.rhai`, and a test to `tests/it/notify.rs`. Rust code is only needed for a new protocol. |
//! | a subcommand | Add a file in `src/cli` with its options and a `main`, and a variant of `Command` in `src/cli/mod.rs`. Help, manual page and completions follow. |
//! | a check of scripts | Add it to `src/engine/lints.rs` or `src/engine/slips.rs`, with an example in `tests/checks/wrong.txt`, and a correct script in `tests/checks/right.txt`. |
//! | a read-only program | Add it to the tables in `src/process/reads`. |

pub mod api;
pub mod cli;
pub mod engine;
pub mod host;
pub mod port;
pub mod process;
pub mod run;
pub mod schedule;
pub mod store;
