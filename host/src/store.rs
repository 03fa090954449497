//! Objects: the original bytes, in a local folder.
