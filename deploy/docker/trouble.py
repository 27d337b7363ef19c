"""What stops a container: one line that says what is wrong and what mends it."""


class Trouble(Exception):
    """The operator can mend it; the message says how."""
