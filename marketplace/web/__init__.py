"""The HTTP door: the JSON interface and the pages, both onto the same use cases."""
