"""What is new in a reply, and what is quoted, signed or a disclaimer: pure functions over a mail's text."""
