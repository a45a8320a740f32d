-- Whether an Observation has this FeatureOfInterest.
SELECT EXISTS (SELECT FROM observation WHERE feature_id = %(id)s AND NOT deleted)
