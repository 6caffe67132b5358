"""The public face: sorted, exact, documented, light to import, one home for each name on the wire."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import lytrace
from tests.lytrace.support import run

PUBLIC = ["lytrace", "lytrace.client", "lytrace.errors", "lytrace.images", "lytrace.instrumentation", "lytrace.models"]
PUBLIC += ["lytrace.scores", "lytrace.semconv", "lytrace.spool", "lytrace.testing"]
PACKAGES = ["lytrace", "lytrace_collector", "lytrace_integrations", "lytrace_dashboards"]
NAME_ON_THE_WIRE = re.compile(r"^(gen_ai|lytrace|diffusion)(\.[a-z0-9_]+)+\.?$")


def test_exported_members_are_sorted_and_exact():
    assert lytrace.__all__ == sorted(lytrace.__all__)
    expected = {name for name, value in vars(lytrace).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert set(lytrace.__all__) - {"AsyncClient", "Client"} == expected - {"TYPE_CHECKING", "Any", "AsyncClient", "Client"}
    for name in lytrace.__all__:
        assert getattr(lytrace, name) is not None


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no_such"):
        _ = lytrace.no_such


def test_the_error_tree_has_one_root_and_at_most_eight_classes():
    from lytrace import errors

    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(classes) <= 8
    assert all(issubclass(kind, lytrace.LytraceError) for kind in classes)


@pytest.mark.parametrize("module_name", PUBLIC)
def test_every_public_name_has_a_docstring(module_name):
    module = importlib.import_module(module_name)
    assert module.__doc__
    names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    for name in names:
        value = getattr(module, name)
        if getattr(value, "__module__", "").startswith("lytrace") and (inspect.isclass(value) or inspect.isfunction(value)):
            assert value.__doc__, name
            for attribute, member in vars(value).items() if inspect.isclass(value) else ():
                if not attribute.startswith("_") and inspect.isfunction(member):
                    assert member.__doc__, f"{name}.{attribute}"


def test_every_module_has_a_docstring():
    for module in pkgutil.walk_packages(lytrace.__path__, "lytrace."):
        if not module.name.endswith(("__main__", "sitecustomize")):
            assert importlib.import_module(module.name).__doc__, module.name


def literals(path):
    """String literals of a file that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text())
    documentation = set()
    for node in ast.walk(tree):
        for statement in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                documentation.add(statement.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation:
            yield node.lineno, node.value


@pytest.mark.parametrize("package", PACKAGES)
def test_names_on_the_wire_are_written_once(package):
    modules = {module.name for module in pkgutil.walk_packages(lytrace.__path__, "lytrace.")} | {"lytrace.instrumentors"}
    folder = Path(str(importlib.import_module(package).__file__)).parent
    found = [
        f"{path.relative_to(folder)}:{line}: {text}"
        for path in sorted(folder.rglob("*.py"))
        if path.name != "semconv.py"
        for line, text in literals(path)
        if NAME_ON_THE_WIRE.match(text) and text not in modules
    ]
    assert found == []


def test_the_search_finds_names():
    sample = Path(str(lytrace.__file__)).parent / "semconv.py"
    assert sum(bool(NAME_ON_THE_WIRE.match(text)) for _, text in literals(sample)) > 50


def test_names_on_the_wire_are_distinct():
    from lytrace import semconv

    names = [value for value in vars(semconv).values() if isinstance(value, str) and NAME_ON_THE_WIRE.match(value)]
    assert len(names) == len(set(names))


def test_importing_lytrace_is_light(tmp_path):
    done = run(
        tmp_path,
        """
import sys
import lytrace
heavy = {"torch", "PIL", "numpy", "httpx", "pydantic", "pydantic_settings", "fastapi", "starlette", "uvicorn", "diffusers",
         "transformers", "typer", "rich", "google.protobuf", "requests", "multiprocessing"}
print(sorted(heavy & set(sys.modules)))
""",
    )
    assert done.stdout == "[]\n"


def test_init_loads_no_image_library(tmp_path):
    done = run(
        tmp_path,
        """
import sys
import lytrace
lytrace.init(instrument=[])
with lytrace.span("s"):
    pass
lytrace.flush()
print(sorted({"torch", "PIL", "numpy", "diffusers", "fastapi", "uvicorn"} & set(sys.modules)))
""",
    )
    assert done.stdout == "[]\n"
