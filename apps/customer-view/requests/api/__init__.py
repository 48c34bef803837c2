"""The HTTP API of the requests: what persons use by links, and what staff use with a token."""
