"""The ``botte`` command, also as ``python -m botte_http_client``."""

import sys


def main() -> None:
    try:
        from ._cli import main
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("botte: the command needs what botte-http-client[cli] brings: pip install click rich")
    main()


if __name__ == "__main__":
    main()
