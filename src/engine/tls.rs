//! What the engines with servers share of TLS and sockets: files that are read before anyone is asked, and reasons in words. The options
//! themselves are settled in `config/tls.rs`.
//!
//! The library below takes a file that holds no certificate for one, and tells an unreadable file without its name.

use rustls::{AlertDescription, CertificateError};
use std::{fs, io};

/// Settles whose cryptography TLS uses. sqlx brings one, deltalake another, and where both are there rustls takes neither by itself.
pub(super) fn settle() {
    // Settled already is settled.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A file of certificates in PEM form.
///
/// # Errors
/// Where it can't be read or holds none, with the option and its path.
pub(super) fn certificates(option: &str, path: &str) -> Result<Vec<u8>, String> {
    let text = read(option, path)?;
    if !holds(&text, "-----BEGIN CERTIFICATE-----") {
        return Err(format!("`{option}`: {path} holds no certificate in PEM form"));
    }
    Ok(text)
}

/// A file with a private key in PEM form. No message has any of it.
///
/// # Errors
/// Where it can't be read, holds none, or is encrypted.
pub(super) fn key(option: &str, path: &str) -> Result<Vec<u8>, String> {
    let text = read(option, path)?;
    if holds(&text, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || holds(&text, "Proc-Type: 4,ENCRYPTED") {
        return Err(format!(
            "`{option}`: the key in {path} is encrypted, and there is nobody to ask for its passphrase: write it without one"
        ));
    }
    if !holds(&text, "PRIVATE KEY-----") {
        return Err(format!("`{option}`: {path} holds no private key in PEM form"));
    }
    Ok(text)
}

fn read(option: &str, path: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("`{option}`: {path} can't be read: {error}"))
}

fn holds(text: &[u8], words: &str) -> bool {
    text.windows(words.len()).any(|window| window == words.as_bytes())
}

/// How a connection was tried, for a reason's words.
pub(super) struct Tried<'a> {
    /// The socket's path, where it was one.
    pub socket: Option<&'a str>,
    /// The option that names the CA's file.
    pub ca: &'static str,
    /// The options of a client certificate.
    pub cert: &'static str,
    /// The option that says whether TLS must be.
    pub mode: &'static str,
}

impl Tried<'_> {
    /// Why TLS or a socket failed; `None`: it was something else.
    pub fn reason(&self, error: &sqlx::Error) -> Option<String> {
        match error {
            sqlx::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => Some(self.handshake(error)),
                None => self.socket.and_then(|path| unreachable(path, error)),
            },
            sqlx::Error::Tls(inner) if inner.to_string() == "server does not support TLS" => {
                Some(format!("the server offers no TLS, and `{}` asks for it", self.mode))
            }
            sqlx::Error::Protocol(text) if text.contains("SSLRequest") => {
                Some("what answers there is no PostgreSQL server".to_owned())
            }
            sqlx::Error::Tls(inner) => Some(format!("TLS failed: {inner}")),
            _ => None,
        }
    }

    fn handshake(&self, error: &rustls::Error) -> String {
        let Self { ca, cert, .. } = self;
        match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => format!(
                "the server's certificate is signed by no CA that is trusted here: name the CA's file with `{ca}`"
            ),
            // The words name what was asked for and what the certificate is for.
            rustls::Error::InvalidCertificate(
                why @ (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }),
            ) => format!("the server's certificate is another's: {why}"),
            rustls::Error::InvalidCertificate(why) => format!("the server's certificate is refused: {why}"),
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
                format!("the server asks for a client certificate: name one with {cert}")
            }
            rustls::Error::AlertReceived(alert) => format!(
                "the server broke off with the TLS alert {alert:?}; if it is about certificates, the client's is meant ({cert})"
            ),
            other => format!("TLS failed: {other}"),
        }
    }
}

fn unreachable(path: &str, error: &io::Error) -> Option<String> {
    match error.kind() {
        io::ErrorKind::NotFound => {
            Some(format!("there is no socket {path}: does the server run, and is this its folder and port?"))
        }
        io::ErrorKind::ConnectionRefused => Some(format!("nobody listens on the socket {path}: does the server run?")),
        io::ErrorKind::PermissionDenied => Some(format!("this user may not open the socket {path}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_looked_into_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let garbage = file("garbage", "hunter2");
        let certificate = file("cert", "-----BEGIN CERTIFICATE-----\nhunter2\n");
        let plain = file("key", "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n");
        let encrypted = file("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n");
        assert!(certificates("o", &certificate).is_ok() && key("o", &plain).is_ok());
        for (result, says) in [
            (certificates("sslrootcert", "/no/such"), "`sslrootcert`: /no/such can't be read"),
            (certificates("sslcert", &garbage), "holds no certificate"),
            (key("sslkey", &certificate), "holds no private key"),
            (key("sslkey", &encrypted), "is encrypted"),
        ] {
            let said = result.unwrap_err();
            assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
        }
    }
}
