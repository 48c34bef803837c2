"""POST /quote and POST /checkout, both with {"items": {"enamel-mug": 2}}."""

import base64
import json
import secrets
from collections import Counter
from pathlib import Path

from checkout import bus

PRODUCTS = {
    product["id"]: product
    for product in json.loads((Path(__file__).parent.parent / "products.json").read_text("utf-8"))
}

# All amounts are euro cents, VAT included.
SHIPPING = 690
FREE_SHIPPING_FROM = 7500
VAT_PERCENT = 21
MOST_OF_ONE = 20


class BadCart(Exception):
    """The cart cannot be priced; the text says why and goes to the customer."""


def quote(event, context):
    """What the cart costs, and one thing that goes well with it."""
    try:
        items = read_items(event)
    except BadCart as problem:
        return answer(context, 400, {"message": str(problem)})
    return answer(context, 200, price(items) | {"suggestion": suggest(items)})


def checkout(event, context):
    """Accepts the order and tells the bus. There is no payment and nothing is shipped: it is an example."""
    try:
        items = read_items(event)
    except BadCart as problem:
        return answer(context, 400, {"message": str(problem)})
    if not items:
        return answer(context, 400, {"message": "the cart is empty"})

    order = {"order": f"TW-{secrets.token_hex(3).upper()}"} | price(items)
    journey = bus.tell("Order placed", order | {"items": items})
    print(f"order {order['order']}: {sum(items.values())} items, {order['total'] / 100:.2f} EUR, journey {journey}")
    return answer(context, 201, order)


def read_items(event):
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    try:
        items = json.loads(body)["items"]
        valid = all(type(count) is int and 1 <= count <= MOST_OF_ONE for count in items.values())
    except (ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise BadCart(f'send {{"items": {{"<product id>": <1 to {MOST_OF_ONE}>}}}}')
    for product_id in items:
        if product_id not in PRODUCTS:
            raise BadCart(f'we do not sell "{product_id}"')
    return items


def price(items):
    subtotal = sum(PRODUCTS[product_id]["price"] * count for product_id, count in items.items())
    shipping = 0 if subtotal >= FREE_SHIPPING_FROM or not items else SHIPPING
    total = subtotal + shipping
    return {
        "subtotal": subtotal,
        "shipping": shipping,
        "untilFreeShipping": max(0, FREE_SHIPPING_FROM - subtotal),
        "vatIncluded": round(total * VAT_PERCENT / (100 + VAT_PERCENT)),
        "total": total,
    }


def suggest(items):
    """The product that most things in the cart are paired with, unless it is there already."""
    votes = Counter(pair for product_id in items for pair in PRODUCTS[product_id]["pairs"])
    return next((pair for pair, _ in votes.most_common() if pair not in items), None)


def answer(context, status, body):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "x-function": context.function_name},
        "body": json.dumps(body),
    }
