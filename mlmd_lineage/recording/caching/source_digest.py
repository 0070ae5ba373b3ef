"""The digest of a step's source: of its function, and of all of the user's code that it calls.

The source of a function is its syntax tree without comments, layout and docstrings. What its names
lead to is followed: functions and classes of the same package and of any code that is not
installed, constants, closures and default values. Installed packages are not looked into; a step
names those that matter as its environment.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import hashlib
import inspect
import sys
import sysconfig
import textwrap
import tokenize
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_lineage.recording.caching.constants import NotAConstantError, constant_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LIBRARIES = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")
)
_SECRET_WORDS = ("password", "passwd", "secret", "token", "apikey", "api_key", "credential")


def source_parts(function: Callable[..., Any]) -> dict[str, str]:
    """Return the parts of a function's source, each with its SHA-256.

    >>> source_parts(train)
    {'source train': '3f0c...', 'source clean': 'a01b...', 'constant RATE': '9d1e...'}

    A name that leads to something that cannot be looked into, such as a connection or a model, has
    the type of it as its part: ``{'not compared LOGGER': 'logging.Logger'}``.
    """
    found = _Source(function)
    found.collect()
    return dict(sorted(found.parts.items()))


class _Source:
    """The parts of one function's source, as they are found."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._root = inspect.unwrap(function)
        self._package = self._root.__module__.partition(".")[0]
        self._seen: set[int] = set()
        self._waiting: list[Callable[[], None]] = []
        self._kept: list[Any] = []
        self.parts: dict[str, str] = {}

    def collect(self) -> None:
        """Follow the function's names until nothing new is found."""
        self._add("", self._root)
        while self._waiting:
            self._waiting.pop()()

    def _add(self, name: str, value: Any) -> None:
        """Include what a name refers to, unless it is included already."""
        if isinstance(value, types.ModuleType) or id(value) in self._seen:
            return
        if isinstance(value, functools.partial):
            self._add(name, value.func)
            self._add_constant(name, (value.args, value.keywords))
            return
        if isinstance(value, types.MethodType):
            self._add(name, value.__func__)
            self._add_constant(name, value.__self__)
            return
        if not isinstance(value, type):
            value = _function_of(value)
        if isinstance(value, types.FunctionType):
            self._once(value, self._add_function)
        elif isinstance(value, type):
            self._once(value, self._add_class)
        elif not callable(value) or not _is_library(type(value)):
            self._add_constant(name, value)

    def _once(self, value: Any, add: Callable[[Any], None]) -> None:
        if id(value) in self._seen or not self._is_own(value):
            return
        self._seen.add(id(value))
        self._kept.append(value)  # so that nothing else gets its id
        self._waiting.append(lambda: add(value))

    def _is_own(self, value: Any) -> bool:
        is_module = isinstance(value, types.ModuleType)
        module = value.__name__ if is_module else getattr(value, "__module__", None) or ""
        if module == self._root.__module__:
            return True
        if module == "builtins" or module.partition(".")[0] == "mlmd_lineage":
            return False
        return module.partition(".")[0] == self._package or not _is_library(value)

    def _add_function(self, function: types.FunctionType) -> None:
        name = self._name(function)
        tree = _tree(function)
        if tree is None:
            self.parts[f"source {name}"] = _digest(_code_text(function.__code__))
            names: Iterator[tuple[str, ...]] = ((each,) for each in _names(function.__code__))
        else:
            self._without_step_decorators(tree, function.__globals__)
            self.parts[f"source {name}"] = _digest(ast.unparse(tree))
            used = _names(function.__code__) | _outer_names(tree)
            names = (chain for chain in _chains(tree) if chain[0] in used)
        closure = _closure(function)
        for chain in names:
            self._follow(chain, function.__qualname__, closure, function.__globals__)
        if function is not self._root:  # those of the step itself are parameters
            defaults = (function.__defaults__, function.__kwdefaults__)
            if any(defaults):
                self._add_constant(f"defaults of {name}", defaults)
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self._add(name, wrapped)

    def _add_class(self, kind: type) -> None:
        name = self._name(kind)
        tree = _tree(kind)
        if tree is None:
            for key, member in vars(kind).items():
                if isinstance(member, types.FunctionType):
                    self._add(f"{name}.{key}", member)
        else:
            self.parts[f"source {name}"] = _digest(ast.unparse(tree))
            scope = vars(sys.modules[kind.__module__]) if kind.__module__ in sys.modules else {}
            for chain in _chains(tree):
                self._follow(chain, kind.__qualname__, {}, scope)
        for base in kind.__bases__:
            self._add(base.__name__, base)

    def _follow(
        self,
        chain: tuple[str, ...],
        owner: str,
        closure: Mapping[str, Any],
        scope: Mapping[str, Any],
    ) -> None:
        """Include what a name with attributes refers to: ``helpers.clean``."""
        first, *attributes = chain
        module = scope.get("__name__")
        inside = "" if module == self._root.__module__ else f"{module}."
        if first in closure:
            value, name = closure[first], f"{inside}{owner}.{first}"
        elif first in scope:
            value, name = scope[first], f"{inside}{first}"
        else:
            return
        for attribute in attributes:
            if not isinstance(value, types.ModuleType):
                break
            if not self._is_own(value):
                return
            name = f"{name}.{attribute}"
            try:
                value = getattr(value, attribute)
            except AttributeError:
                return
        if getattr(builtins, first, None) is not value:
            self._add(name, value)

    def _add_constant(self, name: str, value: Any) -> None:
        if any(word in name.lower() for word in _SECRET_WORDS):
            self.parts[f"not compared {name}"] = "it looks like a secret"
            return
        try:
            text = constant_text(value, lambda found: self._add(name, found))
        except NotAConstantError:
            kind = type(value)
            self.parts[f"not compared {name}"] = f"{kind.__module__}.{kind.__qualname__}"
        else:
            self.parts[f"constant {name}"] = _digest(text)

    def _name(self, value: Any) -> str:
        """Return a name that stays when the module is run as a program."""
        if value.__module__ == self._root.__module__:
            return str(value.__qualname__)
        return f"{value.__module__}.{value.__qualname__}"

    @staticmethod
    def _without_step_decorators(tree: ast.AST, scope: Mapping[str, Any]) -> None:
        """Leave out the decorator ``@step``, whose options do not change what a step computes."""
        if not isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return
        kept = []
        for decorator in tree.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            value: Any = None
            for position, name in enumerate(next(_chains(called), ())):
                value = scope.get(name) if position == 0 else getattr(value, name, None)
            if (getattr(value, "__module__", None) or "").partition(".")[0] != "mlmd_lineage":
                kept.append(decorator)
        tree.decorator_list = kept


