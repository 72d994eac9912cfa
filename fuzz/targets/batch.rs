//! See `prober_fuzz::batch`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| prober_fuzz::batch(bytes));
