"""The few pages that a person sees: the form, the link's page, how it stands. English and Chinese, no script."""

import json
from html import escape
from urllib.parse import urlencode

from ..domain.letters import KINDS
from ..domain.systems import FIELDS, Kind

STYLE = """
:root{--ink:#1c2430;--soft:#5b6675;--line:#cfd6de;--paper:#fff;--page:#f4f6f8;--accent:#0b6e6e;--on:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaef;--soft:#9aa6b4;--line:#3a4552;--paper:#171d25;--page:#0f141a;
--accent:#5ec4bd;--on:#0f141a}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:17px/1.55 system-ui,"Segoe UI",Roboto,"PingFang SC",
"Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main{max-width:36rem;margin:8vh auto;background:var(--paper);border-top:6px solid var(--accent);padding:2rem;
border-radius:4px 4px 12px 12px;box-shadow:0 1px 4px #0002}
h1{margin:0 0 .75rem;font-size:1.6rem}p{margin:.5rem 0;color:var(--soft)}
label{display:block;margin:1rem 0 .25rem;font-weight:600}
input,select,button{font:inherit;width:100%;padding:.6rem .75rem;border:1px solid var(--line);border-radius:8px;
background:var(--paper);color:var(--ink)}
button{margin-top:1.5rem;background:var(--accent);color:var(--on);border:0;font-weight:600;cursor:pointer}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
details{margin-top:1rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.5rem}dd{margin:0;overflow-wrap:anywhere}
dt{color:var(--soft)}h2{margin:1.25rem 0 .25rem;font-size:1.05rem;color:var(--accent)}ul{margin:0;padding-left:1.2rem}
pre{overflow:auto;font-size:.75rem}nav{float:right}a{color:var(--accent)}
"""

_EN = {
    "form": "Your data, your rights",
    "lead": "Tell {controller} what you want done with your personal data. You will get a "
    "link by mail, so that nobody but you can ask in your name, and an answer within one month.",
    "kind": "What do you ask for?",
    "email": "Your e-mail address",
    "send": "Send",
    "other": "中文",
    "fix": "For a correction: what it should be",
    "received": "Look into your mailbox",
    "received-lead": "If the address is right, a link is on its way to it. It is good for 30 minutes. We answer by {due}.",
    "confirm": "Is this your request?",
    "yes": "Yes, this is my request",
    "confirmed": "Thank you",
    "confirmed-lead": "All systems are being asked now. You will have our answer by {due}.",
    "status": "How your request stands",
    "reference": "Reference",
    "state": "State",
    "due": "Answer by",
    "problem": "That did not work",
    "fields": {
        "email": "E-mail",
        "phone": "Phone",
        "given": "Given name",
        "family": "Family name",
        "born": "Date of birth",
        "language": "Language",
    },
    "states": {
        "unverified": "waits for your confirmation",
        "collecting": "systems are being asked",
        "held": "has to wait",
        "review": "is being decided",
        "completing": "the answer is being made",
        "done": "answered",
        "refused": "refused",
        "expired": "never confirmed",
    },
    "parts": "Your archive",
    "parts-lead": "It is too large for one download. Fetch all parts into one folder, then open the first with 7-Zip, or "
    "put them together:",
    "certificate": "Certificate of erasure",
    "issued": "Issued",
    "signed": "The signed text",
    "nothing": "held nothing",
    "checked": "Every object was looked for again before this was signed: none was left.",
    "kept": "{count} invoices kept under a pseudonym until {until}",
    "proofs": {"key destroyed": "key destroyed", "account erased": "account erased", "person erased": "record erased"},
    "systems": {
        "shop": "Web shop",
        "orders": "Orders",
        "delivery": "Delivery",
        "marketing": "Marketing",
        "calls": "Call centre",
        "view": "Single customer view",
    },
}
_ZH = {
    "form": "您的数据，您的权利",
    "lead": "请告知 {controller} 您希望如何处理您的个人数据。我们将通过邮件发送确认链接，"
    "以确保仅您本人可提出申请，并在一个月内答复。",
    "kind": "您的申请",
    "email": "您的电子邮箱",
    "send": "提交",
    "other": "English",
    "fix": "如需更正，请填写正确内容",
    "received": "请查收邮件",
    "received-lead": "如邮箱无误，确认链接已发出，30 分钟内有效。我们将于 {due} 之前答复。",
    "confirm": "这是您的申请吗？",
    "yes": "是，这是我的申请",
    "confirmed": "谢谢",
    "confirmed-lead": "正在查询所有系统。我们将于 {due} 之前答复。",
    "status": "您的申请进度",
    "reference": "申请编号",
    "state": "状态",
    "due": "答复期限",
    "problem": "操作未成功",
    "fields": {
        "email": "电子邮箱",
        "phone": "电话",
        "given": "名",
        "family": "姓",
        "born": "出生日期",
        "language": "语言",
    },
    "states": {
        "unverified": "等待您确认",
        "collecting": "正在查询各系统",
        "held": "暂缓",
        "review": "审核中",
        "completing": "正在准备答复",
        "done": "已答复",
        "refused": "已拒绝",
        "expired": "未确认，已失效",
    },
    "parts": "您的数据档案",
    "parts-lead": "档案过大，无法一次下载。请将所有分卷下载到同一文件夹，用 7-Zip 打开第一个分卷，或合并为一个文件：",
    "certificate": "删除证明",
    "issued": "签发时间",
    "signed": "签名原文",
    "nothing": "未持有数据",
    "checked": "签名前已再次查找所有对象，均不存在。",
    "kept": "{count} 张发票以假名保存至 {until}",
    "proofs": {"key destroyed": "密钥已销毁", "account erased": "账户已删除", "person erased": "记录已删除"},
    "systems": {
        "shop": "网上商店",
        "orders": "订单",
        "delivery": "配送",
        "marketing": "营销",
        "calls": "呼叫中心",
        "view": "统一客户视图",
    },
}
_WORDS = {"en": _EN, "zh": _ZH}


