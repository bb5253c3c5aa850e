"""What comes out, as data: every column of the tables and every measure."""
