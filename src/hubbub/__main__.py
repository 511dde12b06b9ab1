"""The command `hubbub`: the command line, or what it lacks."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        from hubbub.cli import main as run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("hubbub"):
            raise
        sys.exit(f"hubbub: {error.name} is not installed, which the command line needs: pip install 'hubbub[server]'")
    run()


if __name__ == "__main__":
    main()
