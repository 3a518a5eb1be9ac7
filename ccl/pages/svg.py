"""Checking figures that someone else may have made, before they become part of a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

ELEMENTS = frozenset(
    ("svg", "g", "defs", "style", "path", "clipPath", "pattern", "rect", "use", "text", "tspan", "image")
)
"""The elements that matplotlib writes."""

HREF = re.compile(r"#[\w-]*|data:image/png;base64,[A-Za-z0-9+/=\s]*")
"""Links that stay within the figure."""

STYLE = re.compile(r"[^@\\]*")
"""Style sheets without imports, and without escapes that could hide one."""


def faults(svg: str) -> str:
    """Return what an SVG has that no figure of matplotlib has, such as a script or a link; else an empty text."""
    start = svg.find("<svg")
    # A page is HTML, whose parser ends comments and instructions elsewhere than that of XML.
    if start < 0 or "<!ENTITY" in svg[:start] or re.search(r"<[!?]", svg[start:]):
        return "no plain SVG"
    try:
        elements = list(ElementTree.fromstring(svg).iter())
    except ElementTree.ParseError as error:
        return str(error)
    for element in elements:
        name = element.tag.rpartition("}")[2]
        if name not in ELEMENTS:
            return f"an element {name}"
        if name == "style" and not STYLE.fullmatch(element.text or ""):
            return "a style sheet with imports"
        for attribute, value in element.attrib.items():
            kind = attribute.rpartition("}")[2].lower()
            if kind.startswith("on") or (kind in ("href", "src") and not HREF.fullmatch(value)):
                return f"an attribute {kind}"
        if any(
            not link.startswith("#") for text in element.attrib.values() for link in re.findall(r"url\(([^)]*)", text)
        ):
            return "a link in a style"
    return ""
