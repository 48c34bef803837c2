"""What the person gets: the archive of their data in a form for machines and in two for people, and the certificate."""
