"""How fast it is: ratios against floors that are measured in the same run. `make bench`."""
