"""`python -m vf.evaluate`: scores folders of sounds or films against a reference."""

from vf.evaluation.folders import main

if __name__ == "__main__":
    main()
