"""What must not stand in the packages' source: pickles, drawers for odds and ends, modules without a first sentence."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("screening", "pipelines", "apps", "reports")
MODULES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
PICKLING_MODULES = {"pickle", "cPickle", "_pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}
PICKLING_CALLS = {"torch.load", "torch.save"}
HARMLESS = {"joblib.cpu_count"}
PICKLING_METHODS = {"to_pickle", "read_pickle"}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}


def find_pickling(source: str) -> Iterator[str]:
    """Name every import and call in a source text that reads or writes pickles."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in PICKLING_MODULES)
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            if (node.module or "").split(".")[0] in PICKLING_MODULES and not names <= HARMLESS:
                yield str(node.module)
            yield from sorted(names & PICKLING_CALLS)
        elif isinstance(node, ast.Attribute):
            if ast.unparse(node) in PICKLING_CALLS or node.attr in PICKLING_METHODS:
                yield ast.unparse(node)
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            yield "allow_pickle"


def name_module(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", ["pickle"]),
        ("from joblib import dump", ["joblib"]),
        ("from joblib import cpu_count", []),
        ("from joblib import cpu_count, load", ["joblib"]),
        ("import joblib", ["joblib"]),
        ("import torch\ntorch.load('x')", ["torch.load"]),
        ("from torch import load", ["torch.load"]),
        ("table.to_pickle('x')", ["table.to_pickle"]),
        ("f(allow_pickle=True)", ["allow_pickle"]),
        ("f(allow_pickle=False)\nimport json\njson.load(x)", []),
    ],
)
def test_search_for_pickling_finds_what_it_should(source, found):
    assert list(find_pickling(source)) == found


@pytest.mark.parametrize("file", MODULES, ids=name_module)
def test_module_neither_reads_nor_writes_pickles(file):
    assert not list(find_pickling(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", MODULES, ids=name_module)
def test_whatever_is_loaded_pretrained_is_loaded_without_code_of_its_own(file):
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    loading = [ast.unparse(call) for call in calls if ast.unparse(call.func).endswith(".from_pretrained")]
    assert all("trust_remote_code=False" in call for call in loading), "or transformers offers to run foreign code"


@pytest.mark.parametrize("file", MODULES, ids=name_module)
def test_module_opens_with_a_docstring(file):
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert docstring, f"{name_module(file)} should open with one sentence that says what it holds"


def test_no_module_is_a_drawer_for_odds_and_ends():
    found = [name_module(file) for file in MODULES if {*file.relative_to(ROOT).with_suffix("").parts} & DRAWERS]
    assert not found, f"name these after what they hold: {found}"


def test_every_package_of_the_wheel_has_modules():
    assert {file.relative_to(ROOT).parts[0] for file in MODULES} == set(PACKAGES)
