"""The report as one HTML page: nothing loaded from anywhere, light and dark, good on paper."""

from html import escape

from .report import Report, Section, Table

STYLE = """
:root{--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--paper:#fff;--page:#f4f6f8;--accent:#0b6e6e;--tint:#eef6f5}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaef;--soft:#9aa6b4;--line:#2d3743;--paper:#171d25;--page:#0f141a;
--accent:#5ec4bd;--tint:#1b2a2c}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Roboto,"PingFang SC",
"Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{max-width:54rem;margin:2.5rem auto;padding:0 1.25rem}
header{border-top:6px solid var(--accent);background:var(--paper);padding:2rem 2rem 1.5rem;border-radius:4px 4px 10px 10px;
box-shadow:0 1px 3px #0002}
h1{margin:0;font-size:2rem;letter-spacing:-.01em}
header p{margin:.25rem 0 1.25rem;color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem;margin:0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
section{background:var(--paper);margin:1.25rem 0;padding:1.5rem 2rem;border-radius:10px;box-shadow:0 1px 3px #0002}
h2{margin:0 0 .25rem;font-size:1.25rem;color:var(--accent)}
h3{margin:1.5rem 0 .5rem;font-size:1rem}
section>p{margin:.25rem 0 1rem;color:var(--soft)}
table{width:100%;border-collapse:collapse;font-size:.95rem}
th{text-align:left;font-weight:600;color:var(--soft);border-bottom:2px solid var(--line);padding:.4rem .75rem .4rem 0}
td{border-bottom:1px solid var(--line);padding:.45rem .75rem .45rem 0;vertical-align:top;overflow-wrap:anywhere}
tr:nth-child(even) td{background:var(--tint)}
@media print{body{background:#fff;font-size:11pt}header,section{box-shadow:none;padding:0;border-radius:0}
section{break-inside:auto}tr{break-inside:avoid}}
"""


def page(report: Report) -> bytes:
    """The page in UTF-8."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in report.facts)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(report.title)}</title>'
    top = f"<header><h1>{escape(report.title)}</h1><p>{escape(report.subtitle)}</p><dl>{facts}</dl></header>"
    body = top + "".join(_section(section) for section in report.sections)
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    return (
        f'<!doctype html><html lang="{escape(report.language)}"><head>{policy}{head}<style>{STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    ).encode()


def _section(section: Section) -> str:
    lead = f"<p>{escape(section.lead)}</p>" if section.lead else ""
    tables = "".join(_table(table) for table in section.tables)
    texts = "".join(f"<h3>{escape(title)}</h3><p>{escape(text)}</p>" for title, text in section.texts)
    return f"<section><h2>{escape(section.title)}</h2>{lead}{tables}{texts}</section>"


def _table(table: Table) -> str:
    title = f"<h3>{escape(table.title)}</h3>" if table.title else ""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in table.heads)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"{title}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
