"""Virtual Datastreams: Observations made of others' by a formula."""
