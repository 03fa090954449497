//! Bytes in, verdict out. Pure.
