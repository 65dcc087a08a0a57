"""The documentation builds without a warning, and shows what the code has."""

import html
import importlib.util
import re
import sys

import pytest


@pytest.fixture(scope="module")
def site(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder))
    return folder


def text(page):
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_algorithm_is_shown(site):
    from fmi_core.collectives import catalog

    page = (site / "collectives.html").read_text(encoding="utf-8")
    for collective, algorithms in catalog().items():
        section = page.partition(f'<h3 id="{collective}"')[2].partition("<h3 ")[0]
        for algorithm in algorithms:
            assert f"<code>{algorithm.name}</code>" in section
            assert html.escape(algorithm.source, quote=False) in section


def test_every_error_is_explained(site):
    import fmi_core.errors

    page = (site / "errors.html").read_text(encoding="utf-8")
    assert [name for name in fmi_core.errors.__all__ if f"<code>{name}</code>" not in page] == ["FmiError"]


def test_every_module_is_in_the_reference(site, root):
    spec = importlib.util.spec_from_file_location("docs_hooks", root / "docs" / "hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    assert {"fmi_core", "errors", "collectives", "channels", "launch"} <= set(hooks.rooms())
    for room, modules in hooks.rooms().items():
        page = (site / "reference" / f"{room}.html").read_text(encoding="utf-8")
        missing = [module for module in modules if f'id="{module}"' not in page]
        assert not missing


def test_help_texts_are_those_of_the_commands(site, run):
    page = " ".join(text(site / "cli.html").split())
    for command in (["fmi"], ["fmi", "run"], ["fmi", "broker"]):
        shown = run(*command, "--help", COLUMNS="110", NO_COLOR="1").stdout
        assert " ".join(shown.split()) in page


def test_pages_load_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text(encoding="utf-8")
        )
        assert not loaded, page.name
