"""The console script."""

from __future__ import annotations

from grenzregion.cli import app


def main() -> None:
    """Run one subcommand."""
    app()


if __name__ == "__main__":
    main()
