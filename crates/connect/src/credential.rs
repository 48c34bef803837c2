//! What secrets hold for Kafka, in Lambda's forms ("Configuring cluster authentication methods in Lambda").

use serde::Deserialize;
use tradewind_model::SecretText;

use crate::cluster::{ClientCertificate, Login, Mechanism};

/// `{"username": …, "password": …}`, as secrets of `BASIC_AUTH` and `SASL_SCRAM_…_AUTH` are.
#[derive(Clone, Debug)]
pub struct Credentials {
    username: String,
    password: SecretText,
}

#[derive(Deserialize)]
struct WrittenCredentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenCertificate {
    certificate: String,
    private_key: Option<String>,
    private_key_password: Option<String>,
}

/// A secret that is not what it should be. It names no part of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret is not a JSON object with {0}")]
pub struct CredentialError(&'static str);

impl Credentials {
    /// Reads the text of a secret.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn parse(text: &SecretText) -> Result<Self, CredentialError> {
        let written: WrittenCredentials = read(text, "`username` and `password`")?;
        Ok(Self {
            username: written.username,
            password: written.password.into(),
        })
    }

    /// They, proven by `mechanism`.
    #[must_use]
    pub fn login(self, mechanism: Mechanism) -> Login {
        Login {
            mechanism,
            username: self.username,
            password: self.password,
        }
    }
}

/// `{"certificate": …}`, the certificates (PEM) of who signed the brokers'. A secret that is PEM itself is taken too.
///
/// # Errors
/// [`CredentialError`].
pub fn certificate_authority(text: &SecretText) -> Result<String, CredentialError> {
    if text.expose().trim_start().starts_with("-----BEGIN ") {
        return Ok(text.expose().to_owned());
    }
    let written: WrittenCertificate = read(text, "`certificate`")?;
    Ok(written.certificate)
}

/// `{"certificate": …, "privateKey": …, "privateKeyPassword": …}`; the password only for an encrypted key.
///
/// # Errors
/// [`CredentialError`].
pub fn client_certificate(text: &SecretText) -> Result<ClientCertificate, CredentialError> {
    const MEMBERS: &str = "`certificate` and `privateKey`";
    let written: WrittenCertificate = read(text, MEMBERS)?;
    let private_key = written.private_key.ok_or(CredentialError(MEMBERS))?;
    Ok(ClientCertificate {
        certificate: written.certificate,
        private_key: private_key.into(),
        password: written.private_key_password.map(SecretText::from),
    })
}

fn read<'a, T: Deserialize<'a>>(text: &'a SecretText, members: &'static str) -> Result<T, CredentialError> {
    serde_json::from_str(text.expose()).map_err(|_shows_the_secret| CredentialError(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretText {
        text.to_owned().into()
    }

    #[test]
    fn secrets_are_read_in_lambdas_forms() {
        let login = Credentials::parse(&secret(r#"{"username": "ann", "password": "pä\"ss"}"#)).unwrap();
        let login = login.login(Mechanism::Plain);
        assert_eq!((&*login.username, login.password.expose()), ("ann", "pä\"ss"));
        let shown = client_certificate(&secret(
            r#"{"certificate": "C", "privateKey": "K", "privateKeyPassword": "P"}"#,
        ));
        let shown = shown.unwrap();
        assert_eq!((&*shown.certificate, shown.private_key.expose()), ("C", "K"));
        assert_eq!(shown.password.unwrap().expose(), "P");
        assert_eq!(
            certificate_authority(&secret(r#"{"certificate": "C"}"#)).unwrap(),
            "C"
        );
        let pem = "-----BEGIN CERTIFICATE-----";
        assert_eq!(certificate_authority(&secret(pem)).unwrap(), pem);
    }

    #[test]
    fn what_is_wrong_with_a_secret_does_not_show_it() {
        let error = Credentials::parse(&secret("hunter2")).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(client_certificate(&secret(r#"{"certificate": "C"}"#)).is_err());
    }
}
