"""The rendered corpus: films of a stick that hits and scratches things, and their sound, for machines without real film."""
