"""What happens: one exchange, one session, one course, and the compiler that makes it fast."""
