"""What happens: one exchange, one session, one course, and what therapists and experimenters can do in them."""
