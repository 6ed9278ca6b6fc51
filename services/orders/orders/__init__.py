"""The order context: takes orders, runs their workflow, passes on the turns that people take."""
