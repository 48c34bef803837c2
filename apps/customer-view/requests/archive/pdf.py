"""The report as PDF, by ReportLab (BSD).

Latin text is set in the embedded Bitstream Vera, Chinese in Adobe's `STSong-Light`, which viewers have: a Chinese
font of our own would add many megabytes to each archive. What neither has is shown by its number, and the report says so.
"""

import io
from functools import cache
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus import Table as Grid

from .report import Report, Section, Table

ACCENT, SOFT, LINE, TINT = (colors.HexColor(c) for c in ("#0b6e6e", "#5b6675", "#dfe4ea", "#eef6f5"))
LATIN, BOLD, CHINESE = "Vera", "VeraBd", "STSong-Light"
WIDTH = A4[0] - 40 * mm


def document(report: Report) -> bytes:
    """The PDF; the same report always gives the same bytes."""
    _fonts()
    out = io.BytesIO()
    template = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=20 * mm,
        bottomMargin=20 * mm,
        title=report.title,
        author=report.facts[0][1],
        lang=report.language,
        invariant=1,
    )
    story = [_text(report.title, 22, bold=True), Spacer(1, 2 * mm), _text(report.subtitle, 11, SOFT), Spacer(1, 5 * mm)]
    story += [_grid([(name, value) for name, value in report.facts], (45 * mm, WIDTH - 45 * mm)), Spacer(1, 4 * mm)]
    for section in report.sections:
        story += _section(section)
    if _has_gaps(report):
        story += [Spacer(1, 6 * mm), _text(report.glyphs, 9, SOFT)]
    template.build(story, onFirstPage=_frame, onLaterPages=_frame)
    return out.getvalue()


@cache
def _fonts() -> None:
    pdfmetrics.registerFont(TTFont(LATIN, "Vera.ttf"))
    pdfmetrics.registerFont(TTFont(BOLD, "VeraBd.ttf"))
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))


def _frame(canvas, template) -> None:
    canvas.setFillColor(ACCENT)
    canvas.rect(0, A4[1] - 3 * mm, A4[0], 3 * mm, stroke=0, fill=1)
    canvas.setFillColor(SOFT)
    canvas.setFont(LATIN, 8)
    canvas.drawRightString(A4[0] - 20 * mm, 10 * mm, str(template.page))


def _section(section: Section) -> list:
    head = [Spacer(1, 5 * mm), _text(section.title, 14, ACCENT, bold=True), Spacer(1, 1 * mm)]
    if section.lead:
        head += [_text(section.lead, 9.5, SOFT), Spacer(1, 1.5 * mm)]
    parts = []
    for table in section.tables:
        parts += _table(table)
    for title, text in section.texts:
        parts += [Spacer(1, 2 * mm), KeepTogether([_text(title, 10, bold=True), _text(text, 9.5)])]
    return [KeepTogether([*head, *parts[:1]]), *parts[1:]]


def _table(table: Table) -> list:
    widths = _widths(table)
    grid = _grid([table.heads, *table.rows], widths, heads=1)
    if not table.title:
        return [grid]
    title = _text(table.title, 10, bold=True)
    title.keepWithNext = True
    return [Spacer(1, 2.5 * mm), title, grid]


def _widths(table: Table) -> list[float]:
    """Columns by their longest texts, within bounds, so that a long one does not starve the others."""
    longest = [max(len(row[n]) for row in [table.heads, *table.rows]) for n in range(len(table.heads))]
    weights = [min(max(length, 8), 40) for length in longest]
    return [WIDTH * weight / sum(weights) for weight in weights]


def _grid(rows, widths, heads=0) -> Grid:
    cells = [
        [_text(cell, 9, SOFT if n < heads or not heads and m == 0 else None) for m, cell in enumerate(row)]
        for n, row in enumerate(rows)
    ]
    style = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
    ]
    if heads:
        style += [("LINEBELOW", (0, 0), (-1, 0), 1.2, LINE), ("ROWBACKGROUNDS", (0, 1), (-1, -1), [colors.white, TINT])]
    return Grid(cells, colWidths=widths, style=style, repeatRows=heads, hAlign="LEFT")


def _text(text: str, size: float, color=None, bold=False) -> Paragraph:
    style = ParagraphStyle(
        "text",
        fontName=BOLD if bold else LATIN,
        fontSize=size,
        leading=size * 1.35,
        textColor=color or colors.HexColor("#1c2430"),
        wordWrap="CJK",
        splitLongWords=True,
    )
    return Paragraph(_runs(text, BOLD if bold else LATIN), style)


def _runs(text: str, latin: str) -> str:
    """Markup that sets each run in a font that has it."""
    runs: list[tuple[str, str]] = []
    for char in text:
        font, shown = _font_of(char, latin)
        if runs and runs[-1][0] == font:
            runs[-1] = (font, runs[-1][1] + shown)
        else:
            runs.append((font, shown))
    return "".join(f'<font name="{font}">{escape(part)}</font>' for font, part in runs)


def _font_of(char: str, latin: str) -> tuple[str, str]:
    if char == "\n" or ord(char) in pdfmetrics.getFont(latin).face.charToGlyph:
        return latin, char
    return (CHINESE, char) if _is_chinese(char) else (latin, f"[U+{ord(char):04X}]")


def _is_chinese(char: str) -> bool:
    """GB 2312 is what every font behind that name has."""
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _has_gaps(report: Report) -> bool:
    text = "".join(
        cell for section in report.sections for table in section.tables for row in table.rows for cell in row
    )
    return any(_font_of(char, LATIN)[1] != char for char in set(text))
