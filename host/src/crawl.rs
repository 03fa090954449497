//! The story: a chunk from claim to checkpoint.
