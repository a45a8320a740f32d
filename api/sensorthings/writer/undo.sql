-- Takes back what one request created when its Observations could not be stored.
WITH things AS (DELETE FROM thing WHERE id = ANY (%(Things)s)),
datastreams AS (DELETE FROM datastream WHERE id = ANY (%(Datastreams)s::bigint[] || %(MultiDatastreams)s::bigint[])),
history AS (DELETE FROM historical_location WHERE id = ANY (%(HistoricalLocations)s)),
locations AS (DELETE FROM location WHERE id = ANY (%(Locations)s)),
sensors AS (DELETE FROM sensor WHERE id = ANY (%(Sensors)s)),
properties AS (DELETE FROM observed_property WHERE id = ANY (%(ObservedProperties)s))
DELETE FROM feature_of_interest WHERE id = ANY (%(FeaturesOfInterest)s)
