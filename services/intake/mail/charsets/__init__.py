"""Bytes as text: which charset is meant by a name, what its bytes say, and what is meant where no name is given (decision 0083)."""
