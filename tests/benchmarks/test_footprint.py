"""What `make footprint` counts is a delivered message, and the package as it is."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from benchmarks.footprint.doors import DOORS, Lambda, UndeliveredError
from benchmarks.footprint.package import Size, sizes


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("def message(event, context): pass", "lambda: 0 of 1 messages have arrived"),
        ("def message(event, context): raise ValueError('no route')", "lambda: ValueError: no route"),
    ],
)
def test_a_door_that_does_not_deliver_is_not_counted(app: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(app)
    with Lambda(tmp_path) as function, pytest.raises(UndeliveredError, match=reason):
        function.measure(DOORS[0])


def test_each_file_of_the_package_belongs_to_one_part(tmp_path: Path) -> None:
    files = {
        "app.py": 3,
        "__pycache__/app.cpython-311.pyc": 5,
        "chalicelib/doors/http.py": 7,
        "chalicelib/errors.py": 11,
        "chalicelib/__pycache__/errors.cpython-311.pyc": 13,
        "urllib3/py.typed": 0,
        "urllib3-2.8.0.dist-info/RECORD": 17,
    }
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        for name, size in files.items():
            archive.writestr(name, "x" * size)
    assert sizes(tmp_path / "package.zip") == [
        Size("app.py", "bytecode", 1, 5, 5),
        Size("app.py", "source", 1, 3, 3),
        Size("chalicelib", "bytecode", 1, 13, 13),
        Size("chalicelib", "source", 2, 18, 18),
        Size("other", "files", 2, 17, 17),
    ]
