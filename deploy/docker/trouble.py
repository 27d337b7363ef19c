"""The error that stops a container: one line that says what is wrong and how to repair it."""


class Trouble(Exception):
    """The operator can repair it. The message says how."""
