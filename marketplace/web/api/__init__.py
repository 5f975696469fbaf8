"""The JSON interface: schemas and endpoints, one module per party and subject."""
