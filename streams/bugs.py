"""What is said of an error that nobody expected, where it refuses a reading instead of ending the worker (decisions.md 5)."""

from __future__ import annotations

import traceback
from pathlib import Path

FRAMES = 3
LONGEST = 500


def describe(error: BaseException) -> str:
    """Kind and text of the error, and the innermost places in the code where it happened."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    text = f"{type(error).__name__}: {error}"[:LONGEST].encode("utf-8", "replace").decode()
    return f"{text} ({places})" if places else text
