#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| merganser_fuzz::question(data));
