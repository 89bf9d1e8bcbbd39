"""The programs that are compared, installed as their users install them, and what each takes to send a text."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cli.servers import API_TOKEN, HOSTS, Servers
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "benchmarks-cli"
_REQUIREMENTS = ROOT / "benchmarks" / "requirements-cli.txt"
_SOURCES = ("clients", "botte-app/chalicelib/contract")  # of the client, which holds the contract


@dataclass(frozen=True)
class Program:
    """What to run to send a text, which takes the place of ``{text}``."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def sending(self, text: str) -> list[str]:
        return [word.replace("{text}", text) for word in self.command]


def programs(servers: Servers) -> list[Program]:
    """All of them, `botte send` first. They find nothing of the user's configuration."""
    home = FOLDER / "home"
    home.mkdir(exist_ok=True)
    config = home / "telegram-send.conf"
    config.write_text(f"[telegram]\ntoken = {TWIN_BOT_TOKEN}\nchat_id = {TWIN_CHAT_ID}\n")
    bundle = str(FOLDER / "bundle.pem")
    trusting = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), bundle)
    base = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **trusting}
    botte = {**base, "BOTTE_URL": servers.door_url, "BOTTE_TOKEN": API_TOKEN}
    telegram = {**base, "HTTPS_PROXY": servers.proxy_url}
    url, authorization = f"{servers.door_url}/message", f"Authorization: {API_TOKEN}"
    in_python = (
        f"import requests; requests.post({url!r}, json={{'text': '{{text}}'}}, "
        f"headers={{'Authorization': {API_TOKEN!r}}}, timeout=35).raise_for_status()"
    )
    return [
        Program("botte send", (_bin("botte", "botte"), "send", "{text}"), botte),
        Program("curl", ("curl", "-sSf", url, "-H", authorization, "-d", '{"text": "{text}"}'), base),
        Program("python -c, requests", (_bin("botte", "python"), "-c", in_python), base),
        Program(
            "apprise",
            (_bin("apprise", "apprise"), "-b", "{text}", f"tgram://{TWIN_BOT_TOKEN}/{TWIN_CHAT_ID}/"),
            telegram,
        ),
        Program("telegram-send", (_bin("telegram-send", "telegram-send"), "--config", str(config), "{text}"), telegram),
    ]


def install() -> ssl.SSLContext:
    """Installs what is not there yet, and gives the certificate of the servers, which the programs trust."""
    stamp = FOLDER / "installed"
    wanted = _digest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print("Installing into build/benchmarks-cli, this takes a minute or two ...", file=sys.stderr)
        shutil.rmtree(FOLDER, ignore_errors=True)
        # Setuptools leaves its build in the source.
        for part in _SOURCES:
            shutil.copytree(ROOT / part, FOLDER / "source" / part, ignore=shutil.ignore_patterns("build", "*.egg-info"))
        client = f"{FOLDER}/source/clients/botte-http-client[cli]"
        for name, requirement in (("botte", client), ("apprise",) * 2, ("telegram-send",) * 2, ("trustme",) * 2):
            _install(name, requirement)
        _certify()
        stamp.write_text(wanted)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(FOLDER / "server.pem", FOLDER / "server.key")
    return tls


def versions() -> dict[str, str]:
    """The versions of the programs that are packages, and of curl."""
    found = {
        "curl": subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    }
    for line in _REQUIREMENTS.read_text().splitlines():
        name, _, version = line.partition("==")
        if name in ("apprise", "requests", "telegram-send"):
            found[name] = version
    return found


def _bin(venv: str, name: str) -> str:
    return str(FOLDER / venv / "bin" / name)


def _install(name: str, requirement: str) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(FOLDER / name)], check=True)
    pip = [_bin(name, "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", str(_REQUIREMENTS), requirement], check=True)


def _certify() -> None:
    """Makes a certificate for the servers, and adds its authority to all that requests trusts: these take a while."""
    trustme = [_bin("trustme", "python"), "-m", "trustme", "--quiet", "--dir", str(FOLDER), "--identities", *HOSTS]
    subprocess.run(trustme, check=True)
    find = [_bin("botte", "python"), "-m", "certifi"]
    usual = Path(subprocess.run(find, capture_output=True, text=True, check=True).stdout.strip())
    (FOLDER / "bundle.pem").write_text(usual.read_text() + (FOLDER / "client.pem").read_text())


def _digest() -> str:
    found = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    files = [path for part in _SOURCES for pattern in ("*.py", "*.toml") for path in (ROOT / part).rglob(pattern)]
    for path in (_REQUIREMENTS, *sorted(path for path in files if "build" not in path.relative_to(ROOT).parts)):
        found.update(path.read_bytes())
    return found.hexdigest()
