-- How an alert's station and Datastream are called in each language, and which clock its readers have.
SELECT thing_names, names, timezone FROM read.alert WHERE id = %(alert)s
