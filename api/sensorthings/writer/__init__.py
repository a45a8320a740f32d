"""Creating entities: a JSON body becomes a plan, a plan becomes rows in one transaction and Observations through the store."""
