//! Random numbers and texts, from the kernel.

use crate::run::{Error, Result, Run};
use ring::rand::{SecureRandom, SystemRandom};

/// Fills bytes with random numbers that nobody can guess.
///
/// # Errors
/// When the kernel gives none.
pub fn fill(bytes: &mut [u8]) -> std::io::Result<()> {
    SystemRandom::new().fill(bytes).map_err(|_| std::io::Error::other("the kernel gives no random numbers"))
}

/// Returns a uniform random number below a limit.
///
/// # Errors
/// When the kernel gives none.
pub fn below(limit: u64) -> Result<u64> {
    // Numbers in the last, incomplete cycle would make the small ones likelier.
    let fair = u64::MAX - u64::MAX % limit;
    loop {
        let mut bytes = [0; 8];
        fill(&mut bytes).map_err(|error| Error::new(format!("make a random number: {error}")))?;
        let number = u64::from_le_bytes(bytes);
        if number < fair {
            return Ok(number % limit);
        }
    }
}

/// Returns random letters and digits that nobody can guess.
///
/// # Errors
/// For another length than 1 to 1024.
pub fn text(run: &Run, length: i64) -> Result<String> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if !(1..=1024).contains(&length) {
        return Err(Error::new(format!("random_text: {length} characters")).help("ask for 1 to 1024"));
    }
    let made = || (0..length).map(|_| Ok(char::from(LETTERS[below(62)? as usize]))).collect::<Result<String>>();
    run.query(&format!("random_text {length}"), Some("x".repeat(length as usize)), made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_reach_both_ends_and_no_further() {
        let mut seen: Vec<u64> = (0..400).map(|_| below(6).unwrap()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    }
}
