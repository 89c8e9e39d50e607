"""What every component has in common: a class that leaves a required method out fails where it is defined."""

from abc import ABC
from typing import Any


class Component(ABC):  # noqa: B024 (the protocols have the abstract methods)
    """Base of the protocols in ``ctxlab.core``: a protocol lists the methods of its components as abstract ones.

    A class is complete unless it names ``ABC`` among its own bases, as protocols and the bases that several components
    share do: ``class Base(Reading, ABC)`` may leave methods out, ``class Chunk(Base)`` may not.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check a class as soon as it is defined, and so when its file is imported.

        Raises:
            TypeError: naming the class and the methods that it leaves out.
        """
        super().__init_subclass__(**kwargs)
        missing = [] if ABC in cls.__bases__ else missing_methods(cls)
        if missing:
            raise TypeError(
                f"{cls.__module__}.{cls.__qualname__} does not define {', '.join(missing)}, which every "
                f"{protocol_name(cls)} needs: define them, or add ABC to its bases if it is a base of others."
            )


def missing_methods(cls: type) -> list[str]:
    """Names of the abstract methods that ``cls`` neither defines nor inherits, in order of their declaration.

    ``cls.__abstractmethods__`` does not serve here: Python sets it after ``__init_subclass__``.
    """
    declared = (name for base in reversed(cls.__mro__) for name, value in vars(base).items() if _is_abstract(value))
    return [name for name in dict.fromkeys(declared) if _is_abstract(getattr(cls, name))]


def option(component: object) -> str:
    """A component's name on the command line: that of its file."""
    return type(component).__module__.rsplit(".", 1)[-1]


def _is_abstract(member: object) -> bool:
    return bool(getattr(member, "__isabstractmethod__", False))


def protocol_name(cls: type) -> str:
    """Name of the protocol that ``cls`` implements, such as ``Task``, for messages."""
    return next((base.__name__ for base in cls.__mro__ if Component in base.__bases__), "no protocol")
