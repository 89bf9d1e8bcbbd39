"""The local twin: Botte on one machine, without an account.

botocore reads its models anew for each session, and moto makes several when it is imported: here each is read once.
"""

from __future__ import annotations

import functools

from botocore.loaders import JSONFileLoader

_load_file = JSONFileLoader.load_file
_load_once = functools.cache(lambda path: _load_file(JSONFileLoader(), path))
JSONFileLoader.load_file = lambda _, path: _load_once(path)
