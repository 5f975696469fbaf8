"""Upgrades without downtime: what a migration may do, and two versions on one database."""
