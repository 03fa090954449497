//! A child that decodes: this program again, one picture after the other, within the memory
//! that it is given for each. Whatever happens in it is no more than the end of a child.
//!
//! For each picture it is sent two numbers of eight bytes, the memory that decoding may take
//! and the length, and the bytes. It answers with one byte when it has them, before it looks at
//! any, and then with a length of four bytes and that much JSON.

use std::{
    io::{self, Read as _, Write as _},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use rustix::{
    pipe::fcntl_setpipe_size,
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child as Process, ChildStdin, ChildStdout},
};

use super::DecodeResult;
use crate::{
    subprocess::{self, Meter},
    validate::{self, DecodeLimits},
};

/// The subcommand that a child is.
pub const SUBCOMMAND: &str = "decode-pictures";
/// What the system lets everybody have of a pipe: most pictures go through in one piece.
const PIPE: usize = 1 << 20;
/// Memory beside what decoding is expected to take: small blocks, and the picture itself.
const SLACK: u64 = 16 << 20;
/// A buffer up to this size, in bytes, is kept for the next picture.
const KEPT: usize = 4 << 20;
/// What it says when it has a picture.
const TAKEN: u8 = b'.';
/// No answer is longer, in bytes.
const LONGEST_ANSWER: u32 = 1 << 20;

/// What a child says of a picture.
#[derive(Serialize, Deserialize)]
struct ChildAnswer {
    decoded: DecodeResult,
    /// Processor time of the child since it began.
    cpu: Duration,
}

/// Decodes what comes from standard input until that ends. Blocks.
///
/// # Errors
/// When the parent cannot be read from or answered.
pub fn serve(limits: &DecodeLimits) -> io::Result<()> {
    subprocess::begin();
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut picture = Vec::new();
    loop {
        let mut numbers = [[0; 8]; 2];
        match input.read_exact(numbers.as_flattened_mut()) {
            Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let [memory, length] = numbers.map(u64::from_le_bytes);
        subprocess::limit_memory(memory.saturating_add(length).saturating_add(SLACK))?;
        picture.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        input.read_exact(&mut picture)?;
        output.write_all(&[TAKEN])?;
        output.flush()?;
        let header = validate::inspect(&picture, limits);
        let decoded = header.and_then(|header| validate::decode(&picture, &header));
        let answer = serde_json::to_vec(&ChildAnswer { decoded, cpu: own_cpu() })?;
        output.write_all(&u32::try_from(answer.len()).map_err(io::Error::other)?.to_le_bytes())?;
        output.write_all(&answer)?;
        output.flush()?;
        if picture.capacity() > KEPT {
            picture = Vec::new();
        }
    }
}

/// A child as its parent has it; killed when dropped.
pub(super) struct DecoderChild {
    process: Process,
    input: ChildStdin,
    output: ChildStdout,
    /// Processor time until the picture that it has now.
    cpu: Duration,
}

impl DecoderChild {
    /// Starts one.
    pub(super) fn start(program: Option<&Path>, limits: &DecodeLimits) -> io::Result<Self> {
        let mut process = subprocess::command(program, SUBCOMMAND)
            .args(["--max-image-bytes", &limits.max_bytes.to_string()])
            .args(["--max-image-pixels", &limits.max_pixels.to_string()])
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        // With a smaller pipe it goes through in more pieces.
        let _ = fcntl_setpipe_size(&input, PIPE);
        Ok(Self { process, input, output, cpu: Duration::ZERO })
    }

    /// Hands it a picture that may take this much memory, and waits until it has it. An error
    /// says nothing about the picture.
    pub(super) async fn give(&mut self, picture: &Bytes, memory: u64) -> io::Result<()> {
        let numbers = [memory.to_le_bytes(), (picture.len() as u64).to_le_bytes()];
        self.input.write_all(numbers.as_flattened()).await?;
        self.input.write_all(picture).await?;
        self.input.flush().await?;
        match self.output.read_u8().await? {
            TAKEN => Ok(()),
            _ => Err(io::Error::other("it does not say that it has the picture")),
        }
    }

    /// Waits for what it says of the picture that it has. An error means that it is no more, by
    /// its own fault or somebody else's.
    pub(super) async fn answer(&mut self) -> io::Result<(DecodeResult, Duration)> {
        let length = self.output.read_u32_le().await?;
        if length > LONGEST_ANSWER {
            return Err(io::Error::other("an answer that is too long"));
        }
        let mut answer = vec![0; length as usize];
        self.output.read_exact(&mut answer).await?;
        let answer: ChildAnswer = serde_json::from_slice(&answer)?;
        let took = answer.cpu.saturating_sub(self.cpu);
        self.cpu = answer.cpu;
        Ok((answer.decoded, took))
    }

    /// Ends it, and waits until it is gone.
    pub(super) async fn kill(mut self) {
        if let Err(error) = self.process.kill().await {
            tracing::warn!(%error, "a child that decodes pictures cannot be ended");
        }
    }

    /// How to see what it is doing while it does.
    pub(super) fn meter(&self) -> Meter {
        Meter::of(&self.process, self.cpu)
    }
}

fn own_cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}
