//! TLS to a database server: rustls with ring, and a check of the server's certificate as far as
//! the mode asks for it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslNegotiation;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{FailedOperation, PgError};
use super::url::{PgUrl, RootCert, SslMode};

/// The TLS side of connections to a database. Reads the file of authorities.
pub(super) fn connector(url: &PgUrl) -> Result<MakeRustlsConnect, PgError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let check = match (url.ssl_mode(), url.root_cert()) {
        (SslMode::Disable, _) => CertificateCheck::Nothing,
        (SslMode::VerifyFull, _) => CertificateCheck::ChainAndName,
        (_, RootCert::Unset) => CertificateCheck::Nothing,
        _ => CertificateCheck::Chain,
    };
    let trusted = match check {
        CertificateCheck::Nothing => Vec::new(),
        _ => authorities(url.root_cert())?,
    };
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(trusted.iter().cloned());
    if check != CertificateCheck::Nothing && usable == 0 {
        return Err(tls_error(url, "no certificate of an authority can be used".into()));
    }
    let verifier = Verifier { check, roots, trusted, provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| tls_error(url, e.into()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    if url.config().get_ssl_negotiation() == SslNegotiation::Direct {
        // The server accepts a connection that starts with TLS only with this protocol name.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(MakeRustlsConnect::new(config))
}

fn tls_error(url: &PgUrl, cause: Box<dyn std::error::Error + Send + Sync>) -> PgError {
    let from = match url.root_cert() {
        RootCert::File(path) => format!("reading sslrootcert {}", path.display()),
        _ => "preparing TLS with the system's authorities".to_owned(),
    };
    PgError::Tls(FailedOperation::new(from, cause))
}

fn authorities(from: &RootCert) -> Result<Vec<CertificateDer<'static>>, PgError> {
    let RootCert::File(path) = from else {
        // Single unreadable files are skipped; the caller notices if there are none at all.
        return Ok(rustls_native_certs::load_native_certs().certs);
    };
    let failed =
        |cause| PgError::Tls(FailedOperation::new(format!("reading sslrootcert {}", path.display()), cause));
    let pem = std::fs::read(path).map_err(|e| failed(e.into()))?;
    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|e| failed(e.into()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CertificateCheck {
    Nothing,
    Chain,
    ChainAndName,
}

#[derive(Debug)]
struct Verifier {
    check: CertificateCheck,
    roots: RootCertStore,
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.check == CertificateCheck::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        // A self-signed certificate that is itself the authority given is common for databases.
        // The check of chains would refuse it because it is an authority, but a user who puts exactly this certificate
        // into sslrootcert trusts it.
        if !self.trusted.contains(end_entity) {
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        if self.check == CertificateCheck::ChainAndName {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.check == CertificateCheck::Nothing {
            // Anybody may be the server; and certificates of the old version 1, which are still
            // made for databases, could not even be read.
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.check == CertificateCheck::Nothing {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(options: &str) -> Result<MakeRustlsConnect, PgError> {
        connector(&format!("postgresql://h/db?{options}").parse().unwrap())
    }

    #[test]
    fn a_missing_or_empty_file_of_authorities_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let options = format!("sslmode=verify-ca&sslrootcert={}", path.display());
        for content in [None, Some("no certificate")] {
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let error = connect(&options).err().expect("no authority");
            assert!(matches!(error, PgError::Tls(_)), "{error:?}");
            assert!(error.to_string().contains("ca.pem"), "{error}");
        }
        assert!(connect("sslmode=require").is_ok(), "nothing is checked, so no authority is needed");
    }
}
