"""The order context: takes orders, runs their workflow, passes on the moves that people make."""
