"""The templates of HTML pages, in which everything is escaped that is not marked as safe."""

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.format import to_printable

ASSETS = "assets"


def open_templates(package: str) -> Environment:
    """Return the templates in the folder `assets` of a package."""
    return Environment(
        loader=PackageLoader(package, ASSETS),
        autoescape=True,
        # A misspelt name fails, instead of leaving a gap in the page.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else to_printable_value(value),
    )


def read_text(package: str, name: str) -> str:
    """Return a file of that folder."""
    return resources.files(package).joinpath(ASSETS, name).read_text(encoding="utf-8")


def to_printable_value(value: object) -> object:
    """Return a value of a record without characters that a reader's machine would obey."""
    return to_printable(value) if isinstance(value, str) else value
