"""Exit codes of every command, and what each means."""

EXIT_FAILED = 1
"""What was asked about fails: findings, rules, checks."""
EXIT_USAGE = 2
EXIT_UNREAD = 3
"""Not everything could be read, or nothing was judged: the answer is not known."""
EXIT_OWN_ERROR = 4
EXIT_NEWER = 5
"""The state is of a newer Driftline: another start of this one cannot help."""
EXIT_OTHER_TOPIC = 6
"""A topic is another than the one that the state was made from: somebody must say which is right."""
EXIT_RESTART = 75
"""Nothing is lost; start the process again."""
EXIT_INTERRUPTED = 130
