"""`python -m vf.shards`: cuts a collection of sounds into WebDataset shards."""

from vf.data.shards import main

if __name__ == "__main__":
    main()
