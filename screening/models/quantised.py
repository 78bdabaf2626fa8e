"""A classifier quantised to int8, in the two files OpenVINO reads: a graph in XML and its weights; no pickle."""

from dataclasses import dataclass
from pathlib import Path

from screening.exceptions import BundleError

GRAPH_FILE = "quantised.xml"
WEIGHTS_FILE = "quantised.bin"


@dataclass(frozen=True)
class QuantisedModel:
    """A quantised classifier; :func:`screening.inference.quantisation.quantise` makes it.

    Attributes
    ----------
    graph : bytes
        XML of OpenVINO's intermediate representation.
    weights : bytes
        The numbers the graph refers to by offset.
    """

    graph: bytes
    weights: bytes

    def save(self, folder: Path) -> None:
        """Write ``quantised.xml`` and ``quantised.bin`` into a folder that exists."""
        (folder / GRAPH_FILE).write_bytes(self.graph)
        (folder / WEIGHTS_FILE).write_bytes(self.weights)

    @classmethod
    def load(cls, folder: Path) -> "QuantisedModel":
        """Read what :meth:`save` wrote.

        Raises
        ------
        BundleError
            If a file is missing.
        """
        try:
            return cls((folder / GRAPH_FILE).read_bytes(), (folder / WEIGHTS_FILE).read_bytes())
        except OSError as error:
            message = f"{folder} holds no whole quantised model ({GRAPH_FILE}, {WEIGHTS_FILE}); calibrate the run again"
            raise BundleError(message) from error
