//! The only place that knows the queue engine.
