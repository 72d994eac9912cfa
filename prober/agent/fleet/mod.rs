//! TEMPORARY: only for trying before the merge.
pub(crate) mod engine;
