"""The floor of every job: one that does nothing."""


def nothing() -> None:
    return None
