"""What questionnaires make of a state: instruments, and answers with what is missing in them."""
