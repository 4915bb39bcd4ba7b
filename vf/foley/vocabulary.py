"""What a model's text encoder learnt, in words for the console and the desk."""

from vf.data.clips import words_of
from vf.foley.render import VideoFoley
from vf.foley.request import negative

SCORES = "Scores compare the sound with its loudness curve, not with the film."


def known(maker: VideoFoley) -> str:
    """The materials and actions that the text encoder was trained on, as a line."""
    materials, actions = maker.vocabulary
    if not materials:
        return "Prompts are free text."
    return f"Knows {', '.join(materials)}; {' and '.join(actions)}."


def unknown(maker: VideoFoley, prompts: list[str | None], negative_prompt: str | None = None) -> list[str]:
    """A line for the words of prompts that it was never trained on, and one for those of a negative prompt."""
    given = list(dict.fromkeys(prompt for prompt in prompts if prompt))
    materials, actions = maker.vocabulary
    bare = [prompt for prompt in given if materials and not {*materials, *actions} & set(words_of(prompt))]
    found = dict.fromkeys(word for prompt in given for word in maker.unknown_words(prompt))
    lines = []
    if found:
        others = "" if bare == given else " The sound will follow the other words."
        lines.append(f"Never learnt: {', '.join(found)}.{others}")
    if bare:
        lines.append(f"{' and '.join(map(repr, bare))}: no material or action that was learnt; any timbre may come.")
    if negative_prompt and (words := maker.unknown_words(negative(negative_prompt))):
        lines.append(f"Never learnt, in the negative prompt: {', '.join(words)}. It cannot lead away from these.")
    return lines
