"""Makes .venv and installs one of the requirements-*.txt into it, when that is not done yet.

    python3 tools/bootstrap.py [run|aws|dev]

`dev`, the whole, holds the other two, and the clients of this checkout. Any Python from 2.7 on can read this file, so
that an old one gets a clear line instead of a SyntaxError. From 3.10 on it runs; an older one looks for a newer one on
the PATH and hands over to it.
"""

import glob
import hashlib
import os
import re
import subprocess
import sys
import time

OLDEST = (3, 10)
NEWER_NAMES = ["python3.14", "python3.13", "python3.12", "python3.11", "python3.10"]

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "botte-installed")  # what was installed, when all of it was
UNFINISHED = os.path.join(VENV, "botte-unfinished")  # there while an installation runs, or after one that broke off

PIP_INSTALL = [PYTHON, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]

# What each set is for, which sets it holds, and how long it takes on two cores.
SETS = {
    "run": ("what running needs", ["run"], "about half a minute"),
    "aws": ("the aws command", ["aws"], "about ten seconds"),
    "dev": ("what the tests and linters need", ["run", "aws", "dev"], "about a minute and a half"),
}


def main(arguments):
    # type: (list[str]) -> int
    """The exit status. Prints nothing when there is nothing to do."""
    if sys.version_info < OLDEST:
        return _hand_over(arguments)
    wanted = arguments[0] if arguments else "dev"
    if wanted not in SETS or len(arguments) > 1:
        return _fail("bootstrap.py takes one of: " + ", ".join(sorted(SETS)))
    if _is_done(wanted):
        return 0
    with _Lock():
        # Another one may have done it in the meantime.
        return 0 if _is_done(wanted) else _install(wanted)


def _hand_over(arguments):
    # type: (list[str]) -> int
    """Replaces this process by the newest Python on the PATH, if there is one that runs."""
    for name in NEWER_NAMES:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            python = os.path.join(folder, name)
            if os.access(python, os.X_OK) and _runs(python):
                command = [python, os.path.abspath(__file__)]
                command.extend(arguments)
                os.execv(python, command)
    return _fail("Python 3.10 or newer is needed, and this is " + sys.version.split()[0] + ".")


