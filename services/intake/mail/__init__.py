"""What kinds of mail there are beside letters, and formats that only some programs write."""
