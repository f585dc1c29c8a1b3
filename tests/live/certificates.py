"""An authority and its certificates, made for one test run. Elliptic curves: making them costs nothing."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
Purpose = ExtendedKeyUsageOID


class Authority:
    """Signs certificates; its own is in `file`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self._name = folder, _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        whole = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._builder(self._name, self._key).add_extension(whole, critical=True)
        self._pem = certificate.sign(self._key, hashes.SHA256()).public_bytes(PEM)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._pem)

    def sign(self, name: str, *hosts: str, password: str | None = None) -> tuple[Path, Path]:
        """The files of a certificate (the authority's behind it) and of its key: for hosts, else for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = Purpose.SERVER_AUTH if hosts else Purpose.CLIENT_AUTH
        builder = self._builder(_named(name), key).add_extension(
            x509.ExtendedKeyUsage([purpose]), critical=False
        )
        if hosts:
            names = x509.SubjectAlternativeName([_host(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        signed = builder.sign(self._key, hashes.SHA256()).public_bytes(PEM)
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption)
        certificate, secret = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(signed + self._pem)
        secret.write_bytes(private)
        return certificate, secret

    def store(self, name: str, *hosts: str) -> Path:
        """Certificate and key of a server in one file, as Kafka takes it."""
        certificate, key = self.sign(name, *hosts)
        both = self.folder / f"{name}.store.pem"
        both.write_bytes(key.read_bytes() + certificate.read_bytes())
        return both

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )  # fmt: skip


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
