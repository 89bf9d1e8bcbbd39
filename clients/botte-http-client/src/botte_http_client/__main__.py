"""``python -m botte_http_client`` is the ``botte`` command."""

from ._cli import main

main()
