"""The page at /: one file without a build step, which loads nothing and runs nothing but what stands in it."""

import base64
import hashlib
import importlib.resources
import re
from typing import NamedTuple


class Page(NamedTuple):
    """What the browser is sent."""

    content: bytes
    headers: dict[str, str]


def read() -> Page:
    """The page, with a policy that names its own style and script by their hashes and allows no others."""
    content = importlib.resources.files("bert.serving").joinpath("page.html").read_bytes()
    policy = {
        "default-src": "'none'",
        "style-src": _hash_of(content, b"style"),
        "script-src": _hash_of(content, b"script"),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    told = "; ".join(f"{name} {value}" for name, value in policy.items())
    return Page(content, {"content-security-policy": told, "referrer-policy": "no-referrer"})


def _hash_of(content: bytes, tag: bytes) -> str:
    found = re.search(b"<%s>(.*)</%s>" % (tag, tag), content, re.DOTALL)
    assert found, f"the page has no <{tag.decode()}>"
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1]).digest()).decode()}'"
