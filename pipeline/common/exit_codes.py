"""Exit codes of all commands."""

EXIT_FAILED = 1
"""A finding, rule or check failed."""
EXIT_USAGE = 2
EXIT_UNREAD = 3
"""Not everything could be read, or nothing was evaluated: the result is not known."""
EXIT_OWN_ERROR = 4
EXIT_NEWER = 5
"""The state was written by a newer Driftline: a restart does not help."""
EXIT_OTHER_TOPIC = 6
"""A topic is not the one that the state was built from: an operator must decide."""
EXIT_RESTART = 75
"""Nothing is lost; restart the process."""
EXIT_INTERRUPTED = 130
