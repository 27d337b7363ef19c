"""Reading mails: structure, charsets, quotes, verification of the sender, and the kind of mail."""
