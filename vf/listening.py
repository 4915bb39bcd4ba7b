"""`python -m vf.listening`: makes a listening test and scores its answers."""

from vf.evaluation.listening.page import main

if __name__ == "__main__":
    main()
