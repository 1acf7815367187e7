"""Trees of small images, written as PPM files, whose bytes do not depend on an encoder."""

from pathlib import Path


def write_image(path, value=0):
    """Write a 4x4 image whose pixels depend on ``value``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6 4 4 255\n" + bytes((value * 7 + i * 3) % 256 for i in range(48)))


def write_tree(root, *folders, each=2):
    """Write ``each`` images into each folder below ``root``; return the root."""
    for folder in folders:
        for number in range(each):
            write_image(Path(root, folder, f"{number}.ppm"), number)
    return Path(root)
