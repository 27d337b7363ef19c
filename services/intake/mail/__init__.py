"""Reading mails: their structure, charsets and quotes, what proves their sender, what kind of mail each is."""
