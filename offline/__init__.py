"""The offline tools: they run while every worker is stopped, and no process of the gateway imports them."""
