"""Films and sounds: reading and writing them, cutting them into clips, corpora and their splits (section 3.1)."""
