"""Scores of curves and sounds: the metrics of section 3.3 and App. C, over clips and over sets, of this project and of others."""
