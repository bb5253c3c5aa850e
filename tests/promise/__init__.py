"""What a change that is none of the model must leave as it is: values of tables, and messages of bad input."""
