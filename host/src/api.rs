//! The only place that knows poem.
