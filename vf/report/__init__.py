"""What a reader sees: the numbers of the paper beside ours, claims and verdicts, tables, figures, the page."""
