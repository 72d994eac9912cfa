//! See `prober_fuzz::judge`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| prober_fuzz::judge(bytes));
