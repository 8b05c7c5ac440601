//! Text: lines and the filters of a pipe, none of which changes its argument.

use rhai::Engine;

/// Lines that are made when they are used: a recipe, which every use starts anew.
#[derive(Clone, Debug, Default)]
pub struct Lines;

/// Adds the functions.
pub fn register(_engine: &mut Engine) {}
