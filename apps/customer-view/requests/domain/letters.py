"""What we write to people, in English and Chinese. Plain text; each letter says what, why and what next."""

from .systems import Kind

LANGUAGES = ("en", "zh")

KINDS = {
    "en": {
        Kind.ACCESS: "access to your data",
        Kind.PORTABILITY: "a copy of your data to take with you",
        Kind.RECTIFICATION: "correction of your data",
        Kind.ERASURE: "erasure of your data",
        Kind.RESTRICTION: "restriction of processing",
        Kind.OBJECTION: "objection to marketing",
    },
    "zh": {
        Kind.ACCESS: "查阅您的个人数据",
        Kind.PORTABILITY: "获取可携带的个人数据副本",
        Kind.RECTIFICATION: "更正您的个人数据",
        Kind.ERASURE: "删除您的个人数据",
        Kind.RESTRICTION: "限制处理您的个人数据",
        Kind.OBJECTION: "反对营销用途的处理",
    },
}

_EN = {
    "link": (
        "Please confirm your request",
        "We received a request for {kind}, made with this address.\n\nTo confirm that it was you, open this link within "
        "{minutes} minutes:\n\n{link}\n\nIt works once. If it was not you, ignore this mail: nothing happens.\n\n"
        "Your reference: {id}",
    ),
    "confirmed": (
        "We are working on your request",
        "You confirmed your request for {kind}. You will have our answer by {due}.\n\nHow it stands: {link}\n\n"
        "Your reference: {id}",
    ),
    "archive": (
        "Your data is ready",
        "Your request for {kind} has been answered. You can fetch your data here until {expires}:\n\n{link}\n\n"
        "The archive has a report in English and Chinese, and everything in a machine-readable form.\n\n"
        "You can complain to a supervisory authority at any time (Art. 77 GDPR).\n\nYour reference: {id}",
    ),
    "erased": (
        "Your data has been erased",
        "Your data has been erased from all our systems. What the law makes us keep is kept under a pseudonym: {kept}.\n\n"
        "A signed certificate lists each system: {link}\n\nThis is our last mail: your address is erased, too.\n\n"
        "Your reference: {id}",
    ),
    "done": (
        "Your request has been answered",
        "Your request for {kind} has been carried out.\n\nHow it stands: {link}\n\nYour reference: {id}",
    ),
    "no-data": (
        "We hold no data about you",
        "We looked into all our systems for this address and hold no personal data under it.\n\nYour reference: {id}",
    ),
    "already-erased": (
        "Your data was erased already",
        "What we held under this address was erased on {erased}; since then nothing has come to us.\n\n"
        "Your reference: {id}",
    ),
    "refused": (
        "We cannot do what you asked for",
        "We do not carry out your request for {kind}. The reason: {reason}\n\nYou can complain to a supervisory authority "
        "(Art. 77 GDPR) or go to court (Art. 79).\n\nYour reference: {id}",
    ),
    "held": (
        "Your request has to wait",
        "We may not carry out your request for {kind} at present. The reason: {reason}\n\nWe shall go on as soon as that "
        "ends. You can complain to a supervisory authority (Art. 77 GDPR).\n\nYour reference: {id}",
    ),
    "extended": (
        "We need longer for your request",
        "We shall answer your request for {kind} by {due}, two months later than the law's first date. The reason: "
        "{reason}\n\nYou can complain to a supervisory authority (Art. 77 GDPR).\n\nYour reference: {id}",
    ),
    "lifted": (
        "The restriction of your data ends",
        "The restriction of processing that you asked for is being lifted. The reason: {reason}\n\nYour reference: {id}",
    ),
}

_ZH = {
    "link": (
        "请确认您的申请",
        "我们收到了以此邮箱提出的申请：{kind}。\n\n如系您本人提出，请在 {minutes} 分钟内打开以下链接确认：\n\n{link}\n\n"
        "该链接仅可使用一次。如非您本人操作，请忽略本邮件。\n\n申请编号：{id}",
    ),
    "confirmed": (
        "您的申请正在处理",
        "您已确认申请：{kind}。我们将于 {due} 之前答复。\n\n处理进度：{link}\n\n申请编号：{id}",
    ),
    "archive": (
        "您的数据已备好",
        "您的申请（{kind}）已处理完毕。在 {expires} 之前可从此处下载：\n\n{link}\n\n"
        "压缩包内含中英文报告以及机器可读的全部数据。\n\n您有权随时向监管机构投诉（GDPR 第 77 条）。\n\n申请编号：{id}",
    ),
    "erased": (
        "您的数据已删除",
        "您的数据已从我们的所有系统中删除。依法须保留的内容以假名形式保留：{kept}。\n\n"
        "签名证明列出了每个系统：{link}\n\n这是最后一封邮件：您的邮箱地址也已删除。\n\n申请编号：{id}",
    ),
    "done": ("您的申请已处理完毕", "您的申请（{kind}）已执行。\n\n处理进度：{link}\n\n申请编号：{id}"),
    "no-data": ("我们未持有您的数据", "我们在所有系统中查找了此邮箱，未持有与其相关的个人数据。\n\n申请编号：{id}"),
    "already-erased": (
        "您的数据此前已删除",
        "此邮箱名下的数据已于 {erased} 删除，此后我们未再收到任何数据。\n\n申请编号：{id}",
    ),
    "refused": (
        "我们无法执行您的申请",
        "我们不执行您的申请：{kind}。理由：{reason}\n\n您有权向监管机构投诉（GDPR 第 77 条）或提起诉讼（第 79 条）。\n\n"
        "申请编号：{id}",
    ),
    "held": (
        "您的申请须暂缓",
        "我们目前不得执行您的申请：{kind}。理由：{reason}\n\n原因消除后我们将继续处理。您有权向监管机构投诉（GDPR 第 77 条）。"
        "\n\n申请编号：{id}",
    ),
    "extended": (
        "您的申请需要更长时间",
        "我们将于 {due} 之前答复您的申请（{kind}），比法定首个期限延长两个月。理由：{reason}\n\n"
        "您有权向监管机构投诉（GDPR 第 77 条）。\n\n申请编号：{id}",
    ),
    "lifted": ("您的数据处理限制即将解除", "您申请的处理限制即将解除。理由：{reason}\n\n申请编号：{id}"),
}

_LETTERS = {"en": _EN, "zh": _ZH}


def letter(name: str, language: str, kind: Kind, **facts: str) -> tuple[str, str]:
    """Subject and text of a letter."""
    subject, text = _LETTERS[language][name]
    return subject, text.format(kind=KINDS[language][kind], **facts)


def to_officer(what: str, request: dict, why: str, address: str) -> tuple[str, str]:
    """What the data-protection officer is told. No personal data: the desk has it."""
    subject = f"[{what}] {request['kind']} request {request['id']}, due {request['deadline']['due']}"
    text = f"{subject}\n\n{why}\n\nState: {request['state']}\nDesk: {address}/desk#{request['id']}\n"
    return subject, text
