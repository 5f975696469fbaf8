"""Campaigns against the whole product: short in `make test`, long by `make fuzz`."""
