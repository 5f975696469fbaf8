"""`python -m tests.workers.impatient`: the RQ door, soon at the end of its patience."""

from workers import run, supervision

if __name__ == "__main__":
    supervision.GRACE = 1.0
    run.main()
