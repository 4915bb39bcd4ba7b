"""`python -m vf.doctor`: one page on this machine and checkout, the first thing wrong at the top."""

import sys

from vf.report.doctor import main

if __name__ == "__main__":
    sys.exit(main())
