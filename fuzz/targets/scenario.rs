//! See `prober_fuzz::scenario`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| prober_fuzz::scenario(bytes));
