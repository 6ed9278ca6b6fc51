"""The life of an order without a workflow: each module takes one step and knows no other module's next one."""
