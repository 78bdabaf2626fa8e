"""Write a report: one self-contained HTML file, and the same tables as CSV and JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from reports import intended_use
from reports.assembly import build_page
from screening.whole_writes import write_folder_whole

if TYPE_CHECKING:
    import pandas as pd

    from reports.page import Page
    from reports.results import RunResults

HTML_NAME = "index.html"
JSON_NAME = "report.json"
TABLES_NAME = "tables"


def write_report(results: RunResults, folder: Path) -> Path:
    """Write ``index.html``, ``report.json`` and ``tables/*.csv`` into a folder.

    Everything is written beside the folder first and renamed at the end: an interrupted call leaves the earlier report
    whole. A report that stands in the folder already is replaced.

    Parameters
    ----------
    results : RunResults
        Score tables and facts of one run.
    folder : Path
        For example ``runs/demo/report``; parents are created.

    Returns
    -------
    Path
        The HTML file.
    """
    page = build_page(results)
    with write_folder_whole(folder) as aside:
        _write_files(page, aside)
    return folder / HTML_NAME


def render_html(page: Page) -> str:
    """Fill the template; every value is escaped, only pictures of our own making are put in as they are."""
    css, script = load_template("report.css").replace("\n", ""), load_template("report.js")
    template = make_environment().from_string(load_template("report.html.jinja"))
    use = {
        "purpose": intended_use.PURPOSE,
        "flagged": intended_use.DECISION_FLAGGED,
        "not_flagged": intended_use.DECISION_NOT_FLAGGED,
        "not_for": intended_use.NOT_FOR,
    }
    return template.render(
        page=page,
        use=use,
        css=Markup(css),  # noqa: S704  our own style sheet
        script=Markup(script),  # noqa: S704  our own script
        policy=write_policy(css, script),
    )


def write_policy(css: str, script: str) -> str:
    """Write the page's content security policy: our style sheet and our script by their digests, and nothing else.

    Nothing is loaded from anywhere, and no script that reached the page some other way would run. ``style`` attributes
    are allowed, because pictures use them.
    """
    style_digest, script_digest = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (css, script)
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script_digest}'; style-src 'sha256-{style_digest}'; "
        "style-src-attr 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


def make_environment() -> jinja2.Environment:
    """Make the template environment: escaping on, unknown names refused."""
    return jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False, keep_trailing_newline=True
    )


def load_template(name: str) -> str:
    """Read a file of the template folder."""
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")


def build_json(page: Page) -> dict[str, Any]:
    """Collect what the page says as JSON: answer, checks, tables with every column, provenance."""
    return {
        "run": page.run_name,
        "created_at": page.created_at,
        "banner": page.banner,
        "answer": list(page.answer),
        "checks": [check.model_dump(mode="json") for check in page.checks],
        "tables": {
            table.name: {
                "title": table.title,
                "split": table.split,
                "note": table.note,
                "rows": _make_records(table.frame),
            }
            for table in page.tables
        },
        "provenance": {fact.heading: fact.value for fact in page.provenance},
    }


def _make_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with plain Python values; what is undefined becomes null."""
    rows = json.loads(frame.to_json(orient="records", double_precision=15, date_format="iso"))
    return [{key: _finite(value) for key, value in row.items()} for row in rows]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_files(page: Page, folder: Path) -> None:
    (folder / HTML_NAME).write_text(render_html(page), encoding="utf-8")
    text = json.dumps(build_json(page), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / JSON_NAME).write_text(text + "\n", encoding="utf-8")
    (folder / TABLES_NAME).mkdir()
    for table in page.tables:
        table.frame.to_csv(folder / TABLES_NAME / f"{table.name}.csv", index=False)
