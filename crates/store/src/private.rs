//! What only its owner may read: the data folder holds the hashes of tokens, and whoever writes there can let anybody in.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

/// A file to be written, which only its owner may read and write where it is made.
pub(crate) fn writing() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder and those that it is in; what is made is its owner's alone.
///
/// # Errors
/// When the system does not let it.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a file readable and writable for its owner only.
///
/// # Errors
/// When the system does not let it.
#[cfg(unix)]
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

/// Elsewhere folders are what is private.
#[cfg(not(unix))]
pub(crate) fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}
