"""The product as an operator runs it, and nginx in front, with what config/deploy has for it."""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from marketplace.bootstrap import Product
from tests.conftest import Services, empty_tables
from tests.deploy.files import DEPLOY, secrets_for, tool
from tests.deploy.servers import Server, a_server
from tests.fleet import wait_until

SITE = "quotes.example"

NGINX = "/usr/sbin/nginx"

PATIENCE = 15.0

DEBIANS = (
    "sendfile on; tcp_nopush on; types_hash_max_size 2048; gzip on;"
    "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;"
)
"""What Debian's nginx.conf says for all sites: ours must not come to more by it."""


def free_ports(count: int) -> list[int]:
    """Return so many ports that nobody listens on, each another."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in held]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value


def answer_of(connection: HTTPConnection) -> Answer:
    got: HTTPResponse = connection.getresponse()
    return Answer(got.status, got.getheaders(), got.read())


@dataclass(frozen=True)
class Web:
    """`marketplace web` in processes of its own."""

    port: int

    def ask(self, path: str) -> Answer:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request("GET", path)
            return answer_of(connection)


@dataclass(frozen=True)
class Proxy:
    """nginx, where it answers, and what it writes."""

    plain_port: int
    port: int
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "marketplace.log").read_text()

    @property
    def errors(self) -> str:
        return (self.folder / "marketplace-error.log").read_text()

    def trusting(self) -> ssl.SSLContext:
        """Return what a browser goes by: the certificate has to be the site's own."""
        return ssl.create_default_context(cafile=str(self.folder / "fullchain.pem"))

    def connect(self, *, encrypted: bool = True, source: str = "127.0.0.1") -> HTTPConnection:
        """Return a connection to the site, from one of this machine's own addresses."""
        port = self.port if encrypted else self.plain_port
        line = socket.create_connection(
            ("127.0.0.1", port), timeout=PATIENCE, source_address=(source, 0)
        )
        if encrypted:
            line = self.trusting().wrap_socket(line, server_hostname=SITE)
        connection = HTTPConnection(SITE)
        connection.sock = line
        return connection

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        encrypted: bool = True,
        source: str = "127.0.0.1",
    ) -> Answer:
        with closing(self.connect(encrypted=encrypted, source=source)) as connection:
            connection.request(method, path, body, headers or {})
            return answer_of(connection)


@pytest.fixture(scope="package")
def web(services: Services, installation: Product) -> Iterator[Web]:
    """The product, by the command of its unit, on this test's servers."""
    (port,) = free_ports(1)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("MARKETPLACE_")},
        "MARKETPLACE_DATABASE_URL": services.database_url,
        "MARKETPLACE_REDIS_URL": services.redis_url,
        "MARKETPLACE_SECRET_KEY": installation.settings.secret_key,
        "MARKETPLACE_PUBLIC_URL": f"https://{SITE}",
        "MARKETPLACE_TRUSTED_PROXIES": "1",
        "MARKETPLACE_MAIL_BACKEND": "mailbox",
        "MARKETPLACE_RATE_LIMITS": "off",
        "no_proxy": "127.0.0.1",
    }
    how = ("web", "--port", str(port), "--processes", "1", "--threads", "8")
    running = subprocess.Popen(
        [sys.executable, "-m", "marketplace.cli", *how],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    web = Web(port)
    try:
        wait_until(lambda: answers(web, running), "the product is ready", patience=90)
        yield web
    finally:
        running.send_signal(signal.SIGINT)  # at once: there is nothing left to finish
        running.wait(30)
        empty_tables(installation.app)


def answers(web: Web, running: subprocess.Popen[bytes]) -> bool:
    assert running.poll() is None, "the product has ended"
    try:
        return web.ask("/readyz").status == 200
    except (OSError, HTTPException):
        return False


@pytest.fixture(scope="package")
def proxy(web: Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with nginx(tmp_path_factory.mktemp("nginx"), web.port) as proxy:
        yield proxy


@pytest.fixture
def proxy_of_nobody(tmp_path: Path) -> Iterator[Proxy]:
    """One whose product is away."""
    with nginx(tmp_path, *free_ports(1)) as proxy:
        yield proxy


@contextmanager
def nginx(folder: Path, web_port: int) -> Iterator[Proxy]:
    """Run Debian's nginx with the delivered configuration, moved to ports and files of ours."""
    proxy = Proxy(*free_ports(2), folder)
    make_certificate(folder)
    main = configured(proxy, web_port)
    command = [tool(NGINX), "-e", "stderr", "-c", str(main)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr, checked.stderr
    with (folder / "stderr").open("w") as said:
        running = subprocess.Popen([*command, "-g", "daemon off;"], stderr=said)
    try:
        wait_until(lambda: listens(proxy.port) or running.poll() is not None, "nginx listens")
        assert running.poll() is None, (folder / "stderr").read_text()
        yield proxy
    finally:
        running.terminate()
        running.wait(30)


def listens(port: int) -> bool:
    with closing(socket.socket()) as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def configured(proxy: Proxy, web_port: int) -> Path:
    """Write what Debian's nginx.conf comes to with ours in conf.d, and return where."""
    folder = proxy.folder
    site = (DEPLOY / "nginx" / "marketplace.conf").read_text()
    for here, there, times in (
        (r"listen 80\b", f"listen {proxy.plain_port}", 2),
        (r"listen \[::\]:80\b", f"listen [::]:{proxy.plain_port}", 2),
        (r"listen 443\b", f"listen {proxy.port}", 2),
        (r"listen \[::\]:443\b", f"listen [::]:{proxy.port}", 2),
        (r"/etc/marketplace/tls/", f"{folder}/", 2),
        (r"/var/log/nginx/", f"{folder}/", 4),
        (r"/var/www/marketplace", f"{folder}/www", 1),
    ):
        site, found = re.subn(here, there, site)
        assert found == times, here
    if not Path("/proc/net/if_inet6").exists():
        site = re.sub(r"listen \[::\].*", "", site)
    upstream = (DEPLOY / "nginx" / "upstream.conf").read_text()
    assert "127.0.0.1:8000;" in upstream
    conf_d = folder / "conf.d"
    conf_d.mkdir()
    (conf_d / "marketplace.conf").write_text(site)
    (conf_d / "marketplace-upstream.conf").write_text(upstream.replace("8000", str(web_port)))
    bodies = "\n".join(
        f"{each}_temp_path {folder}/{each};"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}\n"
        f"pid {folder}/nginx.pid;\n"
        "events { worker_connections 768; }\n"
        f"http {{\n{bodies}\n{DEBIANS}\ninclude /etc/nginx/mime.types;\n"
        f"default_type application/octet-stream;\ninclude {conf_d}/*.conf;\n}}\n"
    )
    return main


def make_certificate(folder: Path) -> None:
    """Write a certificate for the site, good for a day, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SITE)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SITE)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as server:
        yield server


@pytest.fixture(scope="module")
def drawn(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What `make-secrets` drew, with which the server has its roles."""
    files = secrets_for(tmp_path_factory.mktemp("etc"))
    made = server.make_roles(**files["postgres"])
    assert (made.returncode, made.stderr) == (0, "")
    return files
