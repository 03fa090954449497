//! The contract as wasmtime's bindings: generated, never shown outside `sandbox`.
//! What goes into a guest is borrowed, so a call copies an answer once, into the guest.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    ownership: Borrowing { duplicate_if_necessary: true },
    exports: { default: async },
});
