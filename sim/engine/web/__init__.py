"""The model in a web page: the tuples of steps written as one WebAssembly module, and what loads it."""
