"""A redis-server that speaks TLS, with a certificate of an authority of our own."""

import subprocess
from pathlib import Path

from tests.servers import Redis


class Certificates:
    """An authority of our own, and a server's certificate from it."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.key, self.certificate = folder / "ca.pem", folder / "key.pem", folder / "certificate.pem"

        def run(*words: str) -> None:
            subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        run("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ours", "-days", "2")
        run("req", *new_key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=127.0.0.1")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2")
        run("x509", "-req", "-in", "request.pem", "-out", "certificate.pem", *signing)


def encrypted_redis(folder: Path, files: Certificates, port: int) -> Redis:
    """It speaks TLS on this port, and plainly on its own."""
    options = ("--tls-port", str(port), "--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key))
    return Redis(folder, *options, "--tls-ca-cert-file", str(files.ca), "--tls-auth-clients", "no")
