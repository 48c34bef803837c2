"""Data-subject requests (GDPR Art. 12, 15 to 21) of the single customer view.

`domain/` decides and does no I/O; `service/` does what was decided on a `Platform`; the handlers beside them
are what the platform invokes. MODEL.md says what is stored.
"""
