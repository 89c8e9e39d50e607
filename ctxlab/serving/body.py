"""The body of a request as JSON, strictly: UTF-8, no name twice, only numbers that JSON has.

Python's reader alone takes ``NaN``, ``1e999`` and repeated names, which other readers refuse or understand differently.
"""

import json
import math
from typing import Any, NoReturn

from ctxlab.serving.refusal import Refusal


class _Unusual(ValueError):  # noqa: N818 - it is what a reader may accept
    """The text is JSON for some readers only."""


def parse(body: bytes) -> dict[str, Any]:
    """Return the object that a body consists of.

    Raises:
        Refusal: It is not UTF-8, not JSON, or not an object.
    """
    try:
        found = json.loads(
            body.decode("utf-8"), parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_once
        )
    except UnicodeDecodeError as error:
        raise Refusal(400, f"The body is not UTF-8 at byte {error.start}: encode it as UTF-8.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise Refusal(400, f'The body is not JSON at {place}: send one JSON object, such as {{"text": …}}.') from None
    except _Unusual as error:
        raise Refusal(400, str(error)) from None
    except RecursionError:
        raise Refusal(400, "The body is nested too deep: send one flat record.") from None
    except ValueError:  # a number with more digits than Python converts
        raise Refusal(400, "The body has a number with too many digits: send it as text.") from None
    if not isinstance(found, dict):
        raise Refusal(400, 'The body is not a JSON object: send one record, such as {"text": …}.')
    return found


def _no_number(_: str) -> NoReturn:
    raise _Unusual("The body contains NaN or Infinity, which JSON does not have: send null or leave the field out.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Unusual("The body contains a number that is too large: numbers go up to about 1.8e308.")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Unusual("The body contains an object with the same name twice: give each name once.")
    return found
