"""The history of the database's shape. A migration that has landed is never edited."""
