"""The Jinja environment that renders every page."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ccl.pages import numbers


def render(template: str, package: str, **shown: Any) -> str:
    """Return a page.

    Parameters
    ----------
    template : str
        Name of a template in the folder ``templates`` of `package`; it can extend and include those of this package.
    package : str
        Package that the template belongs to.
    shown
        Values for the template. A name that the template uses and that is missing here raises an error.
    """
    return _environment(package).get_template(template).render(**shown)


def _environment(package: str) -> Environment:
    found = Environment(
        loader=ChoiceLoader([PackageLoader("ccl.pages"), PackageLoader(package)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A page runs one script, `page_script`; its content security policy allows only the hash of that script.
    found.globals.update(
        digits_for=numbers.digits_for,
        script=lambda name: Markup(_source(found, name)),
        script_hash=lambda name: f"sha256-{b64encode(sha256(_source(found, name).encode()).digest()).decode()}",
    )
    found.filters.update(
        number=numbers.number,
        signed=numbers.signed,
        percent=numbers.percent,
        count=numbers.count,
        plural=numbers.plural,
        p=numbers.format_p,
    )
    return found


def _source(templates: Environment, name: str) -> str:
    assert templates.loader is not None
    return templates.loader.get_source(templates, name)[0]
