"""One form in, up to three comparable quotes from verified providers back, within 24 hours."""
