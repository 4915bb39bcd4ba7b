"""Scores of curves and sounds (section 3.2, App. C): metrics over clips and over sets of clips.

They serve this project's systems and those of others.
"""
