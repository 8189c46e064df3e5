"""``python -m resnet_book`` is the command line ``resnet-book``."""

import sys

from resnet_book.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
