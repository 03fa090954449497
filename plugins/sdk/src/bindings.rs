//! Generated from `wit/`; the rest of the crate re-exports what authors use.

wit_bindgen::generate!({
    path: "wit",
    world: "plugin",
    additional_derives: [PartialEq],
    pub_export_macro: true,
    export_macro_name: "export_bindings",
    default_bindings_module: "pixcrawler_sdk::bindings",
});
