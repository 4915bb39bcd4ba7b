"""Tables of a run as markdown, and their places in REPRODUCTION.md."""

import re


def reproduction_blocks(text, run, blocks):
    """Fill the generated blocks of REPRODUCTION.md.

    text: the file. blocks: {name: markdown}. A block stands between `<!-- RUN NAME -->` and `<!-- end RUN NAME -->`; a run
    that the file has no markers for leaves it as it is. Returns the new text.
    """
    for name, body in blocks.items():
        start, end = f"<!-- {run} {name} -->", f"<!-- end {run} {name} -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        text = pattern.sub(lambda _, s=start, e=end, b=body: f"{s}\n{b}\n{e}", text)
    return text


def block(text, run, name):
    """What stands between the markers of a block of REPRODUCTION.md, `text`; "" where it has none."""
    found = re.search(f"<!-- {re.escape(run)} {name} -->(.*?)<!-- end {re.escape(run)} {name} -->", text, re.DOTALL)
    return found.group(1).strip() if found else ""


def markdown(columns, rows):
    """A markdown table of strings."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def mean(row, metric):
    """A metric of a row of a metrics file; of a list of values, one a seed, their mean; None where it was not measured."""
    value = row.get(metric)
    return sum(value) / len(value) if isinstance(value, list) else value


def cell(row, metric):
    """`value [low, high]` of a row of a metrics file; a list of values, one a seed, by its mean."""
    value, interval = mean(row, metric), row.get(f"{metric}_interval")
    if value is None or isinstance(value, str):
        return value or "–"
    return f"{value:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval and None not in interval else "")


def publish(p, blocks):
    """Write blocks {name: markdown} of this run into REPRODUCTION.md, where it has markers for them."""
    reproduction = p.root / "REPRODUCTION.md"
    old = reproduction.read_text()
    new = reproduction_blocks(old, p.run, blocks)
    if new != old:
        reproduction.write_text(new)
