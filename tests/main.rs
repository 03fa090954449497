//! The test binary, driven through the front door.
