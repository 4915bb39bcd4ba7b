"""Everything with weights of its own that the paper does not train, a folder a profile with the same rooms."""
