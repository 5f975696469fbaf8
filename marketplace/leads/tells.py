"""What in a text could tell who somebody is or how to reach them, whoever that is. Pure.

Every function takes a text as it is compared (`folding`) and yields where something stands in it.
Every pattern is tried once from where a word begins and never looks twice at the same stretch, so
that the time grows with the length of a text and not with its square.
"""

import re
from collections.abc import Iterator, Sequence

from marketplace.leads.folding import HUMP

Span = tuple[int, int]

# Addresses on the Internet.

_H = f"{HUMP}?"
_SAID_AT = rf"(?:[a@]{_H}t|arroba|chiocciola)"
_BESIDE = r"[-_*~|/\\\"'`\u2018\u2019\u201c\u201d\xab\xbb]"
_AT = rf"(?:@t(?![^\W_])|@|[(\[{{<]\s*(?:a|{_SAID_AT})\s*[)\]}}>]|{_BESIDE}{_SAID_AT}{_BESIDE})"
_SAID_DOT = rf"(?:d{_H}[o0]{_H}t|punkt|punto|ponto|period)"
_OPEN, _CLOSE = r"[(\[{<]", r"[)\]}>]"
_WRITTEN_DOT = (
    rf"(?:[.\xb7\u2022\u2027\u30fb]|\s*(?:{_OPEN}\s*(?:\.|{_SAID_DOT})\s*{_CLOSE}"
    rf"|{_BESIDE}{_SAID_DOT}{_BESIDE})\s*)"
)
_DOT = rf"(?:{_WRITTEN_DOT}|\s+\.\s*|\s+{_SAID_DOT}\s+)"
_LABEL = rf"[\w{HUMP}\-]+"
_WEB = re.compile(
    rf"(?<!\w)h[\s{HUMP}]?[tx][\s{HUMP}]?[tx][\s{HUMP}]?p[\s{HUMP}]?s?\s*:\s*/\s*/\s*\S+"
    rf"|(?<!\w)w{_H}w{_H}w(?:\s*\.\s*|\s+)\S+"
)
_MAILBOXES = "gmail|googlemail|hotmail|yahoo|icloud|protonmail|bigpond|gmx"
_MAIL = (
    re.compile(rf"(?<![^\s,;(\[{{<])[^\s@,;(\[{{<]+\s*{_AT}\s*{_LABEL}(?:{_DOT}{_LABEL})+"),
    re.compile(
        rf"(?<!\S)[^\s@,;:]+\s+{_SAID_AT}\s+{_LABEL}(?:(?:\s+{_SAID_DOT}\s+|\.){_LABEL})*"
        rf"(?:\s+{_SAID_DOT}\s+|\.)[^\W\d_]{{2,24}}(?![^\W_])"
    ),
    re.compile(rf"(?<!\S)[^\s@,;:]+\s+{_SAID_AT}\s+(?:{_MAILBOXES})(?![^\W_])"),
)
_DOMAIN = re.compile(
    rf"(?<![\w.\-{HUMP}]){_LABEL}(?:{_WRITTEN_DOT}{_LABEL})*{_WRITTEN_DOT}"
    rf"[^\W\d_]{{2,24}}(?![^\W_])(?:[/?#:]\S*)?"
    rf"|(?<![\w.\-{HUMP}]){_LABEL}(?:\s+{_SAID_DOT}\s+{_LABEL})+(?:\s*/\S*)?"
    rf"|(?<![\w.\-{HUMP}])(?:[^\W_]|[{HUMP}\-])+[\s,_]{{1,2}}com(?:[\s,._]{{1,2}}[a-z]{{2}})?(?![^\W_])"
    rf"|(?<![\w.\-{HUMP}])(?:[^\W_]|{HUMP})+-{_SAID_DOT}-[^\W\d_]{{2,24}}(?:-{_SAID_DOT}-[a-z]{{2}})?(?![^\W_])"
    rf"|(?<![\w.\-{HUMP}])(?:[^\W_]|[{HUMP}\-])+(?:\s{{1,2}}\.\s{{0,2}}(?:[^\W_]|[{HUMP}\-])+){{0,3}}"
    r"\s{1,2}\.\s{0,2}(?:com|net|org|io|biz|info|au|nz)(?:\s{0,2}\.\s{0,2}[a-z]{2})?(?![^\W_])"
)
_TOKEN = re.compile(r"\S+")


