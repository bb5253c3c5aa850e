"""What a change of the program that is no change of the model must leave as it is: values of tables, and messages of bad input."""
