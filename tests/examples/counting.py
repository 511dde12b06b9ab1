"""How many lines of code a file has."""

import ast
from pathlib import Path


def code_lines(file: Path) -> int:
    """Lines that are not blank, not a comment and not part of a docstring."""
    source = file.read_text()
    documentation: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            documentation.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(
        1
        for number, line in enumerate(source.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#") and number not in documentation
    )
