"""What every capability stands on, and which knows none of them.

use cases     context, actors, errors, forms, lifecycle, policy, calendars, idempotency, texts
the database  db, direct, connections, primary
jobs          jobs, bell, sweeps, sweeps_done, processes
the log       events, chain, sealing_log, verifying, log_guard, backups
people        agreements, consents, identity, links, attempts, networks
secrets       sealing
files         files, formulas, pdfs, pdf_look, typesetting, typeset, confined, confine, charts
watching      metrics, tracing, otlp
Redis away    circuit_breaker
"""
