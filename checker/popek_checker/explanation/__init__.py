"""What a machine is, said for people, derived from its text."""
