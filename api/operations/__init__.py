"""What those who run the platform look at and decide: dead letters, quarantine, pauses. For writers alone."""
