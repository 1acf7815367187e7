"""Folders of images: which of their entries count, and which of their directories are classes or splits."""
