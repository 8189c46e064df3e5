"""Plain and residual networks for small images: data, models, trainer and diagnostics behind the book.

Import the module that you need (``from resnet_book import data, models``). Importing the package itself imports nothing
heavy; ``resnet_book.load_trained``, a trained network ready to use, is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnet_book.experiments.trained import load_trained as load_trained

__version__ = "0.1.0"
__all__ = ["__version__", "load_trained"]


def __getattr__(name: str) -> Any:
    if name == "load_trained":
        from resnet_book.experiments.trained import load_trained

        return load_trained
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
