"""The static SQL of the streams, one file a statement."""

from functools import cache
from importlib.resources import files


@cache
def query(name: str) -> bytes:
    """Text of `queries/{name}.sql`, as psycopg takes it."""
    return files("streams.queries").joinpath(f"{name}.sql").read_bytes()
