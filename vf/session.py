"""A session: the small JSON beside a film from which its sound can be made again, byte for byte on the same machine."""


def read(session_file):
    """The session as a dict (see `foley.Foley.session`): film, curve (n,) float32, prompt, audio, regions as foley.Region, seed ...

    Paths come back resolved from the folder of the file. Raises media.MediaError for a file that is no session.
    """
    raise NotImplementedError


def render(session_file, output=None, maker=None, progress=None, stop=None):
    """Make a session's sound again: the same bytes on the same machine.

    output: film to write, with its session beside it; nothing is written without. maker: a VideoFoley that is loaded already, else
    the session's own is. progress, stop: see VideoFoley.render. Returns foley.Foley.
    Raises media.MediaError for files that are missing or have changed, ValueError for another model than the session's.
    """
    raise NotImplementedError
