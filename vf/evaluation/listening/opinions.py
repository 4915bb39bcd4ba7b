"""Answers of listeners (section 3.2, App. D): mean opinion scores, and how metrics rank against them (Table 3)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats

from vf.data import files
from vf.evaluation import metrics

CRITERIA = ("material", "action", "temporal", "quality")


def read_answers(key: dict, paths: Iterable[str | Path]) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Answer files of a page: (ratings, left_out).

    key: of `page.make`. ratings: a row for each rated sound, with listener, question, system and the four criteria.
    left_out: (file, why) of each file that is no JSON, of another page, incomplete, or of a listener who is in already.
    """
    rows: list[dict] = []
    left_out: list[tuple[str, str]] = []
    seen: dict[str, str] = {}
    for path in map(Path, paths):
        try:
            answers = files.read_json(path, "the file that the page saved: have it sent again")
            mine = _rated(key, answers)
        except ValueError as error:
            left_out.append((files.printable(str(path)), str(error).removeprefix(f"{path}: ")))
        else:
            listener = answers["listener"]
            if listener in seen:
                left_out.append(
                    (
                        str(path),
                        f"is of listener {files.excerpt(listener)}, as {seen[listener]} is; wanted one file a listener",
                    )
                )
            else:
                seen[listener] = str(path)
                rows += mine
    return pd.DataFrame(rows, columns=["listener", "question", "system", *CRITERIA]), left_out


def _rated(key, answers):
    if not isinstance(answers, dict) or not {"page", "listener", "answers"} <= set(answers):
        raise ValueError("has no page, listener and answers; wanted the file that the page saved")
    if answers["page"] != key["page"]:
        raise ValueError(
            f"is of page {files.excerpt(answers['page'])}; wanted {key['page']}: score it with its own key.json"
        )
    if not isinstance(answers["listener"], str) or not isinstance(answers["answers"], dict):
        raise ValueError("has a listener or answers of another form; wanted the file that the page saved")
    rows = []
    for question in key["questions"]:
        for code, system in question["items"].items():
            given = answers["answers"].get(question["id"]) or {}
            scores = (given.get(code) if isinstance(given, dict) else None) or {}
            for criterion in CRITERIA:
                score = scores.get(criterion) if isinstance(scores, dict) else None
                if type(score) is not int or not 1 <= score <= 5:
                    raise ValueError(
                        f"question {question['id']}: {criterion} of sound {code} is {files.excerpt(repr(score))}; "
                        "wanted 1 to 5: have it completed"
                    )
            row = {"listener": answers["listener"], "question": question["id"], "system": system}
            rows.append(row | {criterion: scores[criterion] for criterion in CRITERIA})  # nothing else of the file
    return rows


def mean_scores(ratings: pd.DataFrame, order: Iterable[str], seed: int = 0) -> pd.DataFrame:
    """Mean opinion scores, a row a system: {criterion, criterion ±, criterion low, criterion high}.

    ratings: of `read_answers`. order: of the systems. ± is half of the 95% interval of the mean with every rating taken
    as independent (Student's t), Table 3's form; low and high are from a bootstrap over listeners, whose ratings are
    alike.
    """
    rows = []
    for system in order:
        own = ratings[ratings.system == system]
        row = {"system": system, "ratings": len(own)}
        for criterion in CRITERIA:
            x = own[criterion].to_numpy(float)
            half = scipy.stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else np.nan
            low, high = (
                metrics.bootstrap(x, own.listener, seed=seed) if own.listener.nunique() > 1 else (np.nan, np.nan)
            )
            row |= {criterion: x.mean(), f"{criterion} ±": half, f"{criterion} low": low, f"{criterion} high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def correlate(scores: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation of every metric with every criterion over the systems that both tables have.

    scores: of `mean_scores`. measured: a DataFrame with `system` and a column a metric, PEAVS or any other. Returns
    rows of metric, criterion, rho and systems; rho is NaN under three systems, and of a handful of systems it proves
    little. Raises ValueError without a common system, for a system with two rows, and for a cell that is no number.
    """
    names = metric_columns(measured)
    both = scores.merge(measured, on="system", suffixes=("", " measured"))
    if both.empty:
        raise ValueError(
            f"the metrics are of {', '.join(map(str, measured.system))}; "
            f"wanted some of {', '.join(scores.system)}: name them alike"
        )
    rows = []
    for metric in names:
        column = f"{metric} measured" if metric in scores else metric
        for criterion in CRITERIA:
            pair = both[[column, criterion]].dropna()
            enough = len(pair) > 2 and pair.nunique().min() > 1
            rho = scipy.stats.spearmanr(pair[column], pair[criterion]).statistic if enough else np.nan
            rows.append({"metric": metric, "criterion": criterion, "rho": rho, "systems": len(pair)})
    return pd.DataFrame(rows)


def metric_columns(measured: pd.DataFrame) -> list[str]:
    """Names of the columns of a table of metrics, checked: see `correlate`."""
    if "system" not in measured:
        columns = files.excerpt(", ".join(map(str, measured.columns)))
        raise ValueError(f"the metrics have columns {columns}; wanted `system` and one a metric")
    doubled = measured.system[measured.system.duplicated()]
    if len(doubled):
        raise ValueError(
            f"the metrics have two rows for {files.excerpt(doubled.iloc[0])}; wanted one a system: remove one"
        )
    names = [c for c in measured if c != "system"]
    for name in names:
        cells = measured[name].dropna().astype(str)
        text = cells[pd.to_numeric(cells, errors="coerce").isna()]
        if len(text):
            raise ValueError(
                f"the metrics have {files.excerpt(text.iloc[0])!r} in column {files.excerpt(name)}; "
                "wanted a number or an empty cell: mend it, or drop the column"
            )
    return names


def markdown(scores: pd.DataFrame, measured: pd.DataFrame | None = None) -> str:
    """A Markdown table in the form of Table 3: metrics first, then each opinion as `mean (± half of the interval)`.

    scores: of `mean_scores`; its order is kept. measured: as for `correlate`; its systems without an opinion follow.
    """
    extra: list[str] = []
    rows = scores.set_index("system")
    if measured is not None:
        extra = metric_columns(measured)
        both = scores.merge(measured, on="system", how="outer", suffixes=("", " measured")).set_index("system")
        rows = both.loc[list(dict.fromkeys([*scores.system, *measured.system]))]
    lines = [f"| {' | '.join(['system', *extra, *CRITERIA])} |", "|---" * (len(extra) + len(CRITERIA) + 1) + "|"]
    for system, row in rows.iterrows():
        cells = [row[f"{m} measured" if m in scores else m] for m in extra]
        shown = ["–" if pd.isna(c) else f"{c:.4g}" for c in cells]
        shown += ["–" if pd.isna(row[c]) else f"{row[c]:.2f} (±{row[f'{c} ±']:.2f})" for c in CRITERIA]
        lines.append(f"| {' | '.join([str(system), *shown])} |")
    return "\n".join(lines)
