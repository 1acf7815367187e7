"""Files that appear whole, storage on disks and at URLs, and YAML with positions."""
