"""Holds params.yaml against `vf.schema`: all that is wrong with it at once, one line each."""

import copy
import json
import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import ValidationError

from vf import schema

# of YAML: ValueError for thousands of digits, others for tags that do not fit, such as `!!bool 3` and `!!timestamp x`
UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
MOST = 100_000  # values: more are a trap, names of which stand for lists of names, and so on


class ParamsError(ValueError):
    """params.yaml is wrong: `lines` says what, one line for each thing."""

    def __init__(self, lines: list[str]):
        super().__init__("\n".join(lines))
        self.lines = lines


class _Loader(yaml.SafeLoader):
    """YAML 1.2, as DVC reads it: yes, no, on and off are texts, and so are 1:30 and 010, which 1.1 takes for numbers.

    `dvc exp run -S` writes "no" without its quotes.
    """


_PATTERNS = {  # of values, and the characters that they begin with
    "bool": ("^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    "int": ("^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    "float": (r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
        "-+.0123456789"),
}  # fmt: skip
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in _PATTERNS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, (_pattern, _first) in _PATTERNS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), list(_first))


def read(path: Path) -> tuple[dict, dict[tuple, int], list[tuple[int, str]]]:
    """Values of params.yaml, unchecked but for what no reader can read.

    path: of the file. Returns (values, {(key, ...): line}, [(line, message on a key that is there twice)]).
    Raises ParamsError for a file that cannot be opened, is not UTF-8, is no YAML or holds no mapping.
    """
    try:
        values, places, twice = _parsed(path.read_bytes().decode(), ())
    except OSError as error:
        raise ParamsError([f"{path}: {error.strerror}; wanted a file that can be read"]) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ParamsError(
            [f"{path.name}, line {line}: byte {error.object[error.start]:#x} is not UTF-8; save the file as UTF-8"]
        ) from error
    except UNREADABLE as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ParamsError(
            [f"{path.name}{f', line {mark.line + 1}' if mark else ''}: is not YAML: {problem}; mend the line"]
        ) from error
    if not isinstance(values, dict):
        held = "is empty" if values is None else f"holds {_shown(values)}"
        raise ParamsError(
            [f"{path.name}: {held}; wanted keys and values: `git checkout {path.name}` brings the published ones back"]
        )
    return values, places, twice


def _parsed(text, at):
    """Value of a YAML text that stands at a path, lines of its keys, and keys that it has twice; as of `read`."""
    loader = _Loader(text)
    node = loader.get_single_node()
    places: dict[tuple, int] = {}
    twice: list[tuple[int, str]] = []
    if node is not None:
        _walk(node, at, places, twice)
    return None if node is None else loader.construct_document(node), places, twice


def _walk(node, at, places, twice):
    """Note the line of every key and item, and keys that a mapping has twice."""
    places[at] = node.start_mark.line + 1
    if len(places) > MOST:
        raise ValueError(f"it holds more than {MOST} values")
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _walk(item, (*at, i), places, twice)
    if isinstance(node, yaml.MappingNode):
        seen = {}
        for key, value in node.value:
            text = isinstance(key, yaml.ScalarNode) and (at or key.tag.rpartition(":")[2] in ("str", "merge"))
            if not text or not key.value.isprintable():
                held = _shown(getattr(key, "value", None))
                raise yaml.MarkedYAMLError(problem=f"the key {held} is no name", problem_mark=key.start_mark)
            line, name = key.start_mark.line + 1, (*at, key.value)
            if name in seen:
                twice.append(
                    (line, f"{_dotted(name)} is there twice, first in line {seen[name]}; wanted once: delete one")
                )
            seen.setdefault(name, line)
            _walk(value, name, places, twice)
            places[name] = line


def check(path: Path) -> dict:
    """Values of params.yaml, if all of them are right.

    path: of the file. Raises ParamsError, whose message has a line for each thing that is wrong, in the file's order.
    """
    values, places, twice = read(path)
    if found := _wrong(values, places, twice, path.name):
        raise ParamsError([f"{path.name}, line {line}: {text}" for line, text in found])
    return values


