"""When accreditations and relationships count, as SQL that other statements are built of.

The rule behind the first is `rules.accreditation_counts`, with what a scope that is not known means
for a lead (`matching.eligibility.counting`). Both are asked of `:today`.
"""


def accredited(provider_id: str, *, wanted: str, sector: str, sector_codes: str) -> str:
    """Return the condition that a provider is accredited for all that is wanted.

    `wanted` gives rows of standard and edition; `sector` is null where none is said, and
    `sector_codes` are all those of the system of codes that it is from.
    """
    return f"""
        NOT EXISTS (
            SELECT FROM {wanted} AS w (standard, edition)
            WHERE NOT EXISTS (
                SELECT FROM accreditations a JOIN accreditation_bodies b ON b.code = a.body
                WHERE a.provider_id = {provider_id} AND a.standard = w.standard
                  AND a.state = 'verified'
                  AND (a.valid_from IS NULL OR a.valid_from <= :today) AND a.valid_until >= :today
                  AND (a.edition IS NULL OR a.edition = w.edition)
                  AND ({sector} IS NULL OR a.sectors IS NULL OR {sector} = ANY (a.sectors)
                       OR NOT a.sectors && {sector_codes})
                  AND b.recognition = 'yes'
                  AND (b.recognised_for IS NULL OR a.standard = ANY (b.recognised_for))
            )
        )
    """  # nosec B608  # our own names; values are bound


def related(provider_id: str, *, is_other: str, since: str) -> str:
    """Return the condition that a provider is related to another, or was `since` a day.

    `is_other` ends a comparison with the other's id. Whoever declared a relationship, both have it.
    """
    return f"""
        EXISTS (
            SELECT FROM relationships r
            WHERE (r.provider_id = {provider_id} AND r.other_id {is_other}
                   OR r.other_id = {provider_id} AND r.provider_id {is_other})
              AND (r.valid_from IS NULL OR r.valid_from <= :today)
              AND (r.valid_until IS NULL OR r.valid_until >= {since})
        )
    """  # nosec B608  # our own names; values are bound
