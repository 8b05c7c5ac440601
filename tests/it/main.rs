//! What needs no engine: the program and its library, as users and scripts meet them.

mod api;
mod check;
mod checks;
mod cli;
#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod docker;
mod dry;
mod edges;
mod file;
mod habits;
mod history;
mod hosts;
mod http;
mod keep;
mod kinds;
mod literal;
mod load;
mod monitor;
mod next;
mod nginx;
mod notify;
mod numbers;
mod obey;
mod parallel;
mod ping;
mod plan;
mod port;
mod ports;
mod readme;
mod replay;
mod route;
mod rules;
mod runner;
mod selftest;
mod shapes;
mod slips;
mod state;
mod status;
mod systemd;
mod text;
mod time;
mod values;
#[path = "../common/web.rs"]
mod web;
