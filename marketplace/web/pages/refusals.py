"""What is wrong with a field, as a whole sentence in which its name stands.

The JSON interface says the same in terse words behind a pointer, by which the sentences are found.
"""

from collections.abc import Mapping

from flask_babel import gettext as _

from marketplace.core.texts import N_, Told
from marketplace.web.languages import translate

SENTENCES: Mapping[str, str] = {
    "is required": N_("%(field)s is required"),
    "must not be null": N_("%(field)s is required"),
    "must not be empty": N_("%(field)s must have letters or digits in it"),
    "must have at least one letter or digit": N_("%(field)s must have letters or digits in it"),
    "must be a text": N_("%(field)s must be a text"),
    "must not contain control characters": N_(
        "%(field)s has a character in it that cannot be seen: please type it again"
    ),
    "must have at least %(least)d characters": N_(
        "%(field)s must have at least %(least)d characters"
    ),
    "must have at most %(most)d characters": N_(
        "%(field)s must have at most %(most)d characters: please shorten it"
    ),
    "must be a whole number": N_("%(field)s must be a whole number, in digits, such as 12"),
    "must be from %(least)d to %(most)d": N_("%(field)s must be from %(least)d to %(most)d"),
    "must have %(least)d to %(most)d entries": N_(
        "%(field)s must be at least %(least)d and at most %(most)d"
    ),
    "must be a list": N_("%(field)s must be a list"),
    "is named twice": N_("%(field)s must each be given once"),
    "must be true or false": N_("%(field)s must be yes or no"),
    "must be a date such as 2026-11-22": N_(
        "%(field)s must be a date, as year, month and day, such as 2026-11-22"
    ),
    "must be an e-mail address: %(why)s": N_(
        "%(field)s must be an e-mail address, such as name@acme.example"
    ),
    "must be a web address such as https://acme.example": N_(
        "%(field)s must be a web address, such as www.acme.example"
    ),
    "must be one of %(allowed)s": N_("%(field)s must be one of those offered: please choose again"),
    'must be an amount as text, such as "1250.00"': N_(
        "%(field)s must be an amount without a currency, such as 1250.00"
    ),
    "must be a number of days in steps of 0.5": N_(
        "%(field)s must be a number of days in steps of a half, such as 2.5"
    ),
    "must be at most %(most)d days": N_("%(field)s must be at most %(most)d"),
    'must be a rate in percent, such as "10"': N_("%(field)s must be a percentage, such as 10"),
    "must be an id (UUID)": N_("%(field)s must be one of those offered: please choose again"),
    "must be a web address such as https://hooks.acme.example/quotes": N_(
        "%(field)s must be a web address, such as https://hooks.acme.example/quotes"
    ),
    "must be a web address in ASCII, without a user, a password or a #": N_(
        "%(field)s must be a web address in plain letters, without a user, a password or a #"
    ),
    "must name a host such as hooks.acme.example": N_(
        "%(field)s must name a host, such as hooks.acme.example"
    ),
    "must begin with https://": N_("%(field)s must begin with https://"),
    "must be on the public internet": N_("%(field)s must be on the public internet"),
    "must have %(least)d to %(most)d characters": N_(
        "%(field)s must have %(least)d to %(most)d characters"
    ),
    "must have at least five different characters": N_(
        "%(field)s must have at least five different characters"
    ),
    "must not be made of your own name or address, or of words of this site": N_(
        "%(field)s must not be made of your own name or address, or of words of this site"
    ),
    "is the one that you sign in with already": N_(
        "%(field)s is the one that you sign in with already"
    ),
    "is not right": N_("%(field)s is not right"),
    "has lapsed: please begin again": N_("%(field)s has lapsed: please begin again"),
    "has leaked elsewhere, and is among the first to be tried: please choose one that you use "
    "nowhere else": N_(
        "%(field)s has leaked elsewhere, and is among the first to be tried: please choose one "
        "that you use nowhere else"
    ),
    "would be guessed soon: please take a few words that have nothing to do with each other, or "
    "let a password manager make one": N_(
        "%(field)s would be guessed soon: please take a few words that have nothing to do with "
        "each other, or let a password manager make one"
    ),
    "must not contain | or ;": N_("%(field)s must not contain | or ;"),
    "must be a PDF, PNG or JPEG file": N_("%(field)s must be a PDF, PNG or JPEG file"),
    "must be a PDF file": N_("%(field)s must be a PDF file"),
    "must be a PDF file that can be read: please save it as a PDF anew": N_(
        "%(field)s cannot be read as a PDF: please save it as a PDF anew"
    ),
    "must not be encrypted, nor ask for a password": N_(
        "%(field)s must not be encrypted: please save it without a password"
    ),
    "must not contain JavaScript or other scripts": N_(
        "%(field)s must not have scripts (JavaScript) in it: please print it into a plain PDF"
    ),
    "must not start programs, open other files or send data": N_(
        "%(field)s must not start programs, open other files or send data: please print it into a "
        "plain PDF"
    ),
    "must not have other files, sound or film inside it": N_(
        "%(field)s must not have other files, sound or film inside it: please add those apart"
    ),
    "must be a simpler PDF: to look into this one takes too long or too much": N_(
        "%(field)s takes too long to look into: please print it into a plain PDF"
    ),
    "must be one file at a time": N_("%(field)s must be one at a time"),
    "must have at most %(most)d MiB": N_(
        "%(field)s must have at most %(most)d MiB: a scan in black and white, or fewer pages, is "
        "usually enough"
    ),
    "may not be added: a quote has at most %(most)d files, so please remove one first": N_(
        "%(field)s may not be added: a quote has at most %(most)d, so please remove one first"
    ),
    "must be an edition of %(code)s, such as %(now)s": N_(
        "%(field)s must be one of %(code)s, such as %(now)s"
    ),
    "is in the past": N_("%(field)s is in the past: please give a later one"),
    "must be at most %(most)d, for a business of this size": N_(
        "%(field)s must be at most %(most)d, for a business of this size"
    ),
    "is not covered by your accreditation, which is for %(edition)s": N_(
        "%(field)s is not covered by your accreditation, which is for %(edition)s"
    ),
    "must be %(total)s, to which the amounts add up, or left out": N_(
        "%(field)s must be %(total)s, to which the amounts add up, or left out"
    ),
    "is in the future": N_("%(field)s is in the future: please give an earlier one"),
    "is so long ago that such a certificate has ended": N_(
        "%(field)s is more than three years ago: such a certificate has ended"
    ),
    "must not be after %(last)s": N_("%(field)s must not be after %(last)s"),
    "is needed: without it nobody is reminded": N_(
        "Tick that we may write to you: nobody is reminded without that"
    ),
    "must be certified in cycles of three years: we know no dates of others": N_(
        "%(field)s must be certified in cycles of three years: we know no dates of others"
    ),
    "is not in this age": N_("%(field)s must be a day between the years 2000 and 2999"),
    "must be later than its beginning": N_("%(field)s must not be before the first one"),
    "must not be before its beginning": N_("%(field)s must not be before the first one"),
    "the range must not end before it begins": N_(
        "The largest number of people must not be smaller than the smallest"
    ),
    "is not an ISO 4217 currency": N_(
        "%(field)s must be three letters that name one, such as AUD or NZD"
    ),
    "must be a whole amount: %(currency)s has no smaller unit": N_(
        "%(field)s must be a whole amount: %(currency)s has no smaller unit"
    ),
    "is not an ISO 3166-1 country code": N_("%(field)s must be chosen from the list"),
    "is not a standard of the catalogue": N_("%(field)s must be chosen from the list"),
    "is not a sector of the catalogue": N_("%(field)s must be chosen from the list"),
    "is not an accreditation body of the catalogue": N_("%(field)s must be chosen from the list"),
    "is not a standard that anybody is certified to": N_(
        "%(field)s must be one that businesses are certified to"
    ),
    "must have 2 to 30 letters and digits": N_("%(field)s must have 2 to 30 letters and digits"),
    "is not a valid ABN or ACN: please check its digits": N_(
        "%(field)s is not a valid ABN or ACN: please check its digits"
    ),
    "is not a valid NZBN: please check its digits": N_(
        "%(field)s is not a valid NZBN: please check its digits"
    ),
    "signs in for you already": N_("Somebody with this e-mail address signs in for you already"),
    "is included, so it has no amount of its own": N_(
        "Travel is included in the fees, so leave its own fee blank, or choose who else bears it"
    ),
    "was not asked for": N_("%(field)s was not asked for"),
    "is not one of your accreditations": N_("%(field)s must be one of your own"),
    "is not for a standard that was asked for": N_(
        "%(field)s must be for a standard that was asked for"
    ),
    "is not verified and current": N_("%(field)s must be verified and current"),
}
"""By what a schema or a use case says of a field."""


def whole(problem: str, field: str) -> str:
    """Return what is wrong with a field as a sentence."""
    text, values = (problem.text, problem.values) if isinstance(problem, Told) else (problem, {})
    if text not in SENTENCES:
        return str(_("%(field)s: %(problem)s", field=field, problem=translate(problem)))
    return str(_(SENTENCES[text], field=field, **values))
