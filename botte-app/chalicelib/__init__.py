"""Botte behind its doors: what a message is, how it is kept, how it reaches Telegram.

``doors -> relay -> outbox -> telegram -> contract``: the arrows point at what is imported, and may pass a storey.
"""

import sys
from importlib.machinery import PathFinder
from types import ModuleType

# When urllib3 is imported, its package for HTTP/2 imports what reads the metadata of installed packages, to look for a
# library that is not here. That is a tenth of a cold start; the one module of it that is used does without.
if "urllib3" not in sys.modules:
    _urllib3 = PathFinder.find_spec("urllib3")
    if _urllib3 is not None and _urllib3.submodule_search_locations:
        _http2 = ModuleType("urllib3.http2")
        _http2.__path__ = [f"{_urllib3.submodule_search_locations[0]}/http2"]
        sys.modules[_http2.__name__] = _http2
