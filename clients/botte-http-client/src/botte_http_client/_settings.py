"""Where the command finds the address and the API token: in the environment, or in a file for its owner's eyes only.

The file has lines as a shell has them, ``BOTTE_URL=...`` and ``BOTTE_TOKEN=...``, so that cron needs no environment.
"""

from __future__ import annotations

import os

from ._shared.client import AuthenticationError, NotFound

_OTHERS = 0o077  # rights of all but the owner
_NAMES = ("BOTTE_URL", "BOTTE_TOKEN")


def find_settings(url: str | None) -> tuple[str, str]:
    """The address and the API token. url: what the command line or the environment has. Raises BotteError."""
    token = os.environ.get("BOTTE_TOKEN")
    found = {} if url and token else _read_file()
    url, token = url or found.get("BOTTE_URL"), token or found.get("BOTTE_TOKEN")
    how = f"set it, or let botte configure write it to {settings_file()}"
    if not url:
        raise NotFound(f"BOTTE_URL is missing: {how}")
    if not token:
        raise AuthenticationError(f"BOTTE_TOKEN is missing: {how}")
    return url, token


def settings_file() -> str:
    """``BOTTE_CONFIG``, or where https://specifications.freedesktop.org/basedir-spec/latest/ has it."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    folder = folder if os.path.isabs(folder) else os.path.expanduser("~/.config")
    return os.environ.get("BOTTE_CONFIG") or os.path.join(folder, "botte", "config")


def write_settings(url: str, token: str) -> None:
    """Writes a new file, which takes the place of the one that is there only when it is whole. Raises OSError."""
    import tempfile  # nothing but this needs it

    path = settings_file()
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    descriptor, new = tempfile.mkstemp(prefix=f"{os.path.basename(path)}.", dir=folder)  # it is the owner's alone
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f"BOTTE_URL={url}\nBOTTE_TOKEN={token}\n")
        os.replace(new, path)
    except OSError:
        os.remove(new)
        raise


def _read_file() -> dict[str, str]:
    """What the file has; nothing if there is none. Raises BotteError."""
    path = settings_file()
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise AuthenticationError(f"others may read or write {path}, which has the API token: chmod 600 {path}")
            lines = [line.strip().removeprefix("export ") for line in file]
    except FileNotFoundError:
        if os.environ.get("BOTTE_CONFIG"):
            raise NotFound(f"BOTTE_CONFIG names {path}, and there is no such file") from None
        return {}
    except OSError as error:
        raise AuthenticationError(f"{path} cannot be read: {error.strerror}") from None
    found = {}
    for number, line in enumerate(lines, 1):
        name, _, value = line.partition("=")
        if name in _NAMES:
            found[name] = value.strip().strip("'\"")
        elif line and not line.startswith("#"):
            raise NotFound(f"{path}, line {number}: must be BOTTE_URL=... or BOTTE_TOKEN=...")
    return found
