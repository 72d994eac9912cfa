//! See `prober_fuzz::format`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| prober_fuzz::format(bytes));
