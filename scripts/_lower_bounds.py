"""The lower bounds of ``setup.cfg`` as constraints for pip, one ``name==version`` a line.

With names of extras as arguments, those extras' bounds too.
"""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

SETUP_CFG = Path(__file__).resolve().parents[1] / "setup.cfg"
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[.*?\])?>=(?P<version>[\w.]+)[^;]*(?P<marker>;.*)?")


def lower_bounds(extras: list[str], setup_cfg: Path = SETUP_CFG) -> list[str]:
    """Return a constraint for each requirement that has a lower bound, markers included.

    >>> lower_bounds(["plot"])[-1]
    'matplotlib==3.8'

    Raises:
        KeyError: ``setup.cfg`` has no such extra.
    """
    config = configparser.ConfigParser()
    config.read(setup_cfg, encoding="utf-8")
    texts = [
        config["options"]["install_requires"],
        *(config["options.extras_require"][extra] for extra in extras),
    ]
    found: dict[str, None] = {}  # each once, in the order of the file
    for line in "\n".join(texts).splitlines():
        match = REQUIREMENT.fullmatch(line.strip())
        if match is not None:
            found[f"{match['name']}=={match['version']}{match['marker'] or ''}"] = None
    return list(found)


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in lower_bounds(sys.argv[1:])))
