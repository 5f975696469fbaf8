"""The RQ door: jobs that transactions rang, and sweeps on the clock."""
