"""Several hosts, each a network namespace of its own; and what becomes of leads when one is cut."""
