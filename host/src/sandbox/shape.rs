//! What a component is made of, looked at before it is compiled: what no compiler of a source
//! makes costs the host's compiler time and memory out of all proportion.

use wasmparser::{BinaryReaderError, FunctionBody, Operator, Parser, Payload};

/// Functions of all modules together.
const MAX_FUNCTIONS: u64 = 100_000;
/// Local variables of one function.
const MAX_LOCALS: u64 = 5_000;
/// Blocks within blocks of one function.
const MAX_DEPTH: u64 = 2_000;
/// Locals of one function times its blocks and branches: each may have to pass on each local.
const MAX_PASSED: u64 = 10_000_000;

/// The most of each; locals, depth and what is passed on are of one function.
#[derive(Debug, Default)]
struct ComponentShape {
    functions: u64,
    locals: u64,
    depth: u64,
    passed: u64,
}

/// Refuses what passes a limit.
///
/// # Errors
/// Which one, and by how much.
pub(super) fn check(wasm: &[u8]) -> Result<(), String> {
    let shape = ComponentShape::of(wasm).map_err(|error| error.to_string())?;
    for (what, found, limit) in [
        ("functions", shape.functions, MAX_FUNCTIONS),
        ("locals in one function", shape.locals, MAX_LOCALS),
        ("blocks within blocks", shape.depth, MAX_DEPTH),
        ("locals times blocks and branches in one function", shape.passed, MAX_PASSED),
    ] {
        if found > limit {
            return Err(format!("too many {what}: {found}, at most {limit} are allowed"));
        }
    }
    Ok(())
}

impl ComponentShape {
    fn of(wasm: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut shape = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            if let Payload::CodeSectionEntry(body) = payload? {
                shape.add(&body)?;
            }
        }
        Ok(shape)
    }

    fn add(&mut self, body: &FunctionBody<'_>) -> Result<(), BinaryReaderError> {
        let (mut locals, mut depth, mut blocks) = (0_u64, 0_u64, 0_u64);
        for declared in body.get_locals_reader()? {
            locals += u64::from(declared?.0);
        }
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::TryTable { .. } => {
                    (depth, blocks) = (depth + 1, blocks + 1);
                    self.depth = self.depth.max(depth);
                }
                Operator::Br { .. } | Operator::BrIf { .. } => blocks += 1,
                Operator::BrTable { targets } => blocks += u64::from(targets.len()),
                Operator::End => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        self.functions += 1;
        self.locals = self.locals.max(locals);
        self.passed = self.passed.max(locals.saturating_mul(blocks));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The largest that there is: an interpreter with its library, and what was not optimised.
    #[test]
    fn what_compilers_make_passes_with_room() {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        for built in [
            "examples/openverse-python/dist/openverse.wasm",
            "examples/openverse-js/dist/openverse.wasm",
            "guests/debug/trap.wasm",
        ] {
            let file = target.join(built);
            let wasm = fs::read(&file).unwrap_or_else(|error| {
                panic!("{}: {error}; run `make examples guests` first", file.display())
            });
            let ComponentShape { functions, locals, depth, passed } = ComponentShape::of(&wasm).unwrap();
            let room = [functions * 2, locals * 2, depth * 2, passed * 2];
            let limits = [MAX_FUNCTIONS, MAX_LOCALS, MAX_DEPTH, MAX_PASSED];
            assert!(room.iter().zip(limits).all(|(room, limit)| *room <= limit), "{built}: {room:?}");
        }
    }
}
