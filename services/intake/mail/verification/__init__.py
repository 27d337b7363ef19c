"""Verifies the senders of mails (DKIM, SPF, DMARC, ARC) if no mail server in front of the desk has done so (decision
0028)."""
