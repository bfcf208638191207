"""Where a small bug can be put into a source file, and what each looks like.

One mutant is one changed node of one function. What is left alone, and why: sentences for people (strings,
f-strings), annotations, decorators and default values (read once, at import), `assert` and `assert_never`
(guards against our own bugs), and module-level tables (their values have tests of their own).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

SHOWN_MAX: Final = 90  # characters of code in a mutant's name

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_OPPOSITES: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_NUMBERS: Final = ("ZERO", "_ZERO", "ONE", "_ONE")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Site(NamedTuple):
    """One mutant: `put_in` changes the tree, `take_out` restores it."""

    function: str  # qualified name of the outermost function, as `__qualname__` has it
    first_line: int  # of that function, decorators included, as `co_firstlineno` has it
    line: int
    name: str  # stable while the code stands: `old -> new`
    put_in: Callable[[], None]
    take_out: Callable[[], None]


def sites_of(tree: ast.Module) -> Iterator[Site]:
    """Every mutant of a module, in reading order. Names that would repeat in a function get a number."""
    for function, path in _functions(tree.body, ""):
        seen: dict[str, int] = {}
        first_line = min([function.lineno, *(mark.lineno for mark in function.decorator_list)])
        for parent, field, index, new, old_text, new_text in _changes(function):
            old = _get(parent, field, index)
            name = f"{_short(old_text)} -> {_short(new_text)}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name += f" ({seen[name]})"
            line = getattr(old, "lineno", getattr(parent, "lineno", function.lineno))
            yield Site(
                path,
                first_line,
                line,
                name,
                _setter(parent, field, index, new),
                _setter(parent, field, index, old),
            )


def _functions(body: list[ast.stmt], path: str) -> Iterator[tuple[Function, str]]:
    for node in body:
        if isinstance(node, Function):
            yield node, path + node.name
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{path}{node.name}.")


# Parent, field, place in a list or None, the new value, and the two texts of the mutant's name.
Change = tuple[ast.AST, str, int | None, object, str, str]


def _changes(function: Function) -> Iterator[Change]:
    for statement in function.body:
        yield from _within(statement)


def _within(node: ast.AST) -> Iterator[Change]:
    """The changes at and below `node`."""
    if isinstance(node, ast.Assert | ast.JoinedStr):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    yield from _at(node)
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "defaults", "kw_defaults", "type_params"):
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST):
                continue
            place = index if isinstance(value, list) else None
            yield from _replacements(node, field, place, child)
            yield from _within(child)


def _at(node: ast.AST) -> Iterator[Change]:
    """Changes of a field of the node itself."""
    before = _text(node)
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                yield node, "ops", index, _COMPARISONS[type(operator)](), before, _symbol(node, index)
        case ast.BoolOp():
            swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, "op", None, swapped, before, "or" if isinstance(swapped, ast.Or) else "and"
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _ARITHMETIC and not _joins_text(node):
            operator_ = _ARITHMETIC[type(node.op)]
            yield node, "op", None, operator_(), before, operator_.__name__
        case ast.Call():
            for index, keyword in enumerate(node.keywords):
                rest = node.keywords[:index] + node.keywords[index + 1 :]
                yield node, "keywords", None, rest, before, f"without {keyword.arg or '**'}"
            if len(node.args) > 1 and not _is_text(node.args[-1]):
                yield node, "args", None, node.args[:-1], before, "without its last argument"
            if isinstance(node.func, ast.Name) and node.func.id in _OPPOSITES:
                other = _OPPOSITES[node.func.id]
                yield node, "func", None, ast.Name(other, ast.Load()), before, other
        case ast.Return() if node.value is not None and not _is_plain(node.value):
            yield node, "value", None, ast.Constant(None), before, "return None"
        case ast.If() | ast.IfExp() | ast.While() if isinstance(
            node.test, ast.Name | ast.Attribute | ast.Call
        ):
            test = ast.UnaryOp(ast.Not(), node.test)
            yield node, "test", None, test, _text(node.test), f"not {_text(node.test)}"


def _replacements(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> Iterator[Change]:
    """Changes that put another node in the place of `node`."""
    before = _text(node)

    def swap(new: ast.AST, text: str | None = None) -> Change:
        return parent, field, index, new, before, text if text is not None else _text(new)

    match node:
        case ast.Constant(value=bool() as truth):
            yield swap(ast.Constant(not truth))
        case ast.Constant(value=int() as number) if not isinstance(parent, ast.Subscript):
            yield swap(ast.Constant(number + 1))
        case ast.Constant(value=int() as number):
            yield swap(ast.Constant(number + 1), f"[{number + 1}]")
        case ast.Constant(value=str() as text) if isinstance(parent, ast.Compare | ast.MatchValue):
            yield swap(ast.Constant(text + "?"))
        case ast.Name(id=name, ctx=ast.Load()) if name in _NUMBERS and field != "func":
            yield swap(ast.BinOp(node, ast.Add(), ast.Constant(1)))
        case ast.Call(func=ast.Name(id="Decimal" | "D"), args=[ast.Constant(value=str())]):
            yield swap(ast.BinOp(node, ast.Add(), ast.Constant(1)))
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield swap(operand)
        case ast.Raise():
            yield swap(ast.Pass())
        case ast.Expr(value=ast.Call(func=func)) if _text(func) != "assert_never":
            yield swap(ast.Pass())
        case ast.Break():
            yield swap(ast.Continue())
        case ast.Continue():
            yield swap(ast.Break())


def _is_plain(node: ast.expr) -> bool:
    """None already, a truth value (flipped instead), or a sentence."""
    return (
        isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))
    ) or _is_text(node)


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) or _is_text(node.orelse)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.BinOp) and _joins_text(node))


def _joins_text(node: ast.BinOp | ast.AugAssign) -> bool:
    parts = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    return any(_is_text(part) for part in parts)


def _symbol(node: ast.Compare, index: int) -> str:
    operators = list(node.ops)
    operators[index] = _COMPARISONS[type(operators[index])]()
    return _text(ast.Compare(node.left, operators, node.comparators))


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.stmt) and not isinstance(node, ast.Return | ast.Raise | ast.Expr | ast.AugAssign):
        return type(node).__name__.lower()
    try:
        return ast.unparse(node)
    except (AttributeError, ValueError, RecursionError):
        return type(node).__name__


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def _get(parent: ast.AST, field: str, index: int | None) -> object:
    value = getattr(parent, field)
    return value if index is None else value[index]


def _setter(parent: ast.AST, field: str, index: int | None, new: object) -> Callable[[], None]:
    def put() -> None:
        if index is None:
            setattr(parent, field, new)
        else:
            getattr(parent, field)[index] = new
        ast.fix_missing_locations(parent)

    return put
