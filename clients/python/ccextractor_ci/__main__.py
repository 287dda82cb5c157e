"""`python -m ccextractor_ci`, and the one file that a platform serves: the command `ci`."""

import sys

from ccextractor_ci.cli.main import main

sys.exit(main())
