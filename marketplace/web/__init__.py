"""The HTTP door: the JSON interface and the pages, both onto the same use cases.

each request  app, product, hosts, doors, auth, cookies, requests, fields, idempotency
each answer   headers, errors, languages, paging, files, reporting, openapi
rate limits   limit_table, limits, limit_counts
watching      operations, beside, figures, row_counts, access_log, security_log, traces
use cases     api, pages
"""
