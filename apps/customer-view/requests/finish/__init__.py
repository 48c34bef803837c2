"""The function that makes archives and certificates: it alone needs ReportLab and cryptography."""
