//! See `prober_fuzz::event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| prober_fuzz::event(bytes));
