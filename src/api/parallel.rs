//! Closures in parallel: bash's `xargs -P`.

use super::{Context, Fallible};
use crate::host::pool::{self, WORKERS};
use crate::run::Error;
use crate::run::bar::Step;
use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr, Map};

/// Calls the closure for each element and returns the results in the elements' order. Every element is processed, and
/// the errors are reported together, each with its element.
fn each(call: &NativeCallContext<'_>, what: &str, list: &Array, workers: i64, work: &FnPtr) -> Fallible<Array> {
    let context = Context::of(call);
    let workers = usize::try_from(workers)
        .ok()
        .filter(|workers| *workers > 0)
        .ok_or_else(|| Error::new(format!("{what} with `{workers}` workers: at least 1 is needed")))?;
    // A plan has an order.
    let workers = if context.run.dry() { 1 } else { workers };
    let bar = context.run.output.bar.draw(&list.iter().map(step).collect::<Vec<_>>());
    // Shared between threads, a captured list would be locked by one closure while another calls its methods.
    let (work, list) = (apart_closure(work), list.iter().map(apart).collect());
    let done = pool::map(&context.run, list, workers, |element| {
        let step = step(&element);
        bar.begin(&step);
        let result = apart_closure(&work).call_within_context::<Dynamic>(call, (apart(&element),));
        bar.end(&step);
        result.map_err(|error| (element, error))
    })?;

    let (count, mut results, mut errors) = (done.len(), Array::new(), Vec::new());
    for result in done {
        match result {
            Ok(value) => results.push(value),
            Err(failed) => errors.push(failed),
        }
    }
    if errors.len() <= 1 && context.ends() {
        // `exit` in the closure.
        return Err(errors.pop().map_or_else(|| Error::new("the script has ended").into(), |(_, error)| error));
    }
    if errors.is_empty() {
        return Ok(results);
    }
    let name = |element: &Dynamic| Some(step(element).name).filter(|name| !name.is_empty());
    let failures = errors.iter().map(|(element, error)| {
        format!("`{}`: {}", name(element).unwrap_or_else(|| element.to_string()), sentence(error))
    });
    let failures: Vec<String> = failures.collect();
    let mut error = Error::new(format!("{what}: {} of {count} failed: {}", errors.len(), failures.join("; ")));
    if let Some(first) = errors.iter().find_map(|(_, error)| ours(error)) {
        (error.help, error.err, error.status) = (first.help, first.err, first.status);
    }
    let kind = |error: &EvalAltResult| ours(error).map(|error| error.kind).unwrap_or_default();
    let first = kind(&errors[0].1);
    if errors.iter().all(|(_, error)| kind(error) == first) {
        error.kind = first;
    }
    Err(error.into())
}

/// Returns a copy of a value that shares nothing with it, however deep: what a closure has captured is shared.
fn apart(value: &Dynamic) -> Dynamic {
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().map(apart).collect::<Array>().into();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.iter().map(|(name, value)| (name.clone(), apart(value))).collect::<Map>().into();
    }
    if let Some(closure) = value.read_lock::<FnPtr>() {
        return apart_closure(&closure).into();
    }
    value.flatten_clone()
}

/// Returns a copy of a closure with copies of the values that it has captured.
fn apart_closure(closure: &FnPtr) -> FnPtr {
    let mut copy = closure.clone();
    copy.iter_curry_mut().for_each(|value| *value = apart(value));
    copy
}

/// Returns what the bar shows of an element: the `name` and `bytes` of a map.
fn step(element: &Dynamic) -> Step {
    let map = element.read_lock::<Map>();
    let field = |name: &str| map.as_ref().and_then(|map| map.get(name));
    let bytes = field("bytes").and_then(|bytes| bytes.as_int().ok()).and_then(|bytes| u64::try_from(bytes).ok());
    Step { name: field("name").map(ToString::to_string).unwrap_or_default(), bytes }
}

/// Returns moyai's own error, however deep it was thrown.
pub(super) fn ours(mut error: &EvalAltResult) -> Option<Error> {
    loop {
        error = match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => inner,
            EvalAltResult::ErrorRuntime(value, _) => return value.read_lock::<Error>().map(|error| error.clone()),
            _ => return None,
        };
    }
}

/// Returns the message of what a closure threw.
pub(super) fn sentence(error: &EvalAltResult) -> String {
    ours(error).map_or_else(|| error.unwrap_inner().to_string(), |error| error.message)
}

/// Parallel work for each element of an array.
#[export_module]
pub(super) mod parallel {
    /// Calls a closure for each element, up to 32 at once: bash's `xargs -P`. Every element is processed, even if
    /// others fail. On a terminal a bar shows the progress: the `name`s of the elements in work, if they are maps, and
    /// bytes if each has `bytes`. Under `--dry-run` the calls run one after the other. Each call has a copy of the
    /// variables that the closure uses. Changes to them are lost, so return the result instead.
    ///
    /// - `list`: an array.
    /// - `work`: a closure of one element.
    ///
    /// Returns an array of the closure's results, in the order of the elements.
    ///
    /// Errors: what the closure threw, each with its element, and when the run is cancelled. `e.kind` is that of the
    /// errors if all of them have the same.
    ///
    /// ```rhai
    /// let sizes = ["/etc", "/usr/bin"].par_map(|dir| $(`du -s ${dir}`).field(1));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn par_map(call: NativeCallContext, list: Array, work: FnPtr) -> Fallible<Array> {
        each(&call, "par_map", &list, WORKERS as i64, &work)
    }

    /// Calls a closure for each element, with a limit on how many run at once.
    ///
    /// - `list`: an array.
    /// - `workers`: how many at once, from 1.
    /// - `work`: a closure of one element.
    ///
    /// Returns an array of the closure's results, in the order of the elements.
    ///
    /// Errors: same as `par_map` without a number, and for a number below 1.
    ///
    /// ```rhai
    /// let doubled = [1, 2, 3].par_map(2, |n| n * 2);
    /// ```
    #[rhai_fn(name = "par_map", return_raw)]
    pub fn par_map_with(call: NativeCallContext, list: Array, workers: i64, work: FnPtr) -> Fallible<Array> {
        each(&call, "par_map", &list, workers, &work)
    }

    /// Like `par_map`, for a closure without a result.
    ///
    /// - `list`: an array.
    /// - `work`: a closure of one element.
    ///
    /// Errors: same as `par_map`.
    ///
    /// ```rhai
    /// ["a", "b"].par_each(|name| log(name));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn par_each(call: NativeCallContext, list: Array, work: FnPtr) -> Fallible<()> {
        each(&call, "par_each", &list, WORKERS as i64, &work).map(|_| ())
    }

    /// Like `par_map` with a number of workers, for a closure without a result.
    ///
    /// - `list`: an array.
    /// - `workers`: how many at once, from 1.
    /// - `work`: a closure of one element.
    ///
    /// Errors: same as `par_map`, and for a number below 1.
    ///
    /// ```rhai
    /// ["a", "b"].par_each(1, |name| log(name));
    /// ```
    #[rhai_fn(name = "par_each", return_raw)]
    pub fn par_each_with(call: NativeCallContext, list: Array, workers: i64, work: FnPtr) -> Fallible<()> {
        each(&call, "par_each", &list, workers, &work).map(|_| ())
    }
}
