"""Write mosquitto's first account: `python -m infra.servers.first_accounts dynamic-security.json` (infra/compose.yaml).

User and password are those of the settings. A file that is there is left alone: the broker keeps the devices' accounts in it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from infra.servers.mosquitto import first_accounts
from infra.servers.set import Account
from infra.settings import Settings


def write_first_accounts(path: Path, account: Account) -> bool:
    """Write the file when there is none; tell whether it was written."""
    if path.exists():
        return False
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(first_accounts(account))
    part.replace(path)
    return True


if __name__ == "__main__":
    settings = Settings()
    made = write_first_accounts(
        Path(sys.argv[1]), Account(user=settings.mqtt_user, password=settings.mqtt_password.get_secret_value())
    )
    print(f"{sys.argv[1]}: {'written' if made else 'already there'}")  # noqa: T201 - a command line