def addresses(plain: str) -> Iterator[Span]:
    """Yield e-mail addresses, web sites and handles, written out or said."""
    for found in _TOKEN.finditer(plain):
        if "@" in found.group():
            yield _with_neighbour(plain, *found.span())
    for pattern in (_WEB, *_MAIL, _DOMAIN):
        yield from (found.span() for found in pattern.finditer(plain))


def _with_neighbour(plain: str, start: int, end: int) -> Span:
    """Return a token with an @, and the one that follows an @ at its end."""
    if plain[start:end].rstrip(")]}>").endswith("@"):
        following = _TOKEN.search(plain, end)
        if following is not None:
            end = following.end()
    return start, end


_NETWORK = (
    rf"linked{_H}in|instagram|insta|ig|face{_H}book|fb|twitter|tik{_H}tok|telegram|whats{_H}app|we{_H}chat|"
    rf"weixin|skype|viber|you{_H}tube|xing|threads|mastodon|bluesky|discord|snap{_H}chat|line id"
)
_HANDLES = (
    re.compile(rf"(?<!\S)[^\s,;:()]+\s+on\s+(?:{_NETWORK})(?![^\W_])"),
    re.compile(
        rf"(?<![^\W_])(?:{_NETWORK})(?:\s+(?:id|handle|name|account|page|user))?\s*(?:is|[:=/#-]+)\s*\S+"
    ),
    re.compile(rf"(?<![^\W_])(?:{_NETWORK})\s+(?=[^\s]*[\d_.])[^\s,;:()]+"),
    re.compile(rf"(?<![^\W_])(?:{_NETWORK})\s+(?:as|under|by)\s+(?!the\s|an?\s|it\s)[^\s,;:()]+"),
)


def handles(plain: str) -> Iterator[Span]:
    """Yield what somebody is called on a network."""
    for pattern in _HANDLES:
        yield from (found.span() for found in pattern.finditer(plain))


# Numbers long enough for a telephone or a register.

