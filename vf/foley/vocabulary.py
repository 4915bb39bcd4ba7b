"""What a model's text encoder learnt, in words for the console and the desk."""

from difflib import get_close_matches

from vf.data.clips import words_of
from vf.foley.render import VideoFoley
from vf.foley.request import negative

COMMON = {"a", "after", "an", "and", "of", "person", "something", "sound", "stick", "that", "the", "with", "wooden"}
SCORES = "Scores compare the sound with its loudness curve, not with the film."


def _telling(maker, prompt):
    """Words of a prompt that were learnt and stand for a sound: not those that every prompt has."""
    return set(words_of(prompt)) - set(maker.unknown_words(prompt)) - COMMON


def _with_nearest(maker, word):
    near = get_close_matches(word, [*maker.vocabulary[0], *maker.vocabulary[1]], 1, 0.6) if len(word) > 3 else []
    return f"{word} (known: {near[0]})" if near else word


def known(maker: VideoFoley) -> str:
    """The materials and actions that the text encoder was trained on, as a line."""
    materials, actions = maker.vocabulary
    if not materials:
        return "Prompts are free text."
    return f"Knows {', '.join(materials)}; {' and '.join(actions)}."


def unknown(maker: VideoFoley, prompts: list[str | None], negative_prompt: str | None = None) -> list[str]:
    """Lines for the words of prompts that it was never trained on: of prompts with others, of those without, negative.

    A word that is nearly one of those it knows is named with that one.
    """
    given = list(dict.fromkeys(prompt for prompt in prompts if prompt))
    lines, materials = [], maker.vocabulary[0]
    bare = [prompt for prompt in given if materials and not _telling(maker, prompt)]
    found = dict.fromkeys(word for prompt in given if prompt not in bare for word in maker.unknown_words(prompt))
    if found:
        named = ", ".join(_with_nearest(maker, word) for word in found)
        lines.append(f"Never learnt: {named}. The sound will follow the other words.")
    for prompt in bare:
        unheard = ", ".join(_with_nearest(maker, word) for word in maker.unknown_words(prompt))
        never = f" (never learnt: {unheard})" if unheard else ""
        lines.append(f"{prompt!r}: says nothing that was learnt{never}; any timbre may come.")
    if negative_prompt and (words := maker.unknown_words(negative(negative_prompt))):
        lines.append(f"Never learnt, in the negative prompt: {', '.join(words)}. It cannot lead away from these.")
    return lines
