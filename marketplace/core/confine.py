"""Take away from this process what may do harm, then run a program in it: see `confined.py`."""

import resource
import runpy
import sys


def main() -> None:
    memory, seconds = (int(each) for each in sys.argv[1:3])
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    sys.argv = sys.argv[3:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
