"""The settings of a run as a sweep file that repeats it."""

import tomli_w

from schemas.record import Manifest


def format_sweep_file(manifest: Manifest) -> str:
    """Return a sweep file of all settings that are not the default, with the seed that was drawn.

    The suite is left out: its axes are already among the settings, and reading it again would add to them.
    """
    seeded = manifest.sweep.model_copy(update={"seed": manifest.seed})
    return tomli_w.dumps(seeded.model_dump(mode="json", exclude={"suite"}, exclude_defaults=True, exclude_none=True))