_BETWEEN = r"\s().\-/_*|~\xb7\u2022\u2027"
NUMBER = re.compile(rf"\+?\(?\d(?:(?:[{_BETWEEN}]{{0,4}}|[,:+'\u2019=])\d){{5,}}")
SAID_NUMBER = re.compile(rf"\d(?:[,{_BETWEEN}]{{0,4}}\d){{5,}}")
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:19|20)\d\d"
_TIME = r"(?:[01]?\d|2[0-4])[:.][0-5]\d"
_QUARTER = r"(?:[01]\d|2[0-4])(?:00|15|30|45)"
_STANDARD = "(?:9001|13485|14001|20121|22000|22301|22716|27001|27701|37001|41001|42001|45001|50001)"
_CLAUSE = r"(?:[4-9]|10)(?:\.\d){1,3}"
_SUM = r"\d{1,3}(?:,\d{3})+(?:\.\d\d?)?"
_ROUND = r"[1-9]\d{0,3}00"
_HARMLESS_NUMBER = re.compile(
    rf"\d{{6}}|{_DAY}[-/.]{_MONTH}[-/.]\d\d|{_DAY} {_MONTH} {_YEAR}"
    rf"|{_YEAR} ?[-/] ?\d\d|{_MONTH}[-/.]{_YEAR}|{_YEAR}/\d{{2,4}}"
    rf"|[1-9]\d\d ?- ?[1-9]\d\d|{_ROUND} ?- ?{_ROUND}|{_SUM} ?- ?{_SUM}"
    rf"|[1-9]\d? ?/ ?[1-9]\d? ?/ ?[1-9]\d?|24/7/365"
    rf"|{_QUARTER} ?- ?{_QUARTER}|{_CLAUSE}(?:[ /]{_CLAUSE})+"
    rf"|\d{{1,3}}(?:,\d{{3}})+(?:\.\d\d?)?|\d{{1,3}}(?:[ .]\d{{3}})?[ .]000"
    rf"|{_YEAR}([-/.]){_MONTH}\1{_DAY}|{_DAY}([-/.]){_MONTH}\2{_YEAR}"
    rf"|{_MONTH}([-/]){_DAY}\3{_YEAR}|{_YEAR} ?[-/,] ?{_YEAR}(?: ?[-/,] ?{_YEAR})*"
    rf"|{_TIME} ?- ?{_TIME}"
    rf"|{_STANDARD}(?::{_YEAR})?(?: ?[/,+\- ] ?{_STANDARD}(?::{_YEAR})?)*"
    rf"|[1-9]\d{{0,4}}(?:-\d{{1,2}})?:{_YEAR}"
)
"""Dates, spans, years and hours, sums of money, clauses, and standards one after the other."""
_HARMLESS_AFTER = (
    (
        re.compile(
            r"(?<![^\W_])(?:iso|iec|en|din|bs|as|nzs|astm|ansi|iatf|ohsas|fssc|asme|api|nist|ts|tr|pas|"
            rf"sae|ul|nf|uni|une|jis|csa)[\s/:\-{HUMP}]{{0,3}}\Z"
        ),
        re.compile(rf"[1-9]\d{{2,4}}(?:-\d{{1,2}}){{0,2}}(?:[ :/\-]{_YEAR})?"),
    ),
    (
        re.compile(
            r"(?<![^\W_])(?:post\s?codes?|nace|anzsic)(?:\s(?:of|for|codes?|sites?)){0,3}:?\s{0,2}\Z"
        ),
        re.compile(r"\d{4}(?:[ /-]{1,3}\d{4}){0,9}|\d\d\.\d{1,2}(?:[ /]\d\d\.\d{1,2}){0,9}"),
    ),
)
"""What is no number of anybody's where that stands before it: parts of standards, post codes."""
MOST_BEFORE = 30


def numbers(plain: str, pattern: re.Pattern[str] = NUMBER) -> Iterator[Span]:
    """Yield whatever could be a telephone number or a number in a register."""
    for found in pattern.finditer(plain):
        said = found.group().strip("()").replace(HUMP, "")
        if not (_HARMLESS_NUMBER.fullmatch(said) or _is_harmless_there(plain, found.start(), said)):
            yield found.span()


def _is_harmless_there(plain: str, start: int, said: str) -> bool:
    before = plain[max(0, start - MOST_BEFORE) : start]
    return any(cue.search(before) and form.fullmatch(said) for cue, form in _HARMLESS_AFTER)


_SAID_DIGIT = "zero|oh|nought|one|two|three|four|five|six|seven|eight|nine"
_JOINED = re.compile(rf"(?<![^\W_])(?:(?:{_SAID_DIGIT}|\d){_H}){{6,}}(?![^\W_])")


def joined(plain: str) -> Iterator[Span]:
    """Yield numbers said in words without a space between, or by turns in words and digits."""
    for found in _JOINED.finditer(plain):
        if not found.group().isdigit():
            yield found.span()


# Where somebody is, closer than a region.

