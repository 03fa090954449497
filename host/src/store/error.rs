//! Why objects cannot be kept or read, and whether that passes by itself.

use std::{error::Error as _, io, path::PathBuf};

use object_store::Error;

use super::bucket::{BucketAnswer, BucketSettingsError, Unanswered};

/// Why objects cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something could not be done.
    #[error("cannot {action} `{path}`{}", kind.words())]
    Failed {
        /// What was tried.
        action: &'static str,
        /// Of the object or folder.
        path: String,
        /// Whether it passes.
        kind: FailureKind,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is where the folder was is another one, or nothing.
    #[error(
        "the folder {folder} was moved or deleted while it was in use, and nothing is kept there now; put it back, or \
         start again with the folder as it is"
    )]
    Moved {
        /// Where it was.
        folder: PathBuf,
    },
    /// The range asked for begins behind the end.
    #[error("the range is outside of the object's {size} bytes")]
    Range {
        /// Of the object, in bytes.
        size: u64,
    },
    /// The bucket is not given as it must be.
    #[error(transparent)]
    Settings(#[from] BucketSettingsError),
}

/// Whether a failure of the store passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No space, or no space for this user of the machine.
    Full,
    /// Something that can pass by itself.
    Unavailable,
    /// The bucket takes no object of that size, whoever puts it.
    TooLarge,
    /// Something that must be put right first: permissions, the path, the medium, the key of the bucket.
    Lasting,
}

impl FailureKind {
    const fn words(self) -> &'static str {
        match self {
            Self::Full => ": the disk is full",
            Self::Unavailable => " for now",
            Self::TooLarge | Self::Lasting => "",
        }
    }

    const fn of(error: io::ErrorKind) -> Self {
        match error {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WriteZero => {
                Self::Full
            }
            io::ErrorKind::Interrupted
            | io::ErrorKind::TimedOut
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::OutOfMemory
            | io::ErrorKind::StaleNetworkFileHandle
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => Self::Unavailable,
            _ => Self::Lasting,
        }
    }
}

impl StoreError {
    /// Tells whether the same may succeed later without anyone changing a setting.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Failed { kind: FailureKind::Full | FailureKind::Unavailable, .. })
    }

    /// Tells whether it is about the one object, which the bucket will not take, and nothing else is wrong.
    #[must_use]
    pub const fn is_too_large(&self) -> bool {
        matches!(self, Self::Failed { kind: FailureKind::TooLarge, .. })
    }

    pub(super) fn new(action: &'static str, path: &str, error: Error) -> Self {
        let path = path.to_owned();
        // What the library says around it has whole bodies in it.
        if let Some(answer) = find::<BucketAnswer>(&error) {
            return Self::Failed { action, path, kind: answer.kind(), source: Box::new(answer.clone()) };
        }
        if let Some(unanswered) = Unanswered::of(&error) {
            return Self::Failed {
                action,
                path,
                kind: FailureKind::Unavailable,
                source: Box::new(unanswered),
            };
        }
        let kind =
            find::<io::Error>(&error).map_or(FailureKind::Lasting, |error| FailureKind::of(error.kind()));
        Self::Failed { action, path, kind, source: Box::new(error) }
    }
}

/// Finds a cause of this type, wherever it stands in the chain.
pub(super) fn find<E: std::error::Error + 'static>(error: &Error) -> Option<&E> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full disk cannot be made without rights to mount one; what the system says can.
    #[test]
    fn a_full_disk_passes() {
        let failed = |kind: io::ErrorKind| {
            StoreError::new(
                "write",
                "x",
                Error::Generic { store: "test", source: io::Error::from(kind).into() },
            )
        };
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(matches!(failed(kind), StoreError::Failed { kind: FailureKind::Full, .. }));
        }
        assert!(failed(io::ErrorKind::StorageFull).is_passing());
        assert!(failed(io::ErrorKind::TimedOut).is_passing());
        assert!(!failed(io::ErrorKind::PermissionDenied).is_passing());
        let message = failed(io::ErrorKind::StorageFull).to_string();
        assert_eq!(message, "cannot write `x`: the disk is full");
    }
}
