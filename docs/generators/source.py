"""Public names as they stand in the source: signatures and docstrings, nothing imported.

Read from the syntax tree, so that a page is the same whatever Python makes it.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Name(NamedTuple):
    """A class, function or value: what to call it, its signature, its docstring, its members."""

    name: str
    what: str
    signature: str
    text: str
    bases: tuple[str, ...] = ()
    members: tuple[Name, ...] = ()
    values: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


def public_names(module: str) -> dict[str, Name]:
    """Every class, function and value at the top of a module, in the order of the file."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(path.read_text("utf-8"))
    found: dict[str, Name] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = _class(node)
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = _function(node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            found[name] = Name(name, "value", name, "")
    return found


def _class(node: ast.ClassDef) -> Name:
    members = tuple(
        _function(one)
        for one in node.body
        if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")
    )
    return Name(
        node.name,
        "class",
        _constructor(node),
        ast.get_docstring(node) or "",
        tuple(ast.unparse(base) for base in node.bases),
        members,
        tuple(_values(node)),
    )


def _constructor(node: ast.ClassDef) -> str:
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            return f"{node.name}({_arguments(one)})"
    return node.name


def _values(node: ast.ClassDef) -> list[str]:
    """The fields or members of a class, as written."""
    assigned = [one for one in node.body if isinstance(one, ast.AnnAssign | ast.Assign)]
    texts = [ast.unparse(one) for one in assigned]
    return [text for text in texts if not text.startswith("_")]


def _function(node: ast.FunctionDef) -> Name:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    is_property = any(ast.unparse(one) == "property" for one in node.decorator_list)
    arguments = "" if is_property else f"({_arguments(node)})"
    return Name(
        node.name,
        "property" if is_property else "function",
        f"{node.name}{arguments}{returns}",
        ast.get_docstring(node) or "",
        arguments=tuple(one.arg for one in node.args.args),
    )


def _arguments(node: ast.FunctionDef) -> str:
    arguments = node.args
    arguments.args = [one for one in arguments.args if one.arg != "self"]
    return ast.unparse(arguments)
