"""Plain and residual networks for small images: data, models, trainer and diagnostics behind the book.

Every module does one step of the line from the bytes of the CIFAR files to a figure on a page; import the module
that you need (``from resnet_book import data, models``). Importing the package itself imports nothing heavy.
"""

__version__ = "0.1.0"
