-- FeaturesOfInterest that Observations name can't be deleted before these are committed.
SELECT id FROM feature_of_interest WHERE id = ANY (%(ids)s) ORDER BY id FOR KEY SHARE
