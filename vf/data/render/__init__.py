"""The rendered corpus: films of a stick that hits and scratches things, and their sound. It needs no download."""
