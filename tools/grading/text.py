"""Text from a submission, cleaned before it is printed, stored, or written to a table or a page.

Names, remarks, points and outputs come from programs and archives that others wrote. They may hold halves of
characters that no file can store, commands for the terminal, marks that reverse the order of letters, and line breaks
that start a new row of a table.
"""

import os
import re
import unicodedata

LONGEST = 300  # characters; a longer reason or remark would hide the others
_BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_UNFIT = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # control characters
    "\xad\u180e\u200b\u2060\ufeff"  # invisible ones
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks of direction
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"  # annotations, no characters, halves of characters
)


def clean(text: object, longest: int = LONGEST) -> str:
    """Return a text of one line that is safe to print and store; what is not becomes U+FFFD.

    Parameters
    ----------
    text : object
        Anything; other types are converted.
    longest : int
        Characters to keep.
    """
    return clean_lines(_BREAKS.sub(" ", str(text)[: 2 * longest]))[:longest].strip()


def clean_lines(text: str) -> str:
    """Return a text of many lines that is safe to print and store; what is not becomes U+FFFD."""
    return _UNFIT.sub("\ufffd", re.sub("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]", "\n", text))


def readable(name: str) -> str:
    """Return a file's name as text, whose bytes may not be text, as after unpacking another system's archive."""
    return clean(os.fsencode(name).decode("utf-8", errors="replace"))


def folded(name: str) -> str:
    """Return a name in the form in which two names that look alike, or that one disk cannot hold, are the same."""
    text = unicodedata.normalize("NFKC", readable(name)).casefold()
    return unicodedata.normalize("NFKC", text).strip(" .")