def _function_of(value: Any) -> Any:
    """Return the function that is behind a step, or behind another wrapper."""
    with contextlib.suppress(ValueError, AttributeError):
        return inspect.unwrap(value)
    return value


def _is_library(value: Any) -> bool:
    """Return whether a function, class or module is Python's own or of an installed package."""
    code = getattr(value, "__code__", None)
    file = code.co_filename if code is not None else None
    if file is None:
        name = getattr(value, "__module__", None) or getattr(value, "__name__", "")
        module = sys.modules.get(str(name))
        if module is None or module.__name__ == "__main__":
            return False
        file = getattr(module, "__file__", None)
        if file is None:
            return True
    if file.startswith("<frozen"):
        return True
    path = Path(file)
    return path.is_absolute() and any(path.resolve().is_relative_to(lib) for lib in _LIBRARIES)


def _tree(value: Any) -> ast.AST | None:
    """Return the syntax tree of a function or class without docstrings; None without a source."""
    try:
        module = ast.parse(textwrap.dedent(inspect.getsource(value)))
    except (OSError, TypeError, SyntaxError, IndentationError, tokenize.TokenError):
        return None  # TokenError: the file is no Python, such as a page that holds the function
    found = module.body[0] if module.body else None
    if not isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return None  # a lambda: its line may hold others
    for node in ast.walk(found):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return found


def _chains(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Yield the names that a tree loads, each with its attributes: ``("helpers", "clean")``."""
    inner: set[int] = set()
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        attributes: list[str] = []
        value: ast.AST = node
        while isinstance(value, ast.Attribute):
            attributes.append(value.attr)
            value = value.value
            inner.add(id(value))
        if isinstance(value, ast.Name) and isinstance(value.ctx, ast.Load):
            yield (value.id, *reversed(attributes))


def _outer_names(tree: ast.AST) -> set[str]:
    """Return the names in decorators, which are not in the code of the function itself."""
    decorators = getattr(tree, "decorator_list", [])
    return {chain[0] for decorator in decorators for chain in _chains(decorator)}


def _names(code: types.CodeType) -> set[str]:
    """Return the names that code loads, in nested functions too."""
    found = {*code.co_names, *code.co_freevars}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


def _closure(function: types.FunctionType) -> dict[str, Any]:
    held = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # it is not set yet
            held[name] = cell.cell_contents
    return held


def _code_text(code: types.CodeType) -> str:
    """Return what compiled code does as a text, which differs between releases of Python."""
    constants = [
        _code_text(each) if isinstance(each, types.CodeType) else repr(each)
        for each in code.co_consts
    ]
    parts = (code.co_code.hex(), code.co_names, code.co_varnames, constants)
    return f"{sys.version_info[:2]} {parts!r}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
