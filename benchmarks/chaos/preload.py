"""What a new worker has in memory already: without this each of them would import and read for a second.

Imported by the server that forks the workers, before it knows where the embedded AWS is.
"""

import os

import chalice.cli.factory  # noqa: F401
import urllib3  # noqa: F401

import benchmarks.chaos.worker  # noqa: F401
from benchmarks.chaos.consumers import stage_environment
from chalicelib import relay, settings  # noqa: F401
from chalicelib.doors import http, invoke, queue, stream, webhook  # noqa: F401

os.environ.update(stage_environment())
