//! What a run prints: masked, filtered, above the progress bar, and with its end saved for the history.

use super::bar::Bar;
use super::{Cancel, Error, lock, out, text};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Printed instead of a secret.
pub(super) const HIDDEN: &str = "<secret>";
/// How much of a run's output is saved for the history.
const SAVED: usize = 16 * 1024;

/// Set for a script that another one runs while its log is shown: standard error is then a pipe to the terminal.
pub const LOG: &str = "MOYAI_LOG";

/// The output of one run and of its programs.
#[derive(Debug)]
pub struct Output {
    /// The progress of parallel work.
    pub bar: Bar,
    /// True if progress lines are printed at once.
    pub log_at_once: bool,
    pub(super) secrets: Arc<Mutex<BTreeSet<String>>>,
    /// True if output may be lost without ending the run.
    pub(super) cleaning: AtomicBool,
    lost: out::Lost,
    cancel: Arc<Cancel>,
    held: Mutex<Vec<String>>,
    tail: Mutex<Tail>,
}

impl Output {
    /// Returns an output that ends the run through `cancel` when it is lost.
    pub(super) fn new(cancel: Arc<Cancel>, verbose: bool) -> Self {
        Self {
            bar: Bar::default(),
            log_at_once: verbose || std::io::stderr().is_terminal() || std::env::var_os(LOG).is_some(),
            secrets: Arc::default(),
            cleaning: AtomicBool::new(false),
            lost: out::Lost::default(),
            cancel,
            held: Mutex::default(),
            tail: Mutex::new(Tail::new(SAVED)),
        }
    }

    /// Masks a value in everything that is printed from now on.
    pub fn hide(&self, secret: &str) {
        if !secret.is_empty() {
            let mut secrets = lock(&self.secrets);
            // The forms in which it can appear: in a command line, in JSON, in both, and in an address.
            let json = serde_json::Value::from(secret).to_string();
            for form in [secret, &json[1..json.len() - 1]] {
                secrets.insert(text::escaped(form, "\\\"$`"));
                secrets.insert(form.replace('\'', r"'\''"));
                secrets.insert(text::quote(form));
                secrets.insert(form.to_owned());
            }
            secrets
                .insert(percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string());
        }
    }

    /// Returns the text with secrets and passwords in addresses masked.
    pub fn mask(&self, text: &str) -> String {
        let secrets = lock(&self.secrets);
        let mut longest_first: Vec<&String> = secrets.iter().collect();
        longest_first.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let text = longest_first.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN));
        text::without_accounts(text)
    }

    /// Prints a line to standard output, with hidden characters as escapes. A closed or full standard output ends the
    /// run.
    pub fn print(&self, text: &str) {
        let line = format!("{}\n", text::visible(&self.mask(text)));
        self.keep(&line);
        self.put(line.as_bytes());
    }

    /// Writes a program's output to standard output unchanged. Returns false if the output is lost and the program
    /// should end.
    pub fn put(&self, bytes: &[u8]) -> bool {
        if self.lost.number().is_none()
            && let Err(error) = self.bar.above(|| out::write(bytes))
            && let Some(number) = self.lost.keep(&error)
            && !self.cleaning.load(Ordering::SeqCst)
        {
            self.cancel.close(number);
        }
        // Clean-up goes on even if nobody reads its output.
        self.lost.number().is_none() || self.cleaning.load(Ordering::SeqCst)
    }

    /// Returns why standard output is lost, if it is.
    pub fn lost_output(&self) -> Option<Error> {
        self.lost.number().map(out::error)
    }

    /// Returns whether standard output is lost. It is cheap enough to check before every step of a script.
    pub fn is_unheard(&self) -> bool {
        self.lost.number().is_some()
    }

    /// Prints complete lines to standard error, with hidden characters as escapes.
    pub fn note(&self, text: &str) {
        self.note_styled(&text::visible(text));
    }

    /// Prints complete lines to standard error unchanged: a report with moyai's own colours, whose parts have passed
    /// the filter. It is one write, so that lines stay complete between those of others.
    pub fn note_styled(&self, text: &str) {
        let lines = format!("{}\n", self.mask(text));
        self.keep(&lines);
        // Without standard error there is nobody to notify.
        let _ = self.bar.above(|| std::io::stderr().lock().write_all(lines.as_bytes()));
    }

    /// Saves the end of the output, for the history of a run that fails.
    pub fn keep(&self, text: &str) {
        lock(&self.tail).push(text.as_bytes());
    }

    /// Returns the end of the output of this run and its programs.
    pub fn tail(&self) -> String {
        String::from_utf8_lossy(lock(&self.tail).bytes()).into_owned()
    }

    /// Prints a progress line on a terminal or with `-v`; otherwise saves it for a failure.
    pub fn log(&self, text: &str) {
        if self.log_at_once {
            self.note(text);
        } else {
            lock(&self.held).push(text.to_owned());
        }
    }

    /// Returns the progress lines that were not shown, for the report of a failure.
    pub fn held(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.held))
    }
}

/// The last bytes of a stream.
#[derive(Debug)]
pub struct Tail {
    bytes: Vec<u8>,
    limit: usize,
    dropped: u64,
}

impl Tail {
    /// Keeps this many bytes.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, dropped: 0 }
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > 2 * self.limit {
            let before = self.bytes.len() - self.limit;
            self.bytes.drain(..before);
            self.dropped += before as u64;
        }
    }

    /// Returns how many bytes came before the ones that are kept.
    pub fn before(&self) -> u64 {
        self.dropped + self.bytes.len().saturating_sub(self.limit) as u64
    }

    /// Returns the end of what was pushed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(self.limit)..]
    }
}
