"""`python -m vf.pretrain`: trains what the project ships in `pretrained`."""

from vf.foley.pretraining import main

if __name__ == "__main__":
    main()
