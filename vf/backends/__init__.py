"""Networks that the paper uses but does not train. `small` and `paper` hold one profile each, with the same modules."""