def from_form(form: dict[str, str]) -> dict:
    """The JSON form of what the page's form sends."""
    body = {name: form[name] for name in ("kind", "email", "language") if name in form}
    if body.get("kind") == Kind.RECTIFICATION:
        fields = {name: form[f"field-{name}"] for name in FIELDS if form.get(f"field-{name}")}
        body["details"] = {"fields": fields}
    return body


def form(language: str, controller: str) -> str:
    words, kinds = _WORDS[language], KINDS[language]
    options = "".join(f'<option value="{kind}">{escape(kinds[kind])}</option>' for kind in Kind)
    fields = "".join(
        f'<label for="field-{name}">{escape(label)}</label><input id="field-{name}" name="field-{name}" maxlength="400">'
        for name, label in words["fields"].items()
    )
    other = "zh" if language == "en" else "en"
    inner = (
        f'<nav><a href="?lang={other}" lang="{other}">{words["other"]}</a></nav><h1>{words["form"]}</h1>'
        f"<p>{escape(words['lead'].format(controller=controller))}</p>"
        f'<form method="post" action="../requests"><input type="hidden" name="language" value="{language}">'
        f'<label for="kind">{words["kind"]}</label><select id="kind" name="kind">{options}</select>'
        f'<label for="email">{words["email"]}</label>'
        f'<input id="email" name="email" type="email" autocomplete="email" maxlength="254" required>'
        f"<details><summary>{words['fix']}</summary>{fields}</details><button>{words['send']}</button></form>"
    )
    return _page(language, words["form"], inner)


def received(language: str, answer: dict) -> str:
    return _said(language, "received", _WORDS[language]["received-lead"].format(due=answer["due"]))


def confirm(language: str, request: dict, token: str) -> str:
    words = _WORDS[language]
    inner = (
        f"<h1>{words['confirm']}</h1><p>{escape(KINDS[language][Kind(request['kind'])])}</p>"
        f'<p>{words["reference"]}: {escape(request["id"])}</p><form method="post" action="confirm">'
        f'<input type="hidden" name="token" value="{escape(token)}"><button autofocus>{words["yes"]}</button></form>'
    )
    return _page(language, words["confirm"], inner)


def confirmed(language: str, answer: dict) -> str:
    return _said(language, "confirmed", _WORDS[language]["confirmed-lead"].format(due=answer["due"]))


def status(language: str, answer: dict) -> str:
    words = _WORDS[language]
    rows = [(words["reference"], answer["id"]), (words["kind"], KINDS[language][Kind(answer["kind"])])]
    rows += [(words["state"], words["states"][answer["state"]]), (words["due"], answer["due"])]
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return _page(language, words["status"], f"<h1>{words['status']}</h1><dl>{facts}</dl>")


def parts(language: str, request: str, token: str, count: int) -> str:
    """An archive that is too large for one answer: a link for each part, and how to put them together."""
    words = _WORDS[language]
    links = "".join(
        f'<li><a href="archive?{escape(urlencode({"token": token, "part": part}))}" download>{request}.zip.{part:03}</a></li>'
        for part in range(1, count + 1)
    )
    inner = f"<h1>{words['parts']}</h1><p>{words['parts-lead']}</p><ul>{links}</ul>"
    return _page(language, words["parts"], f"{inner}<pre>cat {request}.zip.* &gt; {request}.zip</pre>")


def certificate(language: str, document: dict) -> str:
    """The certificate for people; the signed text itself stands below."""
    words, facts = _WORDS[language], document["certificate"]
    rows = "".join(_system(words, system) for system in facts["systems"])
    raw = escape(json.dumps(document, ensure_ascii=False, indent=1))
    inner = (
        f"<h1>{words['certificate']}</h1><p>{escape(facts['controller'])}</p><dl><dt>{words['reference']}</dt>"
        f"<dd>{escape(facts['request'])}</dd><dt>{words['issued']}</dt><dd>{facts['issuedAt']}</dd></dl>{rows}"
        f"<p>{words['checked']}</p><details><summary>{words['signed']}</summary><pre>{raw}</pre></details>"
    )
    return _page(language, words["certificate"], inner)


def _system(words: dict, system: dict) -> str:
    proof = "".join(
        f"<li>{words['proofs'].get(one['what'], one['what'])} · {one['at']}</li>" for one in system["proof"]
    )
    kept = "".join(
        f"<li>{words['kept'].format(count=one['count'], until=one['until'])}: {escape(one['reason'])}</li>"
        for one in system.get("kept", [])
    )
    nothing = "" if proof else f"<li>{words['nothing']} · {system['at']}</li>"
    return f"<h2>{words['systems'][system['system']]}</h2><ul>{proof}{kept}{nothing}</ul>"


def problem(language: str, problem) -> str:
    return _said(language, "problem", f"{problem.message} ({problem.code})")


def _said(language: str, title: str, text: str) -> str:
    words = _WORDS[language]
    return _page(language, words[title], f"<h1>{words[title]}</h1><p>{escape(text)}</p>")


def _page(language: str, title: str, inner: str) -> str:
    lang = "zh-CN" if language == "zh" else "en"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="{lang}"><head>{head}<style>{STYLE}</style></head><body><main>{inner}</main></body></html>'
