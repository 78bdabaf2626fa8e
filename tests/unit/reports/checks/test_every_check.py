"""What all checks have in common: their numbers, their order, their words, and the page that lists them."""

import dataclasses
import re
from pathlib import Path

import pytest

from reports.checks import CHECKS, SYMBOLS, run_checks, summarise_checks
from reports.results import RunResults

ROOT = Path(__file__).resolve().parents[4]


def test_checks_are_numbered_once_and_failures_come_first(results: RunResults) -> None:
    card = results.data_card | {"is_synthetic": True}
    checks = run_checks(dataclasses.replace(results, data_card=card))
    assert sorted(check.code for check in checks) == [f"SCR{i:03d}" for i in range(1, len(CHECKS) + 1)]
    assert checks[0].code == "SCR007"
    assert all(re.fullmatch(r"[A-Z\d].*\.", check.sentence) for check in checks)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_bare_run_gets_an_outcome_and_a_sentence_from_every_check(results: RunResults, check) -> None:
    bare = dataclasses.replace(
        results, run_info={}, data_card={}, temperature=None, controls=None, comparators={}, explanations=None,
        operating_points=(),
    )  # fmt: skip
    found = check(bare)
    assert found.outcome in SYMBOLS
    assert found.sentence.endswith(".")
    assert found.outcome != "pass" or found.code == "SCR007"  # nothing that was not looked at passes


def test_the_summary_counts_every_check(results: RunResults) -> None:
    checks = run_checks(results)
    summary = summarise_checks(checks)
    assert sum(int(n) for n in re.findall(r"(\d+) (?:fail|warn|notice|pass|not )", summary)) == len(CHECKS)


def test_the_docs_list_every_check_with_its_title_and_severity(results: RunResults) -> None:
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (SCR\d{3}) \| ([^|]+) \| (\w+) \|", page, re.MULTILINE)
    assert sorted(rows) == sorted((check.code, check.title, check.severity) for check in run_checks(results))


def test_every_check_has_its_own_test_file() -> None:
    files = {path.name[5:11].upper() for path in Path(__file__).parent.glob("test_scr*.py")}
    assert files == {f"SCR{i:03d}" for i in range(1, len(CHECKS) + 1)}


def test_a_check_says_its_number_first(results: RunResults) -> None:
    for check in CHECKS:
        assert check.__doc__
        assert check.__doc__.startswith(check(results).code + ": ")