def _runs(python):
    # type: (str) -> bool
    """Whether it is a Python that is new enough; version managers leave shims that are none."""
    try:
        process = subprocess.Popen(
            [python, "-c", "import sys; sys.exit(sys.version_info < (3, 10))"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        process.communicate()
    except OSError:
        return False
    return process.returncode == 0


def _is_done(wanted):
    # type: (str) -> bool
    if not os.path.exists(PYTHON) or os.path.exists(UNFINISHED):
        return False
    return _stamp_line(wanted) in _stamp_lines()


def _stamp_lines():
    # type: () -> list[str]
    try:
        with open(STAMP) as stamp:
            return stamp.read().splitlines()
    except OSError:
        return []


def _stamp_line(wanted):
    # type: (str) -> str
    """The set, its requirements, and the Python that .venv was made with."""
    with open(_requirements(wanted), "rb") as requirements:
        digest = hashlib.sha256(requirements.read())
    if wanted == "dev":
        digest.update(_clients_layout().encode("utf-8"))
    return wanted + " " + digest.hexdigest() + " Python " + (_venv_version() or "unknown")


def _clients():
    # type: () -> list[str]
    """The folders of the clients."""
    return sorted(os.path.dirname(path) for path in glob.glob(os.path.join(ROOT, "clients", "*", "pyproject.toml")))


def _clients_layout():
    # type: () -> str
    """What the installed clients follow only when they are installed again: where they are, and which files they have.

    Changes within a file they follow by themselves.
    """
    texts = []
    for client in _clients():
        with open(os.path.join(client, "pyproject.toml")) as pyproject:
            texts.append(pyproject.read())
    for packages in ("clients", os.path.join("botte-app", "chalicelib", "contract")):
        for folder, folders, names in os.walk(os.path.join(ROOT, packages)):
            folders[:] = [name for name in folders if name not in ("build", "__pycache__")]
            texts.extend(os.path.join(folder, name) for name in names if name.endswith(".py"))
    return "\n".join(sorted(texts))


def _requirements(wanted):
    # type: (str) -> str
    return os.path.join(ROOT, "requirements-" + wanted + ".txt")


def _venv_version():
    # type: () -> str
    """Such as "3.11", as .venv has noted it; empty when there is no .venv.

    Where .venv links to the Python that runs this, that one's version counts: an upgrade of the system's Python
    leaves a .venv behind whose packages are those of the old one.
    """
    noted = ""
    try:
        with open(os.path.join(VENV, "pyvenv.cfg")) as config:
            for line in config:
                name, _, value = line.partition("=")
                if name.strip() == "version":
                    noted = ".".join(value.strip().split(".")[:2])
    except OSError:
        return ""
    if noted and os.path.realpath(PYTHON) == os.path.realpath(sys.executable):
        running = ".".join(str(part) for part in sys.version_info[:2])
        return noted if noted == running else ""
    return noted


def _install(wanted):
    # type: (str) -> int
    purpose, held, duration = SETS[wanted]
    begun = time.time()
    if os.path.exists(UNFINISHED) or not os.path.exists(PYTHON) or not _venv_version():
        if not _has_venv_module():
            return _fail("Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv")
        _say("First run: installing " + purpose + " into .venv, this takes " + duration + " ...")
        problem = _make_venv() or _renew_pip(_requirements(wanted))
    else:
        _say("Installing " + purpose + " into .venv, this takes " + duration + " at most ...")
        open(UNFINISHED, "w").close()
        problem = ""
    problem = problem or _pip_install(_requirements(wanted))
    if wanted == "dev":
        problem = problem or _install_clients()
    if problem:
        return _fail(problem)
    if wanted == "dev":
        # All of it, on all cores: many processes will import it. What make run needs is compiled when it is imported.
        _run([PYTHON, "-I", "-m", "compileall", "-q", "-j", "0", VENV])
    still_valid = {_stamp_line(name) for name in SETS}.intersection(_stamp_lines())
    with open(STAMP, "w") as stamp:
        stamp.write("\n".join(sorted(still_valid.union(_stamp_line(name) for name in held))) + "\n")
    os.remove(UNFINISHED)
    _say("Installed in " + str(int(time.time() - begun)) + " seconds.")
    return 0


def _make_venv():
    # type: () -> str
    """Makes a new .venv, marked as unfinished. Returns what went wrong, in one line; then there is no .venv."""
    import shutil

    shutil.rmtree(VENV, ignore_errors=True)
    os.makedirs(VENV, exist_ok=True)  # what was killed half-way may still be at it
    open(UNFINISHED, "w").close()
    # In an activated .venv this runs with the Python in it, which is gone by now.
    python = getattr(sys, "_base_executable", None) or sys.executable
    made, output = _run([python, "-I", "-m", "venv", VENV])
    if made:
        return ""
    shutil.rmtree(VENV, ignore_errors=True)
    return "The virtual environment .venv could not be made: " + _last_lines(output)


def _has_venv_module():
    # type: () -> bool
    """Debian ships Python without ensurepip, and then venv fails half-way."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return False
    return True


def _renew_pip(requirements):
    # type: (str) -> str
    """Installs the pip of a file of requirements: one that comes with Python may take twice as long for the others."""
    with open(requirements) as lines:
        pinned = re.search(r"^pip==.*(\n[ \t].*)*", lines.read(), re.MULTILINE)
    if not pinned:
        return ""
    alone = os.path.join(VENV, "botte-pip.txt")
    with open(alone, "w") as pip:
        pip.write(pinned.group() + "\n")
    return _pip_install(alone)


def _pip_install(requirements):
    # type: (str) -> str
    """Installs a file of requirements that names all there is to install. Returns what went wrong, in one line."""
    command = list(PIP_INSTALL)
    command.extend(["--progress-bar=off", "--require-hashes", "--no-compile", "--requirement", requirements])
    with open(requirements) as lines:
        progress = _Progress(len(re.findall("^[A-Za-z0-9]", lines.read(), re.MULTILINE)))
    installed, output = _run(command, progress)
    progress.end()
    if installed:
        return ""
    return _failed(os.path.basename(requirements), output)


def _install_clients():
    # type: () -> str
    """Installs the clients so that they follow their sources, also for mypy. Returns what went wrong, in one line."""
    if not _clients():  # a copy of this checkout without them
        return ""
    command = list(PIP_INSTALL)
    command.extend(["--no-build-isolation", "--config-settings=editable_mode=strict"])
    for client in _clients():
        command.extend(["--editable", client])
    installed, output = _run(command)
    return "" if installed else _failed("the clients", output)


def _failed(what, output):
    # type: (str, str) -> str
    return "Installing " + what + " failed, the next run tries again: " + _last_lines(output)


class _Progress:
    """Tells how far pip is: in one line that is written anew on a terminal, elsewhere in a few."""

    def __init__(self, total):
        # type: (int) -> None
        self._done = 0
        self._total = total
        self._on_terminal = sys.stderr.isatty()

    def see(self, line):
        # type: (str) -> None
        """Takes the next line that pip prints."""
        if line.startswith("Ignoring "):  # not for this Python, or this platform
            self._total -= 1
        elif line.startswith(("Collecting ", "Processing ", "Requirement already satisfied: ")):
            self._done += 1
            far = str(self._done) + " of " + str(self._total) + " packages"
            if self._on_terminal:
                self._rewrite(far)
            elif self._total > 1 and self._done * 4 // self._total > (self._done - 1) * 4 // self._total:
                _say("  " + far)
        elif line.startswith("Installing collected packages") and self._on_terminal:
            self._rewrite("All " + str(self._total) + " packages are here: unpacking ...")

    def end(self):
        # type: () -> None
        if self._on_terminal:
            self._rewrite("")

    def _rewrite(self, text):
        # type: (str) -> None
        sys.stderr.write("\r\033[K" + text)
        sys.stderr.flush()


def _run(command, progress=None):
    # type: (list[str], _Progress | None) -> tuple[bool, str]
    """Whether the command succeeded, and all that it printed."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = []
    for line in process.stdout or []:
        lines.append(line.decode("utf-8", "replace"))
        if progress:
            progress.see(lines[-1])
    return process.wait() == 0, "".join(lines)


def _last_lines(output):
    # type: (str) -> str
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("ERROR:")]
    return " | ".join(lines[errors[0] :][:4] if errors else lines[-3:])


def _say(line):
    # type: (str) -> None
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _fail(line):
    # type: (str) -> int
    _say(line)
    return 1


class _Lock:
    """Held by one bootstrap of this checkout at a time, and gone with its process.

    The lock is on the checkout's folder itself: no file is left behind.
    """

    def __enter__(self):
        # type: () -> None
        import fcntl

        self._folder = os.open(ROOT, os.O_RDONLY)
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            _say("Another make installs into .venv: waiting for it ...")
            fcntl.flock(self._folder, fcntl.LOCK_EX)

    def __exit__(self, *_):
        # type: (object) -> None
        os.close(self._folder)


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except KeyboardInterrupt:
        status = _fail("Interrupted; the next run tries again.")
    sys.exit(status)
