"""Many runs that can be left alone: planned, simulated chunk by chunk, put together."""
