"""Hostile text that a program could execute or render, and functions that check what Markdown makes of it."""

import json
from pathlib import Path

from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).resolve().parents[2]
MARKUP = {
    "parent": "../../x",
    "absolute": "/tmp/pwned/x",
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "comment": "x --> <!-- ]]> </svg>",
    "link": "[click](javascript:alert(1))",
    "picture": "![x](http://127.0.0.1/x.png)",
    "reference": "[a]: http://127.0.0.1/ 'x'",
    "autolink": "<javascript:alert(1)>",
    "table": "| pipe | table |",
    "backticks": "`code` ``` ~~~",
    "heading": "# heading",
    "list": "1. item",
    "quote": "> **supported**",
    "shell": "$(touch pwned); touch pwned | sh & `touch pwned`",
    "rm": "; rm -rf pwned",
    "rich": "[red]x[/red] [/bold] [link=file:///etc/passwd]x[/link]",
    "jinja": "{{ 7*7 }}{% include '/etc/passwd' %}",
    "mathematics": "$\\frac{1}{0}$ \\",
    "entity": "&lt;script&gt; &#60;b&#62;",
}
"""Text of one line, which a report must show literally."""
LINES = {
    "newline": "x\n\n## Forged\n\n- y",
    "setext": "x\n===\n",
    "rule": "x\n\n---\n\n    code\n",
    "html": "x\n<script>\nalert(1)\n</script>\n",
}
"""Text of several lines, which only the question and the notes accept."""
CONTROL = {
    "NUL": "x\0y",
    "escape": "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "C1": "x\x9b31my",
    "backspace": "safe\x08\x08\x08\x08evil",
}
FORMULAS = {"formula": "=HYPERLINK(1)", "at": "@SUM(1)", "dash": "- item", "plus": "+ item"}
HOSTILE = MARKUP | LINES | CONTROL | FORMULAS
EVERYTHING = " ".join(MARKUP.values())
BENIGN = "Some plain words"


def structure(markdown):
    """Return the tokens of Markdown without their text: the elements that a browser would build."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = []
    for token in renderer.parse(markdown):
        tokens.append((token.type, token.tag, str(token.attrs), token.content if token.type == "html_block" else ""))
        for child in token.children or ():
            if child.type != "text":
                content = child.content if child.type == "html_inline" else ""
                tokens.append((child.type, child.tag, str(child.attrs), content))
    return tokens


def assert_inert(markdown):
    """Check that Markdown renders as one paragraph of text."""
    kinds = {kind for kind, *_ in structure(markdown)}
    assert kinds <= {"paragraph_open", "inline", "paragraph_close", "strong_open", "strong_close"}, markdown


CHOICES = [{"name": "cifar-plain8", "label": "a", "set": {"widths": [2, 4, 8]}}]
CHOICES += [{"name": "cifar-resnet8", "label": "b", "set": {"widths": [2, 4, 8]}}]
DIFFERENCE = {"kind": "difference", "a": "a", "b": "b"}
SMALL = {"variants": CHOICES, "contrasts": [DIFFERENCE], "recipe": {"epochs": 1, "batch": 64, "lr": 0.05}}
FREE = ("question", "notes", "variants.0.label")
"""Fields that accept any text; the others accept listed values, or names of a pattern."""
FIELDS = (
    "name", *FREE, "variants.0.name", "variants.0.set.norm", "variants.0.set.name", "data.name", "data.root",
    "data.fingerprint", "contrasts.0.a", "contrasts.0.kind", "contrasts.0.metric", "recipe.optimiser",
    "execution.memory_format", "recipe.{}", "variants.0.set.{}", "{}",
)  # fmt: skip


def changed(content, field, value):
    """Return ``content`` with one field changed; ``{}`` at the end makes the value itself a key."""
    content = json.loads(json.dumps(content))
    *parents, last = [int(part) if part.isdigit() else part for part in field.split(".")]
    parent = content
    for part in parents:
        parent = parent.setdefault(part, {}) if isinstance(parent, dict) else parent[part]
    parent[value if last == "{}" else last] = value
    return content
