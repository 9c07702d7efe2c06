"""`python -m scalefit` is the command line."""

from scalefit.cli import main

raise SystemExit(main())
