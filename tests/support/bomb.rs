//! Components that cost the compiler more than anyone has, for the tests and for `make soak`.

use std::{fs, io, path::Path};

use sha2::{Digest as _, Sha256};

/// A component with a function of so many locals, all of which change in each of so many
/// loops within loops.
pub(crate) fn bomb(locals: usize, loops: usize) -> Vec<u8> {
    fn number(mut value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }
    let sized = |bytes: Vec<u8>| [number(bytes.len()), bytes].concat();
    let change =
        |local: usize| [vec![0x20], number(local), vec![0x41, 1, 0x6a, 0x21], number(local)].concat();
    let mut body = [vec![1], number(locals), vec![0x7f]].concat();
    for depth in 0..loops {
        body.extend([0x03, 0x40]);
        body.extend(change(depth % locals));
    }
    for depth in 0..loops {
        // Back to the beginning of the loop, if the local is not 0.
        body.extend([vec![0x20], number(depth % locals), vec![0x0d, 0, 0x0b]].concat());
    }
    body.push(0x0b);
    let code = sized([vec![1], sized(body)].concat());
    let module = [b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a".to_vec(), code].concat();
    [b"\0asm\x0d\0\x01\0\x01".to_vec(), sized(module)].concat()
}

/// Puts a component into a data folder, recorded as if somebody had agreed to it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn record(data: &Path, id: &str, wasm: &[u8]) -> io::Result<()> {
    let folder = data.join("plugins");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{id}.wasm")), wasm)?;
    let record = folder.join("plugins.toml");
    let before = fs::read_to_string(&record).unwrap_or_else(|_| "version = 1\n".to_owned());
    let entry = format!(
        "\n[plugin.{id}]\nenabled = true\n[plugin.{id}.build]\nversion = '1.0.0'\nfile = '{id}.wasm'\n\
         sha256 = '{}'\nsize = {}\ninstalled_at = '2026-01-01T00:00:00Z'\n\
         [plugin.{id}.build.granted]\nignores_robots = false\nhosts = [{{ pattern = 'site.example', kind = 'api' }}]\n",
        hex::encode(Sha256::digest(wasm)),
        wasm.len(),
    );
    fs::write(record, before + &entry)
}
