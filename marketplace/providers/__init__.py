"""Consultants and certification bodies: what they cover, their accreditations and relations."""
