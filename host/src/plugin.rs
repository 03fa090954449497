//! Runs sources in sandboxed WebAssembly. The only place that knows wasmtime.
