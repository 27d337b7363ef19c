"""Decodes bytes as text: by the name of the charset, by the bytes themselves, or by detection if no name is given
(decision 0083)."""