_NAME = rf"[^\W\d_](?:[^\W\d_]|[{HUMP}'\u2019.\-]){{0,40}}"
_GAP = r"(?:\s{1,3}|\s?,\s{0,3})"
_KINDS_OF_STREET = (
    "street|st|road|rd|avenue|ave|av|lane|ln|drive|dr|court|ct|place|pl|crescent|cres|cr|highway|"
    "hwy|parade|pde|terrace|tce|boulevard|blvd|way|close|cl|circuit|cct|esplanade|quay|square|sq|"
    "grove|gr|parkway|pkwy|row|mews|wharf"
)
_NO_STREET = (
    "in|the|of|a|an|at|on|to|for|and|or|per|each|every|one|same|this|that|is|are|have|has|with|by|"
    "people|persons|staff|employees|workers|sites|site|shifts|days|day|weeks|week|months|month|"
    "years|year|hours|hour|auditors|audits|standards|products|lines|all|we|our|under|any|more|"
    "their|your|it|as|from|into|out|first|take|takes|place|no|not|must"
)
_STATE = "nsw|vic|qld|tas|n\\.s\\.w\\.?|queensland|victoria|tasmania"
_HOUSE = rf"\d{{1,5}}(?:{_H}[a-z])?(?:\s?[-/]\s?\d{{1,5}}(?:{_H}[a-z])?)?"
_PART = (
    r"(?:(?:unit|suite|level|lvl|floor|shop|lot|building|bldg|ste|apt|office)\.?\s{0,2}"
    rf"\d{{1,4}}{_H}[a-z]?\s?[,/\-]?\s{{0,3}})?"
)
_TOWN = rf"(?:{_GAP}{_NAME}){{0,4}}{_GAP}\d{{4,6}}(?![\d:])"
_PLACES = (
    re.compile(
        rf"(?<![^\W_]){_PART}{_HOUSE}{_GAP}(?:(?!(?:{_NO_STREET})(?![^\W_])){_NAME}\s{{1,3}}){{1,3}}"
        rf"(?:{_KINDS_OF_STREET})(?![^\W_])\.?(?:{_TOWN})?"
    ),
    re.compile(
        rf"(?<![^\W_])(?:{_NAME}\s)?[^\W\d_]{{0,30}}(?:strasse|str\.|gasse|allee|platz|straat|"
        rf"laan|plein|gatan|vej|weg)\s{{0,2}}{_HOUSE}(?![^\W_])(?:{_GAP}\d{{4,5}}\s{_NAME})?"
    ),
    re.compile(
        rf"(?<![^\W_]){_HOUSE}{_GAP}(?:rue|via|calle|rua|plaza|piazza|avenida|corso|viale|chemin)"
        rf"(?:\s{_NAME}){{1,4}}"
        rf"|(?<![^\W_])(?:rue|via|calle|rua|plaza|piazza|avenida|corso|viale|chemin)"
        rf"(?:\s{_NAME}){{1,4}}{_GAP}{_HOUSE}(?![^\W_])"
    ),
    re.compile(r"(?<![^\W_])(?:g\W?)?p\W{0,2}o\W{0,2}\s?box\W{0,3}[a-z]?\W?\d+" + f"(?:{_TOWN})?"),
    re.compile(r"(?<![^\W_])(?:locked|private|mail)\s+bag\W{0,3}\d+" + f"(?:{_TOWN})?"),
    re.compile(r"(?<![^\W_])postfach\W{0,3}[\d ]+"),
    re.compile(
        rf"(?<![^\W_])(?:(?!(?:{_NO_STREET})(?![^\W_])){_NAME}\s){{0,1}}"
        rf"(?!(?:{_NO_STREET})(?![^\W_])){_NAME}{_GAP}"
        rf"(?:(?:{_STATE}){_GAP}\d{{4}}|act{_GAP}(?:02|2[69])\d\d)(?!\d)"
    ),
    re.compile(
        rf"(?<![^\W_])(?!(?:{_NO_STREET})(?![^\W_])){_NAME}\s{{1,2}}(?:street|road|avenue|highway|"
        rf"boulevard|esplanade|parade)\s{{1,2}}{_HOUSE}(?![^\W_])"
        rf"|(?<![^\W_])corner\sof\s{_NAME}(?:\s{_NAME})?\sand\s{_NAME}(?:\s(?:{_KINDS_OF_STREET})(?![^\W_]))?"
    ),
    re.compile(rf"(?<![^\W_]){_NAME}(?:\s{_NAME})?,\s?[a-z]{{2}}\s\d{{5}}(?:-\d{{4}})?(?!\d)"),
    re.compile(  # of Britain and of Canada
        rf"(?<![^\W_])[a-z]{{1,2}}{_H}\d{_H}[a-z\d]?{_H}\s?\d{_H}[a-z]{{2}}(?![^\W_])"
        rf"|(?<![^\W_])[a-z]{_H}\d{_H}[a-z]{_H}[\s-]?\d{_H}[a-z]{_H}\d(?![^\W_])"
    ),
)


