"""PDFs for tests, object by object, so that any of them can be wrong."""

SAID = b"BT /F1 12 Tf 72 720 Td (An offer) Tj ET"


def a_pdf(*more, root=b"", mark="", trailer=b""):
    """Return a PDF of one page; `more` objects are numbered from 5.

    `root` goes into its catalogue, `trailer` into its trailer; `mark` makes it another file.
    """
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R " + root + b" >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(SAID), SAID),
        *more,
    ]
    body, offsets = b"%%PDF-1.7\n%% %b\n" % mark.encode(), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return b"%bxref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R %b >>\n%b" % (
        body, size, table, size, trailer, b"startxref\n%d\n%%%%EOF\n" % len(body),
    )  # fmt: skip


def with_size(size):
    """Return a PDF of so many bytes."""
    content = a_pdf(b"<< /Length 0000000 >>\nstream\n\nendstream")
    lacking = size - len(content)
    padded = a_pdf(b"<< /Length %07d >>\nstream\n%b\nendstream" % (lacking, b" " * lacking))
    # The offset of its table may have more digits now.
    over = len(padded) - size
    lacking -= over
    return a_pdf(b"<< /Length %07d >>\nstream\n%b\nendstream" % (lacking, b" " * lacking))
