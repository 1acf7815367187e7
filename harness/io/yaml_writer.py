"""Plain values as YAML text that has the same meaning in YAML 1.1 and in YAML 1.2."""

from __future__ import annotations

from typing import Any

import yaml

from harness.io.yaml_parser import CORE_SCHEMA

LINE_WIDTH = 110


class Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also puts text in quotes that only YAML 1.2 reads as a number, such as ``1e3``."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value that occurs twice as two values, not as an anchor and an alias."""
        return True


for _tag, _pattern in CORE_SCHEMA.items():
    Dumper.add_implicit_resolver(_tag, _pattern, None)


def format_yaml(fields: dict[str, Any]) -> str:
    """Return a mapping of plain values as YAML; :func:`harness.io.yaml_parser.parse_yaml` returns the same values."""
    return yaml.dump(fields, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=LINE_WIDTH)
