//! Chance with a seed: `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>), plenty for trials.

/// A sequence of numbers that looks like chance.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0.0 to less than 1.0.
    pub(super) fn share(&mut self) -> f64 {
        // 53 bits are all that the number holds.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How many times in a row something of this probability does not happen; infinite for one that never does.
    pub(super) fn until(&mut self, probability: f64) -> f64 {
        if probability >= 1.0 {
            return 0.0;
        }
        if probability <= 0.0 {
            return f64::INFINITY;
        }
        ((1.0 - self.share()).ln() / (1.0 - probability).ln()).floor()
    }
}
