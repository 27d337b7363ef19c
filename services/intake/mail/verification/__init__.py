"""Whether a mail is from where it says, found out here (DKIM, SPF, DMARC, ARC), where no mail server in front has judged (decision 0028)."""
