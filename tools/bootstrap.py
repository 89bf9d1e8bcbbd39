"""Makes .venv and installs requirements-dev.txt into it, when that is not done yet.

Any Python from 2.7 on can read this file, so that an old one gets a clear line instead of a SyntaxError. From 3.10 on
it runs; an older one looks for a newer one on the PATH and hands over to it.
"""

import hashlib
import os
import subprocess
import sys

OLDEST = (3, 10)
NEWER_NAMES = ["python3.14", "python3.13", "python3.12", "python3.11", "python3.10"]

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
REQUIREMENTS = os.path.join(ROOT, "requirements-dev.txt")
STAMP = os.path.join(VENV, "botte-installed")  # what was installed, when all of it was
UNFINISHED = os.path.join(VENV, "botte-unfinished")  # there while an installation runs, or after one that broke off


def main():
    # type: () -> int
    """The exit status. Prints nothing when there is nothing to do."""
    if sys.version_info < OLDEST:
        return _hand_over()
    if _is_done():
        return 0
    with _Lock():
        # Another one may have done it in the meantime.
        return 0 if _is_done() else _install()


def _hand_over():
    # type: () -> int
    """Replaces this process by the newest Python on the PATH, if there is one that runs."""
    for name in NEWER_NAMES:
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            python = os.path.join(folder, name)
            if os.access(python, os.X_OK) and _runs(python):
                os.execv(python, [python, os.path.abspath(__file__)])
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


def _is_done():
    # type: () -> bool
    if not os.path.exists(PYTHON) or os.path.exists(UNFINISHED) or not os.path.exists(STAMP):
        return False
    with open(STAMP) as stamp:
        return stamp.read() == _wanted_stamp()


def _wanted_stamp():
    # type: () -> str
    """The requirements, and the Python that .venv was made with."""
    with open(REQUIREMENTS, "rb") as requirements:
        digest = hashlib.sha256(requirements.read()).hexdigest()
    return "requirements " + digest + "\nPython " + _venv_version() + "\n"


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


def _install():
    # type: () -> int
    if os.path.exists(UNFINISHED) or not os.path.exists(PYTHON) or not _venv_version():
        problem = _make_venv()
        if problem:
            return _fail(problem)
    else:
        _say("The requirements have changed: installing into .venv ...")
        open(UNFINISHED, "w").close()
    pip_install = [PYTHON, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"]
    pip_install.extend(["--requirement", REQUIREMENTS])
    installed, output = _run(pip_install)
    if not installed:
        return _fail("Installing requirements-dev.txt failed, the next run tries again: " + _last_lines(output))
    with open(STAMP, "w") as stamp:
        stamp.write(_wanted_stamp())
    os.remove(UNFINISHED)
    return 0


def _make_venv():
    # type: () -> str
    """Makes a new .venv, marked as unfinished. Returns what went wrong, in one line; then there is no .venv."""
    import shutil

    if not _has_venv_module():
        return "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"
    _say("First run: installing into .venv, this takes about a minute ...")
    shutil.rmtree(VENV, ignore_errors=True)
    os.mkdir(VENV)
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


def _run(command):
    # type: (list[str]) -> tuple[bool, str]
    """Whether the command succeeded, and all that it printed."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.communicate()[0].decode("utf-8", "replace")
    return process.returncode == 0, output


def _last_lines(output):
    # type: (str) -> str
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return " | ".join((errors or lines)[-3:])


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
        status = main()
    except KeyboardInterrupt:
        status = _fail("Interrupted; the next run tries again.")
    sys.exit(status)
