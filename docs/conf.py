"""Settings of the site that `make docs` builds, without a network, from the pages that docs/gather.py lays out."""

import re

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml

project = "Video-Foley"
copyright = "the contributors of this repository, MIT"
extensions = ["myst_nb", "sphinx.ext.autodoc"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
highlight_language = "text"

html_theme = "furo"
html_title = "Video-Foley"
html_static_path = ["style.css", "demo.mp4", "films"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the outputs are those that a run left
nb_merge_streams = True
nb_ipywidgets_js = {}  # widgets are kept as text; their script would come from a network

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 88
python_display_short_literal_types = True


def plain(app, what, name, obj, options, lines):
    """Docstrings are plain text: only `code`, and examples indented below a blank line, mean anything."""
    chunks, example = [], False
    for line in lines:
        indented = line.startswith("    ")
        example = indented and (example or not chunks or not chunks[-1][1][-1].strip()) or (example and not line)
        if not chunks or chunks[-1][0] != example:
            chunks.append((example, []))
        chunks[-1][1].append(line if example else line.strip())
    out = []
    for example, group in chunks:
        if example:
            out += ["", "::", "", *group, ""]
            continue
        parts = re.split(r"(`[^`]+`)", "\n".join(group))
        safe = (f"`{part}`" if k % 2 else re.sub(r"([\\*|_`<>])", r"\\\1", part) for k, part in enumerate(parts))
        out += "".join(safe).split("\n")
    lines[:] = out


def mathml(tex, block):
    """A formula as MathML, which browsers draw themselves, without a script.

    docutils sets the index of an accented letter below the letter; it belongs at its right.
    """
    accented = r"<munderover>\s*(<mi>[^<]*</mi>)\s*(<mi>[^<]*</mi>)\s*(<mo[^>]*>[ˆ~¯]</mo>)\s*</munderover>"
    text = tex2mathml(tex, as_block=block)
    return re.sub(accented, r'<msub><mover accent="true">\1\3</mover>\2</msub>', text)


def inline_math(self, node):
    """A formula in a sentence."""
    self.body.append(mathml(node.astext(), block=False))
    raise SkipNode


def block_math(self, node):
    """A formula on lines of its own."""
    self.body.append(f'<div class="math">{mathml(node.astext(), block=True)}</div>')
    raise SkipNode


def setup(app):
    app.connect("autodoc-process-docstring", plain)
    app.add_html_math_renderer("mathml", inline_renderers=(inline_math, None), block_renderers=(block_math, None))
