//! Everything built once and passed explicitly.
