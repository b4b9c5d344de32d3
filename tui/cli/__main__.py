"""`python -m tui.cli` is `tiffin` where that is not installed."""

import sys

from tui.cli.main import main

sys.exit(main())
