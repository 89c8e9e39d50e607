"""Base of all component protocols: a class that lacks a required method fails when it is defined."""

from abc import ABC
from typing import Any


class Component(ABC):  # noqa: B024 (the protocols have the abstract methods)
    """Base of the protocols in ``ctxlab.core``, which declare the methods of their components as abstract.

    A class must be complete unless ``ABC`` is among its own bases, as it is for protocols and for bases that several
    components share: ``class BaseReading(Reading, ABC)`` may lack methods, ``class Chunk(BaseReading)`` may not.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check a class when it is defined, which is when its file is imported.

        Raises:
            TypeError: names the class and the methods that it lacks.
        """
        super().__init_subclass__(**kwargs)
        missing = [] if ABC in cls.__bases__ else missing_methods(cls)
        if missing:
            raise TypeError(
                f"{cls.__module__}.{cls.__qualname__} does not define {', '.join(missing)}, which every "
                f"{protocol_name(cls)} needs: define them, or add ABC to its bases if it is a base of others."
            )


def missing_methods(cls: type) -> list[str]:
    """Return the abstract methods that ``cls`` neither defines nor inherits, in order of declaration.

    ``cls.__abstractmethods__`` cannot be used here: Python sets it after ``__init_subclass__``.
    """
    declared = (name for base in reversed(cls.__mro__) for name, value in vars(base).items() if _is_abstract(value))
    return [name for name in dict.fromkeys(declared) if _is_abstract(getattr(cls, name))]


def option(component: object) -> str:
    """Return a component's name on the command line, which is the name of its file."""
    return type(component).__module__.rsplit(".", 1)[-1]


def _is_abstract(member: object) -> bool:
    return bool(getattr(member, "__isabstractmethod__", False))


def protocol_name(cls: type) -> str:
    """Return the name of the protocol that ``cls`` implements, such as ``Task``, for messages."""
    return next((base.__name__ for base in cls.__mro__ if Component in base.__bases__), "no protocol")