def _wrong(values, places, twice, name):
    """(line, message) of each thing that is wrong, in the file's order. places, twice: of `read`. name: of the file."""
    wrong, found = set(), list(twice)
    try:
        schema.File.model_validate(values)
    except ValidationError as error:
        errors = [(e["loc"], e) for e in error.errors(include_url=False)]
        wrong = {at for at, _ in errors}
        lost = {at for at, e in errors if e["type"] == "missing"}
        misspelt = {at: _nearest(at, lost) for at, e in errors if e["type"] == "extra_forbidden"}
        near = {(*at[:-1], name) for at, name in misspelt.items()}
        gone = [at for at, e in errors if at in lost - near or (e["input"] is None and "object" in _types(_node(at)))]
        if len(gone) > 1:  # as in a file that is cut short, where a block may be cut after its name
            names = ", ".join(map(_dotted, gone[:3])) + (f" and {len(gone) - 3} more" if gone[3:] else "")
            text = f"{len(gone)} keys are missing: {names}; wanted all: `git checkout {name}` brings them back"
            found.append((_line(places, gone[0]), text))
            errors = [(at, e) for at, e in errors if at not in gone]
        for at, e in errors:
            if not (e["type"] == "missing" and at in near):
                found.append((_line(places, at), _said(at, e, misspelt.get(at))))
    for rule in (*schema.RULES, *_of_chosen(values)):
        keys = [tuple(key.split(".")) for key in rule.keys]
        if any(key[: len(at)] == at or at[: len(key)] == key for key in keys for at in wrong):
            continue  # one line for one thing: what is wrong by itself is said above
        operands = [_at(values, key) for key in keys]
        if wanted := rule.wanted(*operands):
            found.append((_line(places, keys[0]), f"{rule.keys[0]} is {_shown(operands[0])}; wanted {wanted}"))
    if not found:
        found += _of_ablations(values, places)
    return sorted(found, key=lambda each: each[0])


def change(values: dict, setting: str) -> None:
    """Change one of the values in place: `key=value`, or `~key`, which takes it away.

    A key that is not there is added only where the names are the reader's own (variants), or may be left out.

    values: of params.yaml. setting: a dotted key; the value is YAML, but for a key that wants a text, which is taken as
    it stands. Raises ParamsError for a key that is not there, with the nearest that is, and for a value that is
    no YAML.
    """
    key, equals, text = setting.removeprefix("~").partition("=")
    *above, name = at = tuple(key.split("."))
    removed, block = setting.startswith("~"), values
    if bool(equals) == removed:
        raise ParamsError([f"{setting}: is no setting; wanted key=value, or ~key to take a key away"])
    for k, part in enumerate(at):
        known = list(block) if isinstance(block, dict) else []
        last = k == len(above) and isinstance(block, dict) and not removed
        if part not in known and not (last and (part in _keys(above) or not _keys(above))):
            near = get_close_matches(part, known, 1, 0.6)
            wanted = f"wanted {near[0]}: mend the name" if near else f"there are {', '.join(known) or 'no keys'}"
            if not isinstance(block, dict):
                wanted = f"{_dotted(at[:k])} is {_shown(block)}; wanted a block there: set that as one"
            raise ParamsError([f"{setting}: {_dotted(at[: k + 1])} is no key; {wanted}"])
        block = block[part] if k < len(above) else block
    if removed:
        del block[name]
        return
    kinds = _types(_node(at)) - {None}
    if "string" in kinds and kinds <= {"string", "null"} and not ("null" in kinds and text == "null"):
        block[name] = text
        return
    try:
        block[name], _, twice = _parsed(text, at)
    except UNREADABLE as error:
        raise ParamsError([f"{setting[:200]}: {text[:100]!r} is not YAML; mend the value"]) from error
    if twice:
        raise ParamsError([f"{setting[:200]}: {twice[0][1]}"])


def settle(path: Path, settings: Sequence[str]) -> dict:
    """Values of params.yaml with settings, as of `change`, if all of them are right then.

    path: of the file, which stays as it is. Raises ParamsError, a line for each thing that is wrong.
    """
    values, _, twice = read(path)
    for setting in settings:
        change(values, setting)
    if found := _wrong(values, {}, twice, path.name):
        check(path)  # says in which line, where the file itself is wrong
        raise ParamsError([text for _, text in found])
    return values


def _of_chosen(values):
    """`schema.CHOSEN` for the profile that the file picks; none where it picks none."""
    profile = values.get("profile")
    shared = ("films", "audio")
    if profile not in ("small", "paper"):
        return []
    return [
        schema.Rule(tuple(key if key.startswith(shared) else f"{profile}.{key}" for key in rule.keys), rule.wanted)
        for rule in schema.CHOSEN
    ]


def _of_ablations(values, places):
    """(line, message) of each rule that the chosen profile breaks as an ablation changes it. values: right without."""
    profile, found = values["profile"], []
    rules = [rule for rule in schema.RULES if all(key.startswith(f"{profile}.") for key in rule.keys)]
    for block, above in schema.CHANGED.items():
        for name, change in values["ablation"][block].items():
            trial = {profile: copy.deepcopy(values[profile])}
            _lay(_at(trial[profile], above), change)
            for rule in rules:
                operands = [_at(trial, key.split(".")) for key in rule.keys]
                if wanted := rule.wanted(*operands):
                    at = ("ablation", block, name)
                    text = f"{_dotted(at)} makes {rule.keys[0]} {_shown(operands[0])}; wanted {wanted}"
                    found.append((_line(places, at), text))
    return found


def _lay(block, change):
    """Put the values of a change over those of a block that has such keys; the others an ablation alone knows."""
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(block.get(key), dict):
            _lay(block[key], value)
        elif key in block and not isinstance(value, dict):
            block[key] = value


