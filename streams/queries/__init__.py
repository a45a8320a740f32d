"""The static SQL of the streams, one file a statement or a part that statements share."""

import re
from functools import cache
from importlib.resources import files

_INCLUDE = re.compile(rb"^-- include (\w+)\n", re.MULTILINE)


@cache
def query(name: str) -> bytes:
    """Text of `queries/{name}.sql`, as psycopg takes it; a line `-- include NAME` stands for the text of that one."""
    text = files("streams.queries").joinpath(f"{name}.sql").read_bytes()
    return _INCLUDE.sub(lambda found: query(found[1].decode()), text)
