"""``python -m ctxlab``."""

import sys

from ctxlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
