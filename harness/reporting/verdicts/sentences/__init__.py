"""The sentences of a verdict, in plain text, made to be quoted. ``conclusions.py`` puts them together."""
