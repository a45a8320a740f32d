"""How a version of the standard looks on the wire: names, links, times."""
