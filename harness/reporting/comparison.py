from pathlib import Path


def write_comparison(parts: list, directory: Path) -> None: ...
