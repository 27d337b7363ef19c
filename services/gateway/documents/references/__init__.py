"""What documents name: the marks of a declaration, the parts of rules, and how names are resolved and found."""
