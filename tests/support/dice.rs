//! Chance that a test can repeat.

/// Numbers that look random and are the same at every run (xorshift); the seed is not 0.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number from 0 to below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
