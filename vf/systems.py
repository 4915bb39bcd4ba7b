"""`python -m vf.systems`: writes a run's sounds as folders, as other systems publish theirs."""

from vf.evaluation.systems import main

if __name__ == "__main__":
    main()
