"""A private certificate authority, made with openssl."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.process import make_directory, unprivileged_user

_CA = """\
[ca]
default_ca = once
[once]
database = {directory}/issued
new_certs_dir = {directory}
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def _openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Authority:
    """Its root is "ca"; "stranger" is one that nobody trusts."""

    directory: Path

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.pem"

    def certificate(self, name: str, *, names: str, expired: bool = False,
                    issuer: str = "ca") -> tuple[Path, Path]:
        """A certificate and its key."""
        here = self.directory
        key, request, certificate, extensions = (here / f"{name}.{kind}"
                                                 for kind in ("key", "csr", "pem", "ext"))
        extensions.write_text(f"subjectAltName = {names}\n", encoding="ascii")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj",
                 f"/CN={name}")
        pair = (here / f"{issuer}.pem", here / f"{issuer}.key")
        if expired:
            self._sign_for_a_day_long_ago(request, certificate, extensions, *pair)
        else:
            _openssl("x509", "-req", "-in", request, "-CA", pair[0], "-CAkey", pair[1],
                     "-CAcreateserial", "-days", 1, "-extfile", extensions, "-out", certificate)
        return certificate, key

    def _sign_for_a_day_long_ago(self, request: Path, certificate: Path, extensions: Path,
                                 issuer: Path, issuer_key: Path) -> None:
        """Only "openssl ca" takes two dates in OpenSSL 3.0; it wants a database for that."""
        here = self.directory
        (here / "issued").touch()
        (here / "ca.cnf").write_text(_CA.format(directory=here), encoding="ascii")
        _openssl("ca", "-batch", "-config", here / "ca.cnf", "-in", request, "-cert", issuer,
                 "-keyfile", issuer_key, "-startdate", "20200101000000Z", "-enddate",
                 "20200102000000Z", "-extfile", extensions, "-notext", "-out", certificate)

    def make_root(self, name: str) -> None:
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                 self.directory / f"{name}.key", "-out",
                 self.directory / f"{name}.pem", "-subj", f"/CN=kopru test {name}", "-days", 2)


@contextmanager
def private_authority(server_user: str) -> Iterator[Authority]:
    """In a directory that a server may read that runs as this user if the tests run as root."""
    directory = make_directory("kopru-ca-", unprivileged_user(server_user))
    directory.chmod(0o755)
    made = Authority(directory)
    made.make_root("ca")
    made.make_root("stranger")
    yield made
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
