//! Private key files: one line, `0x` and 64 hexadecimal digits, readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;

use counterfoil::crypto::sha256;
use counterfoil::json::Value;
use counterfoil::{Code, Digest, Error, LocalKey, Result};
use zeroize::Zeroizing;

use crate::args;
use crate::io::{failed, say, warn};

/// A signing key and the salt key that derives from it.
pub(crate) struct Keys {
    pub(crate) signing: Arc<LocalKey>,
    pub(crate) salt: [u8; 32],
}

/// `counterfoil keygen`
pub(crate) fn keygen(args: &args::Keygen, json: bool) -> Result<()> {
    let mut secret = Zeroizing::new([0_u8; 32]);
    let key = loop {
        getrandom::fill(secret.as_mut_slice())
            .map_err(|e| Error::new(Code::Io).value(e).at("the system's random numbers"))?;
        // One in 2^128 is no key.
        if let Ok(key) = LocalKey::from_bytes(&secret) {
            break key;
        }
    };
    let line = Zeroizing::new(format!("{}\n", Digest::new(*secret)));
    create_private(&args.out, line.as_bytes())?;
    let address = key.address().to_string();
    if json {
        let path = args.out.display().to_string();
        let value = Value::object([("address", Value::from(address)), ("key", Value::from(path))]);
        return say(&value.compact());
    }
    say(&format!(
        "address {address}\nkey     {} (private: keep it, never share it)",
        args.out.display()
    ))
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

/// Warns about a key that others can read.
#[cfg(unix)]
fn check_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_err(failed(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        warn(&format!("other users can read {}: chmod 600 it", path.display()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

fn create_private(path: &Path, content: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    private(options.write(true).create_new(true));
    let mut file = options.open(path).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => failed(path)(e).because("a key is never overwritten"),
        _ => failed(path)(e),
    })?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed(path))
}

/// Reads a key file. Its content never appears in an error.
pub(crate) fn read(path: &Path) -> Result<Keys> {
    check_private(path)?;
    let text = Zeroizing::new(fs::read_to_string(path).map_err(failed(path))?);
    let refused = || {
        Error::new(Code::KeyInvalid)
            .at(path.display().to_string())
            .because("a key file is one line, 0x and 64 hexadecimal digits")
    };
    let secret: Digest = text.trim().parse().map_err(|_| refused())?;
    let secret = Zeroizing::new(*secret.bytes());
    let signing = Arc::new(LocalKey::from_bytes(&secret).map_err(|_| refused())?);
    let salt = *sha256(&[b"counterfoil/salt/0\n", secret.as_slice()]).bytes();
    Ok(Keys { signing, salt })
}
