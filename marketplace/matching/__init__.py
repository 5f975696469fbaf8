"""Who is invited to a lead: eligible, fitting best, whose turn it is; and why."""
