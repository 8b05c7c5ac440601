//! What needs no engine: the program and its library, as users and scripts meet them.

mod api;
mod check;
mod cli;
#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod docker;
mod file;
mod habits;
mod hosts;
mod http;
mod literal;
mod load;
mod monitor;
mod next;
mod nginx;
mod notify;
mod readme;
mod rules;
mod runner;
mod state;
mod text;
mod time;
#[path = "../common/web.rs"]
mod web;