def _at(values, keys):
    for key in keys:
        values = values[key]
    return values


def _line(places, at):
    """The line of a value, or of the nearest block around it."""
    return next((places[at[:n]] for n in range(len(at), -1, -1) if at[:n] in places), 1)


def _said(at, error, nearest):
    """One error of pydantic's in a line."""
    if at[-1] == "[key]":  # a name of the reader's own
        wanted = schema.VARIANT if at[0] == "ablation" else "a text that is not empty"
        return f"{_dotted(at[:-2])} has the name {_shown(at[-2])}; wanted {wanted}"
    key, value, node = _dotted(at), error["input"], _node(at)
    if error["type"] == "extra_forbidden":
        where = f"`{_dotted(at[:-1])}`" if at[1:] else "params.yaml"
        known = f"{where} has {', '.join(_keys(at[:-1]))}"
        return f"{key} is no key; wanted {nearest}: mend the name" if nearest else f"{key} is no key; {known}"
    if error["type"] == "missing":
        return f"{key} is missing; wanted {_wanted(node)}: add it"
    if error["type"] == "value_error":
        wanted = error["ctx"]["error"]
        held = "has a name that cannot be" if isinstance(value, dict) else f"is {_shown(value)}"
        return f"{key} {held}; wanted {wanted}"
    return f"{key} is {_shown(value)}; wanted {_wanted(node)}{_remedy(value, node)}"


def _remedy(value, node):
    """What to write instead of a text that stands for a number, or of a number that is meant as a text."""
    kinds = _types(node)
    if isinstance(value, str) and kinds & {"number", "integer"}:
        try:
            number = float(value)
        except ValueError:
            return ""
        if not math.isfinite(number):
            return ""
        if "integer" in kinds and number == round(number):
            return f": write {number:.0f}"
        digits, e, power = value.strip().lower().partition("e")
        digits += "" if "." in digits else ".0"
        power = power if not e or power[:1] in "+-" else f"+{power}"
        return f": write {digits}{e}{power}"
    if not isinstance(value, (str, bool, type(None), dict, list)) and "string" in kinds and "pattern" not in node:
        return f': write "{value}"'
    return ""


# pydantic's classes as JSON schema: in it a key's neighbours and what it may be are found by path

_SCHEMA = schema.File.model_json_schema()


def _resolved(node):
    return _SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def _node(at):
    """The part of the schema that describes a path; {} for one that it does not know."""
    node = _SCHEMA
    for key in at:
        node = _resolved(node)
        node = next((_resolved(n) for n in node.get("anyOf", []) if n.get("type") != "null"), node)
        other = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), {})
        node = node.get("items", {}) if isinstance(key, int) else node.get("properties", {}).get(key) or other
        node = node if isinstance(node, dict) else {}
    return _resolved(node)


def _types(node):
    return {node.get("type")} | {other.get("type") for other in node.get("anyOf", [])}


def _keys(at):
    """The keys that the block at a path knows."""
    return list(_node(at).get("properties", {}))


def _nearest(at, lost):
    """The key that a name which is no key was meant as, or None: of those that are missing first."""
    known = _keys(at[:-1])
    missing = [key for key in known if (*at[:-1], key) in lost]
    near = get_close_matches(str(at[-1]), missing, 1, 0.6) or get_close_matches(str(at[-1]), known, 1, 0.6)
    return near[0] if near else None


def _wanted(node):
    """What the schema wants of a value, in words."""
    node = _resolved(node)
    if "anyOf" in node:
        return " or ".join(_wanted(other) for other in node["anyOf"])
    if "description" in node and node.get("type") == "string":
        return node["description"]
    if "const" in node or "enum" in node:
        choices = [_shown(choice) for choice in node.get("enum", [node.get("const")])]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    kind = node.get("type")
    if kind == "array":
        least, most = node.get("minItems", 0), node.get("maxItems")
        many = f"a list of {least}" if least == most else f"a list of at least {least}" if least else "a list"
        return f"{many}, each {_wanted(node['items'])}"
    if kind == "object":
        known = ", ".join(node.get("properties", {}))
        return f"a block of {known}" if known else "a block of names and their values"
    words = {
        "integer": "a whole number",
        "number": "a number",
        "string": "a text",
        "boolean": "true or false",
        "null": "null",
    }
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    if "multipleOf" in node:
        words["integer"] = "an even number"
    limits = " and ".join(f"{word} {node[bound]:.12g}" for bound, word in bounds.items() if bound in node)
    return f"{words.get(kind, 'another value')}{' of ' if 'minimum' in node and limits else ' '}{limits}".strip()


def _dotted(at):
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at)
    text = text.removeprefix(".") or "params.yaml"
    return text if len(text) <= 200 else f"{text[:197]}..."


def _shown(value):
    """A value as YAML would have it, not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
