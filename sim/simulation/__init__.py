"""From a scenario's arm to tables: who takes part, their weeks, and tidy columns."""
