"""Refuses to make an sdist of a client: it would end at the client's folder, and the contract lies outside of it."""

from setuptools.command.sdist import sdist
from setuptools.errors import SetupError


class NoSdist(sdist):
    """The ``sdist`` command of every client."""

    def run(self) -> None:
        raise SetupError(
            "an sdist of this client would lack Botte's contract, which lies outside of its folder: "
            "build a wheel (pip wheel, python -m build --wheel), or install from the Git repository"
        )
