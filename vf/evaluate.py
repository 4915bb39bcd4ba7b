"""`python -m vf.evaluate`: scores folders of sounds or films against a reference."""

import sys

if __name__ == "__main__":
    try:
        from vf.evaluation.folders import main  # here, as it takes seconds, in which one may stop it

        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
