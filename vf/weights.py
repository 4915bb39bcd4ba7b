"""`python -m vf.weights`: fetches what others trained, for the paper profile."""

from vf.backends.weights import main

if __name__ == "__main__":
    main()
