"""Structured quotes, their comparison, and what comes of them: the choice, reviews, follow-on."""