def places(plain: str) -> Iterator[Span]:
    """Yield street and post box addresses, and post codes with their towns."""
    for pattern in _PLACES:
        yield from (found.span() for found in pattern.finditer(plain))


# People, whoever they are: after what one says before a name.

_TITLED = re.compile(
    rf"(?<![^\W_])(?:mr|mrs|ms|miss|mx|dr|prof|professor|herr|frau|monsieur|madame|mme|senor|senora|"
    rf"signor|signora|sir|dame)\.?\s{{1,3}}({_NAME}(?:\s{{1,2}}{_NAME}){{0,2}})"
)
_CUED = re.compile(
    rf"(?<![^\W_])(?:ask(?:ing)?\sfor|speak\s(?:to|with)|talk\s(?:to|with)|attn|attention|"
    rf"names?\s(?:is|are)|contact(?:\s(?:person|name|is))?|call|ring|"
    rf"trad(?:e|es|ed|ing)\sas|t/a|d/b/a|dba|doing\sbusiness\sas|formerly|previously|known\sas|"
    rf"(?:subsidiary|division|branch|part|member)\sof|owned\sby|parent(?:\scompany)?\sis|"
    rf"reach|email|e-mail|phone|see|meet|c/o|care\s+of|signed|regards|cheers|"
    rf"sincerely|yours|thanks|thank\s+you|gr(?:ue|u)sse|cordialement|saludos|"
    rf"(?:colleague|boss|assistant|secretary|wife|husband|brother|sister|son|daughter|"
    rf"manager|director|owner|founder|ceo|coo|cfo|representative|supervisor|lead|officer),?(?:\s+is)?)"
    rf"\s?[:,.!\-]?\s{{1,4}}({_NAME}(?:\s{{1,2}}{_NAME}){{0,2}})"
)
_INTRODUCED = re.compile(
    rf"(?<![^\W_])(?:i\sam|i'm|this\sis|here\sis)\s{{1,3}}({_NAME}\s{_NAME}(?:\s{_NAME})?)"
)
_OTHER_WORDS = (
    "the a an our your us me my we you it this that these those all any more some each every "
    "ohsas nzs iatf fssc brc brcgs gmp gdp iaf nata jas-anz european "
    "no not and or for from to of in on at by with as is are be please iso iec haccp en din "
    "as/nzs cb details quotes quote help information someone somebody anyone anybody "
    "everybody both either monday tuesday wednesday thursday friday saturday sunday january "
    "february march april may june july august september october november december stage "
    "phase audit audits auditor auditors certification certificate certificates consulting "
    "consultant consultants quality management system systems australia europe germany france "
    "spain italy england britain ireland canada japan china india singapore new zealand south "
    "north east west nsw vic qld wa sa tas nt act eu uk usa us english german french spanish "
    "first second third before after during until when if once only both tbc tba asap who "
    "what which how there here also very much so then next last operations manager managers "
    "director general production site plant office head team lead advance forward kindly "
    "regards best kind warm cheers thanks many"
)
NO_NAMES = frozenset(_OTHER_WORDS.split())


def people(plain: str, is_capital: Sequence[bool]) -> Iterator[Span]:
    """Yield names that stand where one expects a name.

    `is_capital` says of each character whether it was written as a capital.
    """
    for pattern, needs_capital, fewest in (
        (_TITLED, False, 1),
        (_CUED, True, 1),
        (_INTRODUCED, True, 2),
    ):
        for found in pattern.finditer(plain):
            end = found.start(1)
            count = 0
            for word in _WORDS.finditer(plain, found.start(1), found.end(1)):
                letters = word.group().strip(".").replace(HUMP, "").partition("'")[0]
                if letters in NO_NAMES or (needs_capital and not is_capital[word.start()]):
                    break
                end, count = word.end(), count + 1
            if count >= fewest:
                yield found.start(1), end


_WORDS = re.compile(r"\S+")
