"""The form, which business it comes from, how far it can be trusted, and the life of a lead."""
