//! See `prober_fuzz::set`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| prober_fuzz::set(bytes));
