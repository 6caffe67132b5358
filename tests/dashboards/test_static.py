"""The dashboard's files, read as text: nothing that would interpret data as markup, and nothing from elsewhere."""

import re

import pytest

from lytrace import semconv
from lytrace_dashboards import STATIC_DIR

VENDOR = STATIC_DIR / "vendor"
OWN_FILES = sorted(path for path in STATIC_DIR.rglob("*") if path.is_file() and VENDOR not in path.parents)
SCRIPTS = [path for path in OWN_FILES if path.suffix == ".js"]
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser|createContextualFragment"
    r"|javascript:"
)
ELSEWHERE = re.compile(r"(?:https?:)?//(?!www\.w3\.org/)[a-z0-9.-]+\.[a-z]{2,}", re.IGNORECASE)
UNWRITTEN = {"LATENT_MEAN", "LATENT_NONFINITE_COUNT", "LATENT_STD", "LIB_VERSION_PREFIX"}


def ids(paths):
    return [str(path.relative_to(STATIC_DIR)) for path in paths]


@pytest.mark.parametrize("path", OWN_FILES, ids=ids(OWN_FILES))
def test_nothing_interprets_text_as_markup_or_code(path) -> None:
    assert not FORBIDDEN.findall(path.read_text("utf-8"))


@pytest.mark.parametrize("path", OWN_FILES, ids=ids(OWN_FILES))
def test_nothing_comes_from_another_host(path) -> None:
    code = "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.strip().startswith("//"))
    assert not ELSEWHERE.findall(code)


@pytest.mark.parametrize("path", SCRIPTS, ids=ids(SCRIPTS))
def test_imports_lead_to_files(path) -> None:
    for target in re.findall(r'from "([^"]+)"', path.read_text("utf-8")):
        assert target.startswith("."), target
        assert (path.parent / target).is_file(), target


@pytest.mark.parametrize("path", SCRIPTS, ids=ids(SCRIPTS))
def test_every_name_that_is_imported_is_exported_and_used(path) -> None:
    text = path.read_text("utf-8")
    for names, target in re.findall(r'import \{([^}]+)\} from "([^"]+)"', text):
        if "vendor" in target:
            continue
        exporter = (path.parent / target).read_text("utf-8")
        rest = text.replace(names, "", 1)
        for name in filter(None, map(str.strip, names.split(","))):
            assert re.search(
                rf"export (?:async )?(?:function\*?|const|class|let) {name}\b|export \{{[^}}]*\b{name}\b", exporter
            ), name
            assert re.search(rf"\b{name}\b", rest), name


def test_only_one_module_talks_to_the_api() -> None:
    speakers = [path.name for path in SCRIPTS if re.search(r"\bfetch\(|XMLHttpRequest|EventSource", path.read_text("utf-8"))]
    assert speakers == ["api.js"]


def test_the_page_has_no_inline_script_and_loads_every_style() -> None:
    index = (STATIC_DIR / "index.html").read_text("utf-8")
    assert not re.findall(r"<script(?![^>]*src=)", index)
    assert not re.findall(r"\son\w+=", index)
    linked = set(re.findall(r'href="static/styles/([^"]+)"', index))
    assert linked == {path.name for path in (STATIC_DIR / "styles").iterdir()}


def test_attribute_names_are_those_of_the_sdk() -> None:
    text = (STATIC_DIR / "lib" / "semconv.js").read_text("utf-8")
    names = dict(re.findall(r'export const (\w+) = "([^"]+)";', text))
    known = {name: getattr(semconv, name, None) for name in names if name not in UNWRITTEN}
    assert known == {name: value for name, value in names.items() if name not in UNWRITTEN}


def test_attribute_names_stand_in_one_module() -> None:
    pattern = re.compile(r'"(?:diffusion|lytrace\.(?:gpu|span|stage|artifact|enclosing|step)|gen_ai)\.[a-z_.]+"')
    assert {path.name for path in SCRIPTS if pattern.search(path.read_text("utf-8"))} == {"semconv.js"}


def test_vendored_files_carry_their_version_and_licence() -> None:
    readme = (VENDOR / "README.md").read_text("utf-8")
    for path in VENDOR.glob("*.js"):
        assert re.search(r"-\d+\.\d+\.\d+\.js$", path.name)
        assert path.name in readme
    assert {path.name for path in VENDOR.glob("*.LICENSE")} == {"preact.LICENSE", "htm.LICENSE"}


def test_every_colour_is_a_token() -> None:
    for path in (STATIC_DIR / "styles").iterdir():
        if path.name != "tokens.css":
            defined = set(re.findall(r"--[a-z0-9-]+(?=:)", (STATIC_DIR / "styles" / "tokens.css").read_text("utf-8")))
            local = set(re.findall(r"(--[a-z0-9-]+):", path.read_text("utf-8")))
            used = set(re.findall(r"var\((--[a-z0-9-]+)", path.read_text("utf-8")))
            assert used <= defined | local | {"--depth", "--at"}, path.name
