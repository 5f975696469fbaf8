"""Back-ups that were restored: what is in them, and leads that go on where they were."""
